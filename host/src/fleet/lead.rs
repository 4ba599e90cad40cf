//! What the elected node does: asks the policy for every node, and hands out what comes of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    num::NonZero,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Assignment, Decided, FleetError, Report, Roster, Send, Session, Space, Store, StoreError,
    assignment::Terms,
    kept::told_by,
    report::digest,
    signed,
    store::{Change, Committed, Condition, Entry, Revision, Transaction},
    view::{Copies, Foreign, show},
};
use crate::{
    decide::Policy,
    handover::NodeIdentity,
    model::{Phase, Snapshot},
    secret::Key,
};

/// How many assignments are written at once; beside them stand the generation and its conditions.
const BATCH: usize = Transaction::MOST - 4;
/// How many bytes of them at once: etcd takes 1.5 MiB.
const BATCH_BYTES: usize = 768 << 10;
/// How long nodes publish nothing until it is decided on what they did, and how long that may go on.
const QUIET: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);
/// From how many nodes on several threads ask the policy.
const MANY: usize = 64;

/// What all nodes publish, as far as it is believed.
#[derive(Debug, Default)]
pub struct Board {
    /// By node.
    pub reports: BTreeMap<String, Report>,
    /// What is not believed, and why, by the node that it is said to be of.
    pub unbelieved: BTreeMap<String, String>,
    /// The nodes whose agents run.
    pub alive: BTreeSet<String>,
    revision: Revision,
}

impl Board {
    /// What stands in the store.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn read(store: &dyn Store, space: &Space, roster: &Roster) -> Result<Self, StoreError> {
        let prefix = space.report("");
        let listing = store.list(&prefix)?;
        let mut board = Self { revision: listing.revision, ..Self::default() };
        for entry in &listing.entries {
            board.take(&prefix, entry, roster);
        }
        board.see_who_is_there(store, space)?;
        Ok(board)
    }

    /// Sees whose agents run.
    pub(super) fn see_who_is_there(
        &mut self,
        store: &dyn Store,
        space: &Space,
    ) -> Result<(), StoreError> {
        let prefix = space.alive("");
        let entries = store.list(&prefix)?.entries;
        self.alive = entries.iter().map(|entry| Space::name(&prefix, &entry.key)).collect();
        Ok(())
    }

    /// Waits until a node publishes something; whether one did.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn wait(
        &mut self,
        store: &dyn Store,
        space: &Space,
        roster: &Roster,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let prefix = space.report("");
        let changes = store.wait(&prefix, self.revision, time)?;
        self.revision = changes.revision;
        for change in &changes.changes {
            match change {
                Change::Put(entry) => self.take(&prefix, entry, roster),
                Change::Removed(key) => {
                    let node = Space::name(&prefix, key);
                    self.reports.remove(&node);
                    self.unbelieved.remove(&node);
                }
            }
        }
        Ok(!changes.changes.is_empty())
    }

    /// Waits until nodes publish nothing for a while, but not for long.
    pub(super) fn settle(
        &mut self,
        store: &dyn Store,
        space: &Space,
        roster: &Roster,
    ) -> Result<(), StoreError> {
        let begun = Instant::now();
        while begun.elapsed() < LONGEST && self.wait(store, space, roster, QUIET)? {}
        Ok(())
    }

    fn take(&mut self, prefix: &str, entry: &Entry, roster: &Roster) {
        let node = Space::name(prefix, &entry.key);
        let why = match signed::read::<Report>(roster, &entry.value) {
            Ok(report) if report.node == node => {
                // What a node published before may be brought back by who can write to the store.
                let is_older =
                    self.reports.get(&node).is_some_and(|known| report.count < known.count);
                if !is_older {
                    self.unbelieved.remove(&node);
                    self.reports.insert(node, report);
                    return;
                }
                "it is older than what the node published last".to_owned()
            }
            Ok(report) => format!("it is {}'s, and was put in the place of another", report.node),
            Err(why) => why.to_string(),
        };
        self.unbelieved.insert(node, why);
    }
}

/// What a leader goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground<'g> {
    /// The policy.
    pub(super) policy: &'g Policy,
    /// The settings that hold for the whole fleet.
    pub(super) settings: &'g Value,
    /// What the fleet's key is told by.
    pub(super) key: &'g str,
    /// For what it is asked, where that is not what each node says.
    pub(super) phase: Option<Phase>,
}

/// What the policy says by now for every node, whoever leads: nothing is handed out. With a phase, what it would
/// say if it were asked for that, such as before a restart.
#[must_use]
pub fn preview(
    board: &Board,
    (policy, settings): (&Policy, &Value),
    key: &Key,
    (now, phase): (u64, Option<Phase>),
) -> BTreeMap<String, Terms> {
    let told = told_by(key);
    let ground = Ground { policy, settings, key: &told, phase };
    Leader::default().decide(board, ground, (now, Duration::ZERO))
}

