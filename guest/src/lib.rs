//! Write a Precedent policy in Rust.
//!
//! A policy implements [`Policy`] and names itself to [`export!`]; built for
//! `wasm32-unknown-unknown` it is a component without imports. The same code runs natively in
//! tests, see [`testing`].
//!
//! ```
//! use precedent_guest::{Answer, Decision, NoSettings, Policy, Snapshot, Standing};
//!
//! /// The environment wins for everybody.
//! struct EnvironmentWins;
//!
//! impl Policy for EnvironmentWins {
//!     type Settings = NoSettings;
//!
//!     fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
//!         let mut decision = Decision::default();
//!         let env = snapshot.location_named("env.api-key");
//!         for consumer in snapshot.consumers() {
//!             let today = snapshot.first_present(snapshot.locations_of(consumer.credential));
//!             decision.verdict(consumer.id, today.into(), env.map(|l| l.id), "the environment wins");
//!         }
//!         if let Some(env) = env.filter(|location| location.is_plain()) {
//!             for copy in snapshot.locations_of(env.credential) {
//!                 decision.write_unless_equal(env, copy, "follows the environment");
//!             }
//!         }
//!         Ok(decision)
//!     }
//! }
//!
//! precedent_guest::export!(EnvironmentWins);
//! # fn main() {}
//! ```
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | [`policy`] | the trait, its settings, the export macro |
//! | [`snapshot`] | the snapshot as a policy reads it: by name, with attributes and facts |
//! | [`decision`] | the decision as a policy builds it: verdicts, actions, findings |
//! | [`precedence`] | a ranking of locations, what wins, and what would win next |
//! | `memory` | what a component allocates, for as long as a decision takes |
//! | [`testing`] | a snapshot builder and a case runner without WebAssembly |
//! | [`contract`] | the types as generated from `wit/` |

pub mod decision;
#[cfg(target_arch = "wasm32")]
mod memory;
pub mod policy;
pub mod precedence;
pub mod snapshot;
pub mod testing;

/// The types of the contract, generated from `wit/v1/policy.wit`, where each is documented.
pub mod contract {
    pub use crate::bindings::exports::precedent::policy::policy::*;
}

#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::restriction,
    reason = "generated; the contract documents its items"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v1",
        world: "token-policy",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "precedent_guest::bindings",
        additional_derives: [PartialEq, Eq, serde::Serialize, serde::Deserialize],
    });
}

pub use contract::{About, Fault, LocationKind, Phase, ReferenceKind, Refusal, Severity, Standing};
pub use decision::Decision;
pub use policy::{Answer, NoSettings, Policy};
pub use precedence::Ranking;
pub use snapshot::{Consumer, Location, Presence, Reference, Snapshot};

#[doc(hidden)]
pub use serde_json;
