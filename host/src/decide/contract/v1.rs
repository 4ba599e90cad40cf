//! `precedent:policy@1.0.0`, of `wit/v1`: one text for all strings of a snapshot, and spans that point
//! into it.

#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "calls.rs"]
mod calls;
#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "convert.rs"]
mod convert;
#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "spans.rs"]
mod spans;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::restriction, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../wit/v1",
        world: "token-policy",
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

use super::Spoken;

pub(super) use calls::bind;
use spans::Text;
pub(in crate::decide) use {
    bindings::exports::precedent::policy::policy as wit,
    convert::{decision, refusal},
    spans::shown,
};

/// How it has a string of an answer.
fn said(_: &str, text: String) -> wasmtime::Result<String> {
    Ok(text)
}

impl Spoken for wit::Decision {}
impl Spoken for wit::Refusal {}
