//! An engine inside this process: what is built on a store is tested on it, and one process with several
//! nodes can do with it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    ops::Bound,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Change, Changes, Committed, Condition, Entry, LeaseId, Listing, Revision, Store, StoreError,
    Transaction, Write,
};

/// How many changes are kept for who waits, unless said otherwise.
const HISTORY: usize = 20_000;

/// A store in this process's memory. A clone is the same store, seen by another node.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    revision: Revision,
    keys: BTreeMap<String, Held>,
    leases: HashMap<i64, Lease>,
    next_lease: i64,
    /// What happened, oldest first. INVARIANT: all of a revision, or nothing of it.
    history: VecDeque<(Revision, Change)>,
    most_history: usize,
    /// What happened up to then is in the history no more.
    forgotten: Revision,
    reachable: bool,
}

struct Held {
    entry: Entry,
    lease: Option<LeaseId>,
}

struct Lease {
    time: Duration,
    ends: Instant,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_history(HISTORY)
    }
}

/// Values may be large, and are not shown.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        write!(f, "MemoryStore({} keys at {})", state.keys.len(), state.revision)
    }
}

impl MemoryStore {
    /// An empty store that keeps this many changes for who waits.
    #[must_use]
    pub fn with_history(most: usize) -> Self {
        let state = State {
            // As etcd begins.
            revision: 1,
            keys: BTreeMap::new(),
            leases: HashMap::new(),
            next_lease: 1,
            history: VecDeque::new(),
            most_history: most,
            forgotten: 0,
            reachable: true,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// Whether calls reach the store. While they do not, each says that it is unreachable; leases go on to end.
    pub fn set_reachable(&self, reachable: bool) {
        self.lock().reachable = reachable;
        self.0.changed.notify_all();
    }

    /// All values that were ever written and are not forgotten, also those that were replaced or removed: what
    /// somebody finds who gets at the data of an engine.
    #[must_use]
    pub fn read_everything(&self) -> Vec<Entry> {
        let state = self.lock();
        let past = state.history.iter().filter_map(|(_, change)| match change {
            Change::Put(entry) => Some(entry.clone()),
            Change::Removed(_) => None,
        });
        // What is longer there than the history goes back is only among the keys.
        let old =
            state.keys.values().map(|held| &held.entry).filter(|e| e.changed <= state.forgotten);
        old.cloned().chain(past).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that died in a test leaves whole states: each change is made at once.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if it can be reached, without what ended before.
    fn reach(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let mut state = self.lock();
        if state.sweep() {
            self.0.changed.notify_all();
        }
        state.reachable()?;
        Ok(state)
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.reach()?.keys.get(key).map(|held| held.entry.clone()))
    }

    fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let state = self.reach()?;
        let from = state.keys.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let entries = from
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, held)| held.entry.clone())
            .collect();
        Ok(Listing { entries, revision: state.revision })
    }

    fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let mut state = self.reach()?;
        state.refuse(&transaction)?;
        if !transaction.conditions.iter().all(|condition| state.holds(condition)) {
            return Ok(Committed::Moved);
        }
        state.write(transaction.writes);
        self.0.changed.notify_all();
        Ok(Committed::Done(state.revision))
    }

    fn wait(&self, prefix: &str, after: Revision, time: Duration) -> Result<Changes, StoreError> {
        let until = Instant::now() + time;
        let mut state = self.reach()?;
        loop {
            // A revision that is still to come is one of other data.
            if after < state.forgotten || after > state.revision {
                return Err(StoreError::Forgotten);
            }
            let changes = state.since(prefix, after);
            let now = Instant::now();
            if !changes.is_empty() || now >= until {
                return Ok(Changes { changes, revision: state.revision });
            }
            // The end of a lease is a change that nobody tells of.
            let wake = state.leases.values().map(|lease| lease.ends).fold(until, Instant::min);
            let pause = wake.saturating_duration_since(now).max(Duration::from_millis(1));
            let woken = self.0.changed.wait_timeout(state, pause);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
            if state.sweep() {
                self.0.changed.notify_all();
            }
            state.reachable()?;
        }
    }

    fn lease(&self, time: Duration) -> Result<LeaseId, StoreError> {
        let mut state = self.reach()?;
        let id = state.next_lease;
        state.next_lease += 1;
        state.leases.insert(id, Lease { time, ends: Instant::now() + time });
        // Who waits does not know of this end yet.
        self.0.changed.notify_all();
        Ok(LeaseId(id))
    }

    fn keep(&self, lease: LeaseId) -> Result<bool, StoreError> {
        let mut state = self.reach()?;
        let Some(kept) = state.leases.get_mut(&lease.0) else { return Ok(false) };
        kept.ends = Instant::now() + kept.time;
        Ok(true)
    }

    fn end(&self, lease: LeaseId) -> Result<(), StoreError> {
        let mut state = self.reach()?;
        state.end(lease);
        self.0.changed.notify_all();
        Ok(())
    }
}

