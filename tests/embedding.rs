//! The library as a gateway embeds it: through what it exports, on real directories.

mod asynchronous;
mod reloading;
mod wrong;

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use precedent::{
    Builder, Event, Host, Ruling,
    apply::Runs,
    model::Phase,
    observe::{Command, FileContents, ReadError, RunError, World},
    record::StateFolder,
};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::support::{NEW, OLD, Sandbox, TOKEN, canary, fixture, root, world::Below};

/// What a host's observer was told, in words.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn has(&self, words: &str) -> bool {
        self.all().iter().any(|told| told.contains(words))
    }
}

/// Whatever a test did: what was told, and what it looks like in `Debug`, holds no secret.
impl Drop for Told {
    fn drop(&mut self) {
        if !thread::panicking() {
            canary::search(self.all().concat().as_bytes(), &["canary-".to_owned()], "an event");
        }
    }
}

/// A sandbox as a world.
fn world(sandbox: &Sandbox) -> Below {
    Below { folder: sandbox.path("home"), variables: sandbox.variables().clone() }
}

/// The builder of a host in a sandbox, and what it is told.
fn builder(sandbox: &Sandbox) -> (Builder, Told) {
    let told = Told::default();
    let ears = told.clone();
    let tell = move |event: &Event<'_>| {
        ears.0.lock().unwrap().push(format!("{event}"));
        ears.0.lock().unwrap().push(format!("{event:?}"));
    };
    let builder = Host::builder()
        .policy("helm")
        .world(world(sandbox))
        .journal(sandbox.path("state"))
        .cache(sandbox.path("cache"))
        .verb("my-gateway")
        .observer(tell);
    (builder, told)
}

fn records(sandbox: &Sandbox) -> Vec<serde_json::Value> {
    let (path, text) = sandbox
        .kept()
        .into_iter()
        .find(|(path, ..)| path.to_string_lossy().contains("journal-"))
        .map(|(path, bytes, _)| (path, String::from_utf8(bytes).unwrap()))
        .unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {path:?}")))
        .collect()
}

/// The story in three calls: what comes out is written, recorded, and left alone the next time.
#[test]
fn reconciled_once_and_for_all() {
    let sandbox = Sandbox::stale_remote();
    let (builder, told) = builder(&sandbox);
    let host = builder.build().unwrap();
    let first = host.reconcile(Phase::Start).unwrap();
    assert_eq!(first.proposal.plan().unwrap().changes().len(), 2);
    assert_eq!(first.outcome.changes.len(), 2);
    assert!(first.now().is_in_order());
    assert_eq!(sandbox.config_text().matches(NEW).count(), 2);
    assert!(!sandbox.config_text().contains(OLD));
    let secret = first.now().resolve("gateway", "gateway-token").unwrap().secret.clone();
    assert_eq!(secret.expose_secret(), NEW);

    let before = sandbox.home();
    let second = host.reconcile(Phase::Start).unwrap();
    assert!(second.after.is_none() && second.outcome.changes.is_empty());
    assert_eq!(sandbox.home(), before);

    let records = records(&sandbox);
    assert_eq!(records.len(), 2, "one a run");
    assert!(records.iter().all(|record| record["verb"] == "my-gateway"), "{records:?}");
    assert_eq!(records[0]["outcome"]["run"], 1);
    // What was said is in the order in which it happened.
    let told = told.all();
    let at = |words: &str| told.iter().position(|told| told.contains(words)).unwrap_or(usize::MAX);
    let order = [at("was looked at"), at("are wanted"), at("are applied"), at("is recorded in")];
    assert!(order.is_sorted() && order[3] < told.len(), "{order:?} in {told:?}");
    // Nothing in `Debug` either.
    canary::search(
        format!("{host:?} {first:?} {second:?}").as_bytes(),
        &["canary-".to_owned()],
        "Debug",
    );
}

/// The stages one by one, as [`Host::reconcile`] does them at once.
#[test]
fn each_stage_by_itself() {
    let sandbox = Sandbox::stale_remote();
    let host = builder(&sandbox).0.build().unwrap();
    let observed = host.observe(Phase::Repair);
    let decision = host.decide(&observed.snapshot).unwrap().unwrap();
    let proposal = host.plan(observed).unwrap();
    assert_eq!(proposal.decision(), Some(&decision));
    assert_eq!(proposal.policy, host.policy().digest());
    assert!(sandbox.config_text().contains(OLD), "nothing is written yet");
    let outcome = host.apply(&proposal).unwrap();
    assert_eq!(outcome.changes.len(), 2);
    assert!(host.propose(Phase::Repair).unwrap().is_in_order());
    // What was planned on is gone: it is not written twice.
    let error = host.apply(&proposal).unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("changed since it was looked at"),
        "{error}"
    );
    assert_eq!(records(&sandbox).len(), 2, "the failure is recorded too");
}

