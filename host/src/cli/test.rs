//! `precedent test`

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Result;
use precedent::{
    cases::{self, CaseError, CaseResult, Mismatch, Read, Runner},
    decide::Limits,
};
use serde_json::{Map, Value, json};

use super::{
    args::{Format, TestArgs},
    exit::{Exit, UsageError},
    json,
    key::key,
    selection, session, text,
};

pub(crate) fn run(args: &TestArgs) -> Result<Exit> {
    let Read { cases, left_out, .. } = read_all(&args.paths)?;
    if cases.is_empty() {
        return Err(UsageError(format!("no case found in {}", names(&args.paths))).into());
    }
    let reference = selection::policy_from(&args.policy)?;
    let key = key(session::state().as_ref())?;
    let policy = session::load_policy(&reference, Path::new(""), Limits::default(), &key)?;
    let mut runner = Runner::new(&policy, reference);
    let results: Vec<CaseResult> =
        cases.iter().map(|case| Ok(runner.run(case)?)).collect::<Result<_>>()?;
    for left_out in &left_out {
        text::left_out(&mut anstream::stderr(), left_out)?;
    }
    let failed = results.iter().filter(|result| !result.mismatches.is_empty()).count();
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => json::print(&mut out, &document(&results))?,
        Format::Text => {
            for result in results.iter().filter(|result| !result.mismatches.is_empty()) {
                text::failed_case(&mut out, result)?;
            }
            writeln!(out, "{} passed, {failed} failed", results.len() - failed)?;
        }
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Refused })
}

/// `precedent.test/1`
fn document(results: &[CaseResult]) -> Value {
    let failed = results.iter().filter(|result| !result.mismatches.is_empty());
    let failures: Vec<Value> = failed
        .map(|result| {
            let side = |pick: fn(&Mismatch) -> &Value| -> Map<String, Value> {
                result.mismatches.iter().map(|m| (m.what.clone(), pick(m).clone())).collect()
            };
            json!({
                "name": result.name,
                "expected": side(|mismatch| &mismatch.expected),
                "actual": side(|mismatch| &mismatch.actual),
            })
        })
        .collect();
    json!({
        "schema": "precedent.test/1",
        "passed": results.len() - failures.len(),
        "failed": failures.len(),
        "failures": failures,
    })
}

fn read_all(paths: &[PathBuf]) -> Result<Read> {
    let mut all = Read::default();
    for path in paths {
        for file in files(path)? {
            let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
            let read = cases::read(&file, &text)?;
            all.cases.extend(read.cases);
            all.left_out.extend(read.left_out);
        }
    }
    Ok(all)
}

/// A file, or all case files below a folder, in order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path)
        .and_then(|entries| {
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(|error| unreadable(path, &error))?;
    entries.sort();
    let is_case = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "json" || extension == "jsonl")
    };
    let mut found = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if is_case(&entry) {
            found.push(entry);
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CaseError {
    CaseError { path: path.to_owned(), line: None, message: error.to_string() }
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
