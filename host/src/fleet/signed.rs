//! What a node wrote, and nobody else: two lines, a document in JSON and a signature over it.
//!
//! The signature is over the kind of document and the fleet too, so that none passes for another.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Serialize, de::DeserializeOwned};

use super::Roster;
use crate::handover::NodeIdentity;

/// A kind of document.
pub(super) trait Document: Serialize + DeserializeOwned {
    /// What it says it is.
    const SCHEMA: &'static str;

    /// The node that wrote it, as it says itself.
    fn author(&self) -> &str;
}

/// Why what stands in the store is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Unbelieved {
    /// It is not what stands there.
    #[error("it is no {0} of this version")]
    Foreign(&'static str),
    /// It names a node that is no peer.
    #[error("it says that it is by `{0}`, which is no peer with a signer in this node's manifest")]
    Unknown(String),
    /// It was not made by the node that it names.
    #[error("its signature is not {0}'s")]
    Signature(String),
}

/// Signs a document.
pub(super) fn sign<D: Document>(identity: &NodeIdentity, fleet: &str, document: &D) -> Vec<u8> {
    // What is made of strings and numbers can be written as JSON.
    let mut text = serde_json::to_vec(document).unwrap_or_default();
    let signature = identity.sign(&signed(D::SCHEMA, fleet, &text));
    text.push(b'\n');
    text.extend_from_slice(BASE64_STANDARD.encode(signature).as_bytes());
    text
}

/// Reads a document, and sees that the node that it names signed it.
///
/// # Errors
///
/// Why it is not believed.
pub(super) fn read<D: Document>(roster: &Roster, bytes: &[u8]) -> Result<D, Unbelieved> {
    let at = bytes.iter().rposition(|byte| *byte == b'\n');
    let (text, signature) =
        at.map(|at| bytes.split_at(at)).ok_or(Unbelieved::Foreign(D::SCHEMA))?;
    let document: D = serde_json::from_slice(text).map_err(|_| Unbelieved::Foreign(D::SCHEMA))?;
    let author = document.author().to_owned();
    let signer = roster.signer(&author).ok_or_else(|| Unbelieved::Unknown(shown(&author)))?;
    let signature = signature.get(1..).and_then(|text| BASE64_STANDARD.decode(text).ok());
    let signature = signature.and_then(|bytes| bytes.try_into().ok());
    let is_its = signature.is_some_and(|signature| {
        signer.signed(&signed(D::SCHEMA, roster.fleet(), text), &signature)
    });
    if is_its { Ok(document) } else { Err(Unbelieved::Signature(author)) }
}

fn signed(schema: &str, fleet: &str, text: &[u8]) -> Vec<u8> {
    [schema.as_bytes(), b"\n", fleet.as_bytes(), b"\n", text].concat()
}

/// A name that somebody else chose, no longer than a line.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
