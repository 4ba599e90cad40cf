//! Nodes that share a store: etcd as it is, three members with certificates, killed, stopped and cut off.
//!
//! | module | what |
//! |---|---|
//! | `cluster` | three members of etcd on this machine, and a line to them that can be cut |
//! | `store` | what every engine must do, and what etcd must do beyond |
//! | `node` | homes, identities and manifests of nodes |
//! | `agents` | five agents, each a process of its own, killed, cut off, with clocks apart |
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

#[path = "fleet/agents.rs"]
mod agents;
#[path = "fleet/cluster.rs"]
mod cluster;
#[path = "agents/node.rs"]
#[allow(dead_code, reason = "agents in one process want more of it")]
mod node;
#[path = "fleet/store.rs"]
mod store;
