//! `precedent replay`

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{
    Error, Ruling,
    check::Violation,
    config::{Deployment, Grants},
    decide::{Answer, DecideError, Policy},
    model::{
        Phase, Snapshot,
        named::{Difference, Words, differences},
    },
    record::{Digests, Recorded},
    rule,
};
use serde_json::{Value, json};

use super::{
    args::{Format, SubjectArgs},
    candidate,
    exit::{Exit, UsageError},
    json, progress,
    records::{Reading, RecordArgs},
    selection, session,
    subject::Subject,
    text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    records: RecordArgs,
    /// Override one of the settings that each run had; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take the settings of the manifest in place of those that each run had
    #[arg(long)]
    settings_from_manifest: bool,
    /// Sentences count too: reasons, messages and remedies
    #[arg(long)]
    words: bool,
    /// Exit 0 without a flip, though lines of the journal cannot be read
    #[arg(long)]
    skip_broken: bool,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What came of a replay.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// How many records were put through the policy.
    pub(crate) records: u64,
    /// How many installations they saw, whenever and whyever they looked.
    pub(crate) distinct: usize,
    /// How many have no answer to compare with.
    pub(crate) skipped: u64,
    /// Whether the host's rules were asked.
    pub(crate) is_checked: bool,
    /// What would be otherwise, the one that was seen last first.
    pub(crate) flips: Vec<Flip>,
}

/// Records that would have come out otherwise, all in the same way.
#[derive(Debug)]
pub(crate) struct Flip {
    pub(crate) kind: FlipKind,
    pub(crate) differences: Vec<Difference>,
    /// Number and time of each, oldest first.
    pub(crate) records: Vec<(u64, u64)>,
}

/// What is otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FlipKind {
    /// What is decided.
    Decision,
    /// Which of the host's rules are broken.
    Violations,
    /// The policy refuses the settings that the run had.
    Settings,
    /// The policy cannot answer.
    Error,
}

pub(crate) fn run(args: &ReplayArgs) -> Result<Exit> {
    let Subject { deployment, policy, .. } = Subject::open(&args.subject)?;
    let replay = Replay {
        args,
        grants: candidate::grants(args.subject.manifest.as_deref(), &deployment),
        policy,
        deployment,
        known: HashMap::new(),
        last: None,
    };
    replay.run()
}

struct Replay<'a> {
    args: &'a ReplayArgs,
    deployment: Deployment,
    policy: Policy,
    grants: Option<Grants>,
    /// What the policy says to settings.
    known: HashMap<String, Option<DecideError>>,
    /// What was decided last, and on what: runs of one moment saw the same, and a policy may go by the
    /// time.
    last: Option<(Snapshot, Ruled)>,
}

/// The answer, and the host's rules that it breaks, where they are asked; else what went wrong.
type Ruled = Result<(Answer, Option<Vec<Violation>>), String>;