/// However deployment and policy are given, it is the same host.
#[test]
fn whatever_it_is_made_of() {
    let sandbox = Sandbox::stale_remote();
    let helm = fixture::build("precedent-policy-helm", None);
    let bytes = fs::read(&helm).unwrap();
    let manifest = "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\ngrants.write = [\"config.auth-token\", \"config.remote-token\"]\n";
    let path = sandbox.path("home/precedent.toml");
    fs::write(&path, manifest).unwrap();
    let builder = || Host::builder().world(world(&sandbox));
    let deployment = builder().manifest(&path).build().unwrap().deployment().clone();
    let hosts = [
        builder().policy("helm"),
        builder().manifest(&path),
        builder().manifest_text(&path, manifest),
        builder().deployment(deployment),
        builder().manifest(&path).policy(helm.as_path()),
        builder().manifest(&path).policy(helm.to_str().unwrap()),
        builder().manifest(&path).policy(&*bytes),
    ];
    let digest = builder().policy("helm").build().unwrap().policy().digest().to_owned();
    for (index, builder) in hosts.into_iter().enumerate() {
        let host = builder.build().unwrap();
        assert_eq!(host.policy().digest(), digest, "{index}");
        let proposal = host.propose(Phase::Start).unwrap();
        let Ruling::Decided(_, plan) = &proposal.ruling else {
            panic!("{index}: {:?}", proposal.ruling)
        };
        assert_eq!(plan.changes().len(), 2, "{index}");
    }
}

/// A component in memory gets no grants that were made for a shipped policy.
#[test]
fn grants_are_not_lent() {
    let sandbox = Sandbox::stale_remote();
    let bytes = fs::read(fixture::build("precedent-policy-helm", None)).unwrap();
    let host = Host::builder().policy(&*bytes).world(world(&sandbox)).build().unwrap();
    let proposal = host.propose(Phase::Start).unwrap();
    let Ruling::Violated(_, violations) = &proposal.ruling else { panic!("{:?}", proposal.ruling) };
    assert!(violations.to_string().contains("grant"), "{violations}");
    let reconciled = host.reconcile(Phase::Start).unwrap();
    assert!(reconciled.after.is_none());
    assert!(sandbox.config_text().contains(OLD));
    let error = reconciled.now().resolve("gateway", "gateway-token").unwrap_err();
    assert!(error.to_string().contains("grant"), "{error}");
}

/// What time it is, the embedding program says.
#[test]
fn by_the_clock_that_is_given() {
    let sandbox = Sandbox::stale_remote();
    let clock = || SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let host = builder(&sandbox).0.clock(clock).build().unwrap();
    assert_eq!(host.propose(Phase::Start).unwrap().snapshot.now, 1_700_000_000);
    host.reconcile(Phase::Start).unwrap();
    assert_eq!(records(&sandbox)[0]["at"], 1_700_000_000);
}

/// One host for many threads: all of them look, and of those that write at once one does.
#[test]
fn shared_between_threads() {
    fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let sandbox = Sandbox::stale_remote();
    let host = builder(&sandbox).0.wait(Duration::from_secs(60)).build().unwrap();
    is_shared(&host);
    let wrote: usize = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| host.propose(Phase::Check).unwrap());
        }
        let runs: Vec<_> = (0..4)
            .map(|_| {
                let host = host.clone();
                scope.spawn(move || {
                    let reconciled = host.reconcile(Phase::Start).unwrap();
                    assert!(reconciled.now().is_in_order());
                    usize::from(!reconciled.outcome.changes.is_empty())
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).sum()
    });
    assert_eq!(wrote, 1);
    assert_eq!(sandbox.config_text().matches(NEW).count(), 2);
}

