//! Asks the policy.
//!
//! A policy is a component without imports. Every decision gets a fresh instance, bounded in time,
//! memory, tables and output; what a policy does to itself cannot reach the next decision.
//!
//! | module | what |
//! |---|---|
//! | `engine` | wasmtime, set up once |
//! | `clock` | ends what takes too long |
//! | `pool` | room for instances that is kept ready |
//! | `limits` | the bounds of one decision |
//! | `policy` | a policy ready to decide |
//! | `contract` | the versions of the contract, each with its conversion into the model |
//! | `json` | the contract's records as JSON, for a policy that runs natively |
//! | `shape` | what a component is from outside, and what it takes: for its author |
//! | `warm` | an instance that is kept, to measure what a fresh one costs |

mod clock;
mod contract;
mod engine;
pub mod json;
mod limits;
mod policy;
#[cfg(feature = "pooling")]
mod pool;
#[cfg(feature = "workbench")]
mod shape;
#[cfg(feature = "workbench")]
mod warm;

pub use engine::{Engine, EngineError};
pub use limits::{Limit, Limits};
pub use policy::{About, Answer, DecideError, Policy};
#[cfg(feature = "workbench")]
pub use shape::{Shape, Usage};
#[cfg(feature = "workbench")]
pub use warm::Warm;

/// The versions of the contract that this host serves, newest first, such as `0.1.0`.
pub fn contracts() -> impl Iterator<Item = &'static str> {
    contract::SERVED.iter().map(|served| served.version)
}
