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

/// How many cases a thread takes at a time.
const CHUNK: usize = 16;

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
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        let mut runner = Runner::new(policy, deployment.policy.clone()).on(deployment.clone());
        let mut reached = Reached::default();
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            let chunk = cases.iter().enumerate().skip(from).take(CHUNK);
            let ran: Vec<_> = chunk
                .map(|(index, case)| {
                    let attempt = runner.attempt(case);
                    let attempt = attempt.map(|attempt| {
                        if let Some(answer) = attempt.answer.as_ref().filter(|_| reach) {
                            reached.add(&attempt.snapshot, answer);
                        }
                        (attempt.result, attempt.recorded)
                    });
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
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..threads.min(cases.len().div_ceil(CHUNK)) {
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
