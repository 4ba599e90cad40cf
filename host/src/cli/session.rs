//! Manifest, policy, key and journal of one call.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use clap::ValueEnum;
use precedent::{
    Event, Host, Installation, Proposal, Turn,
    apply::{ApplyError, Outcome},
    config::{Deployment, Mode},
    model::{Finding, Phase},
    observe::{Machine, World},
    record::{StateFolder, default_cache, default_folder},
};

#[cfg(feature = "workbench")]
use precedent::{
    Error,
    artifact::{self, Cache, PolicyRef},
    decide::{Engine, Limits, Policy},
    record::OwnKey,
};
use secrecy::SecretString;

use super::{
    args::Selection,
    exit::{Audited, UsageError},
    selection::{policy_of, read_deployment, set_all},
    text,
};

/// Manifest, policy, key and journal of one call.
pub(crate) struct Session {
    pub(crate) host: Host,
    pub(crate) phase: Phase,
    /// How the user called us, for the commands that we propose.
    pub(crate) words: String,
    /// The part of it that names the deployment.
    pub(crate) manifest: String,
    verb: &'static str,
}

impl Session {
    /// Reads the manifest, loads the policy and has it check its settings. From the manifest on, a
    /// failure is recorded too.
    pub(crate) fn open(verb: &'static str, selection: &Selection, default: Phase) -> Result<Self> {
        Self::open_with(verb, selection, default, |_| {})
    }

    /// The same with a deployment that is adjusted by what only the verb knows.
    pub(crate) fn open_with(
        verb: &'static str,
        selection: &Selection,
        default: Phase,
        adjust: impl FnOnce(&mut Deployment),
    ) -> Result<Self> {
        let mut deployment = read_deployment(selection.manifest.as_deref(), policy_of(selection)?)?;
        set_all(&mut deployment, selection)?;
        adjust(&mut deployment);
        let phase = selection.phase.map_or(default, Phase::from);
        let installation = Arc::new(installation(verb, deployment)?);
        let host = Host::open(Arc::clone(&installation)).map_err(|error| {
            installation.record_failure(phase, &error);
            judged(verb, installation.deployment().mode, error.into())
        })?;
        let (words, manifest) = (words(selection), manifest_words(selection.manifest.as_deref()));
        Ok(Self { host, phase, words, manifest, verb })
    }

    /// Takes the right to write. Where it cannot be had, that is recorded.
    pub(crate) fn write(&self, wait: u64) -> Result<Turn<'_>> {
        Ok(self.host.installation().turn_within(self.phase, Duration::from_secs(wait))?)
    }

    /// In a deployment that is audited, what would keep a gateway from starting is told, and it starts.
    pub(crate) fn judged(&self, error: anyhow::Error) -> anyhow::Error {
        judged(self.verb, self.host.deployment().mode, error)
    }

    /// Whether nothing is written, whatever is decided.
    pub(crate) fn is_audit(&self) -> bool {
        self.host.deployment().mode == Mode::Audit
    }

    /// Observes, decides, checks and plans.
    pub(crate) fn propose(&self) -> Result<Proposal> {
        Ok(self.host.propose(self.phase)?)
    }

    /// The same in another world than this process's own.
    #[cfg(feature = "exec")]
    pub(crate) fn propose_in(&self, world: &dyn World) -> Result<Proposal> {
        let observed = self.host.installation().observe_in(world, self.phase);
        Ok(self.host.plan(observed)?)
    }

    /// The same call as if it were made now: manifest and policy may be others. The key stays, so that
    /// fingerprints can be compared.
    #[cfg(feature = "watch")]
    pub(crate) fn anew(&self, selection: &Selection) -> Result<Self> {
        let mut deployment = read_deployment(selection.manifest.as_deref(), policy_of(selection)?)?;
        set_all(&mut deployment, selection)?;
        let installation = self.host.installation().with_deployment(deployment);
        let host = Host::open(Arc::new(installation))?;
        let (words, manifest) = (words(selection), manifest_words(selection.manifest.as_deref()));
        Ok(Self { host, phase: self.phase, words, manifest, verb: self.verb })
    }

    /// The same as if the gateway had another version.
    pub(crate) fn propose_as_of(&self, version: &str) -> Result<Proposal> {
        let Some(fact) = &self.host.deployment().version_fact else {
            let message =
                "--as-of needs to know which fact is the version: add `version-fact` to the preset";
            return Err(UsageError(message.to_owned()).into());
        };
        let observed = self.host.installation().observe_as(self.phase, (fact, version));
        let proposal = self.host.plan(observed)?;
        let is_wrong = |finding: &&Finding| finding.code == "version-invalid";
        let findings = proposal.decision().into_iter().flat_map(|decision| &decision.findings);
        match findings.into_iter().find(is_wrong) {
            Some(finding) => Err(UsageError(format!("--as-of: {}", finding.message)).into()),
            None => Ok(proposal),
        }
    }

    /// The same with a new secret for a credential.
    pub(crate) fn propose_with(&self, credential: &str, secret: SecretString) -> Result<Proposal> {
        let proposal = self.host.propose_with(self.phase, credential, secret)?;
        proposal.ok_or_else(|| {
            let known = self.host.deployment().credentials().collect::<Vec<_>>().join("`, `");
            let message = format!("unknown credential `{credential}`, expected one of `{known}`");
            UsageError(message).into()
        })
    }

    /// Adds the run to the journal.
    pub(crate) fn record(
        &self,
        proposal: &Proposal,
        applied: Option<&std::result::Result<Outcome, ApplyError>>,
    ) {
        self.host.record(proposal, applied);
    }

    /// Adds to the journal what went wrong before or beside a run.
    #[cfg(any(feature = "exec", feature = "handover"))]
    pub(crate) fn record_error(&self, error: &str) {
        self.host.installation().record_fault(self.phase, error.to_owned());
    }
}

