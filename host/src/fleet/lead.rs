//! What the elected node does: asks the policy for every node, and hands out what comes of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    num::NonZero,
    sync::Arc,
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
    model::{Deed, Phase, Snapshot},
    secret::Key,
};

/// How many assignments are written at once; beside them stand the generation and its conditions.
const BATCH: usize = Transaction::MOST - 4;
/// How many bytes of them at once: etcd takes 1.5 MiB.
const BATCH_BYTES: usize = 768 << 10;
/// How long nodes publish nothing until it is decided on what they did, and how long that may go on.
const QUIET: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);
/// The most that a node may say that it needs: it must not make another one's assignment too large.
const MOST_WANTS: usize = 64;
/// How far numbers may be apart that nobody is known to have given: more than any fleet comes to.
const JUMP: u64 = 1 << 40;
/// After how many intervals what is handed out is read again.
const READ_AGAIN: u32 = 10;
/// The largest report that is believed.
const LARGEST_REPORT: usize = 256 << 10;
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
    /// The highest number of a report of each node, also of one that was removed.
    counts: HashMap<String, u64>,
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
            // What goes on to others must fit beside what they have.
            _ if entry.value.len() > LARGEST_REPORT => {
                format!("it has {} bytes, and {LARGEST_REPORT} are allowed", entry.value.len())
            }
            Ok(report) if report.node == node => {
                // What a node published before may be brought back by who can write to the store.
                let highest = self.counts.entry(node.clone()).or_default();
                if report.count >= *highest {
                    *highest = report.count;
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
#[derive(Debug)]
struct Answer {
    node: String,
    /// What it was asked on.
    input: String,
    terms: Terms,
    /// What tells the terms from others, while nobody needs anything of the node.
    told: String,
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
    known: HashMap<String, Arc<Answer>>,
    /// The digests of what is handed out, by node.
    handed: HashMap<String, String>,
    /// The highest number that this node, or a leader that it believes, has given.
    highest: u64,
    /// Until when what is known holds: time alone may change what is decided.
    until: u64,
    /// Until when what was read of what is handed out holds.
    read_until: u64,
}

impl Leader {
    /// Whether it is time to read what is handed out. That is much to read where nodes are many, and only what
    /// somebody else put there is found by it.
    pub(super) fn is_to_read(&self, now: u64, holds: Duration) -> bool {
        is_over(self.read_until, now, READ_AGAIN * holds)
    }

    /// Reads what is handed out, by this node or its predecessors. What is not that, or is older than what its
    /// node follows, was put there by somebody else, and is handed out anew.
    pub(super) fn read(
        &mut self,
        store: &dyn Store,
        space: &Space,
        roster: &Roster,
        (board, now, holds): (&Board, u64, Duration),
    ) -> Result<(), StoreError> {
        self.read_until = now.saturating_add((READ_AGAIN * holds).as_secs());
        let prefix = space.assignment("");
        let entries = store.list(&prefix)?.entries;
        self.handed.clear();
        for entry in entries {
            let Ok(assignment) = signed::read::<Assignment>(roster, &entry.value) else { continue };
            let Assignment { node, leader, generation, terms, .. } = assignment;
            let followed = board.reports.get(&node).map_or(0, |report| report.generation);
            let is_its = node == Space::name(&prefix, &entry.key) && roster.may_lead(&leader);
            if is_its {
                self.highest = self.highest.max(generation);
            }
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
        if is_over(self.until, now, holds) {
            self.known.clear();
            self.until = now.saturating_add(holds.as_secs());
        }
        let is_led =
            |report: &&Report| report.key == ground.key && report.policy == ground.policy.digest();
        let led: Vec<&Report> = board.reports.values().filter(is_led).collect();
        let copies = Copies::of(led.iter().copied());
        let alive = &board.alive;
        let asked = |part: &[&Report]| -> Vec<Arc<Answer>> {
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
        let mut sends: HashMap<&str, BTreeSet<&Send>> = HashMap::new();
        // What a node says itself that it needs: of a node that is there and does not send, it takes no answer
        // for one, and asks for the next.
        let wants = led.iter().flat_map(|report| {
            let own = report.wants.iter().take(MOST_WANTS);
            own.filter(|(_, send)| send.to == report.node)
        });
        let needs = answers.iter().flat_map(|answer| &answer.needs);
        for (from, send) in needs.chain(wants) {
            sends.entry(from).or_default().insert(send);
        }
        let mut terms = BTreeMap::new();
        for answer in &answers {
            let sends = sends.get(answer.node.as_str()).into_iter().flatten();
            let sends: Vec<Send> = sends.copied().cloned().collect();
            let handed = self.handed.get(&answer.node);
            if sends.is_empty() && handed == Some(&answer.told) {
                continue;
            }
            let own = Terms { sends, ..answer.terms.clone() };
            if handed != Some(&digest(&own)) {
                terms.insert(answer.node.clone(), own);
            }
        }
        drop(sends);
        self.known = answers.into_iter().map(|answer| (answer.node.clone(), answer)).collect();
        terms
    }

    /// What the policy says for one node, and what that node needs of others.
    fn ask(
        &self,
        report: &Report,
        (copies, alive): (&Copies, &BTreeSet<String>),
        ground: Ground<'_>,
        now: u64,
    ) -> Arc<Answer> {
        let mut view = copies.for_node(report);
        let settings = overlaid(&report.seen.settings, ground.settings);
        let input = digest(&(&report.seen, &view, &settings));
        if let Some(known) = self.known.get(&report.node).filter(|known| known.holds(&input, alive))
        {
            return Arc::clone(known);
        }
        let asked = |view: Vec<Foreign>| {
            let mut snapshot = report.seen.snapshot(now, settings.clone());
            snapshot.phase = ground.phase.unwrap_or(snapshot.phase);
            show(&mut snapshot, &view);
            let (decided, from) = answer(ground.policy, &snapshot);
            let needs = needs(&report.node, &view, &from);
            let terms = Terms {
                policy: ground.policy.digest().to_owned(),
                settings: settings.clone(),
                phase: snapshot.phase,
                decided,
                view,
                sends: Vec::new(),
            };
            (terms, needs)
        };
        let (mut terms, mut needs) = asked(view.clone());
        let mut without = BTreeSet::new();
        if needs.iter().any(|(from, _)| !alive.contains(from)) {
            // Who is not there sends nothing: it is decided on what the others have.
            let is_gone = |one: &Foreign| !alive.contains(&one.node);
            without.extend(view.iter().filter(|one| is_gone(one)).map(|one| one.node.clone()));
            view.retain(|one| !is_gone(one));
            (terms, needs) = asked(view);
        }
        let (node, told) = (report.node.clone(), digest(&terms));
        Arc::new(Answer { node, input, terms, told, needs, without })
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
            let generation = self.next_generation(board, before)?;
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
            while part.len() < BATCH
                && let Some((node, terms)) = rest.pop_front()
            {
                let told = digest(&terms);
                let mut text = signed(&node, &terms);
                if text.len() > BATCH_BYTES {
                    // It would keep all others from theirs.
                    text = signed(&node, &terms.too_large(text.len()));
                }
                if bytes > 0 && bytes + text.len() > BATCH_BYTES {
                    rest.push_front((node, terms));
                    break;
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
            self.highest = generation;
            self.handed.extend(part);
        }
        Ok(count)
    }
}

impl Leader {
    /// The next number. What stands in the store is not signed, and a node may say what it likes: a number that
    /// nobody could have come to is passed over, or it would be the last one.
    fn next_generation(&self, board: &Board, before: u64) -> Result<u64, FleetError> {
        let bound = self.highest.saturating_add(JUMP);
        let reported = board.reports.values().map(|report| report.generation);
        let known = reported.chain([before, self.highest]).filter(|one| *one <= bound).max();
        known.unwrap_or(0).checked_add(1).ok_or(FleetError::NotLeading)
    }
}

/// Whether a time is over that was set for so long at most: a clock that was set back counts as over.
fn is_over(until: u64, now: u64, holds: Duration) -> bool {
    now >= until || now.saturating_add(holds.as_secs()) < until
}

fn number(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What the policy says, for people, and the names of the places from which something is to be written.
fn answer(policy: &Policy, snapshot: &Snapshot) -> (Decided, BTreeSet<String>) {
    let nothing = BTreeSet::new();
    match policy.decide(snapshot) {
        Ok(Ok(decision)) => {
            let from = decision.actions.iter().filter_map(|action| match action.deed {
                Deed::Write { from, .. } => Some(snapshot.name_of(from)),
                _ => None,
            });
            (Decided::of(snapshot, &decision), from.collect())
        }
        Ok(Err(refusal)) => {
            (Decided::Refused(format!("{}: {}", refusal.code, refusal.reason)), nothing)
        }
        Err(error) => (Decided::Failed(error.to_string()), nothing),
    }
}

/// The node's own settings, and the fleet's over them.
fn overlaid(own: &Value, fleet: &Value) -> Value {
    let mut settings = own.as_object().cloned().unwrap_or_default();
    settings.extend(fleet.as_object().cloned().unwrap_or_default());
    Value::Object(settings)
}

/// What a node needs of others to do what was decided: the node that has it, and what it is asked for.
fn needs(node: &str, view: &[Foreign], from: &BTreeSet<String>) -> Vec<(String, Send)> {
    let needed = view.iter().filter(|one| from.contains(&one.name())).filter_map(|one| {
        let fingerprint = one.copy.presence.fingerprint()?;
        Some((one.node.clone(), Send::new(node, one, fingerprint)))
    });
    needed.collect()
}
