//! `precedent:policy@0.1.0`, of `wit/v0`: a string for each name and label.

#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "calls.rs"]
mod calls;
#[allow(clippy::duplicate_mod, reason = "each version has its own")]
#[path = "convert.rs"]
mod convert;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::restriction, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../wit/v0",
        world: "token-policy",
    });
}

use super::Spoken;
use crate::model::Snapshot;

pub(super) use calls::bind;
use {
    bindings::exports::precedent::policy::policy as wit,
    convert::{decision, refusal},
};

/// How this version has a string of the snapshot.
#[derive(Default)]
struct Text;

impl Text {
    fn put(&mut self, text: &str) -> String {
        text.to_owned()
    }
}

/// How it has a string of an answer.
fn said(_: &str, text: String) -> wasmtime::Result<String> {
    Ok(text)
}

impl Spoken for wit::Decision {}
impl Spoken for wit::Refusal {}

/// What the policy is shown.
fn shown(snapshot: &Snapshot) -> wit::Snapshot {
    let (text, classes) = (&mut Text, &mut super::Classes::default());
    wit::Snapshot {
        deployment: text.put(&snapshot.deployment),
        phase: convert::phase(snapshot.phase),
        now: snapshot.now,
        settings: snapshot.settings.to_string(),
        credentials: snapshot.credentials.iter().map(|name| text.put(name)).collect(),
        locations: convert::locations(snapshot, text, classes),
        consumers: convert::consumers(snapshot, text),
        location_attributes: convert::attributes(
            snapshot.locations.iter().map(|location| &location.attributes),
            text,
        ),
        consumer_attributes: convert::attributes(
            snapshot.consumers.iter().map(|consumer| &consumer.attributes),
            text,
        ),
        facts: convert::facts(snapshot, text),
    }
}
