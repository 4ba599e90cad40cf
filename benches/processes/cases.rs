//! How many recorded cases `precedent test` runs in a second, its start included.

use std::{path::Path, process::Stdio, time::Instant};

use anyhow::{Context, Result, ensure};
use precedent_bench::rounds::median;
use serde_json::Value;

use crate::{home::Home, run::command};

/// Inputs that OpenClaw's own resolvers were recorded on.
const RECORDED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpus/precedence-matrix.jsonl");

/// Cases a second.
pub(crate) fn a_second(program: &Path, scene: &Path, times: usize) -> Result<f64> {
    let home = Home::new(scene.join("cases"))?;
    let rates = (0..times).map(|_| once(program, &home));
    median(&rates.collect::<Result<Vec<f64>>>()?).context("no run")
}

fn once(program: &Path, home: &Home) -> Result<f64> {
    let begun = Instant::now();
    let mut test = command(program, home);
    test.args(["test", RECORDED, "--policy", "helm", "--format", "json"]);
    let done = test.stdout(Stdio::piped()).output()?;
    let taken = begun.elapsed().as_secs_f64();
    let said: Value = serde_json::from_slice(&done.stdout).context("what `precedent test` says")?;
    ensure!(said["failed"] == 0, "{} of the recorded cases failed", said["failed"]);
    let passed = said["passed"].as_f64().context("no case passed")?;
    ensure!(passed > 1000.0, "only {passed} cases");
    Ok(passed / taken)
}
