//! How OpenClaw's own programs resolve their gateway credentials, by version.
//!
//! To understand precedence, read [`era`]: it is the table of who looks where, in which order,
//! since when. [`resolve`] walks it. The names of locations, consumers and facts are those of the
//! host's `openclaw` preset.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | [`call`] | what a caller may ask beside the usual order |
//! | [`era`] | the orders as data |
//! | [`installation`] | version and modes, read from a snapshot |
//! | [`resolve`] | what a consumer gets, why, and what it would get next |
//! | [`version`] | OpenClaw's dates as versions |

pub mod call;
pub mod era;
pub mod installation;
pub mod resolve;
pub mod version;

pub use era::{Place, Program};
pub use installation::{AuthMode, Credential, Installation, Mode};
pub use resolve::Resolved;
pub use version::Version;
