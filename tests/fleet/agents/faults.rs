//! Rounds of faults by chance. Each round a login ends somewhere and a new one is made elsewhere, and something
//! breaks meanwhile; then all is in order again, and at no moment was anything older over something newer.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    HOUR, LOGINS,
    machine::{Machines, NAMES},
    now,
    watched::Watched,
};
use crate::cluster::{Line, MEMBERS, alone};

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// Longer than a lease of etcd's that an agent has, with what etcd takes to see that it ended.
const CUT_OFF: Duration = Duration::from_secs(13);
/// How long a node is killed again and again.
const KILLING: Duration = Duration::from_secs(12);
/// How long new rounds begin.
const TIME: Duration = Duration::from_secs(100);

/// Chance that can be had again: splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    fn pause(&mut self, most: u64) {
        thread::sleep(Duration::from_millis(self.below(most)));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    ElectedKilled,
    KilledInMidApply,
    MemberKilled,
    StoreStopped,
    CutOff,
    GoneDead,
    OldAssignment,
    ClockApart,
}

const FAULTS: [Fault; 8] = [
    Fault::ElectedKilled,
    Fault::KilledInMidApply,
    Fault::MemberKilled,
    Fault::StoreStopped,
    Fault::CutOff,
    Fault::GoneDead,
    Fault::OldAssignment,
    Fault::ClockApart,
];

struct Rounds<'r> {
    machines: &'r Machines,
    watched: &'r Watched<'r>,
    chance: Chance,
    /// How many logins were made.
    made: i64,
    kills: u32,
    /// Those where a login was on its way and had not come.
    killed_before: u32,
    /// Old assignments that were put back in the place of newer ones.
    put_back: u32,
    /// What stood for each node before.
    old: BTreeMap<&'static str, Vec<u8>>,
    /// The node whose clock is apart.
    apart: Option<&'static str>,
}

impl Rounds<'_> {
    /// A login ends at one node, and another node has a new one that lasts longer than any before. Gives back
    /// the two.
    fn change(&mut self) -> (&'static str, &'static str) {
        let ends = self.chance.of(&NAMES);
        let others: Vec<_> = NAMES.into_iter().filter(|name| *name != ends).collect();
        let has = self.chance.of(&others);
        self.made += 1;
        let made = self.made;
        self.watched.log_in(has, &format!("canary-made-{made}"), now() + 24 * HOUR + made * HOUR);
        self.watched.log_in(ends, &format!("canary-ended-{made}"), now() - HOUR + made * 1000);
        (ends, has)
    }

    fn restart(&mut self, name: &'static str) {
        self.machines.kill(name);
        self.kills += 1;
        self.chance.pause(1500);
        self.machines.start(name, &[]);
    }

    /// Breaks something while it is changed; the node whose login ended.
    fn round(&mut self, fault: Fault) -> &'static str {
        for name in NAMES {
            if let Some(value) = self.machines.value(&format!("assignments/{name}/")) {
                self.old.insert(name, value);
            }
        }
        if let Some(apart) = self.apart.take() {
            // Its clock is right again, and what it says now is older than what it said before.
            self.machines.kill(apart);
            self.machines.start(apart, &[]);
        }
        let (ends, has) = self.change();
        match fault {
            Fault::ElectedKilled => {
                self.chance.pause(1500);
                let elected = self.machines.leader();
                let elected = NAMES.into_iter().find(|name| *name == elected).unwrap();
                self.restart(elected);
            }
            Fault::KilledInMidApply => self.kill_often(ends),
            Fault::MemberKilled => {
                self.chance.pause(1500);
                let leader = self.machines.cluster.leader();
                self.machines.cluster.kill(leader);
                thread::sleep(Duration::from_secs(3));
                self.machines.cluster.run(leader);
            }
            Fault::StoreStopped => {
                self.chance.pause(1500);
                (0..MEMBERS).for_each(|member| self.machines.cluster.kill(member));
                thread::sleep(Duration::from_secs(5));
                (0..MEMBERS).for_each(|member| self.machines.cluster.run(member));
                self.machines.cluster.wait_until_well();
            }
            Fault::CutOff => self.cut(Line::cut, ends),
            Fault::GoneDead => self.cut(Line::go_dead, has),
            Fault::OldAssignment => {
                // First all is done, so that the old one is old.
                let watched = self.watched;
                self.machines.settle("before an old assignment", || watched.is_valid(ends));
                let old = self.old.get(ends).expect("it had one").clone();
                let key = format!("assignments/{ends}/");
                assert_ne!(self.machines.value(&key), Some(old.clone()), "it is old");
                self.machines.put_as("a", &key, old.clone());
                self.put_back += 1;
                let says = "an older one is never applied over a newer one";
                let before = self.machines.said(ends).matches(says).count();
                // Where the elected one has just decided something else, that takes its place before it is seen.
                self.machines.wait("it is refused", |_| {
                    self.machines.said(ends).matches(says).count() > before
                        || self.machines.value(&key) != Some(old.clone())
                });
                // And what is assigned next is followed.
                self.restart(ends);
            }
            Fault::ClockApart => {
                let apart = self.chance.of(&NAMES);
                let by = self.chance.of(&["+90s", "-90s"]);
                println!("    the clock of {apart} is {by} off");
                self.machines.kill(apart);
                let variables = [
                    ("LD_PRELOAD", FAKETIME),
                    ("FAKETIME", by),
                    ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
                ];
                self.machines.start(apart, &variables);
                self.apart = Some(apart);
            }
        }
        ends
    }

    /// Kills a node many times while a login is on its way to it.
    fn kill_often(&mut self, ends: &'static str) {
        let store = self.machines.admin();
        let decided = || {
            let sight = self.machines.look(&store).ok()?;
            let actions = sight.assigned.get(ends)?["decided"]["actions"].as_array()?.len();
            (actions > 0).then_some(())
        };
        let began = Instant::now();
        for time in 0..12 {
            if time > 0 {
                self.machines.wait("the login came", |_| self.watched.is_valid(ends));
                if began.elapsed() > KILLING {
                    break;
                }
                self.made += 1;
                let access = format!("canary-ended-{}", self.made);
                self.watched.log_in(ends, &access, now() - HOUR);
            }
            let told = Instant::now();
            while decided().is_none() && told.elapsed() < Duration::from_secs(5) {
                thread::sleep(Duration::from_millis(5));
            }
            self.chance.pause(150);
            self.machines.kill(ends);
            self.kills += 1;
            self.killed_before += u32::from(!self.watched.is_valid(ends));
            self.machines.start(ends, &[]);
        }
    }

    fn cut(&mut self, cut: impl Fn(&Line), near: &'static str) {
        let elected = self.machines.leader();
        let elected = NAMES.into_iter().find(|name| *name == elected).unwrap();
        let name = self.chance.of(&[elected, near]);
        let lines = self.machines.lines(name);
        lines.iter().for_each(cut);
        thread::sleep(CUT_OFF);
        lines.iter().for_each(Line::heal);
    }
}

