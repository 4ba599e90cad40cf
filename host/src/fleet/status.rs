//! How a fleet stands, as its store says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Assignment, Board, NodeState, Report, Roster, Rotation, Space, Store, StoreError,
    guard::Holder, kept::told_by, session::elected, signed,
};
use crate::{handover::SKEW, secret::Key};

/// How a fleet stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct FleetStatus {
    /// The node that decides, if one is elected.
    pub leader: Option<String>,
    /// How each node stands, in the order of the manifest.
    pub nodes: Vec<NodeStatus>,
    /// Who published something and is no peer of this node's manifest, or is not believed, and why.
    pub unbelieved: BTreeMap<String, String>,
    /// The rotations that are known of.
    pub rotations: Vec<Rotation>,
    /// What only one node does at a time, and which node is at it.
    pub guards: Vec<Holder>,
}

/// How a node stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct NodeStatus {
    /// The node.
    pub node: String,
    /// Whether its agent runs.
    #[serde(rename = "alive")]
    pub is_alive: bool,
    /// What it published last, without what it sees; none where it never did, or is not believed.
    pub at: Option<u64>,
    /// The version of precedent that runs there.
    pub version: Option<String>,
    /// The generation that is assigned to it; 0 for none.
    pub assigned: u64,
    /// The generation that it follows.
    pub follows: u64,
    /// What became of that.
    pub state: NodeState,
    /// What is wrong with it, beside its state.
    pub problems: Vec<String>,
}

impl NodeStatus {
    /// Whether there is nothing to do about it.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        self.is_alive
            && self.problems.is_empty()
            && self.state == NodeState::InOrder
            && self.follows == self.assigned
    }
}

impl FleetStatus {
    /// Reads it from the store. `policy` is the digest of the policy here, `now` in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn read(
        store: &dyn Store,
        space: &Space,
        roster: &Roster,
        (key, policy, now): (&Key, &str, u64),
    ) -> Result<Self, StoreError> {
        let board = Board::read(store, space, roster)?;
        let prefix = space.assignment("");
        let assigned: BTreeMap<String, u64> = store
            .list(&prefix)?
            .entries
            .iter()
            .filter_map(|entry| {
                let assignment: Assignment = signed::read(roster, &entry.value).ok()?;
                Some((assignment.node, assignment.generation))
            })
            .collect();
        let told = told_by(key);
        let nodes = roster.nodes().map(|node| {
            let report = board.reports.get(node);
            let assigned = assigned.get(node).copied().unwrap_or(0);
            NodeStatus {
                node: node.to_owned(),
                is_alive: board.alive.contains(node),
                at: report.map(|report| report.at),
                version: report.map(|report| report.version.clone()),
                assigned,
                follows: report.map_or(0, |report| report.generation),
                state: report.map_or(NodeState::Unassigned, |report| report.state.clone()),
                problems: problems(report, (&told, policy, now), assigned),
            }
        });
        let nodes = nodes.collect();
        let rotations = store.list(&space.rotation(""))?.entries;
        let rotations =
            rotations.iter().filter_map(|entry| Rotation::read(roster, space, entry)).collect();
        let prefix = space.all_guards();
        let guards = store.list(&prefix)?.entries;
        let guards = guards.iter().filter_map(|entry| Holder::read(&prefix, entry)).collect();
        let leader = elected(store, space)?;
        Ok(Self { leader, nodes, unbelieved: board.unbelieved, rotations, guards })
    }

    /// Whether there is nothing to do about it.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        self.leader.is_some()
            && self.unbelieved.is_empty()
            && self.nodes.iter().all(NodeStatus::is_in_order)
            && self.rotations.iter().all(Rotation::is_over)
    }
}

fn problems(
    report: Option<&Report>,
    (key, policy, now): (&str, &str, u64),
    assigned: u64,
) -> Vec<String> {
    let Some(report) = report else { return vec!["it published nothing".to_owned()] };
    let mut problems = Vec::new();
    if report.key != key {
        problems.push(
            "it has another key for fingerprints, so that nothing of it can be compared; copy the fleet's there".to_owned(),
        );
    }
    if report.policy != policy {
        problems.push(format!("it has another policy: {}", report.policy));
    }
    if report.at > now.saturating_add(SKEW.as_secs()) {
        problems.push(format!("its clock is {} s ahead of this node's", report.at - now));
    }
    if assigned < report.generation {
        problems.push(format!(
            "generation {assigned} is assigned to it, and it follows {}: the store is older than the fleet",
            report.generation
        ));
    }
    problems
}
