//! What this host keeps: its key, and the journal of its runs.
//!
//! Both are under one folder, by default `$XDG_STATE_HOME/precedent`, with what runs need to be mended
//! and taken back ([`crate::apply::Runs`]). The journal is one JSON document a line, a line a run, a few
//! files a deployment. It holds fingerprints, never secrets.
//!
//! | module | what |
//! |---|---|
//! | `key` | the installation's key |
//! | `identity` | the keys by which other nodes know this one |
//! | `nonces` | which handovers were used here |
//! | `ours` | whose a folder or a file is |
//! | `journal` | a line for each run, in files that together stay within their bound |
//! | `recorded` | a record as it is read back |
//! | `read` | a journal read from its oldest record to its newest |
//! | `told` | what alerts were told, so that each problem is told once |

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
#[cfg(feature = "handover")]
mod identity;
mod journal;
mod key;
#[cfg(feature = "handover")]
mod nonces;
mod ours;
#[cfg(feature = "records")]
mod read;
#[cfg(feature = "records")]
mod recorded;
#[cfg(feature = "alerts")]
mod told;

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Ruling,
    apply::{ApplyError, Outcome, Recovery},
    check::Violation,
    decide::About,
    model::{Decision, Phase, Refusal, Snapshot},
    plan::Plan,
    secret::hex,
};

pub use journal::Room;
pub use key::OwnKey;
#[cfg(feature = "handover")]
pub use nonces::UsedNonces;
#[cfg(feature = "records")]
pub use read::{BrokenRecord, Journal};
#[cfg(feature = "records")]
pub use recorded::{Came, Recorded, RecordedChange, RecordedPlan, RecordedTarget};
#[cfg(feature = "alerts")]
pub use told::{Telling, Told, ToldFile};

pub(crate) use ours::{is_our_folder, make_ours};

/// What a record says it is.
const SCHEMA: &str = "precedent.record/1";
/// The largest record: more than any run has to say.
const LARGEST: u64 = 32 << 20;

/// The key or the journal could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} {}: {reason}", path.display())]
pub struct RecordError {
    /// What was tried.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why it failed.
    pub reason: String,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct Record<'r> {
    /// `precedent.record/1`
    pub schema: &'static str,
    /// When it ran, in seconds since 1970.
    pub at: u64,
    /// The verb of the command line, or the name that an embedding program gives.
    pub verb: &'r str,
    /// Name of the deployment.
    pub deployment: &'r str,
    /// Why the host asked.
    pub phase: Phase,
    /// Which policy was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyName>,
    /// Digests of what went in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
    /// What was seen; none where the run failed before it looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<&'r Snapshot>,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'r Decision>,
    /// The policy's no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'r Refusal>,
    /// The host rules that the decision broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violations: Option<&'r [Violation]>,
    /// What was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<&'r Plan>,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'r Outcome>,
    /// How a run that was killed was mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<&'r Recovery>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl<'r> Record<'r> {
    /// Whether something was written, tried or mended: what must not be forgotten.
    fn tells_of_deeds(&self) -> bool {
        self.outcome.is_some_and(|outcome| !outcome.changes.is_empty()) || self.recovery.is_some()
    }

    /// A run of which nothing is known yet but what was asked for.
    #[must_use]
    pub fn begun(at: u64, verb: &'r str, deployment: &'r str, phase: Phase) -> Self {
        Self {
            schema: SCHEMA,
            at,
            verb,
            deployment,
            phase,
            policy: None,
            digests: None,
            snapshot: None,
            decision: None,
            refusal: None,
            violations: None,
            plan: None,
            outcome: None,
            recovery: None,
            error: None,
        }
    }

    /// Says what was decided.
    pub fn ruled(&mut self, ruling: &'r Ruling) {
        match ruling {
            Ruling::Decided(decision, plan) => {
                self.decision = Some(decision);
                self.plan = Some(plan);
            }
            Ruling::Refused(refusal) => self.refusal = Some(refusal),
            Ruling::Violated(decision, violations) => {
                self.decision = Some(decision);
                self.violations = Some(&violations.0);
            }
        }
    }