/// What sets the clock of a process.
fn clock(by: &str) -> [(&str, &str); 3] {
    [("LD_PRELOAD", FAKETIME), ("FAKETIME", by), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
}

/// A clock that is so far off that what its node seals is good for nobody: told, and all is well once it is right.
fn far_apart(machines: &Machines) {
    machines.kill("e");
    machines.start("e", &clock("+600s"));
    let is_ahead = |at: &serde_json::Value| at.as_i64() > Some(now() / 1000 + 500);
    machines.wait("e is ahead", |sight| is_ahead(&sight.reports["e"].1["at"]));
    let status = machines.run("d", &["fleet", "status"]);
    status.ends(4, &["in the future", "its clock is", "s ahead of this node's"]);
    machines.kill("e");
    machines.start("e", &[]);
    let took = machines.settle("once the clock is right", || true);
    println!("a clock 10 min ahead is told; right again, in order after {took:?}");
}

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

#[test]
fn whatever_breaks_nothing_is_lost_and_nothing_older_is_over_newer() {
    assert!(std::path::Path::new(FAKETIME).exists(), "install it: apt-get install faketime");
    let _alone = alone();
    let rounds = number("FLEET_ROUNDS", 8);
    let seed = number("FLEET_SEED", u64::try_from(now()).unwrap());
    println!("FLEET_SEED={seed} FLEET_ROUNDS={rounds}");
    let machines = Machines::new("nodes", LOGINS);
    let watched = Watched::new(&machines.nodes);
    for (name, hours) in NAMES.into_iter().zip(20..) {
        watched.log_in(name, &format!("canary-first-{name}"), now() + hours * HOUR);
    }
    let mut all = Rounds {
        machines: &machines,
        watched: &watched,
        chance: Chance(seed),
        made: 0,
        kills: 0,
        killed_before: 0,
        put_back: 0,
        old: BTreeMap::new(),
        apart: None,
    };
    let stop = AtomicBool::new(false);
    let mut counts: BTreeMap<Fault, u32> = BTreeMap::new();
    let began = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| watched.run(&stop));
        // Whatever fails, the thread ends.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            machines.start_all();
            let took = machines.settle("at the beginning", || true);
            println!("five agents in order after {took:?}");
            let began = Instant::now();
            let mut left: Vec<Fault> = Vec::new();
            for round in 1..=rounds {
                if left.is_empty() {
                    left = FAULTS.to_vec();
                }
                let at = usize::try_from(all.chance.below(left.len() as u64)).unwrap();
                let fault = left.swap_remove(at);
                let ends = all.round(fault);
                let took = machines.settle("after a round", || watched.is_valid(ends));
                println!("  {round}: {fault:?} at {ends}, in order after {took:?}");
                *counts.entry(fault).or_default() += 1;
                watched.holds();
                let sight = machines.look(&machines.admin()).unwrap();
                assert!(sight.leader.is_some() && sight.sealed.is_empty(), "{sight:?}");
                if began.elapsed() > TIME && counts.len() == FAULTS.len() {
                    break;
                }
            }
            if let Some(apart) = all.apart.take() {
                machines.kill(apart);
                machines.start(apart, &[]);
                machines.settle("with all clocks right", || true);
            }
            far_apart(&machines);
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    watched.holds();
    machines.run("d", &["fleet", "status"]).ends(0, &["decides", "in order"]);
    let (looks, generation) = watched.counts();
    let searched = machines.is_clean();
    println!(
        "{} rounds in {:?}: {counts:?}, {} kills of agents ({} with a login on its way), {} old assignments; {looks} looks, generation {generation}; {searched}",
        counts.values().sum::<u32>(),
        began.elapsed(),
        all.kills,
        all.killed_before,
        all.put_back,
    );
}
