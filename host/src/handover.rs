//! Handing one credential from node to node, sealed.
//!
//! What travels is an age file in ASCII armour, for one recipient. Inside are three lines: what it is, an
//! envelope in JSON, and the sender's ed25519 signature over both lines before it. The envelope names its
//! sender, its target, the credential and its time, so that it can neither be passed on nor be used twice.
//!
//! | module | what |
//! |---|---|
//! | `keys` | what a node is known by, and what it keeps to itself |
//! | `envelope` | what travels: sealed and signed, opened and verified |
//! | `receive` | whether what came is to be used here |
//! | `source` | the copy that is handed over |

mod envelope;
mod keys;
mod receive;
mod source;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use envelope::{Handover, seal};
pub use keys::{NodeIdentity, Recipient, Signer};
pub use receive::{Accepted, HandoverError, Receiver};
pub use source::{Source, SourceError};

/// How long what is exported may be used, where nobody says.
pub const VALID: Duration = Duration::from_secs(10 * 60);
/// The longest that it may be used.
pub const LONGEST_VALID: Duration = Duration::from_secs(24 * 60 * 60);
/// How far the clocks of two nodes may be apart.
pub const SKEW: Duration = Duration::from_secs(2 * 60);
/// The most bytes that a sealed text may have.
pub const LARGEST: usize = 1 << 20;
/// The most bytes that a secret may have.
const LARGEST_SECRET: usize = 64 << 10;
