//! A guest of each version of the contract, built when the version was made and kept: what they answer
//! stays what it was, and no host rule is younger than they can be.
//!
//! | module | what |
//! |---|---|
//! | `everything` | snapshots with every value that the host can show |
//! | `growth` | more attributes and facts: nothing to the old guests, and there for who asks |
//! | `rules` | what the host forbids, tried by a guest of each version |
//! | `stopped` | limits and hostile components, in each version |
//! | `several` | components that speak more than one version, or another |
//! | `speed` | the draft's cost against that of the version before it |
//!
//! `tests/compat/README.md` says how a guest is built anew.

mod everything;
mod growth;
mod rules;
mod several;
mod speed;
mod stopped;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use precedent::{
    artifact::{self, PolicyRef},
    cases::{self, Case, Runner},
    config::{Deployment, Manifest},
    decide::{Engine, Limits, Policy, contracts},
    model::{
        Snapshot,
        named::{self, Words},
    },
};
use serde_json::Value;

use crate::support::{fixture, root};

/// A guest that is kept.
pub(crate) struct Guest {
    /// The version of the contract that it was built for, which is the name of its folder.
    pub(crate) version: String,
    pub(crate) policy: Policy,
}

fn folder() -> PathBuf {
    root().join("tests/compat")
}

/// The versions that guests are kept of, by their folders, oldest first.
fn versions() -> Vec<String> {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut versions: Vec<String> = folders
        .filter(|path| path.join("Cargo.toml").is_file())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    versions.sort();
    versions
}

/// Whether `UPDATE_COMPAT` asks for something to be made anew: what is named, and by `1` what is not
/// locked.
fn is_to_update(what: &str, is_locked: bool) -> bool {
    let Ok(asked) = std::env::var("UPDATE_COMPAT") else { return false };
    asked.split(',').any(|one| one == what || (one == "1" && !is_locked))
}

/// Every guest that is kept, oldest first.
pub(crate) fn guests() -> &'static [Guest] {
    static GUESTS: OnceLock<Vec<Guest>> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let engine = Engine::new().unwrap();
        versions().into_iter().map(|version| guest(&engine, version)).collect()
    })
}

fn guest(engine: &Engine, version: String) -> Guest {
    let path = path_of(&version);
    if is_to_update(&version, !version.contains('-')) {
        let manifest = fs::read_to_string(folder().join(&version).join("Cargo.toml")).unwrap();
        let package = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        fs::copy(fixture::build(package.trim_matches('"'), None), &path).unwrap();
    }
    // Time enough for a machine that is busy with the other tests.
    let limits = Limits { deadline: Duration::from_secs(60), ..Limits::default() };
    Guest { policy: load(engine, &path, limits), version }
}

fn path_of(version: &str) -> PathBuf {
    folder().join(version).join("policy.wasm")
}

fn load(engine: &Engine, path: &Path, limits: Limits) -> Policy {
    let reference = PolicyRef::from_argument("policy.wasm");
    artifact::load(engine, &reference, Some(path), limits, None)
        .unwrap_or_else(|error| panic!("{}: {}", path.display(), causes(&error)))
}

/// An error with what is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The deployment of the cases.
pub(crate) fn deployment() -> Deployment {
    let path = folder().join("precedent.toml");
    let text = fs::read_to_string(&path).unwrap();
    let manifest = Manifest::parse(&path, &text).unwrap();
    Deployment::new(&path, &text, &manifest, None).unwrap()
}

/// The cases, by the names of their files.
fn cases() -> BTreeMap<String, Case> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, cases::parse(&path, &text).unwrap().remove(0))
    };
    let entries = fs::read_dir(folder().join("cases")).unwrap();
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

fn runner(policy: &Policy) -> Runner<'_> {
    Runner::new(policy, PolicyRef::from_argument("policy.wasm")).on(deployment())
}

/// The snapshots that every guest is asked about, by name: those of the cases, and those that are made
/// by hand.
pub(crate) fn snapshots() -> BTreeMap<String, Snapshot> {
    let mut runner = runner(&guests()[0].policy);
    let mut snapshots = everything::snapshots();
    for (name, case) in cases() {
        snapshots.insert(name, runner.stage(&case).unwrap().observed.snapshot);
    }
    snapshots
}

/// The case of this name.
fn snapshot(name: &str) -> Snapshot {
    snapshots().remove(name).unwrap_or_else(|| panic!("no case `{name}`"))
}

