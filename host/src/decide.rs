//! Asks the policy.
//!
//! A policy is a component without imports. Every decision gets a fresh instance, bounded in time,
//! memory, tables and output; what a policy does to itself cannot reach the next decision.
//!
//! | module | what |
//! |---|---|
//! | `engine` | wasmtime, set up once, and the clock that ends what takes too long |
//! | `limits` | the bounds of one decision |
//! | `policy` | a policy ready to decide |
//! | `contract` | the bindings of `wit/v1` |
//! | `json` | the contract's records as JSON, for a policy that runs natively |
//! | `convert` | between the contract's records and the model's |

mod contract;
mod convert;
mod engine;
pub mod json;
mod limits;
mod policy;

pub use engine::{Engine, EngineError};
pub use limits::{Limit, Limits};
pub use policy::{About, Answer, DecideError, Policy};
