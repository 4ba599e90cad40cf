//! What holds for any small installation and the shipped policies.

mod installation;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use precedent::{
    Host, Proposal, Ruling,
    apply::ApplyError,
    config::Deployment,
    decide::json,
    model::{Location, Phase, Presence, Snapshot},
    observe::{Memory, World, observe},
    plan::{Plan, after},
    secret::Key,
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use tempfile::TempDir;

use crate::support::{hosted, shipped_policy, world::Below};
use installation::{Installation, Secrets};

const NOW: u64 = 1_700_000_000;

/// So many cases, unless `PROPTEST_CASES` says otherwise. What fails is kept, and tried first.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    let told = std::env::var_os("PROPTEST_CASES").is_some();
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/regressions.txt");
    ProptestConfig {
        cases: if told { usual.cases } else { cases },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(kept))),
        ..usual
    }
}

/// A policy and its settings.
type Setting = (&'static str, &'static str);

const SETTINGS: [Setting; 7] = [
    ("helm", r#"{"persist": "both"}"#),
    ("helm", r#"{"persist": "remote-only"}"#),
    ("helm", r#"{"persist": "reference"}"#),
    ("helm", r#"{"persist": "none"}"#),
    ("binary", "{}"),
    ("binary", r#"{"node-services": "keep-in-step"}"#),
    ("binary", r#"{"mint": false}"#),
];

fn any_setting() -> impl Strategy<Value = Setting> {
    prop::sample::select(SETTINGS.to_vec())
}

fn host(setting: Setting) -> &'static Host {
    static HOSTS: OnceLock<Vec<Host>> = OnceLock::new();
    let hosts = HOSTS.get_or_init(|| {
        let host = |(name, settings): Setting| {
            let (policy, reference) = shipped_policy(name);
            let mut deployment = Deployment::without_manifest(reference).unwrap();
            deployment.settings = serde_json::from_str(settings).unwrap();
            hosted(Host::builder().deployment(deployment).key(key()), policy)
        };
        SETTINGS.into_iter().map(host).collect()
    });
    &hosts[SETTINGS.iter().position(|known| *known == setting).unwrap()]
}

fn any_phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![Phase::Start, Phase::Restart, Phase::Check, Phase::Repair])
}

fn key() -> Key {
    Key::new([7; 32])
}

fn propose(host: &Host, world: &dyn World, phase: Phase) -> Proposal {
    host.plan(observe(host.deployment(), world, &key(), phase, NOW)).unwrap()
}

/// An installation in a folder, and nothing else of the machine.
struct Home {
    folder: TempDir,
    world: Below,
}

impl Home {
    fn of(installation: &Installation, secrets: &Secrets) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in installation.files(folder.path(), secrets) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let variables = installation.variables(folder.path(), secrets);
        Self { world: Below { folder: folder.path().to_owned(), variables }, folder }
    }

    fn propose(&self, host: &Host, phase: Phase) -> Proposal {
        propose(host, &self.world, phase)
    }

    /// Every file by its path in the folder. What was minted is no two times the same.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut left = vec![self.folder.path().to_owned()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    let name = path.strip_prefix(self.folder.path()).unwrap().to_owned();
                    files.insert(name, without_minted(&fs::read_to_string(path).unwrap()));
                }
            }
        }
        files
    }
}

/// How many cases showed something: a property of nothing holds always.
#[derive(Default)]
struct Tally(AtomicU32);

impl Tally {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn is_at_least(&self, count: u32) {
        let found = self.0.load(Ordering::Relaxed);
        // Who asks for a few cases gets them.
        let told = std::env::var_os("PROPTEST_CASES").is_some();
        assert!(told || found >= count, "only {found} cases show anything");
    }
}

/// The one place in which a plan is applied, with all that a run keeps.
fn apply(host: &Host, proposal: &Proposal) -> Result<(), ApplyError> {
    let state = tempfile::tempdir().unwrap();
    let deployment = host.deployment().clone();
    let builder = Host::builder().deployment(deployment).key(key()).journal(state.path());
    let installation = builder.installation().unwrap();
    let turn = installation.turn(proposal.snapshot.phase).unwrap();
    turn.apply(proposal).map(|_| ())
}

/// 64 hexadecimal digits are what the host mints.
fn without_minted(text: &str) -> String {
    let mut kept = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        kept.push_str(if run.len() == 64 { "MINTED" } else { &run });
        run.clear();
        kept.push(c);
    }
    kept
}

