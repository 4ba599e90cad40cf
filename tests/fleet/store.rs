//! What every engine must do, by the same checks for each, and what etcd must do beyond.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use precedent::fleet::store::{
    Change, Committed, Condition, LeaseId, MemoryStore, Revision, Store, StoreError, Transaction,
};

use crate::cluster::shared;

#[path = "etcd.rs"]
mod etcd;

/// Another handle to the same store, as another node has it.
type Open<'a> = &'a (dyn Fn() -> Box<dyn Store> + Sync);

/// Each check, for each engine, below a folder of its own.
macro_rules! checks {
    ($($check:ident)*) => {
        mod in_memory {
            use super::*;
            $(#[test]
            fn $check() {
                let store = MemoryStore::default();
                super::$check(&|| Box::new(store.clone()), concat!("/", stringify!($check), "/"));
            })*
        }
        mod in_etcd {
            use super::*;
            $(#[test]
            fn $check() {
                let cluster = shared();
                super::$check(&|| Box::new(cluster.connect("node")), concat!("/", stringify!($check), "/"));
            })*
        }
    };
}

checks! {
    a_transaction_writes_all_or_nothing
    a_key_made_again_is_another
    no_update_is_lost
    what_is_wrong_is_not_written
    a_lease_that_ends_takes_its_keys
    changes_come_in_order_without_a_gap
    a_quiet_wait_ends_in_time
    many_large_keys_are_listed
}

fn put(store: &dyn Store, key: &str, value: &str) -> Revision {
    done(store.commit(Transaction::default().put(key, value)))
}

fn done(committed: Result<Committed, StoreError>) -> Revision {
    match committed {
        Ok(Committed::Done(revision)) => revision,
        other => panic!("{other:?}"),
    }
}

fn value(store: &dyn Store, key: &str) -> Option<String> {
    let entry = store.get(key).unwrap()?;
    assert_eq!(entry.key, key);
    Some(String::from_utf8(entry.value).unwrap())
}

fn a_transaction_writes_all_or_nothing(open: Open<'_>, at: &str) {
    let store = open();
    let (a, b, c) = (format!("{at}a"), format!("{at}b"), format!("{at}c"));
    let made = done(store.commit(
        Transaction::default().when(Condition::Absent(a.clone())).put(&a, "1").put(&b, "2"),
    ));
    let entry = store.get(&a).unwrap().unwrap();
    assert_eq!((entry.created, entry.changed, entry.value.as_slice()), (made, made, &b"1"[..]));
    let listing = open().list(at).unwrap();
    assert_eq!(listing.entries.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), [&a, &b]);
    assert!(listing.revision >= made);

    // One of two conditions does not hold: nothing.
    let moved = store.commit(
        Transaction::default()
            .when(Condition::Made(a.clone(), made))
            .when(Condition::Absent(b.clone()))
            .put(&a, "3")
            .remove(&b)
            .put(&c, "3"),
    );
    assert_eq!(moved, Ok(Committed::Moved));
    assert_eq!(value(&*store, &a).as_deref(), Some("1"));
    assert_eq!(value(&*store, &c), None);

    // Both do: all, at one moment.
    let revision = done(
        store.commit(
            Transaction::default()
                .when(Condition::Made(a.clone(), made))
                .when(Condition::Unchanged(b.clone(), made))
                .put(&a, "3")
                .remove(&b)
                .put(&c, "3"),
        ),
    );
    assert!(revision > made);
    assert_eq!(value(&*store, &b), None);
    let changes = open().wait(at, made, Duration::from_secs(5)).unwrap();
    assert_eq!(changes.changes.len(), 3, "{changes:?}");
    assert!(changes.changes.contains(&Change::Removed(b.clone())));
    for key in [&a, &c] {
        let entry = store.get(key).unwrap().unwrap();
        assert_eq!(entry.changed, revision);
        assert!(changes.changes.contains(&Change::Put(entry)));
    }
    // Nothing to remove is nothing wrong.
    done(store.commit(Transaction::default().remove(&b)));
    // No prefix of a folder is a folder.
    assert_eq!(store.list(&format!("{at}ab")).unwrap().entries, []);
}

fn a_key_made_again_is_another(open: Open<'_>, at: &str) {
    let store = open();
    let key = format!("{at}key");
    let first = put(&*store, &key, "first");
    let second = put(&*store, &key, "second");
    let when = |condition| store.commit(Transaction::default().when(condition).put(&key, "new"));
    assert_eq!(when(Condition::Unchanged(key.clone(), first)), Ok(Committed::Moved));
    done(store.commit(Transaction::default().remove(&key)));
    assert_eq!(when(Condition::Unchanged(key.clone(), second)), Ok(Committed::Moved));
    assert_eq!(when(Condition::Made(key.clone(), first)), Ok(Committed::Moved));
    let again = put(&*store, &key, "again");
    assert_eq!(when(Condition::Made(key.clone(), first)), Ok(Committed::Moved));
    assert_eq!(when(Condition::Absent(key.clone())), Ok(Committed::Moved));
    done(when(Condition::Made(key.clone(), again)));
}

