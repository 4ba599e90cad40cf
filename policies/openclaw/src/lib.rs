//! How OpenClaw's own programs resolve their gateway credentials, by version.
//!
//! To understand precedence, read [`era`]: it is the table of who looks where, in which order,
//! since when. Three sorts of programs walk it, each with its own way with references. The names of
//! locations, consumers and facts are those of the host's `openclaw` preset.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `apart` | programs that get different secrets, where nothing is done about it |
//! | [`call`] | what a caller may ask beside the usual order |
//! | `client` | the command line, the probe and node hosts |
//! | [`environment`] | where a program's variables come from: the process, files, a service |
//! | [`era`] | the orders as data |
//! | [`holes`] | what OpenClaw's own diagnostics do not show |
//! | [`installation`] | version and modes, read from a snapshot |
//! | `reader` | a program that looks: what stands at a place for it |
//! | [`resolve`] | what a consumer gets, why, and what it would get next |
//! | `server` | the gateway |
//! | `tui` | the terminal interface |
//! | [`version`] | OpenClaw's dates as versions |

mod apart;
pub mod call;
mod client;
pub mod environment;
pub mod era;
pub mod holes;
pub mod installation;
mod reader;
pub mod resolve;
mod server;
mod tui;
pub mod version;

pub use environment::Service;
pub use era::{Place, Program};
pub use installation::{AuthMode, Credential, Installation, Mode};
pub use resolve::Resolved;
pub use version::Version;
