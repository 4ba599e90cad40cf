//! Who takes part: a policy, loaded into an engine, that can be asked.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Result;
use precedent_bench_extism::request::Decision;

use crate::request::Asked;

/// A policy in an engine, ready to be asked by several threads.
pub(crate) trait Contestant: Sync {
    /// What it is called in the tables.
    fn name(&self) -> &'static str;

    /// How much of the decision it can say.
    fn says(&self) -> Says {
        Says::All
    }

    /// Gets ready to be asked one request, over and over, by one thread.
    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>>;
}

/// How much of a decision can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// All of it.
    All,
    /// Which places are to be written; not from where, and not why.
    Places,
}

/// A request that is asked over and over.
pub(crate) trait Asking {
    /// The decision, in the words that all share.
    fn decision(&mut self) -> Result<Decision>;

    /// How long so many decisions take, with what comes back from each thrown away.
    fn time(&mut self, times: usize) -> Result<Duration>;
}

/// A function as what is asked: `make` makes what it is given, which is nobody's time; `ask` decides;
/// `plain` puts the answer into the words that all share.
pub(crate) struct With<M, A, P> {
    pub(crate) make: M,
    pub(crate) ask: A,
    pub(crate) plain: P,
}

/// Inputs that are made at once: few enough to stay in the processor's cache, where a host's would be.
const AT_ONCE: usize = 16;

impl<I, O, M, A, P> Asking for With<M, A, P>
where
    M: FnMut() -> I,
    A: FnMut(I) -> Result<O>,
    P: Fn(O) -> Result<Decision>,
{
    fn decision(&mut self) -> Result<Decision> {
        let input = (self.make)();
        (self.plain)((self.ask)(input)?)
    }

    fn time(&mut self, times: usize) -> Result<Duration> {
        let (mut taken, mut left) = (Duration::ZERO, times);
        while left > 0 {
            let inputs: Vec<I> = (0..left.min(AT_ONCE)).map(|_| (self.make)()).collect();
            left -= inputs.len();
            let begun = Instant::now();
            for input in inputs {
                black_box((self.ask)(black_box(input))?);
            }
            taken += begun.elapsed();
        }
        Ok(taken)
    }
}