    /// Says what became of it.
    pub fn applied(&mut self, applied: &'r Result<Outcome, ApplyError>) {
        match applied {
            Ok(outcome) => self.outcome = Some(outcome),
            Err(error) => {
                self.outcome = Some(&error.outcome);
                self.error = Some(error.to_string());
            }
        }
    }
}

/// What a policy calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyName {
    /// Short name.
    pub name: String,
    /// Version of the policy.
    pub version: String,
}

impl From<&About> for PolicyName {
    fn from(about: &About) -> Self {
        Self { name: about.name.clone(), version: about.version.clone() }
    }
}

/// Digests of what went into a decision, each `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// The snapshot. Stable over runs of one installation, for fingerprints are keyed.
    pub snapshot: String,
    /// The policy's component.
    pub policy: String,
    /// The settings.
    pub settings: String,
}

impl Digests {
    /// Digests of a snapshot, with the settings in it, and of a policy.
    #[must_use]
    pub fn of(snapshot: &Snapshot, policy: &str) -> Self {
        let digest = |json: &[u8]| format!("sha256:{}", hex(&Sha256::digest(json)));
        Self {
            snapshot: digest(&serde_json::to_vec(snapshot).unwrap_or_default()),
            policy: policy.to_owned(),
            settings: digest(snapshot.settings.to_string().as_bytes()),
        }
    }
}

/// The folder of this host.
#[derive(Debug, Clone)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// Why nothing is kept where there is none, and what helps.
    pub(crate) const NONE: &str = "there is no folder for it: neither PRECEDENT_STATE_DIR nor HOME is set, or no `journal` is given";

    /// A folder, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where something of a deployment's is.
    pub(crate) fn of(&self, what: &str, deployment: &str) -> PathBuf {
        self.0.join(format!("{what}-{}", file_name(deployment)))
    }

    /// Makes the folder, unless it is there.
    pub(crate) fn make(&self) -> io::Result<()> {
        make_ours(&self.0)
    }
}

fn not_a_file() -> io::Error {
    io::Error::other("it is no regular file")
}

fn failed(action: &'static str, path: &Path, error: &io::Error) -> RecordError {
    RecordError { action, path: path.to_owned(), reason: error.to_string() }
}

/// A moment, in seconds since 1970, as people write it.
#[must_use]
pub fn moment(seconds: u64) -> String {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    // The year 9999 is the last that the form has room for.
    let written = at.filter(|_| seconds < 253_402_300_800);
    written
        .map_or_else(|| seconds.to_string(), |at| humantime::format_rfc3339_seconds(at).to_string())
}

/// A deployment's name as a file's: letters, digits, `-`, `_` and `.`; never hidden or a path.
fn file_name(deployment: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    deployment.chars().take(100).map(safe).collect()
}

/// Where state is kept when nobody says otherwise: `$PRECEDENT_STATE_DIR`, else
/// `$XDG_STATE_HOME/precedent`, else `~/.local/state/precedent`.
#[must_use]
pub fn default_folder(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    folder(variable, "PRECEDENT_STATE_DIR", "XDG_STATE_HOME", ".local/state")
}

/// Where compiled policies are kept when nobody says otherwise: `$PRECEDENT_CACHE_DIR`, else
/// `$XDG_CACHE_HOME/precedent`, else `~/.cache/precedent`.
#[must_use]
pub fn default_cache(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    folder(variable, "PRECEDENT_CACHE_DIR", "XDG_CACHE_HOME", ".cache")
}

fn folder(
    variable: &dyn Fn(&str) -> Option<String>,
    own: &str,
    xdg: &str,
    home: &str,
) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(own)
        .or_else(|| set(xdg).filter(|path| path.is_absolute()).map(|path| path.join("precedent")))
        .or_else(|| set("HOME").map(|path| path.join(home).join("precedent")))
}
