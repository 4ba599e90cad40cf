//! `precedent log`

use std::{collections::VecDeque, io::Write, path::PathBuf};

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::record::Recorded;
use serde_json::{Value, json};

use super::{
    args::Format,
    exit::{Exit, UsageError},
    json,
    records::{Reading, RecordArgs},
    selection, text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct LogArgs {
    /// Show one record in full, by its number; `log show N` is the same
    #[arg(value_name = "N", num_args = 0..=2)]
    which: Vec<String>,
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    records: RecordArgs,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &LogArgs) -> Result<Exit> {
    let number = number(&args.which)?;
    // Whatever policy decides there now: the records say which one did.
    let policy = Some(precedent::artifact::PolicyRef::default());
    let deployment = selection::read_deployment(args.manifest.as_deref(), policy)?.name;
    let mut reading = Reading::open(&args.records, &deployment)?;
    let mut out = anstream::stdout().lock();
    if let Some(number) = number {
        let mut last = 0;
        let found = std::iter::from_fn(|| reading.next_of_all())
            .inspect(|record| last = record.number)
            .find(|record| record.number == number);
        let Some(record) = found else {
            let words = match last {
                0 => format!("there is no record {number}: the journal has none"),
                _ => format!(
                    "there is no record {number}; the last is {last}, `precedent log` lists them"
                ),
            };
            return Err(UsageError(words).into());
        };
        match args.format {
            Format::Json => json::print(&mut out, &shown(&deployment, &record))?,
            Format::Text => text::record(&mut out, &record)?,
        }
        return Ok(Exit::Done);
    }
    // Of each only what a line shows: a journal may be large.
    let is_json = args.format == Format::Json;
    let mut rows = VecDeque::new();
    for record in reading.by_ref() {
        rows.push_back(if is_json {
            Row::Json(row(&record))
        } else {
            Row::Text(text::Row::of(&record))
        });
        if args.records.last.is_some_and(|last| rows.len() as u64 > last) {
            rows.pop_front();
        }
    }
    reading.tell();
    if is_json {
        let rows: Vec<Value> = rows.into_iter().filter_map(Row::json).collect();
        let document = json!({
            "schema": "precedent.log/1",
            "deployment": deployment,
            "records": rows,
            "broken": reading.broken(),
        });
        json::print(&mut out, &document)?;
    } else {
        let rows: Vec<text::Row> = rows.into_iter().filter_map(Row::text).collect();
        text::records(&mut out, &deployment, rows)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

enum Row {
    Json(Value),
    Text(text::Row),
}

impl Row {
    fn json(self) -> Option<Value> {
        if let Self::Json(row) = self { Some(row) } else { None }
    }

    fn text(self) -> Option<text::Row> {
        if let Self::Text(row) = self { Some(row) } else { None }
    }
}

fn number(words: &[String]) -> Result<Option<u64>> {
    let number = match words {
        [] => return Ok(None),
        [show, number] if show == "show" => number,
        [number] if number != "show" => number,
        _ => return Err(UsageError("`log show` takes the number of a record".to_owned()).into()),
    };
    match number.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(UsageError(format!("`{number}` is no number of a record")).into()),
    }
}

/// A line of `precedent.log/1`.
fn row(record: &Recorded) -> Value {
    let policy = json!({
        "name": record.policy.as_ref().map(|policy| &policy.name),
        "version": record.policy.as_ref().map(|policy| &policy.version),
        "digest": record.digests.as_ref().map(|digests| &digests.policy),
    });
    let violations = record.violations.iter().flatten().map(|violation| &violation.rule);
    json!({
        "number": record.number,
        "at": record.at,
        "verb": record.verb,
        "phase": record.phase,
        "policy": policy,
        "result": record.came(),
        "drift": record.drifting() > 0,
        "changes": record.planned(),
        "refusal": record.refusal.as_ref().map(|refusal| &refusal.code),
        "violations": violations.collect::<Vec<_>>(),
        "outcome": record.outcome,
        "recovery": record.recovery,
        "error": record.error,
    })
}

/// One record in full, as `explain` shows an installation.
fn shown(deployment: &str, record: &Recorded) -> Value {
    let mut document = json!({"schema": "precedent.log/1", "deployment": deployment});
    let Some(object) = document.as_object_mut() else { return document };
    let mut record_shown = row(record);
    if let (Some(shown), Some(snapshot)) = (record_shown.as_object_mut(), &record.snapshot) {
        let decided = record.decision.iter().flat_map(|decision| &decision.findings);
        let findings = snapshot.findings.iter().chain(decided);
        let findings: Vec<Value> = findings.map(|one| json::finding(snapshot, one)).collect();
        let decision = record.decision.as_ref();
        shown.insert("settings".into(), snapshot.settings.clone());
        shown.insert("consumers".into(), json::consumers_in(snapshot, decision));
        shown.insert("locations".into(), json::locations(snapshot));
        shown.insert("findings".into(), json!(findings));
        let refusal = record.refusal.as_ref().map(|refusal| json::refusal(snapshot, refusal));
        shown.insert("refusal".into(), json!(refusal));
        shown.insert(
            "violations".into(),
            json!(record.violations.iter().flatten().collect::<Vec<_>>()),
        );
        let changes = record.plan.as_ref().map(|plan| &plan.changes);
        shown.insert("changes".into(), json!(changes));
    }
    object.insert("record".into(), record_shown);
    document
}
