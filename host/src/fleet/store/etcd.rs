//! etcd, by its API of version 3.
//!
//! | module | what |
//! |---|---|
//! | `access` | endpoints, certificates, the private key |
//! | `members` | each member has a client; the next is asked where one fails |
//! | `follow` | waiting for changes, without a gap |
//! | `failure` | what an error means, and whether another member may do better |

mod access;
mod failure;
mod follow;
mod members;

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use etcd_client::{
    Client, Compare, CompareOp, Error, GetOptions, KeyValue, PutOptions, Txn, TxnOp,
};
use tokio::runtime::{Builder, Runtime};

pub use self::access::EtcdAccess;
use self::{
    failure::{is_lease_gone, is_too_large},
    follow::Following,
    members::Members,
};
use super::{
    Change, Changes, Committed, Condition, Entry, LeaseId, Listing, Revision, Store, StoreError,
    Transaction, Write,
};

/// How many keys are listed at once.
const PAGE: i64 = 500;
/// The largest message that is taken. The client's own bound, 4 MiB, is less than what etcd sends at once to who
/// is far behind.
const MOST_MESSAGE: usize = 64 << 20;
/// Watches that stay open between calls.
const MOST_FOLLOWING: usize = 16;

/// etcd. What it does runs on a thread of its own, so a call may come from any.
pub struct Etcd {
    members: Arc<Members>,
    following: Mutex<Vec<Following>>,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Etcd(")?;
        f.debug_list().entries(self.members.names()).finish()?;
        f.write_str(")")
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // Watches want the runtime that they live in.
        self.following.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(runtime) = self.runtime.take() {
            // To wait for what still runs would not do in a thread of another runtime.
            runtime.shutdown_background();
        }
    }
}

impl Etcd {
    /// Prepares to reach etcd: reads the files, and reaches nobody yet.
    ///
    /// # Errors
    ///
    /// If the access does not make sense: a file that is missing, or is not what it should be, a private key
    /// that others have access to.
    pub fn connect(access: &EtcdAccess) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("etcd")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Failed(format!("cannot start a thread: {error}")))?;
        let access = access.clone();
        let members = run(&runtime, async move { Members::new(&access).await });
        match members {
            Ok(Ok(members)) => Ok(Self {
                members: Arc::new(members),
                following: Mutex::new(Vec::new()),
                runtime: Some(runtime),
            }),
            Ok(Err(error)) | Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    fn run<F>(&self, call: impl FnOnce(Arc<Members>) -> F) -> Result<F::Output, StoreError>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else {
            return Err(StoreError::Failed("it is closed".to_owned()));
        };
        run(runtime, call(self.members.clone()))
    }

    fn following(&self) -> std::sync::MutexGuard<'_, Vec<Following>> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs it on the runtime's own thread. To block on it here would not do in a thread of another runtime.
fn run<F>(runtime: &Runtime, call: F) -> Result<F::Output, StoreError>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let (done, wait) = mpsc::channel();
    runtime.spawn(async move {
        // Who asked waits for it.
        let _ = done.send(call.await);
    });
    wait.recv().map_err(|_| StoreError::Failed("the client of etcd died".to_owned()))
}

impl Store for Etcd {
    fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let key = key.to_owned();
        self.run(|members| async move {
            let key = key.as_str();
            let answer = members.ask(|client| async move { reader(&client).get(key, None).await });
            answer.await?.kvs().first().map(entry).transpose()
        })?
    }

    fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let prefix = prefix.to_owned();
        self.run(|members| async move {
            // A page may be of a moment that was thrown away meanwhile.
            match members.list(&prefix).await {
                Err(StoreError::Forgotten) => members.list(&prefix).await,
                listed => listed,
            }
        })?
    }

    fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        if transaction.writes.len() > Transaction::MOST {
            return Err(StoreError::Failed("too many writes at once".to_owned()));
        }
        let key = probe(&transaction).to_owned();
        let txn = txn(transaction)?;
        self.run(|members| async move {
            match members.write(&key, &txn).await {
                Ok(answer) if !answer.succeeded() => Ok(Committed::Moved),
                Ok(answer) => {
                    let at = answer.header().map(|header| revision(header.revision()));
                    at.map(Committed::Done)
                        .ok_or_else(|| StoreError::Failed("an answer without a head".to_owned()))
                }
                Err(error) if is_lease_gone(&error) => {
                    Err(StoreError::Failed("the lease has ended".to_owned()))
                }
                Err(error) => Err(error),
            }
        })?
    }

    fn wait(&self, prefix: &str, after: Revision, time: Duration) -> Result<Changes, StoreError> {
        let open = {
            let mut following = self.following();
            let at = following.iter().position(|one| one.prefix == prefix && one.upto == after);
            at.map(|at| following.swap_remove(at))
        };
        let prefix = prefix.to_owned();
        let (changes, open) =
            self.run(|members| async move { members.follow(open, prefix, after, time).await })?;
        if let Some(open) = open {
            let mut following = self.following();
            if following.len() >= MOST_FOLLOWING {
                following.remove(0);
            }
            following.push(open);
        }
        changes
    }

    fn lease(&self, time: Duration) -> Result<LeaseId, StoreError> {
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let seconds = i64::try_from(seconds.max(2)).unwrap_or(i64::MAX);
        self.run(|members| async move {
            // A lease of which nobody got to know ends by itself.
            let lease =
                members.ask(|mut client| async move { client.lease_grant(seconds, None).await });
            Ok(LeaseId(lease.await?.id()))
        })?
    }

    fn keep(&self, lease: LeaseId) -> Result<bool, StoreError> {
        self.run(|members| async move {
            let kept = members.ask(|mut client| async move {
                match client.lease_keep_alive(lease.0).await {
                    Ok(_) => Ok(true),
                    // The client's word for an answer that leaves it no time.
                    Err(Error::LeaseKeepAliveError(why)) if why == "lease not found" => Ok(false),
                    Err(error) => Err(error),
                }
            });
            kept.await
        })?
    }

    fn end(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.run(|members| async move {
            let ended = members
                .ask(|mut client| async move { client.lease_revoke(lease.0).await.map(|_| ()) });
            match ended.await {
                Err(error) if !is_lease_gone(&error) => Err(error),
                _ => Ok(()),
            }
        })?
    }
}