/// Two writers, one counter: each adds only to what it has read.
fn no_update_is_lost(open: Open<'_>, at: &str) {
    let key = format!("{at}counter");
    put(&*open(), &key, "0");
    let began = Instant::now();
    let moved: u32 = thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let store = open();
                    let (mut added, mut moved) = (0, 0);
                    while added < 200 {
                        let entry = store.get(&key).unwrap().unwrap();
                        let now: u32 = String::from_utf8(entry.value).unwrap().parse().unwrap();
                        let transaction = Transaction::default()
                            .when(Condition::Unchanged(key.clone(), entry.changed))
                            .put(&key, (now + 1).to_string());
                        match store.commit(transaction).unwrap() {
                            Committed::Done(_) => added += 1,
                            Committed::Moved => moved += 1,
                        }
                    }
                    moved
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(value(&*open(), &key).as_deref(), Some("400"));
    println!("400 additions by two in {:?}, {moved} came too late", began.elapsed());
}

fn what_is_wrong_is_not_written(open: Open<'_>, at: &str) {
    let store = open();
    let key = format!("{at}key");
    let fails = |transaction| {
        let error = store.commit(transaction).unwrap_err();
        assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
    };
    fails(Transaction::default().put(&key, "1").put(&key, "2"));
    let keys = |count| {
        (0..count).fold(Transaction::default(), |all, one| all.put(format!("{key}{one}"), "1"))
    };
    fails(keys(Transaction::MOST + 1));
    let lease = store.lease(Duration::from_secs(60)).unwrap();
    store.end(lease).unwrap();
    fails(Transaction::default().put_under(&key, "1", Some(lease)));
    assert_eq!(store.list(at).unwrap().entries, []);
    done(store.commit(keys(Transaction::MOST)));
    assert_eq!(store.list(at).unwrap().entries.len(), Transaction::MOST);
}

fn a_lease_that_ends_takes_its_keys(open: Open<'_>, at: &str) {
    let store = open();
    let second = Duration::from_secs(1);
    let (kept, left, ended) = (format!("{at}kept"), format!("{at}left"), format!("{at}ended"));
    let lease = || store.lease(2 * second).unwrap();
    let (keep, leave, end) = (lease(), lease(), lease());
    let mut after = 0;
    for (key, lease) in [(&kept, keep), (&left, leave), (&ended, end)] {
        after = done(store.commit(Transaction::default().put_under(key, "1", Some(lease))));
    }
    store.end(end).unwrap();
    store.end(end).unwrap();
    assert_eq!(store.keep(end), Ok(false));
    assert_eq!(store.keep(LeaseId(4711)), Ok(false));
    let began = Instant::now();
    let mut removed = BTreeSet::new();
    // etcd ends a lease within a second or so of its time.
    while removed.len() < 2 && began.elapsed() < 10 * second {
        assert_eq!(store.keep(keep), Ok(true));
        let changes = store.wait(at, after, second / 2).unwrap();
        after = changes.revision;
        for change in changes.changes {
            let Change::Removed(key) = change else { panic!("{change:?}") };
            removed.insert(key);
        }
    }
    assert_eq!(removed, BTreeSet::from([left.clone(), ended]));
    println!("the end of a lease of 2 s was seen after {:?}", began.elapsed());
    assert_eq!(store.keep(leave), Ok(false));
    assert_eq!(value(&*store, &left), None);
    assert_eq!(value(&*store, &kept).as_deref(), Some("1"));
    // Written without the lease it stays.
    put(&*store, &kept, "2");
    store.end(keep).unwrap();
    assert_eq!(value(&*store, &kept).as_deref(), Some("2"));
}

fn changes_come_in_order_without_a_gap(open: Open<'_>, at: &str) {
    const KEYS: usize = 500;
    let start = put(&*open(), &format!("{at}start"), "");
    let began = Instant::now();
    let waits = thread::scope(|scope| {
        let watchers: Vec<_> = (0..2)
            .map(|watcher| scope.spawn(move || follow(open, at, start, KEYS, watcher == 1)))
            .collect();
        let store = open();
        for one in 0..KEYS {
            put(&*store, &format!("{at}{one:04}"), &one.to_string());
            // What is not below the prefix is nobody's business.
            if one % 50 == 0 {
                put(&*store, &format!("{}x", at.trim_end_matches('/')), "");
            }
        }
        watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect::<Vec<_>>()
    });
    println!("{KEYS} changes in {:?}, by {waits:?} waits", began.elapsed());
}

