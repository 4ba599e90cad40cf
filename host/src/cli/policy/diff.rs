//! `precedent policy diff`

use std::{
    collections::HashSet,
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{
    Error,
    cases::{Case, capture},
    decide::{Answer, Policy},
    model::{
        Snapshot,
        named::{self, Difference, Words},
    },
    observe::{Machine, World},
};
use serde_json::{Value, json};

use super::{
    super::{
        args::{Format, SubjectArgs},
        exit::{Exit, UsageError},
        json, progress,
        records::{Reading, RecordArgs},
        subject::Subject,
        text,
    },
    prove::{self, ExtentArgs},
};

#[derive(Debug, ClapArgs)]
pub(crate) struct DiffArgs {
    /// A shipped policy, or the path of a component
    #[arg(value_name = "ONE")]
    one: String,
    /// Another one
    #[arg(value_name = "OTHER")]
    other: String,
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    extent: ExtentArgs,
    /// Compare on what recorded runs saw, in the place of all states
    #[arg(long, conflicts_with_all = ["states", "all", "seed", "only"])]
    recorded: bool,
    #[command(flatten)]
    records: RecordArgs,
    /// Count differences in reasons and messages too
    #[arg(long)]
    words: bool,
    /// How many states to show
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    show: usize,
    /// Write each state that is shown there, as a case for `precedent test`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is told where a policy does not answer.
const NO_ANSWER: &str = "an answer";

/// A state in which two policies decide differently.
pub(crate) struct Differing {
    pub(crate) case: Case,
    pub(crate) differences: Vec<Difference>,
}

/// What was compared, and where it differs.
struct Compared {
    /// Over what, for people.
    over: String,
    /// The same for scripts.
    states: Value,
    found: Vec<Differing>,
    count: usize,
    unanswered: usize,
}

pub(crate) fn run(args: &DiffArgs) -> Result<Exit> {
    let open = |policy: &str| {
        let manifest = args.manifest.clone();
        Subject::open(&SubjectArgs { manifest, policy: Some(policy.to_owned()) })
    };
    let (one, other) = (open(&args.one)?, open(&args.other)?);
    let words = if args.words { Words::Count } else { Words::Aside };
    let compared = match args.recorded {
        true => over_records(args, &one, &other, words)?,
        false => over_states(args, &one, &other, words)?,
    };
    if let Some(folder) = &args.out {
        let cases = (1..).zip(&compared.found);
        prove::write(folder, cases.map(|(number, one)| (format!("{number:02}"), &one.case)))?;
    }
    let Compared { over, states, found, count, unanswered } = compared;
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => {
            let state =
                |found: &Differing| json!({"case": found.case, "differences": found.differences});
            let document = json!({
                "schema": "precedent.policy.diff/1",
                "deployment": one.deployment.name,
                "one": json::policy(&one.policy),
                "other": json::policy(&other.policy),
                "states": states,
                "differing": count,
                "unanswered": unanswered,
                "shown": found.iter().map(state).collect::<Vec<_>>(),
            });
            json::print(&mut out, &document)?;
        }
        Format::Text => text::policy_diff(&mut out, (&one, &other), &found, count, &over)?,
    }
    out.flush()?;
    Ok(if count == 0 { Exit::Done } else { Exit::Refused })
}

fn over_states(args: &DiffArgs, one: &Subject, other: &Subject, words: Words) -> Result<Compared> {
    let states = args.extent.states(one)?;
    other.policy.validate_settings(&other.deployment.settings).map_err(Error::from)?;
    let bar = progress::of(states.covered().states, "states");
    let unanswered = AtomicUsize::new(0);
    let (cases, count) = states.find(args.show, &|done| bar.inc(done as u64), &|snapshot| {
        let found = compare(&one.policy, &other.policy, snapshot, words);
        if found.iter().any(|one| one.what == NO_ANSWER) {
            unanswered.fetch_add(1, Ordering::Relaxed);
        }
        (!found.is_empty()).then(|| json!(found).to_string())
    });
    bar.finish_and_clear();
    let differing = |case: Case| {
        let snapshot = states.snapshot(&case);
        let differences = compare(&one.policy, &other.policy, &snapshot, words);
        Differing { case: case.without_expectations(), differences }
    };
    Ok(Compared {
        over: text::covered(&states.covered()),
        states: prove::covered(&states.covered()),
        found: cases.into_iter().map(differing).collect(),
        count,
        unanswered: unanswered.into_inner(),
    })
}

/// Of the records that differ in one way the first is told, as a case.
fn over_records(args: &DiffArgs, one: &Subject, other: &Subject, words: Words) -> Result<Compared> {
    let mut reading = Reading::open(&args.records, &one.deployment.name)?;
    let bar = progress::counting("records");
    let home = Machine::default().variable("HOME").unwrap_or_default();
    let (mut records, mut count, mut unanswered) = (0, 0, 0);
    let mut known = HashSet::new();
    let mut found = Vec::new();
    let skip = Reading::too_old(&args.records, &one.deployment.name)?;
    for record in reading.by_ref().skip(skip) {
        bar.inc(1);
        let Some(snapshot) = &record.snapshot else { continue };
        records += 1;
        let differences = compare(&one.policy, &other.policy, snapshot, words);
        unanswered += usize::from(differences.iter().any(|one| one.what == NO_ANSWER));
        count += usize::from(!differences.is_empty());
        if !differences.is_empty() && known.insert(json!(differences).to_string()) {
            let name = format!("record {} of {}", record.number, text::time(record.at));
            let case = capture(&name, &one.deployment, snapshot, &home);
            found.push(Differing { case, differences });
        }
    }
    bar.finish_and_clear();
    reading.tell();
    if records == 0 {
        let words = "there is no record to compare on; `precedent log` lists them";
        return Err(UsageError(words.to_owned()).into());
    }
    found.truncate(args.show);
    let over = format!("{records} records");
    Ok(Compared { over, states: json!({"records": records}), found, count, unanswered })
}

/// Where two policies decide differently on one snapshot. One that does not answer differs from one
/// that does.
fn compare(one: &Policy, other: &Policy, snapshot: &Snapshot, words: Words) -> Vec<Difference> {
    let ask = |policy: &Policy| -> Result<Answer, String> {
        policy.decide(snapshot).map_err(|error| error.to_string())
    };
    match (ask(one), ask(other)) {
        (Ok(one), Ok(other)) => named::differences(snapshot, &one, &other, words),
        // Two that do not answer may be as different as can be; nobody knows.
        (one, other) => {
            let side = |answer: Result<Answer, String>| match answer {
                Ok(_) => json!("a decision"),
                Err(error) => json!(error),
            };
            vec![Difference { what: NO_ANSWER.to_owned(), one: side(one), other: side(other) }]
        }
    }
}