/// Somebody writes between the look and the write, once: it is looked at again, and theirs stays.
#[test]
fn looked_at_again_where_somebody_wrote() {
    struct Meddler {
        world: Below,
        config: std::path::PathBuf,
        has_meddled: AtomicBool,
    }
    impl World for Meddler {
        fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>> {
            self.world.raw_variable(name)
        }
        fn read(&self, path: &std::path::Path) -> Result<FileContents, ReadError> {
            let contents = self.world.read(path);
            if path == self.config && !self.has_meddled.swap(true, Ordering::SeqCst) {
                let theirs =
                    fs::read_to_string(path).unwrap().replace("local", "local\",\"theirs\":\"1");
                fs::write(path, theirs).unwrap();
            }
            contents
        }
        fn exists(&self, path: &std::path::Path) -> bool {
            self.world.exists(path)
        }
        fn list(&self, folder: &std::path::Path) -> Vec<String> {
            self.world.list(folder)
        }
        fn run(&self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
            self.world.run(command)
        }
    }
    let sandbox = Sandbox::stale_remote();
    let (builder, told) = builder(&sandbox);
    let meddler = Meddler {
        world: world(&sandbox),
        config: sandbox.config(),
        has_meddled: AtomicBool::new(false),
    };
    let host = builder.world(meddler).build().unwrap();
    let reconciled = host.reconcile(Phase::Start).unwrap();
    assert!(reconciled.now().is_in_order());
    assert!(told.has("changed since it was looked at; looking again"), "{:?}", told.all());
    let config = sandbox.config_text();
    assert!(config.contains("theirs") && config.matches(NEW).count() == 2, "{config}");
}

/// While another program has the deployment, an embedded run waits for as long as it was told, says so,
/// and writes nothing.
#[test]
fn not_out_of_turn() {
    let sandbox = Sandbox::stale_remote();
    let (builder, told) = builder(&sandbox);
    let host = builder.wait(Duration::from_millis(1100)).build().unwrap();
    let state = StateFolder::new(sandbox.path("state"));
    let (name, keep) = (&host.deployment().name, host.deployment().backups);
    let others = Runs::lock(&state, name, "theirs", keep, Duration::ZERO).unwrap();
    let error = host.reconcile(Phase::Start).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("`theirs`"), "{error}");
    assert!(told.has("waiting: another run"), "{:?}", told.all());
    assert!(sandbox.config_text().contains(OLD));
    assert!(records(&sandbox)[0]["error"].as_str().unwrap().contains("another run"));
    drop(others);
    assert!(host.reconcile(Phase::Start).unwrap().now().is_in_order());
}

/// Without a journal one file can be changed, more are not: see decision 15. The observer hears of it.
#[test]
fn without_a_journal() {
    let sandbox = Sandbox::two_files();
    let told = Told::default();
    let ears = told.clone();
    let tell = move |event: &Event<'_>| ears.0.lock().unwrap().push(event.to_string());
    let builder = Host::builder().world(world(&sandbox)).observer(tell);
    let host = builder.manifest(sandbox.path("home/precedent.toml")).build().unwrap();
    let before = sandbox.home();
    let error = host.reconcile(Phase::Start).unwrap_err();
    assert!(error.to_string().contains("could not be mended"), "{error}");
    assert_eq!(sandbox.home(), before);
    assert!(
        told.has("fingerprints are for this run only") && told.has("no backup"),
        "{:?}",
        told.all()
    );
    assert!(!sandbox.path("state").exists(), "nothing is kept that nobody asked for");
}

/// Two hosts in one process have nothing in common.
#[test]
fn no_state_is_global() {
    let (one, other) =
        (Sandbox::stale_remote(), Sandbox::stale_remote().env(TOKEN, "canary-other"));
    let hosts = [&one, &other].map(|sandbox| builder(sandbox).0.build().unwrap());
    let fingerprints = hosts.each_ref().map(|host| {
        let reconciled = host.reconcile(Phase::Start).unwrap();
        reconciled.now().resolve("cli", "gateway-token").unwrap().fingerprint
    });
    assert_ne!(fingerprints[0], fingerprints[1]);
    assert!(one.config_text().contains(NEW) && other.config_text().contains("canary-other"));
}

/// The features that an embedding program leaves out are not in its tree.
#[test]
fn the_tree_stays_small() {
    let tree = |features: &str| {
        let output = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "--package", "precedent", "--edges", "normal"])
            .args(["--prefix", "none", "--format", "{p}", "--no-default-features"])
            .args(["--features", features])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| line.trim_end_matches(" (*)").to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    let bare = tree("");
    assert!(bare.len() <= 105, "{} crates: {bare:#?}", bare.len());
    let has = |name: &str| bare.iter().any(|one| one.starts_with(&format!("{name} ")));
    for heavy in ["cranelift-codegen", "clap", "tokio", "plist"] {
        assert!(!has(heavy), "{heavy}");
    }
    let with_tokio: Vec<_> = tree("tokio").difference(&bare).cloned().collect();
    assert!(with_tokio.len() <= 3, "{with_tokio:?}");
}
