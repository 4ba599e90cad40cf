//! What the stages hand to one another. Nothing in here holds a secret.

mod decision;
pub mod named;
mod pointer;
mod snapshot;

pub use decision::{Action, Decision, Deed, Finding, Refusal, Severity, Standing, Verdict};
pub use pointer::Pointer;
pub use snapshot::{
    Consumer, ConsumerId, CredentialId, Fact, Fault, FileId, FileState, FileStatus, Location,
    LocationId, LocationKind, Phase, Place, Presence, Reference, ReferenceKind, Snapshot,
};
pub(crate) use snapshot::{FAMILY, declared_name};