/// What came of asking for one node.
#[derive(Debug, Clone)]
struct Answer {
    node: String,
    /// What it was asked on.
    input: String,
    terms: Terms,
    /// What the node needs of others.
    needs: Vec<(String, Send)>,
    /// The nodes that were left out, for what is needed of them cannot come: their agents do not run.
    without: BTreeSet<String>,
}

impl Answer {
    /// Whether it holds: on the same, and with the same nodes there.
    fn holds(&self, input: &str, alive: &BTreeSet<String>) -> bool {
        self.input == input
            && self.needs.iter().all(|(from, _)| alive.contains(from))
            && self.without.is_disjoint(alive)
    }
}

/// The elected node, for as long as it is.
#[derive(Debug, Default)]
pub struct Leader {
    /// What was decided on what, by node: it is not decided again on the same.
    known: HashMap<String, Answer>,
    /// The digests of what is handed out, by node.
    handed: HashMap<String, String>,
    /// Until when what is known holds: time alone may change what is decided.
    until: u64,
}

impl Leader {
    /// Whether it is time to read what is handed out, and to decide on all: a clock that was set back counts as
    /// time.
    pub(super) fn is_due(&self, now: u64, holds: Duration) -> bool {
        now >= self.until || now.saturating_add(holds.as_secs()) < self.until
    }

    /// Reads what is handed out, by this node or its predecessors. What is not that, or is older than what its
    /// node follows, was put there by somebody else, and is handed out anew.
    pub(super) fn read(
        &mut self,
        store: &dyn Store,
        space: &Space,
        roster: &Roster,
        board: &Board,
    ) -> Result<(), StoreError> {
        let prefix = space.assignment("");
        let entries = store.list(&prefix)?.entries;
        self.handed.clear();
        for entry in entries {
            let Ok(assignment) = signed::read::<Assignment>(roster, &entry.value) else { continue };
            let Assignment { node, leader, generation, terms, .. } = assignment;
            let followed = board.reports.get(&node).map_or(0, |report| report.generation);
            let is_its = node == Space::name(&prefix, &entry.key) && roster.may_lead(&leader);
            if is_its && generation >= followed {
                self.handed.insert(node, digest(&terms));
            }
        }
        Ok(())
    }