impl Replay<'_> {
    fn run(mut self) -> Result<Exit> {
        let mut reading = Reading::open(&self.args.records, &self.deployment.name)?;
        let mut replayed = Replayed { is_checked: self.grants.is_some(), ..Replayed::default() };
        let bar = progress::counting("records");
        let mut seen = HashSet::new();
        let mut groups: HashMap<String, Flip> = HashMap::new();
        let skip = Reading::too_old(&self.args.records, &self.deployment.name)?;
        for record in reading.by_ref().skip(skip) {
            bar.inc(1);
            let Some((snapshot, _)) = record.answer() else {
                replayed.skipped += 1;
                continue;
            };
            replayed.records += 1;
            seen.insert(installation(snapshot));
            let Some((kind, differences)) = self.flip(&record)? else { continue };
            let key = serde_json::to_string(&(kind, &differences))?;
            let flip = groups.entry(key);
            let flip = flip.or_insert_with(|| Flip { kind, differences, records: Vec::new() });
            flip.records.push((record.number, record.at));
        }
        bar.finish_and_clear();
        reading.tell();
        if replayed.records == 0 {
            // Nothing was checked, which must not look like success.
            let skipped = match replayed.skipped {
                0 => String::new(),
                skipped => format!("; {skipped} without a decision are left out"),
            };
            let words =
                format!("there is no record to replay{skipped}; `precedent log` lists them");
            return Err(UsageError(words).into());
        }
        replayed.distinct = seen.len();
        replayed.flips = groups.into_values().collect();
        replayed.flips.sort_by_key(|flip| std::cmp::Reverse(flip.records.last().copied()));
        let mut out = anstream::stdout().lock();
        match self.args.format {
            Format::Json => json::print(&mut out, &self.document(&replayed, reading.broken()))?,
            Format::Text => text::flips(&mut out, &self.policy, &replayed)?,
        }
        Ok(match (replayed.flips.is_empty(), reading.is_whole() || self.args.skip_broken) {
            (false, _) => Exit::Refused,
            (true, true) => Exit::Done,
            // What was not read may hold a flip.
            (true, false) => {
                session::warn(
                    "not every line of the journal could be read, so this is no success (exit 3); --skip-broken lets them pass",
                );
                Exit::Fault
            }
        })
    }

    /// What would be otherwise than the record tells.
    fn flip(&mut self, record: &Recorded) -> Result<Option<(FlipKind, Vec<Difference>)>> {
        let Some((snapshot, was)) = record.answer() else { return Ok(None) };
        let mut snapshot = snapshot.clone();
        let is_set = self.args.settings_from_manifest || !self.args.set.is_empty();
        if self.args.settings_from_manifest {
            snapshot.settings = self.deployment.settings.clone();
        }
        selection::set(&mut snapshot.settings, &self.args.set)?;
        if let Some(error) = self.refused(&snapshot) {
            // Settings that the user gives are the user's mistake.
            if is_set && matches!(error, DecideError::Settings { .. }) {
                return Err(Error::from(error).into());
            }
            let kind = match error {
                DecideError::Settings { .. } => FlipKind::Settings,
                _ => FlipKind::Error,
            };
            return Ok(Some((kind, vec![failure(&error.to_string())])));
        }
        let words = if self.args.words { Words::Count } else { Words::Aside };
        let ruled = match self.last.take() {
            Some((known, ruled)) if known == snapshot => ruled,
            _ => self.rule(&snapshot).map_err(|error| error.to_string()),
        };
        self.last = Some((snapshot.clone(), ruled.clone()));
        let (will, broken) = match ruled {
            Ok(ruled) => ruled,
            Err(error) => return Ok(Some((FlipKind::Error, vec![failure(&error)]))),
        };
        let mut found = differences(&snapshot, &was, &will, words);
        let mut kind = FlipKind::Decision;
        if let Some(broken) = broken {
            let rules = |violations: &[Violation]| -> Value {
                let told = violations.iter().map(|violation| match words {
                    Words::Count => json!(violation),
                    Words::Aside => json!(violation.rule),
                });
                Value::Array(told.collect())
            };
            let (one, other) =
                (rules(record.violations.as_deref().unwrap_or_default()), rules(&broken));
            if one != other {
                kind = FlipKind::Violations;
                found.push(Difference { what: "violations".to_owned(), one, other });
            }
        }
        Ok((!found.is_empty()).then_some((kind, found)))
    }

    /// What the policy says to the settings of a snapshot, asked once for each.
    fn refused(&mut self, snapshot: &Snapshot) -> Option<DecideError> {
        let known = self.known.entry(snapshot.settings.to_string());
        known.or_insert_with(|| self.policy.validate_settings(&snapshot.settings).err()).clone()
    }

    fn rule(&self, snapshot: &Snapshot) -> Result<(Answer, Option<Vec<Violation>>), Error> {
        let Some(grants) = &self.grants else { return Ok((self.policy.decide(snapshot)?, None)) };
        Ok(match rule(&self.policy, grants, snapshot)? {
            Ruling::Decided(decision, _) => (Ok(decision), Some(Vec::new())),
            Ruling::Violated(decision, violations) => (Ok(decision), Some(violations.0)),
            Ruling::Refused(refusal) => (Err(refusal), Some(Vec::new())),
            _ => (self.policy.decide(snapshot)?, None),
        })
    }

    /// `precedent.replay/1`
    fn document(&self, replayed: &Replayed, broken: Value) -> Value {
        let moment = |(number, at): &(u64, u64)| json!({"record": number, "at": at});
        let flips = replayed.flips.iter().map(|flip| {
            let differences = flip.differences.iter().map(|difference| {
                json!({"what": difference.what, "was": difference.one, "would-be": difference.other})
            });
            json!({
                "kind": flip.kind,
                "count": flip.records.len(),
                "first": flip.records.first().map(moment),
                "last": flip.records.last().map(moment),
                "records": flip.records.iter().map(|(number, _)| number).collect::<Vec<_>>(),
                "differences": differences.collect::<Vec<_>>(),
            })
        });
        json!({
            "schema": "precedent.replay/1",
            "deployment": self.deployment.name,
            "policy": json::policy(&self.policy),
            "records": replayed.records,
            "distinct": replayed.distinct,
            "skipped": replayed.skipped,
            "checked": replayed.is_checked,
            "flips": flips.collect::<Vec<_>>(),
            "broken": broken,
        })
    }
}

fn failure(error: &str) -> Difference {
    Difference { what: "error".to_owned(), one: Value::Null, other: json!(error) }
}

/// A digest of what was seen, whenever and whyever: runs of an installation that nobody touched saw the
/// same.
fn installation(snapshot: &Snapshot) -> String {
    let seen = Snapshot { now: 0, phase: Phase::Check, ..snapshot.clone() };
    Digests::of(&seen, "").snapshot
}
