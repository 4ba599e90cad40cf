//! Policies of the tests' own, built as the shipped ones are.

use std::{path::PathBuf, sync::OnceLock};

use super::root;

#[path = "../../host/build/guest.rs"]
mod guest;

/// The policy that misbehaves in the way that its setting `way` names.
pub(crate) fn misbehaving() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        guest::add_target().unwrap();
        let guests = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../guests");
        guest::build(&root(), &guests, "precedent-misbehaving").unwrap()
    })
}