    /// Asks the policy for every node of which something changed, and for all where this long has passed.
    /// Gives back what is to be handed out.
    pub(super) fn decide(
        &mut self,
        board: &Board,
        ground: Ground<'_>,
        (now, holds): (u64, Duration),
    ) -> BTreeMap<String, Terms> {
        if self.is_due(now, holds) {
            self.known.clear();
            self.until = now.saturating_add(holds.as_secs());
        }
        let is_led =
            |report: &&Report| report.key == ground.key && report.policy == ground.policy.digest();
        let led: Vec<&Report> = board.reports.values().filter(is_led).collect();
        let copies = Copies::of(led.iter().copied());
        let alive = &board.alive;
        let asked = |part: &[&Report]| -> Vec<Answer> {
            part.iter().map(|report| self.ask(report, (&copies, alive), ground, now)).collect()
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let answers = if led.len() < MANY || threads == 1 {
            asked(&led)
        } else {
            let parts = led.chunks(led.len().div_ceil(threads));
            thread::scope(|scope| {
                let running: Vec<_> = parts.map(|part| scope.spawn(|| asked(part))).collect();
                // What a thread that died should have decided is decided the next time.
                running.into_iter().filter_map(|one| one.join().ok()).flatten().collect()
            })
        };
        let mut terms = BTreeMap::new();
        let mut sends: HashMap<String, BTreeSet<Send>> = HashMap::new();
        // What a node says itself that it needs: of a node that is there and does not send, it takes no answer
        // for one, and asks for the next.
        let own = led.iter().flat_map(|report| {
            report.wants.iter().filter(|(_, send)| send.to == report.node).cloned()
        });
        for answer in answers {
            for (from, send) in answer.needs.iter().cloned() {
                sends.entry(from).or_default().insert(send);
            }
            terms.insert(answer.node.clone(), answer.terms.clone());
            self.known.insert(answer.node.clone(), answer);
        }
        for (from, send) in own {
            sends.entry(from).or_default().insert(send);
        }
        for (node, sends) in sends {
            if let Some(terms) = terms.get_mut(&node) {
                terms.sends = sends.into_iter().collect();
            }
        }
        terms.retain(|node, terms| self.handed.get(node) != Some(&digest(terms)));
        terms
    }

    /// What the policy says for one node, and what that node needs of others.
    fn ask(
        &self,
        report: &Report,
        (copies, alive): (&Copies, &BTreeSet<String>),
        ground: Ground<'_>,
        now: u64,
    ) -> Answer {
        let mut view = copies.for_node(report);
        let settings = overlaid(&report.seen.settings, ground.settings);
        let input = digest(&(&report.seen, &view, &settings));
        if let Some(known) = self.known.get(&report.node).filter(|known| known.holds(&input, alive))
        {
            return known.clone();
        }
        let terms = |view: Vec<Foreign>| {
            let mut snapshot = report.seen.snapshot(now, settings.clone());
            snapshot.phase = ground.phase.unwrap_or(snapshot.phase);
            show(&mut snapshot, &view);
            Terms {
                policy: ground.policy.digest().to_owned(),
                settings: settings.clone(),
                phase: snapshot.phase,
                decided: answer(ground.policy, &snapshot),
                view,
                sends: Vec::new(),
            }
        };
        let mut terms_of_all = terms(view.clone());
        let mut needed = needs(&report.node, &terms_of_all);
        let mut without = BTreeSet::new();
        if needed.iter().any(|(from, _)| !alive.contains(from)) {
            // Who is not there sends nothing: it is decided on what the others have.
            let is_gone = |one: &Foreign| !alive.contains(&one.node);
            without.extend(view.iter().filter(|one| is_gone(one)).map(|one| one.node.clone()));
            view.retain(|one| !is_gone(one));
            terms_of_all = terms(view);
            needed = needs(&report.node, &terms_of_all);
        }
        Answer { node: report.node.clone(), input, terms: terms_of_all, needs: needed, without }
    }

    /// Hands out what was decided, each part under a new generation, if this node still leads.
    ///
    /// # Errors
    ///
    /// Those of the store, and where another node leads by now.
    pub(super) fn hand_out(
        &mut self,
        store: &dyn Store,
        session: &mut Session<'_>,
        (space, identity, roster): (&Space, &NodeIdentity, &Roster),
        (board, now): (&Board, u64),
        decided: BTreeMap<String, Terms>,
    ) -> Result<usize, FleetError> {
        let mut rest: VecDeque<(String, Terms)> = decided.into_iter().collect();
        let mut count = 0;
        while !rest.is_empty() {
            session.keep(now)?;
            let leading = session.leading().ok_or(FleetError::NotLeading)?;
            let key = space.generation();
            let entry = store.get(&key)?;
            let (unchanged, before) = match &entry {
                Some(entry) => (Condition::Unchanged(key.clone(), entry.changed), number(entry)),
                None => (Condition::Absent(key.clone()), 0),
            };
            // A store that was put back to an earlier day must not bring back its generations.
            let followed = board.reports.values().map(|report| report.generation).max();
            let generation = before.max(followed.unwrap_or(0)).saturating_add(1);
            let mut transaction = Transaction::default()
                .when(leading)
                .when(unchanged)
                .put(&key, generation.to_string());
            let signed = |node: &str, terms: &Terms| {
                let (node, leader) = (node.to_owned(), roster.me().to_owned());
                let assignment =
                    Assignment { node, leader, generation, at: now, terms: terms.clone() };
                signed::sign(identity, roster.fleet(), &assignment)
            };
            let (mut part, mut bytes) = (Vec::new(), 0);
            while bytes < BATCH_BYTES
                && part.len() < BATCH
                && let Some((node, terms)) = rest.pop_front()
            {
                let told = digest(&terms);
                let mut text = signed(&node, &terms);
                if text.len() > BATCH_BYTES {
                    // It would keep all others from theirs.
                    text = signed(&node, &terms.too_large(text.len()));
                }
                bytes += text.len();
                transaction = transaction.put(space.assignment(&node), text);
                part.push((node, told));
            }
            if store.commit(transaction)? == Committed::Moved {
                session.still_leads()?;
                return Err(FleetError::NotLeading);
            }
            count += part.len();
            self.handed.extend(part);
        }
        Ok(count)
    }
}

fn number(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What the policy says, for people.
fn answer(policy: &Policy, snapshot: &Snapshot) -> Decided {
    match policy.decide(snapshot) {
        Ok(Ok(decision)) => Decided::of(snapshot, &decision),
        Ok(Err(refusal)) => Decided::Refused(format!("{}: {}", refusal.code, refusal.reason)),
        Err(error) => Decided::Failed(error.to_string()),
    }
}

/// The node's own settings, and the fleet's over them.
fn overlaid(own: &Value, fleet: &Value) -> Value {
    let mut settings = own.as_object().cloned().unwrap_or_default();
    settings.extend(fleet.as_object().cloned().unwrap_or_default());
    Value::Object(settings)
}

/// What a node needs of others to do what was decided: the node that has it, and what it is asked for.
fn needs(node: &str, terms: &Terms) -> Vec<(String, Send)> {
    let Decided::Actions(actions) = &terms.decided else { return Vec::new() };
    let from = |action: &String| {
        let (from, _) = action.strip_prefix("write ")?.split_once(" -> ")?;
        let foreign: &Foreign = terms.view.iter().find(|one| one.name() == from)?;
        let fingerprint = foreign.copy.presence.fingerprint()?;
        Some((foreign.node.clone(), Send::new(node, foreign, fingerprint)))
    };
    actions.iter().filter_map(from).collect()
}