/// A deployment with the folders of this user, and warnings on standard error.
pub(crate) fn installation(verb: &str, deployment: Deployment) -> Result<Installation> {
    let mut builder = Host::builder().deployment(deployment).verb(verb).observer(tell);
    if let Some(state) = state() {
        builder = builder.journal(state.path());
    }
    if let Some(folder) = cache() {
        builder = builder.cache(folder);
    }
    Ok(builder.installation()?)
}

/// Prints what an operator should read of what happens.
pub(crate) fn tell(event: &Event<'_>) {
    if event.is_warning() {
        warn(&event.to_string());
    }
}

/// In a deployment that is audited, what would keep a gateway from starting is told, and it starts.
fn judged(verb: &str, mode: Mode, error: anyhow::Error) -> anyhow::Error {
    if mode == Mode::Audit && ["apply", "exec"].contains(&verb) {
        Audited(error).into()
    } else {
        error
    }
}

fn variable(name: &str) -> Option<String> {
    Machine::default().variable(name)
}

/// Loads a policy, from what is kept if it was compiled before. A relative path is relative to
/// `base`.
#[cfg(feature = "workbench")]
pub(crate) fn load_policy(
    reference: &PolicyRef,
    base: &Path,
    limits: Limits,
    key: &OwnKey,
) -> Result<Policy> {
    // Whoever works on a policy has it decide over and over. Where the machine gives no room for that, it
    // is only slower.
    let engine =
        Engine::pooling(&limits).or_else(|_| Engine::with(&limits)).map_err(Error::from)?;
    let folder = cache();
    let folder = folder.filter(|_| key.is_ours_alone);
    let cache = folder.as_deref().map(|folder| Cache { folder, key: &key.key });
    let path = reference.path(base, &Machine::default());
    let policy = artifact::load(&engine, reference, path.as_deref(), limits, cache);
    let policy = policy.map_err(Error::from)?;
    policy.warnings().iter().for_each(|warning| warn(warning));
    Ok(policy)
}

/// Where compiled policies are kept.
fn cache() -> Option<PathBuf> {
    default_cache(&variable).map(|folder| folder.join("compiled"))
}

/// Where the key and the journals are.
pub(crate) fn state() -> Option<StateFolder> {
    default_folder(&variable).map(StateFolder::new)
}

#[cfg(any(feature = "alerts", feature = "etcd", feature = "watch", feature = "workbench"))]
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

pub(crate) fn warn(message: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = text::warning(&mut stderr, message);
    let _ = stderr.flush();
}

/// The flags that make another verb look at the same deployment.
fn words(selection: &Selection) -> String {
    let mut words = manifest_words(selection.manifest.as_deref());
    let mut add = |flag: &str, value: &str| {
        words.push_str(&format!(" {flag} {}", quoted(value)));
    };
    if let Some(policy) = &selection.policy {
        add("--policy", policy);
    }
    if let Some(phase) = selection.phase.and_then(|phase| phase.to_possible_value()) {
        add("--phase", phase.get_name());
    }
    selection.set.iter().for_each(|pair| add("--set", pair));
    selection.attribute.iter().for_each(|pair| add("--attribute", pair));
    if selection.run_commands {
        words.push_str(" --run-commands");
    }
    words
}

/// The flags that name a policy and its deployment.
#[cfg(feature = "workbench")]
pub(crate) fn subject_words(args: &super::args::SubjectArgs) -> String {
    let mut words = manifest_words(args.manifest.as_deref());
    if let Some(policy) = &args.policy {
        words.push_str(&format!(" --policy {}", quoted(policy)));
    }
    words
}

/// The flags that name a deployment.
pub(crate) fn manifest_words(manifest: Option<&Path>) -> String {
    let path = manifest.map(|path| quoted(&path.display().to_string()));
    path.map_or_else(String::new, |path| format!(" --manifest {path}"))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
