//! Manifest, policy, key and journal of one call.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use precedent::{
    Error, Host, Proposal, Ruling,
    apply::{ApplyError, Outcome},
    artifact::{self, Cache, PolicyRef},
    config::{Deployment, Manifest},
    decide::Engine,
    model::Phase,
    observe::{Machine, World},
    record::{Digests, Record, StateFolder, default_cache, default_folder},
    secret::Key,
};

use super::{args::Common, exit::UsageError, text};

const MANIFEST: &str = "precedent.toml";
const DEFAULT_POLICY: &str = "helm";

/// Manifest, policy, key and journal of one call.
pub(crate) struct Session {
    pub(crate) host: Host,
    pub(crate) phase: Phase,
    /// How the user called us, for the commands that we propose.
    pub(crate) words: String,
    verb: &'static str,
    state: Option<StateFolder>,
}

impl Session {
    /// Reads the manifest, loads the policy and has it check its settings.
    pub(crate) fn open(verb: &'static str, common: &Common, default: Phase) -> Result<Self> {
        let variable = |name: &str| Machine::default().variable(name);
        let mut deployment = read_deployment(common)?;
        set_all(&mut deployment, common)?;
        let state = default_folder(&variable).map(StateFolder::new);
        let key = key(state.as_ref())?;
        let engine = Engine::new().map_err(Error::from)?;
        let cache_folder = default_cache(&variable).map(|folder| folder.join("compiled"));
        let cache = cache_folder.as_deref().map(|folder| Cache { folder, key: &key });
        let path = match &deployment.policy {
            PolicyRef::File(template) => template.resolve(&deployment.base, &variable),
            _ => None,
        };
        let limits = deployment.limits;
        let policy = artifact::load(&engine, &deployment.policy, path.as_deref(), limits, cache)
            .map_err(Error::from)?;
        Ok(Self {
            host: Host::new(deployment, policy, key)?,
            phase: common.phase.map_or(default, Phase::from),
            words: words(common),
            verb,
            state,
        })
    }

    /// Observes, decides, checks and plans.
    pub(crate) fn propose(&self) -> Result<Proposal> {
        Ok(self.host.propose(&Machine::default(), self.phase, now())?)
    }

    /// Adds the run to the journal. A journal that cannot be written is a warning: what was done
    /// is done, and the gateway should start.
    pub(crate) fn record(
        &self,
        proposal: &Proposal,
        applied: Option<&std::result::Result<Outcome, ApplyError>>,
    ) {
        let Some(state) = &self.state else {
            warn("no journal: neither PRECEDENT_STATE_DIR nor HOME is set");
            return;
        };
        let (decision, refusal, violations, plan) = match &proposal.ruling {
            Ruling::Decided(decision, plan) => (Some(decision), None, None, Some(plan)),
            Ruling::Refused(refusal) => (None, Some(refusal), None, None),
            Ruling::Violated(decision, violations) => {
                (Some(decision), None, Some(violations.0.as_slice()), None)
            }
            _ => (None, None, None, None),
        };
        let (outcome, error) = match applied {
            None => (None, None),
            Some(Ok(outcome)) => (Some(outcome), None),
            Some(Err(error)) => (Some(&error.outcome), Some(error.to_string())),
        };
        let record = Record {
            schema: "precedent.record/1",
            at: proposal.snapshot.now,
            verb: self.verb,
            deployment: &proposal.snapshot.deployment,
            phase: self.phase,
            digests: Digests::of(&proposal.snapshot, Some(self.host.policy().digest())),
            snapshot: &proposal.snapshot,
            decision,
            refusal,
            violations,
            plan,
            outcome,
            error,
        };
        if let Err(error) = state.append(&record) {
            warn(&format!("no journal: {error}"));
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn read_deployment(common: &Common) -> Result<Deployment> {
    let policy = common.policy.as_deref().map(policy_from).transpose()?;
    let path = common.manifest.clone().or_else(|| {
        let here = PathBuf::from(MANIFEST);
        here.exists().then_some(here)
    });
    let Some(path) = path else {
        let policy = policy.unwrap_or_else(|| PolicyRef::Shipped(DEFAULT_POLICY.to_owned()));
        return Ok(Deployment::without_manifest(policy).map_err(Error::from)?);
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        UsageError(format!("cannot read the manifest {}: {error}", path.display()))
    })?;
    let manifest = Manifest::parse(&path, &text).map_err(Error::from)?;
    Ok(Deployment::new(&path, &text, &manifest, policy).map_err(Error::from)?)
}

/// A path on the command line is relative to where the user is, not to the manifest.
pub(crate) fn policy_from(argument: &str) -> Result<PolicyRef> {
    match PolicyRef::from_argument(argument) {
        PolicyRef::File(_) => {
            let path =
                std::path::absolute(Path::new(argument)).context("cannot tell where I am")?;
            Ok(PolicyRef::from_argument(&path.display().to_string()))
        }
        shipped => Ok(shipped),
    }
}

fn set_all(deployment: &mut Deployment, common: &Common) -> Result<()> {
    for pair in &common.attribute {
        let (key, value) = split(pair, "--attribute")?;
        deployment.attributes.insert(key.to_owned(), value.to_owned());
    }
    for pair in &common.set {
        let (key, value) = split(pair, "--set")?;
        // A number, a boolean, an object if it reads as one; a string otherwise.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        if let Some(settings) = deployment.settings.as_object_mut() {
            settings.insert(key.to_owned(), value);
        }
    }
    Ok(())
}

fn split<'p>(pair: &'p str, flag: &str) -> Result<(&'p str, &'p str)> {
    pair.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| UsageError(format!("{flag} takes KEY=VALUE, not `{pair}`")).into())
}

/// The installation's key; for this run only where it cannot be kept.
fn key(state: Option<&StateFolder>) -> Result<Key> {
    let kept = match state {
        Some(state) => state.key().map_err(|error| error.to_string()),
        None => Err("neither PRECEDENT_STATE_DIR nor HOME is set".to_owned()),
    };
    match kept {
        Ok(key) => Ok(key),
        Err(reason) => {
            warn(&format!("fingerprints are for this run only: {reason}"));
            Key::generate().context("no randomness for a key")
        }
    }
}

fn warn(message: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = text::warning(&mut stderr, message);
    let _ = stderr.flush();
}

/// The flags that make another verb look at the same deployment.
fn words(common: &Common) -> String {
    let mut words = String::new();
    let mut add = |flag: &str, value: &str| {
        words.push_str(&format!(" {flag} {}", quoted(value)));
    };
    if let Some(path) = &common.manifest {
        add("--manifest", &path.display().to_string());
    }
    if let Some(policy) = &common.policy {
        add("--policy", policy);
    }
    common.set.iter().for_each(|pair| add("--set", pair));
    common.attribute.iter().for_each(|pair| add("--attribute", pair));
    words
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