impl State {
    fn reachable(&self) -> Result<(), StoreError> {
        if self.reachable {
            Ok(())
        } else {
            Err(StoreError::Unreachable("it was cut off".to_owned()))
        }
    }

    /// Ends what is over; whether anything was.
    fn sweep(&mut self) -> bool {
        let now = Instant::now();
        let mut over: Vec<_> = self.leases.iter().filter(|(_, lease)| lease.ends <= now).collect();
        over.sort_by_key(|(_, lease)| lease.ends);
        let over: Vec<_> = over.into_iter().map(|(id, _)| LeaseId(*id)).collect();
        for lease in &over {
            self.end(*lease);
        }
        !over.is_empty()
    }

    fn end(&mut self, lease: LeaseId) {
        if self.leases.remove(&lease.0).is_none() {
            return;
        }
        let bound = self.keys.iter().filter(|(_, held)| held.lease == Some(lease));
        let writes = bound.map(|(key, _)| Write::Remove(key.clone())).collect();
        self.write(writes);
    }

    fn holds(&self, condition: &Condition) -> bool {
        let entry = |key: &String| self.keys.get(key).map(|held| &held.entry);
        match condition {
            Condition::Absent(key) => entry(key).is_none(),
            Condition::Made(key, then) => entry(key).is_some_and(|entry| entry.created == *then),
            Condition::Unchanged(key, then) => {
                entry(key).is_some_and(|entry| entry.changed == *then)
            }
        }
    }

    /// What etcd would not take either.
    fn refuse(&self, transaction: &Transaction) -> Result<(), StoreError> {
        let failed = |why: &str| Err(StoreError::Failed(why.to_owned()));
        if transaction.writes.len() > Transaction::MOST {
            return failed("too many writes at once");
        }
        let mut keys = std::collections::HashSet::new();
        for write in &transaction.writes {
            let (key, lease) = match write {
                Write::Put { key, lease, .. } => (key, *lease),
                Write::Remove(key) => (key, None),
            };
            if !keys.insert(key) {
                return failed("a key is written twice at once");
            }
            if lease.is_some_and(|lease| !self.leases.contains_key(&lease.0)) {
                return failed("the lease has ended");
            }
        }
        Ok(())
    }

    /// Writes all at one new revision; at none where nothing changes.
    fn write(&mut self, writes: Vec<Write>) {
        let revision = self.revision + 1;
        let mut changed = false;
        for write in writes {
            let change = match write {
                Write::Put { key, value, lease } => {
                    let created = self.keys.get(&key).map_or(revision, |held| held.entry.created);
                    let entry = Entry { key: key.clone(), value, created, changed: revision };
                    self.keys.insert(key, Held { entry: entry.clone(), lease });
                    Change::Put(entry)
                }
                Write::Remove(key) => match self.keys.remove(&key) {
                    Some(_) => Change::Removed(key),
                    None => continue,
                },
            };
            self.history.push_back((revision, change));
            changed = true;
        }
        if changed {
            self.revision = revision;
            self.forget();
        }
    }

    fn forget(&mut self) {
        while self.history.len() > self.most_history {
            let Some((oldest, _)) = self.history.pop_front() else { return };
            self.forgotten = oldest;
            while self.history.front().is_some_and(|(revision, _)| *revision == oldest) {
                self.history.pop_front();
            }
        }
    }

    fn since(&self, prefix: &str, after: Revision) -> Vec<Change> {
        let from = self.history.partition_point(|(revision, _)| *revision <= after);
        let later = self.history.range(from..).map(|(_, change)| change);
        let ours = later.filter(|change| match change {
            Change::Put(entry) => entry.key.starts_with(prefix),
            Change::Removed(key) => key.starts_with(prefix),
        });
        ours.cloned().collect()
    }
}
