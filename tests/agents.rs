//! Agents in one process on a store in memory, beat by beat: what is decided, sent, refused and followed.

mod node;

use std::time::Duration;

use precedent::fleet::{Agent, NodeState, store::MemoryStore};

use node::{FLEET, Nodes};

const NO_TIME: Duration = Duration::ZERO;

/// Beats them in turn until nothing moves any more, or so often.
fn settle(agents: &mut [Agent<'_>]) {
    for _ in 0..12 {
        for agent in agents.iter_mut() {
            agent.beat(NO_TIME);
        }
    }
}

#[test]
fn a_login_that_ended_is_mended_by_the_copy_of_another_node() {
    let nodes = Nodes::new(&["a", "b", "c"], "nodes", FLEET);
    nodes.log_in("a", "canary-access-a", -1);
    nodes.log_in("b", "canary-access-b", 24);
    nodes.log_in("c", "canary-access-c", 12);
    let store = MemoryStore::default();
    let tellers: Vec<_> = nodes.names.iter().map(|name| nodes.teller(name)).collect();
    let mut agents: Vec<Agent<'_>> = nodes
        .names
        .iter()
        .zip(&tellers)
        .map(|(name, tell)| nodes.agent(name, &store, tell))
        .collect();
    settle(&mut agents);
    assert_eq!(nodes.access("a"), "canary-access-b", "{:#?}", nodes.told.lock().unwrap());
    assert_eq!(nodes.access("c"), "canary-access-c");
    assert_eq!(nodes.heard("leads").len(), 1);
    for agent in &agents {
        assert_eq!(agent.standing(), &NodeState::InOrder, "{:#?}", nodes.told.lock().unwrap());
    }
    for entry in store.read_everything() {
        let text = String::from_utf8_lossy(&entry.value);
        assert!(!text.contains("canary-"), "{}: {text}", entry.key);
        assert!(!entry.key.contains("/sealed/") || text.contains("AGE ENCRYPTED"), "{}", entry.key);
    }
}
