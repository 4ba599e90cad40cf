//! What a build without the feature `platforms` makes of tables that are for the full one.

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};

/// Passes over a table: the same manifest serves both builds.
pub(super) fn ignored<'de, D: Deserializer<'de>, T: Default>(from: D) -> Result<T, D::Error> {
    IgnoredAny::deserialize(from).map(|_| T::default())
}

/// Refuses a place that this build could not read: without it another copy would win.
pub(super) fn refused<'de, D: Deserializer<'de>, T>(_: D) -> Result<T, D::Error> {
    Err(D::Error::custom(
        "this build runs no programs of platforms; take the full one for a manifest with a `command`",
    ))
}
