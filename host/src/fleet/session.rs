//! The lease of a node, and its election: who is there, and who decides.

use std::time::Duration;

use super::{
    Space, Store, StoreError,
    store::{Committed, Condition, LeaseId, Revision, Transaction},
};
use crate::secret::hex;

/// How long a node that says nothing counts as there, and as elected, in a small fleet.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// So many nodes more make it a second longer: what all say together should not be more than a store can hear.
const NODES_A_SECOND: usize = 200;

/// What a node has of the store for as long as it runs: a lease, and perhaps the lead.
#[derive(Debug)]
pub struct Session<'s> {
    store: &'s dyn Store,
    space: Space,
    node: String,
    lease: Option<LeaseId>,
    /// What tells this session from an earlier one of the same node.
    mark: String,
    leads: Option<Revision>,
    time: Duration,
}

impl<'s> Session<'s> {
    /// A session that has nothing yet, of a fleet of so many nodes.
    pub fn new(store: &'s dyn Store, space: Space, (node, nodes): (&str, usize)) -> Self {
        let mut mark = [0; 8];
        // Without randomness the node's name has to do: then a session may take over from an earlier one.
        let _ = getrandom::fill(&mut mark);
        Self {
            store,
            space,
            node: node.to_owned(),
            lease: None,
            mark: hex(&mark),
            leads: None,
            time: LEASE + Duration::from_secs((nodes / NODES_A_SECOND) as u64),
        }
    }

    /// How often it is to be kept at least.
    pub(super) fn beat(&self) -> Duration {
        self.time / 4
    }

    /// Keeps the lease, or takes one. What an earlier one held is gone then.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn keep(&mut self, now: u64) -> Result<LeaseId, StoreError> {
        if let Some(lease) = self.lease {
            if self.store.keep(lease)? {
                return Ok(lease);
            }
            (self.lease, self.leads) = (None, None);
        }
        let lease = self.store.lease(self.time)?;
        let alive = Transaction::default().put_under(
            self.space.alive(&self.node),
            now.to_string(),
            Some(lease),
        );
        self.store.commit(alive)?;
        self.lease = Some(lease);
        Ok(lease)
    }

    /// Stands for election; whether this node leads.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn campaign(&mut self, lease: LeaseId) -> Result<bool, StoreError> {
        if self.leads.is_some() {
            return Ok(true);
        }
        let key = self.space.leader();
        let value = format!("{}\n{}", self.node, self.mark);
        // Looked at first: to read costs less than to try to write, and most nodes find another one there.
        if let Some(entry) = self.store.get(&key)? {
            // What was not answered may have happened.
            self.leads = (entry.value == value.as_bytes()).then_some(entry.created);
            return Ok(self.leads.is_some());
        }
        let put = Transaction::default().when(Condition::Absent(key.clone())).put_under(
            &key,
            value,
            Some(lease),
        );
        if let Committed::Done(revision) = self.store.commit(put)? {
            self.leads = Some(revision);
        }
        Ok(self.leads.is_some())
    }

    /// Sees whether this node still leads.
    pub(super) fn still_leads(&mut self) -> Result<bool, StoreError> {
        let entry = self.store.get(&self.space.leader())?;
        let is_ours = entry.is_some_and(|entry| Some(entry.created) == self.leads);
        if !is_ours {
            self.leads = None;
        }
        Ok(is_ours)
    }

    /// What must hold for whatever is written by who leads; none where this node does not.
    #[must_use]
    pub fn leading(&self) -> Option<Condition> {
        self.leads.map(|made| Condition::Made(self.space.leader(), made))
    }

    /// Gives up what it has, so that others need not wait.
    pub fn close(&mut self) {
        if let Some(lease) = self.lease.take() {
            // It ends by itself.
            let _ = self.store.end(lease);
        }
        self.leads = None;
    }
}

/// The node that is elected, if one is.
pub(super) fn elected(store: &dyn Store, space: &Space) -> Result<Option<String>, StoreError> {
    let entry = store.get(&space.leader())?;
    Ok(entry.map(|entry| {
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        value.lines().next().unwrap_or_default().to_owned()
    }))
}