/// Sees all keys in their order; with another handle each few waits, so from the past.
fn follow(open: Open<'_>, at: &str, start: Revision, keys: usize, anew: bool) -> usize {
    let mut store = open();
    let (mut after, mut last, mut seen, mut waits) = (start, start, 0, 0);
    while seen < keys {
        waits += 1;
        assert!(waits < 10 * keys, "{seen} seen");
        if anew && waits % 5 == 0 {
            store = open();
        }
        let changes = store.wait(at, after, Duration::from_secs(1)).unwrap();
        for change in changes.changes {
            let Change::Put(entry) = change else { panic!("{change:?}") };
            assert_eq!(entry.key, format!("{at}{seen:04}"));
            assert!(entry.changed > last && entry.changed <= changes.revision);
            last = entry.changed;
            seen += 1;
        }
        assert!(changes.revision >= last);
        after = changes.revision;
    }
    waits
}

fn a_quiet_wait_ends_in_time(open: Open<'_>, at: &str) {
    let store = open();
    let mut after = put(&*store, &format!("{at}key"), "1");
    for time in [0, 300, 1000].map(Duration::from_millis) {
        let began = Instant::now();
        let changes = store.wait(at, after, time).unwrap();
        let took = began.elapsed();
        assert_eq!(changes.changes, []);
        assert!(changes.revision >= after);
        assert!(took >= time && took < time + Duration::from_secs(2), "{took:?}");
        after = changes.revision;
    }
    // What was there before the moment does not come again.
    let next = put(&*store, &format!("{at}next"), "1");
    let changes = store.wait(at, after, Duration::from_secs(5)).unwrap();
    assert_eq!(changes.revision, next);
    assert_eq!(changes.changes.len(), 1);
    // From a moment that was seen before, they do.
    assert_eq!(open().wait(at, after, Duration::from_secs(5)).unwrap(), changes);
    assert_eq!(store.wait(at, after, Duration::from_secs(5)).unwrap(), changes);
    // A moment that is yet to come is one of another store: what it would miss, it cannot know.
    assert_eq!(store.wait(at, next + 1_000_000, Duration::ZERO), Err(StoreError::Forgotten));
}

fn many_large_keys_are_listed(open: Open<'_>, at: &str) {
    const KEYS: usize = 2_000;
    fill(&*open(), at, KEYS);
    let began = Instant::now();
    let listing = open().list(at).unwrap();
    println!("{KEYS} keys of 4 KiB listed in {:?}", began.elapsed());
    check_filled(&listing.entries, at, KEYS);
}

fn fill(store: &dyn Store, at: &str, keys: usize) {
    for from in (0..keys).step_by(100) {
        let transaction = (from..from + 100).fold(Transaction::default(), |all, one| {
            let mut value = format!("{one:05}").into_bytes();
            value.resize(4096, b'.');
            all.put(format!("{at}{one:05}"), value)
        });
        done(store.commit(transaction));
    }
    put(store, &format!("{}0", at.trim_end_matches('/')), "what comes after the folder");
}

fn check_filled(entries: &[precedent::fleet::store::Entry], at: &str, keys: usize) {
    assert_eq!(entries.len(), keys);
    for (one, entry) in entries.iter().enumerate() {
        assert_eq!(entry.key, format!("{at}{one:05}"));
        assert_eq!((entry.value.len(), &entry.value[..5]), (4096, format!("{one:05}").as_bytes()));
    }
}

#[test]
fn memory_forgets_what_it_said() {
    let store = MemoryStore::with_history(10);
    let first = put(&store, "/key", "canary-1");
    for one in 2..30 {
        put(&store, "/key", &format!("canary-{one}"));
    }
    assert_eq!(store.wait("/", first, Duration::ZERO), Err(StoreError::Forgotten));
    let now = store.list("/").unwrap().revision;
    assert_eq!(store.wait("/", now - 5, Duration::ZERO).unwrap().changes.len(), 5);
    assert!(!format!("{store:?}").contains("canary"));
}

#[test]
fn memory_shows_what_was_ever_written() {
    let store = MemoryStore::default();
    put(&store, "/key", "canary-old");
    put(&store, "/key", "canary-new");
    done(store.commit(Transaction::default().remove("/key")));
    let values: Vec<_> = store.read_everything().into_iter().map(|entry| entry.value).collect();
    assert_eq!(values, [b"canary-old", b"canary-new"]);
}

#[test]
fn memory_can_be_cut_off() {
    let store = MemoryStore::default();
    let after = put(&store, "/key", "1");
    let waits = store.clone();
    let waiting = thread::spawn(move || waits.wait("/", after, Duration::from_secs(60)));
    store.set_reachable(false);
    assert!(matches!(waiting.join().unwrap(), Err(StoreError::Unreachable(_))));
    assert!(matches!(store.get("/key"), Err(StoreError::Unreachable(_))));
    store.set_reachable(true);
    assert_eq!(value(&store, "/key").as_deref(), Some("1"));
}
