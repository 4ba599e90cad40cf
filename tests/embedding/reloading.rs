//! A policy file that is replaced while the program runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use precedent::{Reloaded, Reloading, model::Phase};

use super::{Told, builder};
use crate::support::{Sandbox, fixture, hostile};

const MANIFEST: &str = r#"
deployment = { preset = "openclaw" }
policy.file = "policy.wasm"
grants.write = ["config.auth-token", "config.remote-token"]
limits.deadline-ms = 200
"#;

/// A deployment whose policy is a file, under the policy helm.
struct Followed {
    sandbox: Sandbox,
    reloading: Reloading,
    told: Told,
    seconds: Arc<AtomicU64>,
}

impl Followed {
    fn new() -> Self {
        Self::under(&fixture::build("precedent-policy-helm", None), "")
    }

    fn under(component: &Path, settings: &str) -> Self {
        let sandbox = Sandbox::stale_remote();
        fs::copy(component, policy(&sandbox)).unwrap();
        let (builder, told) = builder(&sandbox);
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        let clock = Arc::clone(&seconds);
        let clock =
            move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst));
        let path = sandbox.path("home/precedent.toml");
        fs::write(&path, format!("{MANIFEST}{settings}\n")).unwrap();
        let policy = policy(&sandbox);
        let host = builder.manifest(path).policy(policy).clock(clock).build().unwrap();
        Self { reloading: Reloading::new(host), sandbox, told, seconds }
    }

    fn puts(&self, bytes: &[u8]) {
        fs::write(policy(&self.sandbox), bytes).unwrap();
    }

    fn digest(&self) -> String {
        self.reloading.status().active.digest
    }
}

fn policy(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/policy.wasm")
}

/// A good one decides from then on, and where it decides otherwise is told.
#[test]
fn a_good_one_takes_over() {
    let it = Followed::new();
    let before = it.digest();
    let seen = it.reloading.propose(Phase::Check).unwrap();
    assert_eq!(seen.policy, before);
    assert_eq!(it.reloading.reload(), Reloaded::Unchanged);
    let held = it.reloading.host();
    it.puts(&fs::read(fixture::build("precedent-policy-binary", None)).unwrap());
    assert_eq!(it.reloading.reload(), Reloaded::Swapped);
    let status = it.reloading.status();
    assert_eq!((status.active.name.as_str(), &status.rejected), ("binary", &None));
    assert_ne!(status.active.digest, before);
    let flipped = |what: &str| status.active.flips.iter().any(|flip| flip.what == what);
    assert!(flipped("actions"), "{:?}", status.active.flips);
    assert!(it.told.has(&format!("the policy {} decides", status.active.digest)));
    assert_eq!(it.reloading.propose(Phase::Check).unwrap().policy, status.active.digest);
    // Who has the one before goes on with it.
    assert_eq!(held.propose(Phase::Check).unwrap().policy, before);
    assert_eq!(it.reloading.reload(), Reloaded::Unchanged);
}

/// Garbage, a slower one, one of another world, one that breaks the rules, one that is gone: the last
/// good one stays, the status says why, and each is told once. What is put right is taken.
#[test]
fn the_last_good_one_stays() {
    let it = Followed::new();
    it.reloading.propose(Phase::Check).unwrap();
    let (digest, good) = (it.digest(), fs::read(policy(&it.sandbox)).unwrap());
    let guests = hostile::all();
    let guest =
        |name: &str| guests.iter().find(|guest| guest.name == name).unwrap().component.clone();
    let cases = [
        (b"garbage".to_vec(), "is no WebAssembly component"),
        (good[..good.len() / 2].to_vec(), "is no WebAssembly component"),
        (Vec::new(), "is no WebAssembly component"),
        (guest("loop-decide.wat"), "no answer within 200 ms (limits.deadline-ms)"),
        (guest("loop-settings.wat"), "no answer within 200 ms (limits.deadline-ms)"),
        (guest("export-version.wat"), "a policy built for a newer contract"),
        (guest("import-clock.wat"), "the policy imports"),
        (guest("memory-grow.wat"), "limits.memory-bytes"),
    ];
    for (bytes, words) in cases {
        it.puts(&bytes);
        assert_eq!(it.reloading.reload(), Reloaded::Rejected, "{words}");
        let status = it.reloading.status();
        assert_eq!(status.active.digest, digest, "{words}");
        let rejected = status.rejected.unwrap();
        assert!(rejected.reason.contains(words), "{} has no `{words}`", rejected.reason);
        assert!(rejected.digest.is_some() && rejected.at == 1_700_000_000);
        assert_eq!(it.reloading.reload(), Reloaded::Unchanged, "told once: {words}");
        assert_eq!(it.reloading.propose(Phase::Check).unwrap().policy, digest);
    }
    fs::remove_file(policy(&it.sandbox)).unwrap();
    assert_eq!(it.reloading.reload(), Reloaded::Rejected);
    let rejected = it.reloading.status().rejected.unwrap();
    assert!(rejected.digest.is_none() && rejected.reason.contains("policy.wasm"), "{rejected:?}");
    assert_eq!(it.reloading.reload(), Reloaded::Unchanged, "told once");
    it.puts(&good);
    assert_eq!(it.reloading.reload(), Reloaded::Unchanged);
    assert_eq!(it.reloading.status().rejected, None, "what was wrong was taken back");
    let told = it.told.all();
    assert_eq!(told.iter().filter(|told| told.contains("the new one is rejected")).count(), 9);
}

/// A policy that would not have let the program start that runs is not taken. It is tried again after a
/// while, for what it refuses may have been put right.
#[test]
fn one_that_refuses_what_runs() {
    let component = fixture::misbehaving();
    let it = Followed::under(component, "settings.way = \"unfinished\"");
    let digest = it.digest();
    it.reloading.propose(Phase::Check).unwrap();
    // The same by another digest: a custom section says nothing.
    it.puts(&[&*fs::read(component).unwrap(), &[0, 2, 1, b'x']].concat());
    let dotenv = it.sandbox.path("home/.openclaw/.env");
    fs::write(&dotenv, "OPENCLAW_GATEWAY_TOKEN=canary-old\n").unwrap();
    let config = it.sandbox.config_text();
    let half = r#"{"gateway":{"auth":{"token":"canary-new"}}}"#;
    fs::write(it.sandbox.config(), half).unwrap();
    it.reloading.propose(Phase::Check).unwrap();
    assert_eq!(it.reloading.reload(), Reloaded::Rejected);
    let rejected = it.reloading.status().rejected.unwrap();
    assert_eq!(rejected.reason, "it refuses: somebody has been here");
    fs::remove_file(dotenv).unwrap();
    fs::write(it.sandbox.config(), config).unwrap();
    it.reloading.propose(Phase::Check).unwrap();
    it.seconds.fetch_add(59, Ordering::SeqCst);
    assert_eq!(it.reloading.reload(), Reloaded::Unchanged);
    assert_eq!(it.reloading.status().rejected, Some(rejected), "not asked again yet");
    it.seconds.fetch_add(1, Ordering::SeqCst);
    assert_eq!(it.reloading.reload(), Reloaded::Swapped);
    assert_ne!(it.digest(), digest);
}
