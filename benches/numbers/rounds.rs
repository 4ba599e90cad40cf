//! Each contestant in turn, over and over: what slows the machine down slows all of them alike, and
//! the median forgets it.

use std::time::{Duration, Instant};

use anyhow::Result;

/// One turn of a contestant. Returns what it took, in nanoseconds for one piece of its work.
pub type Turn<'t> = Box<dyn FnMut() -> Result<f64> + 't>;

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// No fewer rounds.
    pub least: usize,
    /// No more rounds.
    pub most: usize,
    /// No new round after so long, once there are enough.
    pub within: Duration,
}

impl Rounds {
    /// Gives everybody a turn in each round, each round begun by another. Returns what each took.
    ///
    /// # Errors
    ///
    /// The first that a contestant had.
    pub fn run(self, turns: &mut [Turn<'_>]) -> Result<Vec<Vec<f64>>> {
        let mut taken = vec![Vec::new(); turns.len()];
        let begun = Instant::now();
        for round in 0..self.most {
            if round >= self.least && begun.elapsed() > self.within {
                break;
            }
            for place in 0..turns.len() {
                let whose = (place + round) % turns.len();
                taken[whose].push(turns[whose]()?);
            }
        }
        Ok(taken)
    }
}

/// The median; none of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (below, above) =
        (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*below, *above))
}

/// The median of the ratios of two contestants round by round: steadier than the ratio of their
/// medians, for both were slowed down by the same.
#[must_use]
pub fn ratio(of: &[f64], to: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).collect();
    median(&ratios)
}
