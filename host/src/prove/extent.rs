//! Which states of a lattice are looked at.

use std::collections::HashSet;

use super::lattice::{Lattice, Point};
use crate::config::Deployment;

/// How many states are looked at, and which.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Extent {
    /// States at most.
    pub most: usize,
    /// Seed of those that are taken by chance.
    pub seed: u64,
    /// The only locations to vary; all where none is named.
    pub only: Vec<String>,
}

impl Default for Extent {
    fn default() -> Self {
        Self { most: 100_000, seed: 1, only: Vec::new() }
    }
}

impl Extent {
    /// The cells of a deployment that are varied, with the settings that a schema tells of.
    pub(super) fn lattice(&self, deployment: &Deployment, settings_schema: &str) -> Lattice {
        let schema = serde_json::from_str(settings_schema).unwrap_or_default();
        let only: HashSet<String> = self.only.iter().cloned().collect();
        Lattice::of(deployment, &schema, (!only.is_empty()).then_some(&only))
    }
}

/// All points with no cell that is not at rest, with one, with two, as long as a whole level fits. Of
/// the last level, none where it is all there are.
pub(super) fn whole_levels(lattice: &Lattice, most: usize) -> (Vec<Point>, Option<usize>) {
    let mut points = Vec::new();
    for level in 0..=lattice.cells.len() {
        match lattice.level(level, most.saturating_sub(points.len())) {
            Some(more) if more.is_empty() => return (points, None),
            Some(more) => points.extend(more),
            None => return (points, Some(level.saturating_sub(1))),
        }
    }
    (points, None)
}

/// How many more cells than in a whole level are not at rest, at most, in a point by chance. With many
/// more, something that cannot be read hides all the rest.
const BEYOND: usize = 8;

/// Points by chance in which more cells are not at rest than in a level that is whole.
pub(super) fn sample(lattice: &Lattice, level: usize, count: usize, seed: u64) -> Vec<Point> {
    let mut random = fastrand::Rng::with_seed(seed);
    let most = lattice.cells.len().min(level + BEYOND);
    let mut known = HashSet::new();
    // A lattice may have hardly more points than its whole levels; so there is an end to trying.
    for _ in 0..count.saturating_mul(4) {
        if known.len() == count {
            break;
        }
        let cells = random.usize(level + 1..=most.max(level + 1));
        let point = lattice.sample(cells, &mut random);
        if point.len() > level {
            known.insert(point);
        }
    }
    let mut points: Vec<Point> = known.into_iter().collect();
    points.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    points
}
