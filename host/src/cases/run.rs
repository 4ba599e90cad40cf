//! Many cases, on as many threads as the machine runs at once.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{Case, CaseResult, Runner, expect::Expectations};
use crate::{Error, config::Deployment, decide::Policy, prove::Reached};

/// What became of many cases.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Ran {
    /// In the order of the cases.
    pub results: Vec<CaseResult>,
    /// What came out for the cases that ask to be recorded.
    pub recordings: Vec<Recording>,
    /// What the policy said and did.
    pub reached: Reached,
}

/// What came out for a case that asks to be recorded.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The position of the case.
    pub case: usize,
    pub(super) expect: Expectations,
}

/// How many cases a thread takes at a time, at least and at most: more of those that are like the one
/// before, as long as no thread is left with nothing to do.
const CHUNK: (usize, usize) = (16, 128);
/// How often a thread takes some, about.
const TURNS: usize = 16;

/// Runs cases against a policy. A deployment is that of the cases that describe none of their own;
/// with `reach`, it is seen what the policy says and does; `progress` is told how many are done.
///
/// # Errors
///
/// Where a case cannot be used; the first of them.
pub fn run_all(
    policy: &Policy,
    deployment: &Deployment,
    cases: &[Case],
    reach: bool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Ran, Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let chunk = (cases.len() / (threads * TURNS)).clamp(CHUNK.0, CHUNK.1);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        let mut runner = Runner::new(policy, deployment.policy.clone()).on(deployment.clone());
        let mut reached = Reached::default();
        loop {
            let from = next.fetch_add(chunk, Ordering::Relaxed);
            let some = cases.iter().enumerate().skip(from).take(chunk);
            let ran: Vec<_> = some
                .map(|(index, case)| {
                    let attempt = runner.attempt(case, reach.then_some(&mut reached));
                    let attempt = attempt.map(|attempt| (attempt.result, attempt.recorded));
                    (index, attempt)
                })
                .collect();
            if ran.is_empty() {
                break;
            }
            progress(ran.len());
            done.lock().unwrap_or_else(PoisonError::into_inner).push((ran, None));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).push((Vec::new(), Some(reached)));
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(cases.len().div_ceil(chunk)) {
            scope.spawn(work);
        }
        work();
    });
    let mut all = Ran::default();
    let mut ran = Vec::with_capacity(cases.len());
    for (chunk, reached) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        ran.extend(chunk);
        reached.into_iter().for_each(|reached| all.reached.merge(reached));
    }
    ran.sort_by_key(|(index, _)| *index);
    for (index, attempt) in ran {
        let (result, recorded) = attempt?;
        all.results.push(result);
        all.recordings.extend(recorded.map(|expect| Recording { case: index, expect }));
    }
    Ok(all)
}
