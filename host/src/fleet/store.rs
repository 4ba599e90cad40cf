//! What all nodes of a fleet share: keys with values, changed under conditions, seen by who waits.
//!
//! The fleet needs little: to read, to write several keys at once if others are still as they were, keys that
//! go with whoever wrote them, and to be told of changes. An engine that can do this, and that never loses or
//! reorders what it acknowledged, will do. What stands in it is [signed](super::signed), and secrets are sealed:
//! an engine, or who reads or changes its data, is trusted with nothing but to be there.
//!
//! | module | what |
//! |---|---|
//! | `memory` | an engine inside this process, for tests of what is built on it |
//! | `etcd` | etcd, by its API of version 3 |

#[cfg(feature = "etcd")]
mod etcd;
mod memory;

use std::{fmt, time::Duration};

#[cfg(feature = "etcd")]
pub use etcd::{Etcd, EtcdAccess};
pub use memory::MemoryStore;

/// A point in the history of a store. It grows with each transaction that writes.
pub type Revision = u64;

/// A lease: the keys bound to it go when it ends. It ends unless it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseId(pub i64);

/// A key and what stands there.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// When it was made; a key that is removed and made again was made again.
    pub created: Revision,
    /// When it was last written.
    pub changed: Revision,
}

/// Its value may be large, and is not shown.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} of {} bytes at {})", self.key, self.value.len(), self.changed)
    }
}

/// Keys of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Sorted by key.
    pub entries: Vec<Entry>,
    /// The moment: what happens later is for [`Store::wait`].
    pub revision: Revision,
}

/// What happened since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// In the order in which it happened.
    pub changes: Vec<Change>,
    /// The moment up to which this tells: wait after it next.
    pub revision: Revision,
}

/// What happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was written.
    Put(Entry),
    /// It was removed, or its lease ended.
    Removed(String),
}

/// What must hold for a transaction to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is no such key.
    Absent(String),
    /// The key was made then, and has not been removed since.
    Made(String, Revision),
    /// The key was last written then.
    Unchanged(String, Revision),
}

/// One write of a transaction.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Writes a key; with a lease it goes when that ends.
    Put {
        /// The key.
        key: String,
        /// Its value.
        value: Vec<u8>,
        /// The lease that it is bound to.
        lease: Option<LeaseId>,
    },
    /// Removes a key, if it is there.
    Remove(String),
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value, .. } => write!(f, "Put({key}, {} bytes)", value.len()),
            Self::Remove(key) => write!(f, "Remove({key})"),
        }
    }
}

/// Writes all, or nothing where a condition does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// What must hold.
    pub conditions: Vec<Condition>,
    /// What is written; no key twice.
    pub writes: Vec<Write>,
}

impl Transaction {
    /// The most writes that every engine takes at once.
    pub const MOST: usize = 100;

    /// The same under one more condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The same with one more key written.
    #[must_use]
    pub fn put(self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.put_under(key, value, None)
    }

    /// The same with one more key written, which goes when a lease ends.
    #[must_use]
    pub fn put_under(
        mut self,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
        lease: Option<LeaseId>,
    ) -> Self {
        self.writes.push(Write::Put { key: key.into(), value: value.into(), lease });
        self
    }

    /// The same with one more key removed.
    #[must_use]
    pub fn remove(mut self, key: impl Into<String>) -> Self {
        self.writes.push(Write::Remove(key.into()));
        self
    }
}

/// What came of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It was written, at this moment.
    Done(Revision),
    /// A condition does not hold; nothing was written.
    Moved,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or gives no answer in time. What was asked may have happened nevertheless.
    #[error("the store cannot be reached: {0}")]
    Unreachable(String),
    /// It knows this node and lets it not do this, or does not know it.
    #[error("the store does not let this node do that: {0}")]
    Denied(String),
    /// What happened after that moment is not kept any more; list anew.
    #[error("the store does not keep what happened that long ago")]
    Forgotten,
    /// Anything else that it says.
    #[error("the store failed: {0}")]
    Failed(String),
    /// How it is to be reached does not make sense.
    #[error("{0}")]
    Access(String),
}

impl StoreError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Access(_) | Self::Denied(_))
    }
}

/// A store that all nodes of a fleet share. Every call is bounded in time.
///
/// # Errors
///
/// All of them: where the store cannot be reached, denies it, or fails.
#[allow(clippy::missing_errors_doc, reason = "said once for all")]
pub trait Store: fmt::Debug + Send + Sync {
    /// What stands at a key.
    fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;

    /// All keys that begin with `prefix`, of one moment.
    fn list(&self, prefix: &str) -> Result<Listing, StoreError>;

    /// Writes all of a transaction, or nothing.
    fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError>;

    /// What happened to keys that begin with `prefix` after a moment: waits until something has, for this
    /// long at most. No change within that time is no error.
    fn wait(&self, prefix: &str, after: Revision, time: Duration) -> Result<Changes, StoreError>;

    /// A new lease, which ends after this long unless it is kept; whole seconds, 2 at least.
    fn lease(&self, time: Duration) -> Result<LeaseId, StoreError>;

    /// Keeps a lease for its full time again; false where it has ended.
    fn keep(&self, lease: LeaseId) -> Result<bool, StoreError>;

    /// Ends a lease, and removes what is bound to it. One that has ended is no error.
    fn end(&self, lease: LeaseId) -> Result<(), StoreError>;
}
