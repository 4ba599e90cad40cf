//! Keeps every copy of a gateway's credentials in agreement, by a policy that never sees one.
//!
//! ```text
//! observe -> Snapshot, Vault    what every location holds; secrets stay in the vault
//! decide  -> Decision | Refusal WebAssembly; pure, limited, a fresh instance each time
//! check   -> Checked            the host's own rules
//! plan    -> Plan               the exact edits; no secret in it
//! apply   -> Outcome            the only stage that writes
//! record  -> Record             always, also after a failure
//! ```
//!
//! The compiler keeps the order: only [`check::check`] makes a [`check::Checked`], [`plan::plan`]
//! takes nothing else, and [`apply::apply`] takes only a plan, the vault and the key. [`Host`] runs
//! the stages, by [`Host::reconcile`] all of them. There is no global state, nothing is printed, and the
//! environment is read where the deployment is looked at, and nowhere else.
//!
//! # Layout
//!
//! | module | what | files it touches |
//! |---|---|---|
//! | [`config`] | manifest and preset -> [`config::Deployment`] | reads `precedent.toml` |
//! | [`observe`] | -> [`model::Snapshot`] and [`secret::Vault`] | reads the deployment's |
//! | [`artifact`] | a policy reference -> a policy that can decide | reads the policy; keeps compiled ones |
//! | [`decide`] | runs the policy | none |
//! | [`check`] | the host's own rules | none |
//! | [`plan`] | the edits | none |
//! | [`apply`] | writes them | writes the deployment's |
//! | [`record`] | key and journal | its own folder |
//! | [`Host`] | runs the stages: what an embedding program holds | none |
//! | [`Reloading`] | a policy file that may change while the program runs | reads the policy |
//! | [`Impact`] | which calls fail of a disagreement, and which go on | none |
//! | [`Resolved`] | the secret that a program is to be given | none |
//! | `handover` | one credential for another node, sealed and signed | none |
//! | `fleet` | many nodes that agree through a store | its own folder |
//! | `cases` | policy cases: a snapshot in words, and what is expected | none |
//! | `prove` | what holds of a policy in every state of a deployment | none |
//! | [`model`] | what the stages hand to one another | none |
//! | [`secret`] | secrets, fingerprints, digests | none |

pub mod apply;
pub mod artifact;
#[cfg(feature = "cases")]
pub mod cases;
pub mod check;
pub mod config;
pub mod decide;
mod document;
mod error;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "handover")]
pub mod handover;
mod host;
mod impact;
pub mod model;
pub mod observe;
pub mod plan;
#[cfg(feature = "cases")]
pub mod prove;
pub mod record;
mod resolve;
pub mod secret;

pub use error::{Error, Stage};
#[cfg(feature = "tokio")]
pub use host::AsyncHost;
pub use host::{
    Active, Builder, Event, Host, Installation, Proposal, Reconciled, Rejected, ReloadStatus,
    Reloaded, Reloading, Ruling, Turn, rule,
};
pub use impact::{CallImpact, CallState, Health, Impact, impact};
pub use resolve::{ResolveError, Resolved};

/// JSON Schema of `precedent.toml`, for editors.
#[cfg(feature = "schema")]
#[must_use]
pub fn manifest_schema() -> serde_json::Value {
    config::schema()
}

/// The page on embedding, whose code is run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;
