//! What only one node may do at a time, such as renewing a login that may be renewed once.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    FleetError, Space, Store, StoreError,
    session::LEASE,
    store::{Committed, Condition, Entry, LeaseId, Revision, Transaction},
};
use crate::record::moment;

/// How long to wait before looking again who has it.
const PAUSE: Duration = Duration::from_millis(200);

/// The right to do one thing, for as long as it is kept. What is written under it is written under its
/// condition: who lost it without knowing writes nothing.
#[derive(Debug)]
pub struct Guard<'s> {
    store: &'s dyn Store,
    lease: LeaseId,
    key: String,
    made: Revision,
}

/// Who does what only one node may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// What it does, such as `renew/oauth:openai-codex:default`.
    #[serde(default, skip_deserializing)]
    pub what: String,
    /// The node.
    pub node: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

impl Holder {
    pub(super) fn read(prefix: &str, entry: &Entry) -> Option<Self> {
        let holder: Self = serde_json::from_slice(&entry.value).ok()?;
        Some(Self { what: Space::name(prefix, &entry.key), ..holder })
    }
}

impl<'s> Guard<'s> {
    /// Takes it, and waits for as long as this while another node has it.
    ///
    /// # Errors
    ///
    /// Those of the store, and where another node has it for longer.
    pub fn take(
        store: &'s dyn Store,
        space: &Space,
        name: &str,
        (node, now): (&str, u64),
        wait: Duration,
    ) -> Result<Self, FleetError> {
        let key = space.guard(name);
        let holder = Holder { what: name.to_owned(), node: node.to_owned(), since: now };
        let value = serde_json::to_vec(&holder).unwrap_or_default();
        let lease = store.lease(LEASE)?;
        let begun = Instant::now();
        loop {
            let put = Transaction::default().when(Condition::Absent(key.clone())).put_under(
                &key,
                value.clone(),
                Some(lease),
            );
            match store.commit(put) {
                Ok(Committed::Done(made)) => return Ok(Self { store, lease, key, made }),
                Ok(Committed::Moved) => {}
                Err(error) => {
                    // What was not answered may have happened; with its lease it is gone.
                    let _ = store.end(lease);
                    return Err(error.into());
                }
            }
            if begun.elapsed() >= wait {
                let _ = store.end(lease);
                return Err(held(store.get(&key)?.as_ref().map(|entry| entry.value.as_slice())));
            }
            thread::sleep(PAUSE);
            store.keep(lease)?;
        }
    }

    /// What must hold for whatever is written under it.
    #[must_use]
    pub fn condition(&self) -> Condition {
        Condition::Made(self.key.clone(), self.made)
    }

    /// Keeps it; false where it is lost.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn keep(&self) -> Result<bool, StoreError> {
        self.store.keep(self.lease)
    }

    /// Keeps it while something runs that takes long.
    pub fn while_running<T>(&self, run: impl FnOnce() -> T) -> T {
        keeping(self.store, self.lease, run)
    }
}

/// Keeps a lease while something runs that takes long.
pub(super) fn keeping<T>(store: &dyn Store, lease: LeaseId, run: impl FnOnce() -> T) -> T {
    let (done, running) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            // What cannot be kept shows where something is written under it.
            while running.recv_timeout(LEASE / 3) == Err(RecvTimeoutError::Timeout) {
                let _ = store.keep(lease);
            }
        });
        // Dropped however it ends: the thread is waited for.
        let _done = done;
        run()
    })
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // It ends by itself where this fails.
        let _ = self.store.end(self.lease);
    }
}

fn held(value: Option<&[u8]>) -> FleetError {
    let holder: Option<Holder> = value.and_then(|value| serde_json::from_slice(value).ok());
    let (node, since) = match holder {
        Some(holder) => (holder.node, moment(holder.since)),
        None => ("another node".to_owned(), "just now".to_owned()),
    };
    FleetError::Guarded { node, since }
}
