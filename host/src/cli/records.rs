//! Which records of the journal are meant, and what cannot be read of it.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use clap::{Args as ClapArgs, ValueEnum};
use precedent::{
    Error,
    model::{LocationId, Standing},
    record::{BrokenRecord, Came, Journal, Recorded},
};
use serde_json::{Value, json};

use super::{
    exit::UsageError,
    session::{now, state, warn},
};

/// How many lines that are no records are told one by one.
const MOST_TOLD: usize = 100;

/// Which records are meant.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct RecordArgs {
    /// Read this file instead of the deployment's own journal; several, the oldest first
    #[arg(long, value_name = "FILE")]
    journal: Vec<PathBuf>,
    /// Not before: so long ago, a day, or a moment (7d, 2026-11-01, 2026-11-01T12:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = start)]
    since: Option<u64>,
    /// Not after; a day with all of it
    #[arg(long, value_name = "TIME", value_parser = end)]
    until: Option<u64>,
    /// Of this verb
    #[arg(long, value_name = "VERB")]
    verb: Option<String>,
    /// That came to this
    #[arg(long, value_enum)]
    result: Option<ResultArg>,
    /// With a finding of this code
    #[arg(long, value_name = "CODE")]
    finding: Option<String>,
    /// That have something to say of this location
    #[arg(long, value_name = "NAME")]
    location: Option<String>,
    /// The last so many of those
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) last: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ResultArg {
    /// Something drifted, was to change, or was found to be wrong
    Drift,
    /// The policy said no
    Refused,
    /// The decision broke the host's rules
    Violated,
    /// The run failed
    Failed,
    /// Files changed
    Changed,
    /// Nothing was to be done
    InSync,
}

/// A journal that is read, and what could not be read of it.
pub(crate) struct Reading<'a> {
    args: &'a RecordArgs,
    journal: Journal,
    broken: Vec<BrokenRecord>,
    more: u64,
    unknown: BTreeSet<String>,
    is_quiet: bool,
}

impl<'a> Reading<'a> {
    /// Opens the files that the words name, or the deployment's own journal.
    pub(crate) fn open(args: &'a RecordArgs, deployment: &str) -> Result<Self> {
        let journal = match (args.journal.as_slice(), state()) {
            ([], Some(state)) => Journal::of(&state, deployment),
            ([], None) => {
                let words = "there is no journal: neither PRECEDENT_STATE_DIR nor HOME is set";
                return Err(UsageError(words.to_owned()).into());
            }
            (named, _) => Journal::named(named),
        };
        let journal = journal.map_err(Error::from)?;
        let (broken, unknown) = (Vec::new(), BTreeSet::new());
        Ok(Self { args, journal, broken, more: 0, unknown, is_quiet: false })
    }

    /// The same for counting, which leaves what is wrong to be told by who reads.
    pub(crate) fn quiet(args: &'a RecordArgs, deployment: &str) -> Result<Self> {
        Ok(Self { is_quiet: true, ..Self::open(args, deployment)? })
    }

    /// How many of the records that are meant come before the last so many that are asked for.
    pub(crate) fn too_old(args: &'a RecordArgs, deployment: &str) -> Result<usize> {
        let Some(last) = args.last else { return Ok(0) };
        let all = Self::quiet(args, deployment)?.count();
        Ok(all.saturating_sub(usize::try_from(last).unwrap_or(usize::MAX)))
    }

    /// The next record, whether it is meant or not.
    pub(crate) fn next_of_all(&mut self) -> Option<Recorded> {
        loop {
            match self.journal.next()? {
                Ok(record) => {
                    self.unknown.extend(record.unknown.iter().cloned());
                    return Some(record);
                }
                Err(broken) if self.broken.len() < MOST_TOLD => {
                    if !self.is_quiet {
                        warn(&broken.to_string());
                    }
                    self.broken.push(broken);
                }
                Err(_) => self.more += 1,
            }
        }
    }

    /// Says what is told once, of all that was read.
    pub(crate) fn tell(&self) {
        if self.more > 0 {
            warn(&format!("and {} more lines that are no records", self.more));
        }
        if !self.unknown.is_empty() {
            let names: Vec<&str> = self.unknown.iter().map(String::as_str).collect();
            warn(&format!("fields of another version are left out: {}", names.join(", ")));
        }
    }