/// What a guest answers, or why it does not, by names.
fn answer(policy: &Policy, snapshot: &Snapshot) -> Value {
    let asked = policy.validate_settings(&snapshot.settings).and_then(|()| policy.decide(snapshot));
    match asked {
        Ok(answer) => Value::Object(named::parts(snapshot, &answer, Words::Count)),
        Err(error) => panic!("{}: {}", policy.contract(), causes(&error)),
    }
}

#[test]
fn every_version_that_is_served_has_a_guest() {
    let served: BTreeSet<String> = contracts().map(ToOwned::to_owned).collect();
    assert_eq!(versions().into_iter().collect::<BTreeSet<_>>(), served);
    for Guest { version, policy } in guests() {
        assert_eq!(policy.contract(), version);
        assert_eq!((&*policy.about().name, &*policy.about().version), ("compat", "1.0.0"));
        let size = fs::metadata(path_of(version)).unwrap().len();
        assert!(size < 65_536, "the guest of {version} has {size} bytes: too many for git");
    }
}

#[test]
fn every_guest_gives_the_golden_answers() {
    let snapshots = snapshots();
    for (name, snapshot) in &snapshots {
        let path = folder().join("golden").join(format!("{name}.json"));
        // The oldest guest says what is golden, so that no younger one can change it.
        let is_new = !path.exists() && is_to_update("golden", false);
        if is_new || is_to_update("golden", true) {
            let golden = answer(&guests()[0].policy, snapshot);
            fs::write(&path, format!("{golden:#}\n")).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; UPDATE_COMPAT=1 writes what is missing", path.display())
        });
        assert!(!text.contains("canary"), "{name}: the guests are shown a secret");
        let golden: Value = serde_json::from_str(&text).unwrap();
        let oldest = guests()[0].policy.decide(snapshot).unwrap();
        for Guest { version, policy } in guests() {
            let answer = answer(policy, snapshot);
            assert!(answer == golden, "{version} on {name}:\n{answer:#}\nand not\n{golden:#}");
            // Also what has no name, such as the number of what does not exist.
            assert_eq!(policy.decide(snapshot).unwrap(), oldest, "{version} on {name}");
        }
    }
    let kept = fs::read_dir(folder().join("golden")).unwrap().count();
    assert_eq!(kept, snapshots.len(), "a golden answer to no case");
}

/// As `precedent test` runs them: the host's rules are broken where the cases say so.
#[test]
fn every_guest_passes_the_cases() {
    for Guest { version, policy } in guests() {
        let mut runner = runner(policy);
        for (name, case) in cases() {
            let result = runner.run(&case).unwrap();
            assert!(result.mismatches.is_empty(), "{version} on {name}: {:?}", result.mismatches);
        }
    }
}

/// A golden answer that cannot fail would show nothing.
#[test]
fn another_answer_is_no_golden_one() {
    let mut snapshot = snapshot("01-stale");
    for Guest { policy, .. } in guests() {
        let golden = answer(policy, &snapshot);
        let text = snapshot.locations[1].label.clone();
        snapshot.locations[1].label.push('!');
        assert_ne!(answer(policy, &snapshot), golden);
        snapshot.locations[1].label = text;
        assert_eq!(answer(policy, &snapshot), golden);
    }
}

/// What the guests are shown and what they answer uses all that the contract has.
#[test]
fn the_golden_answers_use_every_part_of_the_contract() {
    let mut all = String::new();
    for entry in fs::read_dir(folder().join("golden")).unwrap() {
        all += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    // What this host never shows: it reads no such places, and waits for none.
    let never = ["command of", "store of", "timed-out"];
    let mut words = crate::contract::cases_of(&root().join("wit/v1"), &["standing"]);
    words.extend(["unresolved", "generated", "invalid"].map(ToOwned::to_owned));
    assert!(words.len() > 30, "{words:?}");
    for word in words {
        assert!(all.contains(&word) || never.contains(&&*word), "no golden answer says `{word}`");
    }
    assert!(never.iter().all(|word| !all.contains(word)), "the host shows more than it did");
}

/// The settings reach the guest, and its no reaches whoever asks.
#[test]
fn settings_are_checked_alike() {
    for settings in [serde_json::json!({"answer": 1}), serde_json::json!({"ansver": "é"})] {
        let said: Vec<_> = guests()
            .iter()
            .map(|guest| guest.policy.validate_settings(&settings).unwrap_err())
            .collect();
        assert!(causes(&said[0]).contains("the one setting is `answer`"), "{said:?}");
        assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    }
}
