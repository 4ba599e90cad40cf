//! `precedent test`
//!
//! | module | what |
//! |---|---|
//! | `coverage` | what the policy can say and do, and no case makes it |
//! | `files` | the files in which cases are |
//! | `junit` | results for a CI server |
//! | `update` | what came out, written into the cases that ask for it |

mod coverage;
mod files;
mod junit;
mod update;

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use clap::{Args as ClapArgs, ValueEnum};
use precedent::{
    Error,
    cases::{self, Case, CaseResult, Mismatch},
};
use serde_json::{Map, Value, json};

pub(crate) use coverage::Coverage;
pub(crate) use files::read_all;

use super::{
    args::SubjectArgs,
    exit::{Exit, UsageError},
    json, progress,
    subject::Subject,
    text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    /// Files (.json, .jsonl) or folders of them
    #[arg(value_name = "PATH", default_value = "cases")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Run only the cases whose names hold this; may be repeated, one is enough
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Show what the policy can say and do over the states of its deployment, and no case makes it
    #[arg(long)]
    coverage: bool,
    /// How many states to look at for the coverage
    #[arg(long, value_name = "COUNT", default_value_t = 20_000, requires = "coverage")]
    states: usize,
    /// Write what came out into the cases that ask for it by `"expect": "record"`
    #[arg(long)]
    update: bool,
    /// For people, for scripts, or for a CI server
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Differences and sentences
    #[default]
    Text,
    /// One document on standard output
    Json,
    /// JUnit's XML on standard output
    Junit,
}

pub(crate) fn run(args: &TestArgs) -> Result<Exit> {
    let mut read = read_all(&args.paths)?;
    if read.cases.is_empty() {
        return Err(UsageError(format!("no case found in {}", files::names(&args.paths))).into());
    }
    if !args.filter.is_empty() {
        let all = read.cases.len();
        read.cases.retain(|case| args.filter.iter().any(|text| case.name.contains(text)));
        if read.cases.is_empty() {
            let wanted = args.filter.join("`, `");
            let message = format!("none of {all} cases has `{wanted}` in its name");
            return Err(UsageError(message).into());
        }
    }
    // What is proven of a policy is proven of its fuel too.
    let subject = match read.cases.iter().any(Case::is_proven) {
        true => Subject::open_metered(&args.subject)?,
        false => Subject::open(&args.subject)?,
    };
    if args.coverage {
        let (policy, settings) = (&subject.policy, &subject.deployment.settings);
        policy.validate_settings(settings).map_err(Error::from)?;
    }
    let bar = progress::of(read.cases.len(), "cases");
    let (policy, deployment) = (&subject.policy, &subject.deployment);
    let done = |count: usize| bar.inc(count as u64);
    let ran = cases::run_all(policy, deployment, &read.cases, args.coverage, &done)?;
    bar.finish_and_clear();
    for left_out in &read.left_out {
        text::left_out(&mut anstream::stderr(), left_out)?;
    }
    let updated = if args.update { update::write(&read.cases, &ran.recordings)? } else { 0 };
    let coverage = args.coverage.then(|| Coverage::of(&subject, args.states, &ran.reached));
    let results: Vec<&CaseResult> = match args.update {
        // What was recorded is as expected from now on.
        true => ran.results.iter().filter(|result| !result.records).collect(),
        false => ran.results.iter().collect(),
    };
    let failed = results.iter().filter(|result| !result.mismatches.is_empty()).count();
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => json::print(&mut out, &document(&results, updated, coverage.as_ref()))?,
        Format::Junit => junit::print(&mut out, &results)?,
        Format::Text => {
            for result in results.iter().filter(|result| !result.mismatches.is_empty()) {
                text::failed_case(&mut out, result)?;
            }
            if let Some(coverage) = &coverage {
                text::coverage(&mut out, coverage)?;
            }
            if updated > 0 {
                writeln!(out, "{updated} recorded")?;
            }
            writeln!(out, "{} passed, {failed} failed", results.len() - failed)?;
        }
    }
    out.flush()?;
    Ok(if failed == 0 { Exit::Done } else { Exit::Refused })
}

/// `precedent.test/1`
fn document(results: &[&CaseResult], updated: usize, coverage: Option<&Coverage>) -> Value {
    let failed = results.iter().filter(|result| !result.mismatches.is_empty());
    let failures: Vec<Value> = failed
        .map(|result| {
            let side = |pick: fn(&Mismatch) -> &Value| -> Map<String, Value> {
                result.mismatches.iter().map(|m| (m.what.clone(), pick(m).clone())).collect()
            };
            json!({
                "name": result.name,
                "source": result.source.as_ref().map(ToString::to_string),
                "expected": side(|mismatch| &mismatch.expected),
                "actual": side(|mismatch| &mismatch.actual),
            })
        })
        .collect();
    let mut document = json!({
        "schema": "precedent.test/1",
        "passed": results.len() - failures.len(),
        "failed": failures.len(),
        "recorded": updated,
        "failures": failures,
    });
    if let (Some(coverage), Some(document)) = (coverage, document.as_object_mut()) {
        document.insert("coverage".to_owned(), coverage.document());
    }
    document
}