    /// Whether every line could be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// What could not be read, for scripts.
    pub(crate) fn broken(&self) -> Value {
        let broken = self.broken.iter().map(
            |broken| json!({"file": broken.path, "line": broken.line, "reason": broken.reason}),
        );
        Value::Array(broken.collect())
    }
}

impl Iterator for Reading<'_> {
    type Item = Recorded;

    fn next(&mut self) -> Option<Recorded> {
        loop {
            let record = self.next_of_all()?;
            if self.args.is_meant(&record) {
                return Some(record);
            }
        }
    }
}

impl RecordArgs {
    fn is_meant(&self, record: &Recorded) -> bool {
        let is_of = |result| match result {
            ResultArg::Drift => Came::Drift,
            ResultArg::Refused => Came::Refused,
            ResultArg::Violated => Came::Violated,
            ResultArg::Failed => Came::Failed,
            ResultArg::Changed => Came::Changed,
            ResultArg::InSync => Came::InSync,
        };
        self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at <= until)
            && self.verb.as_ref().is_none_or(|verb| record.verb == *verb)
            && self.result.is_none_or(|result| record.came() == is_of(result))
            && self.finding.as_ref().is_none_or(|code| has_finding(record, code))
            && self.location.as_ref().is_none_or(|name| speaks_of(record, name))
    }
}

fn has_finding(record: &Recorded, code: &str) -> bool {
    let seen = record.snapshot.iter().flat_map(|snapshot| &snapshot.findings);
    let decided = record.decision.iter().flat_map(|decision| &decision.findings);
    seen.chain(decided).any(|finding| finding.code == *code)
}

/// Whether a program uses the location or should, it changes, or something is found there.
fn speaks_of(record: &Recorded, name: &str) -> bool {
    // What was discovered has the declared name, `@`, and its file.
    let is_it = |known: &str| {
        known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
    };
    let Some(snapshot) = &record.snapshot else { return false };
    let is_at = |id: LocationId| snapshot.location(id).is_some_and(|known| is_it(&known.name));
    let verdicts = record.decision.iter().flat_map(|decision| &decision.verdicts);
    let uses = verdicts.into_iter().any(|verdict| {
        let today = match verdict.today {
            Standing::Copy(id) | Standing::Unresolved(id) => Some(id),
            _ => None,
        };
        today.is_some_and(is_at) || verdict.wanted.is_some_and(is_at)
    });
    let findings = record.decision.iter().flat_map(|decision| &decision.findings);
    let mut found = snapshot.findings.iter().chain(findings).flat_map(|finding| &finding.locations);
    let mut changes = record.plan.iter().flat_map(|plan| &plan.changes);
    uses || found.any(|id| is_at(*id))
        || record.refusal.iter().flat_map(|refusal| &refusal.locations).any(|id| is_at(*id))
        || changes.any(|change| is_it(&change.to) || change.from.as_deref().is_some_and(is_it))
}

fn start(text: &str) -> Result<u64, String> {
    moment(text, "T00:00:00")
}

fn end(text: &str) -> Result<u64, String> {
    moment(text, "T23:59:59")
}

/// Seconds since 1970 of so long ago, of a day at a time, or of a moment.
fn moment(text: &str, time: &str) -> Result<u64, String> {
    if let Ok(age) = humantime::parse_duration(text) {
        return Ok(now().saturating_sub(age.as_secs()));
    }
    let is_day = text.len() == 10 && !text.contains(':');
    let (moment, offset) = if is_day { (format!("{text}{time}"), 0) } else { in_utc(text) };
    let at: Option<SystemTime> = humantime::parse_rfc3339_weak(&moment).ok();
    let seconds = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs());
    seconds.and_then(|seconds| seconds.checked_add_signed(-offset)).ok_or_else(|| {
        "expected an age such as 7d, a day such as 2026-11-01, or a moment such as 2026-11-01T12:00:00Z"
            .to_owned()
    })
}

/// A moment without the offset at its end, and the offset in seconds.
fn in_utc(text: &str) -> (String, i64) {
    let split = || {
        let (moment, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
        let (hours, minutes) = offset.split_at_checked(1)?.1.split_once(':')?;
        let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
        match offset.chars().next()? {
            '+' => Some((moment.to_owned(), seconds)),
            '-' => Some((moment.to_owned(), -seconds)),
            _ => None,
        }
    };
    // A day ends in what looks like an offset; a moment has a `T` or a space before it.
    split().filter(|(moment, _)| moment.len() > 10).unwrap_or_else(|| (text.to_owned(), 0))
}
