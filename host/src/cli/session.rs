//! Manifest, policy, key and journal of one call.

use std::{
    io::Write,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use clap::ValueEnum;
use precedent::{
    Error, Host, Proposal, Ruling,
    apply::{ApplyError, Outcome, Run, Runs},
    artifact::{self, Cache, PolicyRef},
    config::{Deployment, Mode},
    decide::{Engine, Limits, Policy},
    model::{Finding, Phase, Severity, Snapshot},
    observe::{Machine, Observed, World},
    record::{Digests, Record, StateFolder, default_cache, default_folder},
};

use secrecy::SecretString;

use super::{
    args::Selection,
    exit::{Audited, UsageError},
    key::{OwnKey, key},
    selection::{policy_of, read_deployment, set_all},
    text, writing,
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
    state: Option<StateFolder>,
    /// Whether what is made with the key can be read by the next run.
    key_is_kept: bool,
}

impl Session {
    /// Reads the manifest, loads the policy and has it check its settings. From the manifest on, a
    /// failure is recorded too.
    pub(crate) fn open(verb: &'static str, selection: &Selection, default: Phase) -> Result<Self> {
        let mut deployment = read_deployment(selection.manifest.as_deref(), policy_of(selection)?)?;
        set_all(&mut deployment, selection)?;
        let state = state();
        let phase = selection.phase.map_or(default, Phase::from);
        let (name, mode) = (deployment.name.clone(), deployment.mode);
        let opened = Self::load(verb, selection, phase, deployment, state.clone());
        opened
            .inspect_err(|error| {
                let mut record = Record::begun(now(), verb, &name, phase);
                record.error = Some(text::in_one_line(error));
                append(state.as_ref(), &record);
            })
            .map_err(|error| judged(verb, mode, error))
    }

    /// Takes the right to write: see [`writing::begin`]. Where it cannot be had, that is recorded.
    pub(crate) fn write(&self, wait: u64) -> Result<Option<Runs>> {
        let state = self.state.as_ref().filter(|_| self.key_is_kept);
        let wait = Duration::from_secs(wait);
        let recover = |runs: &Runs| self.host.recover(runs);
        let begun = writing::begin(self.host.deployment(), state, self.verb, wait, recover);
        begun.inspect_err(|error| {
            let name = &self.host.deployment().name;
            let mut record = Record::begun(now(), self.verb, name, self.phase);
            record.error = Some(text::in_one_line(error));
            append(self.state.as_ref(), &record);
        })
    }

    /// Mends what was interrupted, with the right to write in hand.
    pub(crate) fn mend(&self, runs: &Runs) -> Result<()> {
        let recovered = self.host.recover(runs).map_err(Error::from)?;
        writing::tell(&recovered, &self.host.deployment().name, self.state.as_ref());
        Ok(())
    }

    /// In a deployment that is audited, what would keep a gateway from starting is told, and it starts.
    pub(crate) fn judged(&self, error: anyhow::Error) -> anyhow::Error {
        judged(self.verb, self.host.deployment().mode, error)
    }

    /// Whether nothing is written, whatever is decided.
    pub(crate) fn is_audit(&self) -> bool {
        self.host.deployment().mode == Mode::Audit
    }

    fn load(
        verb: &'static str,
        selection: &Selection,
        phase: Phase,
        deployment: Deployment,
        state: Option<StateFolder>,
    ) -> Result<Self> {
        let key = key(state.as_ref())?;
        let Deployment { policy, base, limits, .. } = &deployment;
        let policy = load_policy(policy, base, *limits, &key)?;
        let OwnKey { key, is_kept, .. } = key;
        let host = Host::new(deployment, policy, key)?;
        let (words, manifest) = (words(selection), manifest_words(selection.manifest.as_deref()));
        Ok(Self { host, phase, words, manifest, verb, state, key_is_kept: is_kept })
    }

    /// Observes, decides, checks and plans.
    pub(crate) fn propose(&self) -> Result<Proposal> {
        self.consider(self.host.observe(&Machine::default(), self.phase, now()))
    }

    /// The same as if the gateway had another version.
    pub(crate) fn propose_as_of(&self, version: &str) -> Result<Proposal> {
        let Some(fact) = &self.host.deployment().version_fact else {
            let message =
                "--as-of needs to know which fact is the version: add `version-fact` to the preset";
            return Err(UsageError(message.to_owned()).into());
        };
        let attribute = (fact.as_str(), version);
        let observed = self.host.observe_as(&Machine::default(), self.phase, now(), attribute);
        let proposal = self.consider(observed)?;
        let is_wrong = |finding: &&Finding| finding.code == "version-invalid";
        let findings = proposal.decision().into_iter().flat_map(|decision| &decision.findings);
        match findings.into_iter().find(is_wrong) {
            Some(finding) => Err(UsageError(format!("--as-of: {}", finding.message)).into()),
            None => Ok(proposal),
        }
    }

    /// The same with a new secret for a credential.
    pub(crate) fn propose_with(&self, credential: &str, secret: SecretString) -> Result<Proposal> {
        let mut observed = self.host.observe(&Machine::default(), self.phase, now());
        if !self.host.bring(&mut observed, credential, secret) {
            let known = observed.snapshot.credentials.join("`, `");
            let message = format!("unknown credential `{credential}`, expected one of `{known}`");
            return Err(UsageError(message).into());
        }
        self.consider(observed)
    }

    fn consider(&self, mut observed: Observed) -> Result<Proposal> {
        let interrupted = self
            .state
            .as_ref()
            .and_then(|state| Runs::interrupted(state, &observed.snapshot.deployment));
        observed.snapshot.findings.extend(interrupted.as_ref().map(interruption));
        self.host.consider(observed).map_err(|undecided| {
            let mut record = self.begun(&undecided.snapshot);
            record.error = Some(undecided.error.to_string());
            append(self.state.as_ref(), &record);
            undecided.error.into()
        })
    }

    /// Adds the run to the journal.
    pub(crate) fn record(
        &self,
        proposal: &Proposal,
        applied: Option<&std::result::Result<Outcome, ApplyError>>,
    ) {
        let mut record = self.begun(&proposal.snapshot);
        match &proposal.ruling {
            Ruling::Decided(decision, plan) => {
                record.decision = Some(decision);
                record.plan = Some(plan);
            }
            Ruling::Refused(refusal) => record.refusal = Some(refusal),
            Ruling::Violated(decision, violations) => {
                record.decision = Some(decision);
                record.violations = Some(&violations.0);
            }
            _ => {}
        }
        match applied {
            None => {}
            Some(Ok(outcome)) => record.outcome = Some(outcome),
            Some(Err(error)) => {
                record.outcome = Some(&error.outcome);
                record.error = Some(error.to_string());
            }
        }
        append(self.state.as_ref(), &record);
    }

    fn begun<'r>(&'r self, snapshot: &'r Snapshot) -> Record<'r> {
        let mut record = Record::begun(snapshot.now, self.verb, &snapshot.deployment, self.phase);
        record.digests = Some(Digests::of(snapshot, self.host.policy().digest()));
        record.snapshot = Some(snapshot);
        record
    }
}

/// In a deployment that is audited, what would keep a gateway from starting is told, and it starts.
fn judged(verb: &str, mode: Mode, error: anyhow::Error) -> anyhow::Error {
    if mode == Mode::Audit && verb == "apply" { Audited(error).into() } else { error }
}

fn interruption(run: &Run) -> Finding {
    Finding {
        code: "run-interrupted".to_owned(),
        severity: Severity::Warning,
        message: format!(
            "run {} ({}) began at {} and was interrupted; a part of its {} files may be changed",
            run.run,
            run.verb,
            text::time(run.at),
            run.targets.len()
        ),
        remedy: Some("precedent apply puts them back, then looks anew".to_owned()),
        locations: Vec::new(),
    }
}

fn variable(name: &str) -> Option<String> {
    Machine::default().variable(name)
}

/// Loads a policy, from what is kept if it was compiled before. A relative path is relative to
/// `base`.
pub(crate) fn load_policy(
    reference: &PolicyRef,
    base: &Path,
    limits: Limits,
    key: &OwnKey,
) -> Result<Policy> {
    let engine = Engine::with(&limits).map_err(Error::from)?;
    let folder = default_cache(&variable).map(|folder| folder.join("compiled"));
    let folder = folder.filter(|_| key.is_ours_alone);
    let cache = folder.as_deref().map(|folder| Cache { folder, key: &key.key });
    let path = match reference {
        PolicyRef::File(template) => template.resolve(base, &variable, &|path| path.exists()),
        _ => None,
    };
    let policy = artifact::load(&engine, reference, path.as_deref(), limits, cache);
    let policy = policy.map_err(Error::from)?;
    policy.warnings().iter().for_each(|warning| warn(warning));
    Ok(policy)
}

/// Where the key and the journals are.
pub(crate) fn state() -> Option<StateFolder> {
    default_folder(&variable).map(StateFolder::new)
}

/// A journal that cannot be written is a warning: what was done is done, and the gateway should
/// start.
pub(crate) fn append(state: Option<&StateFolder>, record: &Record<'_>) {
    match state.map(|state| state.append(record)) {
        Some(Ok(_)) => {}
        Some(Err(error)) => warn(&format!("no journal: {error}")),
        None => warn("no journal: neither PRECEDENT_STATE_DIR nor HOME is set"),
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
