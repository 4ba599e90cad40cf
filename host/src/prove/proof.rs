//! What was looked at, and what was shown.

use std::collections::BTreeMap;

use super::{Failure, Property, Reached, properties::Examined};
use crate::cases::Case;

/// Which states were looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Covered {
    /// How many.
    pub states: usize,
    /// How many there are at most.
    pub of: f64,
    /// All in which so many cells are not at rest; none where it is all there are.
    pub up_to: Option<usize>,
    /// How many were taken by chance.
    pub sampled: usize,
    /// With which seed.
    pub seed: u64,
}

/// What was shown.
#[derive(Debug)]
#[non_exhaustive]
pub struct Proof {
    /// Which states were looked at.
    pub covered: Covered,
    /// What the policy did in them.
    pub counts: Counts,
    /// What does not hold, each with the smallest state in which it does not, and in how many.
    pub broken: BTreeMap<Property, Broken>,
    /// What the policy said and did.
    pub reached: Reached,
}

/// In how many states the policy did what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// It took the settings of the state; in the others it is not asked.
    pub asked: usize,
    /// It said no.
    pub refused: usize,
    /// It wanted something done.
    pub acted: usize,
    /// By property: in how many it was looked at. After the first that fails, none is.
    pub looked: BTreeMap<Property, usize>,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.refused += other.refused;
        self.acted += other.acted;
        for (property, count) in &other.looked {
            *self.looked.entry(*property).or_default() += count;
        }
    }

    pub(super) fn count(&mut self, examined: &Examined) {
        self.asked += 1;
        let last = match (&examined.failure, &examined.answer) {
            (Some(failure), _) => failure.property,
            (None, Some(Ok(decision))) => {
                self.acted += usize::from(!decision.actions.is_empty());
                Property::EndsAlike
            }
            _ => {
                self.refused += 1;
                Property::Repeats
            }
        };
        for property in Property::ALL.into_iter().filter(|property| *property <= last) {
            *self.looked.entry(property).or_default() += 1;
        }
    }
}

impl Proof {
    /// Whether anything was shown: some state got a decision, and every property holds.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.broken.is_empty() && self.counts.asked > self.counts.refused
    }
}

/// A property that does not hold.
#[derive(Debug)]
#[non_exhaustive]
pub struct Broken {
    /// In how many states.
    pub states: usize,
    /// What happens in the smallest.
    pub failure: Failure,
    /// That state, for `precedent test`.
    pub case: Case,
}
