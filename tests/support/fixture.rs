//! Policies of the tests' own, built as the shipped ones are.

use std::{path::PathBuf, sync::OnceLock};

use super::root;

#[path = "../../host/build/guest.rs"]
mod guest;

/// The policy that misbehaves in the way that its setting `way` names.
pub(crate) fn misbehaving() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("precedent-misbehaving", None))
}

/// The policy of the guide, an example of the SDK.
pub(crate) fn environment_wins() -> PathBuf {
    build("precedent-guest", Some("environment_wins"))
}

fn build(package: &str, example: Option<&str>) -> PathBuf {
    guest::add_target().unwrap();
    let guests = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    guest::build(&root(), &guests, package, example).unwrap()
}
