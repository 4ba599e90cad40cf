//! Nodes that share a store: etcd as it is, three members with certificates, killed, stopped and cut off.
//!
//! | module | what |
//! |---|---|
//! | `cluster` | three members of etcd on this machine, and a line to them that can be cut |
//! | `store` | what every engine must do, and what etcd must do beyond |
//!
//! etcd is Debian's `etcd-server` and `etcd-client`. Where it is missing the tests fail: nothing else tells
//! whether what is built on it holds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a test that fails should fail loudly"
)]

#[path = "fleet/cluster.rs"]
mod cluster;
#[path = "fleet/store.rs"]
mod store;
