//! What the stages hand to one another. Nothing in here holds a secret.

mod decision;
mod snapshot;

pub use decision::{Action, Decision, Deed, Finding, Refusal, Severity, Standing, Verdict};
pub use snapshot::{
    Consumer, ConsumerId, CredentialId, Fact, Fault, FileId, FileState, FileStatus, Location,
    LocationId, LocationKind, Phase, Place, Pointer, Presence, Reference, ReferenceKind, Snapshot,
};
pub(crate) use snapshot::{FAMILY, declared_name};
