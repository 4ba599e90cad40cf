//! What nodes follow and what logins they hold, looked at all the time.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use super::machine::NAMES;
use crate::node::{CODEX, Nodes};

/// What must hold at any moment.
pub(crate) struct Watched<'w> {
    nodes: &'w Nodes,
    known: Mutex<Known>,
    looks: AtomicU64,
}

#[derive(Default)]
struct Known {
    /// Each access token that was ever issued, and until when it is valid, in seconds since 1970.
    issued: BTreeMap<String, u64>,
    /// What each node holds, as far as is known: it may become a later one, by whoever is not the test.
    held: BTreeMap<String, u64>,
    /// What each node follows, as far as is known.
    followed: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

impl<'w> Watched<'w> {
    pub(crate) fn new(nodes: &'w Nodes) -> Self {
        Self { nodes, known: Mutex::default(), looks: AtomicU64::new(0) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A person logs in on a node.
    pub(crate) fn log_in(&self, name: &str, access: &str, ends: i64) {
        let mut known = self.known();
        let seconds = u64::try_from(ends).unwrap() / 1000;
        known.issued.insert(access.to_owned(), seconds);
        known.held.insert(name.to_owned(), seconds);
        self.nodes.log_in_until(name, "main", access, ends);
    }

    /// Looks until told to stop.
    pub(crate) fn run(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            for name in NAMES {
                self.look(name);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn look(&self, name: &str) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let mut known = self.known();
        let mut wrong = Vec::new();
        let path = self.nodes.path(name, ".openclaw/agents/main/agent/auth-profiles.json");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        match serde_json::from_str::<Value>(&text) {
            Ok(store) => {
                let login = &store["profiles"][CODEX];
                let access = login["access"].as_str().unwrap_or_default().to_owned();
                let ends = login["expires"].as_u64().map(|ms| ms / 1000);
                if ends.is_none() || known.issued.get(&access).copied() != ends {
                    wrong.push(format!("{access} until {ends:?} was never issued"));
                }
                if login["refresh"] != format!("canary-refresh-{name}") {
                    wrong.push(format!("what renews it is another: {login}"));
                }
                let ends = ends.unwrap_or(0);
                let before = known.held.insert(name.to_owned(), ends).unwrap_or(0);
                if ends < before {
                    wrong.push(format!("{access} until {ends} is over one until {before}"));
                }
            }
            Err(error) => wrong.push(format!("{error}: {text}")),
        }
        let path = self.nodes.path(name, "state/fleet-test/assignment");
        if let Ok(text) = std::fs::read_to_string(path) {
            let first = text.lines().next().unwrap_or_default();
            let assignment: Value = serde_json::from_str(first).unwrap_or_default();
            let generation = assignment["generation"].as_u64().unwrap_or(0);
            let before = known.followed.insert(name.to_owned(), generation).unwrap_or(0);
            if generation < before {
                wrong.push(format!("it follows {generation} after {before}"));
            }
        }
        known.wrong.extend(wrong.into_iter().map(|why| format!("{name}: {why}")));
    }

    /// Whether a node holds a login that is valid.
    pub(crate) fn is_valid(&self, name: &str) -> bool {
        let (_, ends) = self.nodes.login(name, "main");
        ends > u64::try_from(super::now()).unwrap() / 1000 + 3600
    }

    #[track_caller]
    pub(crate) fn holds(&self) {
        let known = self.known();
        assert!(known.wrong.is_empty(), "{:#?}", known.wrong);
    }

    /// How often it was looked, and the last generation that is followed anywhere.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let last = self.known().followed.values().max().copied().unwrap_or(0);
        (self.looks.load(Ordering::Relaxed), last)
    }
}