impl Members {
    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let end = end_of(prefix);
        let mut from = if prefix.is_empty() { vec![0] } else { prefix.as_bytes().to_vec() };
        let mut entries: Vec<Entry> = Vec::new();
        let (mut moment, mut page) = (0, PAGE);
        loop {
            let options =
                GetOptions::new().with_range(end.clone()).with_limit(page).with_revision(moment);
            let answer = self.ask(|client| {
                let (from, options) = (from.clone(), options.clone());
                async move { reader(&client).get(from, Some(options)).await }
            });
            let answer = match answer.await {
                Err(error) if is_too_large(&error) && page > 1 => {
                    page = (page / 8).max(1);
                    continue;
                }
                answer => answer?,
            };
            if moment == 0 {
                moment = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
            }
            for kv in answer.kvs() {
                entries.push(entry(kv)?);
            }
            match answer.kvs().last() {
                Some(last) if answer.more() => {
                    from = last.key().to_vec();
                    from.push(0);
                }
                _ => return Ok(Listing { entries, revision: revision(moment) }),
            }
        }
    }
}

fn reader(client: &Client) -> etcd_client::KvClient {
    client.kv_client().max_decoding_message_size(MOST_MESSAGE)
}

/// What follows the last key that begins so.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

/// A key of a transaction: which one, makes no difference.
fn probe(transaction: &Transaction) -> &str {
    let read = transaction.conditions.first().map(|condition| match condition {
        Condition::Absent(key) | Condition::Made(key, _) | Condition::Unchanged(key, _) => key,
    });
    let written = transaction.writes.first().map(|write| match write {
        Write::Put { key, .. } | Write::Remove(key) => key,
    });
    read.or(written).map_or("/", String::as_str)
}

fn txn(transaction: Transaction) -> Result<Txn, StoreError> {
    let at = |revision: Revision| {
        i64::try_from(revision)
            .map_err(|_| StoreError::Failed("no revision of etcd is so large".to_owned()))
    };
    let mut conditions = Vec::new();
    for condition in transaction.conditions {
        conditions.push(match condition {
            Condition::Absent(key) => Compare::create_revision(key, CompareOp::Equal, 0),
            Condition::Made(key, then) => {
                Compare::create_revision(key, CompareOp::Equal, at(then)?)
            }
            Condition::Unchanged(key, then) => {
                Compare::mod_revision(key, CompareOp::Equal, at(then)?)
            }
        });
    }
    let writes = transaction.writes.into_iter().map(|write| match write {
        Write::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease.0));
            TxnOp::put(key, value, options)
        }
        Write::Remove(key) => TxnOp::delete(key, None),
    });
    Ok(Txn::new().when(conditions).and_then(writes.collect::<Vec<_>>()))
}

fn entry(kv: &KeyValue) -> Result<Entry, StoreError> {
    Ok(Entry {
        key: text_of(kv.key()),
        value: kv.value().to_vec(),
        created: revision(kv.create_revision()),
        changed: revision(kv.mod_revision()),
    })
}

/// A key that is no text was put there by somebody else, and must not keep the others from being read.
fn text_of(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

fn revision(number: i64) -> Revision {
    Revision::try_from(number).unwrap_or(0)
}
