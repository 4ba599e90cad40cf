//! `precedent policy bench`: what a decision costs.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{
    Error, artifact,
    cases::Runner,
    config::Deployment,
    decide::{Engine, Policy},
    model::{Phase, Snapshot},
    observe::{Machine, Memory, observe},
    secret::Key,
};
use serde_json::{Value, json};

use super::super::{
    args::{Format, PolicySubject},
    exit::{Exit, UsageError},
    json,
    progress::during,
    subject::Subject,
    test, text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    subject: PolicySubject,
    /// Cases to decide on, in turn [default: the deployment on a machine where nothing is]
    #[arg(value_name = "CASES")]
    cases: Option<PathBuf>,
    /// How long each kind of decision is measured, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    for_ms: u64,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How many decisions are enough, however fast they are.
const ENOUGH: usize = 20_000;
/// How many there are at least, however slow they are.
const LEAST: usize = 10;
/// How often the compiled policy is loaded.
const LOADS: usize = 5;

/// Times of one kind, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// The time that so many of a thousand do not exceed.
    pub(crate) fn at(&self, per_mille: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * per_mille / 1000).copied().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> &[Duration] {
        &self.0
    }
}

pub(crate) fn run(args: &BenchArgs) -> Result<Exit> {
    let named = args.subject.named();
    let subject = Subject::open(&named)?;
    let Subject { deployment, policy, .. } = &subject;
    let snapshots = snapshots(&subject, args.cases.as_deref())?;
    let most = Duration::from_millis(args.for_ms);

    let compiled = during("compiling", || once(|| compile(deployment)))?;
    let loaded = times(LOADS, || Subject::open(&named).map(drop))?;
    let mut next = snapshots.iter().cycle();
    let isolated = during("deciding in fresh instances", || {
        measure(most, || next.next().map_or(Ok(()), |one| decided(policy.decide(one))))
    })?;
    let mut warm = policy.warm().map_err(Error::from)?;
    let warm = during("deciding in one instance", || {
        measure(most, || next.next().map_or(Ok(()), |one| decided(warm.decide(one))))
    })?;
    let rows = [
        ("compile", compiled),
        ("load", loaded),
        ("isolated decision", isolated),
        ("warm decision", warm),
    ];
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Text => text::benched(&mut out, policy, snapshots.len(), &rows)?,
        Format::Json => json::print(&mut out, &document(policy, snapshots.len(), &rows))?,
    }
    Ok(Exit::Done)
}

/// What is decided on.
fn snapshots(subject: &Subject, cases: Option<&Path>) -> Result<Vec<Snapshot>> {
    let Subject { deployment, policy, .. } = subject;
    let Some(path) = cases else {
        let key = Key::new([0; 32]);
        let observed = observe(deployment, &Memory::default(), &key, Phase::Check, 0);
        return Ok(vec![observed.snapshot]);
    };
    let cases = test::read_all(&[path.to_owned()])?.cases;
    if cases.is_empty() {
        return Err(UsageError(format!("no case found in {}", path.display())).into());
    }
    let mut runner = Runner::new(policy, deployment.policy.clone()).on(deployment.clone());
    cases.iter().map(|case| Ok(runner.stage(case)?.observed.snapshot)).collect()
}

/// Loads the policy without what is kept of it.
fn compile(deployment: &Deployment) -> Result<()> {
    let engine = Engine::with(&deployment.limits).map_err(Error::from)?;
    let (reference, limits) = (&deployment.policy, deployment.limits);
    let path = reference.path(&deployment.base, &Machine::default());
    artifact::load(&engine, reference, path.as_deref(), limits, None).map_err(Error::from)?;
    Ok(())
}

fn decided<T>(answer: Result<T, precedent::decide::DecideError>) -> Result<()> {
    answer.map(drop).map_err(|error| Error::from(error).into())
}

fn once(work: impl FnOnce() -> Result<()>) -> Result<Times> {
    let begun = Instant::now();
    work()?;
    Ok(Times(vec![begun.elapsed()]))
}

fn times(count: usize, mut work: impl FnMut() -> Result<()>) -> Result<Times> {
    let mut all = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        work()?;
        all.push(begun.elapsed());
    }
    all.sort_unstable();
    Ok(Times(all))
}

/// Repeats for a while, after a few times that do not count.
fn measure(most: Duration, mut work: impl FnMut() -> Result<()>) -> Result<Times> {
    for _ in 0..LEAST {
        work()?;
    }
    let mut all = Vec::new();
    let begun = Instant::now();
    while all.len() < LEAST || (begun.elapsed() < most && all.len() < ENOUGH) {
        let one = Instant::now();
        work()?;
        all.push(one.elapsed());
    }
    all.sort_unstable();
    Ok(Times(all))
}

/// `precedent.policy.bench/1`, times in microseconds.
fn document(policy: &Policy, snapshots: usize, rows: &[(&str, Times)]) -> Value {
    let row = |(what, times): &(&str, Times)| {
        let micros = |per_mille| times.at(per_mille).as_nanos() as f64 / 1000.0;
        json!({
            "what": what,
            "count": times.all().len(),
            "p50-us": micros(500),
            "p90-us": micros(900),
            "p99-us": micros(990),
            "max-us": micros(1000),
        })
    };
    json!({
        "schema": "precedent.policy.bench/1",
        "policy": json::policy(policy),
        "snapshots": snapshots,
        "times": rows.iter().map(row).collect::<Vec<_>>(),
    })
}
