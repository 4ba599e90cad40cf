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
    example("environment_wins")
}

/// A policy of the cookbook, an example of the SDK.
pub(crate) fn example(name: &str) -> PathBuf {
    build("precedent-guest", Some(name))
}

/// Builds a package of the workspace, or an example of it.
pub(crate) fn build(package: &str, example: Option<&str>) -> PathBuf {
    let root = root();
    guest::add_target(&root).unwrap();
    let guests = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    // The shipped ones as the host has them: their digest says which they are.
    let stack = match package.starts_with("precedent-policy-") {
        true => guest::Stack::Small,
        false => guest::Stack::Ample,
    };
    let guest = guest::Guest { root: &root, package, library: None, example, stack, locked: true };
    guest::build(guest, &guests).unwrap()
}