/// What stands at every location, secrets as numbers in order of first appearance. Where a reference
/// leads after a plan, only another look can tell.
fn presences(snapshot: &Snapshot) -> Vec<String> {
    let mut known = Vec::new();
    let presence = |location: &Location| match &location.presence {
        Presence::Plain(fingerprint) => {
            let class = known.iter().position(|one| one == fingerprint).unwrap_or_else(|| {
                known.push(*fingerprint);
                known.len() - 1
            });
            format!("secret {class}")
        }
        Presence::Reference(to) => format!("reference {:?} {}", to.kind, to.target),
        other => format!("{other:?}"),
    };
    let names = snapshot.locations.iter().map(|location| location.name.clone() + " ");
    names.zip(snapshot.locations.iter().map(presence)).map(|(a, b)| a + &b).collect()
}

/// A plan in full, but for the digests of the files, which are of the secrets in them.
fn in_json(plan: &Plan) -> String {
    let mut json = serde_json::to_value(plan).unwrap();
    for target in json["targets"].as_array_mut().unwrap() {
        target["digest"].take();
    }
    json.to_string()
}

/// Promise 6: what was applied needs no more, and is what the plan was said to come to.
#[test]
fn after_a_plan_nothing_is_left_to_do() {
    let all = (Installation::any(), any_setting(), any_phase());
    let shown = Tally::default();
    proptest!(config(192), |((installation, setting, phase) in all)| {
        let host = host(setting);
        let home = Home::of(&installation, &Secrets::default());
        let first = home.propose(host, phase);
        let Some(plan) = first.plan() else { return Ok(()) };
        let before = home.files();
        if apply(host, &first).is_err() {
            prop_assert_eq!(home.files(), before, "what failed left something");
            return Ok(());
        }
        let expected = presences(&after(&first.snapshot, plan));
        let second = home.propose(host, phase);
        prop_assert_eq!(presences(&second.snapshot), expected);
        prop_assert!(second.plan().is_some_and(Plan::is_empty), "{:?}", second.ruling);
        let nothing = plan.is_empty();
        prop_assert!(!nothing || home.files() == before, "an empty plan changed something");
        if !nothing {
            shown.count();
        }
    });
    shown.is_at_least(20);
}

/// Promise 2: other secrets, equal where these are, make the same plan, byte for byte.
#[test]
fn a_plan_depends_on_equality_alone() {
    let all = (Installation::any(), Secrets::any(), Secrets::any(), any_setting(), any_phase());
    let shown = Tally::default();
    proptest!(config(256), |((installation, one, other, setting, phase) in all)| {
        let root = Path::new("/home/node");
        let outcome = |secrets: &Secrets| {
            let mut world = Memory::default();
            world.variables = installation.variables(root, secrets);
            world.files = installation.files(root, secrets).into_iter().collect();
            let proposal = propose(host(setting), &world, phase);
            if proposal.plan().is_some_and(|plan| !plan.is_empty()) {
                shown.count();
            }
            let decision = serde_json::to_string(&proposal.decision()).unwrap();
            let ruling = match &proposal.ruling {
                Ruling::Decided(_, plan) => in_json(plan),
                other => format!("{other:?}"),
            };
            (json::shown(&proposal.snapshot).to_string(), decision, ruling)
        };
        prop_assert_eq!(outcome(&one), outcome(&other));
    });
    shown.is_at_least(60);
}

/// A run that was stopped after any of its changes: the next one comes to where it would have come.
#[test]
fn a_run_after_one_that_was_stopped_comes_to_the_same() {
    let all = (Installation::any(), any_setting(), any_phase(), any::<prop::sample::Index>());
    let shown = Tally::default();
    proptest!(config(320), |((installation, setting, phase, at) in all)| {
        let host = host(setting);
        let whole = Home::of(&installation, &Secrets::default());
        let proposal = whole.propose(host, phase);
        let Some(plan) = proposal.plan().filter(|plan| plan.changes().len() > 1) else {
            return Ok(());
        };
        let stopped = Home::of(&installation, &Secrets::default());
        let count = at.index(plan.changes().len());
        if apply(host, &proposal).is_err() {
            return Ok(());
        }
        let mut cut = stopped.propose(host, phase);
        if let Ruling::Decided(_, plan) = &mut cut.ruling {
            *plan = plan.first(count);
        }
        apply(host, &cut).unwrap();
        let next = stopped.propose(host, phase);
        prop_assert!(next.plan().is_some(), "{:?}", next.ruling);
        apply(host, &next).unwrap();
        prop_assert_eq!(stopped.files(), whole.files(), "stopped after {} changes", count);
        let last = stopped.propose(host, phase);
        prop_assert!(last.plan().is_some_and(Plan::is_empty), "{:?}", last.ruling);
        shown.count();
    });
    shown.is_at_least(15);
}
