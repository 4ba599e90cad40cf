//! Renewing a login once in the whole fleet: what renews it may serve only once, and the second node that uses
//! it ends the login of the first.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    FleetError, Guard, Roster, Space, Store, StoreError,
    signed::{self, Document},
    store::{Committed, Condition, Entry, Transaction},
};
use crate::{handover::NodeIdentity, record::moment};

/// For how long it is tried to remember what came of one.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// This node renewed it.
    Done,
    /// Another node did while this one waited for its turn.
    Already {
        /// The node.
        node: String,
        /// When, in seconds since 1970.
        at: u64,
    },
    /// This node tried, and it failed.
    Failed,
}

/// What the fleet remembers of the renewals of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Renewed {
    credential: String,
    node: String,
    at: u64,
    came: Came,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Came {
    Begun,
    Done,
    Failed,
}

impl Document for Renewed {
    const SCHEMA: &'static str = "precedent.fleet-renewal/1";

    fn author(&self) -> &str {
        &self.node
    }
}

/// Who renews.
#[derive(Clone, Copy)]
pub struct Renewer<'r> {
    /// The store.
    pub store: &'r dyn Store,
    /// Where what stands in it.
    pub space: &'r Space,
    /// Who the nodes are.
    pub roster: &'r Roster,
    /// The keys of this node.
    pub identity: &'r NodeIdentity,
    /// What time it is, in seconds since 1970.
    pub now: &'r dyn Fn() -> u64,
}

impl std::fmt::Debug for Renewer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewer").field("node", &self.roster.me()).finish_non_exhaustive()
    }
}

/// Runs what renews a credential while no other node does; `run` says whether it did. Whoever waited for
/// another node that renewed it has nothing to do any more. One that was begun and never finished may have
/// happened, so that nobody runs it again unless told to (`anyway`).
///
/// # Errors
///
/// Those of the store, where another node is at it for longer than `wait`, and where nobody knows what came of
/// the last one.
pub fn renew(
    renewer: Renewer<'_>,
    credential: &str,
    (wait, anyway): (Duration, bool),
    run: impl FnOnce() -> bool + Send,
) -> Result<Renewal, FleetError> {
    let Renewer { store, space, roster, identity, now } = renewer;
    let key = space.renewal(credential);
    let before = store.get(&key)?.map(|entry| entry.changed);
    let name = format!("renew/{credential}");
    let guard = Guard::take(store, space, &name, (roster.me(), now()), wait)?;
    let entry = store.get(&key)?;
    let last = entry.as_ref().map(|entry| known(roster, credential, entry));
    if last == Some(None) && !anyway {
        return Err(FleetError::Renewal(format!(
            "what the fleet remembers of the last renewal of {credential} is not believed, so nobody knows what came of it; see whether a login of it is valid, and if none is, --anyway renews it here"
        )));
    }
    let last = last.flatten();
    let is_new = entry.as_ref().map(|entry| entry.changed) != before;
    match last {
        Some(Renewed { node, at, came: Came::Done, .. }) if is_new => {
            return Ok(Renewal::Already { node, at });
        }
        Some(Renewed { node, at, came: Came::Begun, .. }) if !anyway => {
            return Err(FleetError::Renewal(format!(
                "{node} began to renew {credential} at {}, and nobody knows what came of it: what renews it may be used up; see whether the login of {node} is valid, and if it is not, --anyway renews it here",
                moment(at)
            )));
        }
        _ => {}
    }
    let unchanged = match &entry {
        Some(entry) => Condition::Unchanged(key.clone(), entry.changed),
        None => Condition::Absent(key.clone()),
    };
    let write = |came, condition: Option<Condition>| {
        let renewed = Renewed {
            credential: credential.to_owned(),
            node: roster.me().to_owned(),
            at: now(),
            came,
        };
        let text = signed::sign(identity, roster.fleet(), &renewed);
        let mut transaction = Transaction::default().when(guard.condition()).put(&key, text);
        transaction.conditions.extend(condition);
        store.commit(transaction)
    };
    if write(Came::Begun, Some(unchanged))? == Committed::Moved {
        let message = "another node took its turn in between; nothing was run";
        return Err(FleetError::Renewal(message.to_owned()));
    }
    let is_done = guard.while_running(run);
    let came = if is_done { Came::Done } else { Came::Failed };
    if remember(&guard, || write(came, None)).map_err(|error| {
        let did = if is_done { "was renewed" } else { "failed" };
        FleetError::Renewal(format!(
            "it {did}, and that could not be written: {error}; the next one will say that nobody knows what came of it"
        ))
    })? == Committed::Moved
    {
        return Err(FleetError::Renewal(format!(
            "it {}, but the store could not be reached for so long that another node may have begun; see what it has",
            if is_done { "was renewed" } else { "failed" }
        )));
    }
    Ok(if is_done { Renewal::Done } else { Renewal::Failed })
}

/// Tries for a while: that it happened must not be lost.
fn remember(
    guard: &Guard<'_>,
    write: impl Fn() -> Result<Committed, StoreError>,
) -> Result<Committed, StoreError> {
    let begun = Instant::now();
    loop {
        match write() {
            Err(error) if error.is_retryable() && begun.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(500));
                let _ = guard.keep();
            }
            came => return came,
        }
    }
}

fn known(roster: &Roster, credential: &str, entry: &Entry) -> Option<Renewed> {
    let renewed: Renewed = signed::read(roster, &entry.value).ok()?;
    (renewed.credential == credential).then_some(renewed)
}
