//! Shows over the states of a deployment that a policy keeps its word.
//!
//! The states of all cells (locations, documents, facts, settings, phases) are a finite lattice. Points
//! at which few cells are not at rest come first, and all of them, as far as the number of states
//! allows; what is left of it is taken by chance, with a seed that is told. Where something does not
//! hold, the state is made smaller until everything in it matters, and told as a case.
//!
//! | module | what |
//! |---|---|
//! | `lattice` | the states, each once |
//! | `extent` | which of them are looked at |
//! | `scene` | a state as a case and as a snapshot |
//! | `properties` | what is to hold in every state |
//! | `proof` | what was looked at, and what was shown |
//! | `reached` | what a policy says and does, over many states |

mod extent;
mod lattice;
mod proof;
mod properties;
mod reached;
mod scene;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub use extent::Extent;
pub use proof::{Broken, Counts, Covered, Proof};
pub(crate) use properties::examine;
pub use properties::{Failure, Property};
pub use reached::Reached;

use crate::{
    cases::Case,
    config::Deployment,
    decide::{Answer, Policy},
    model::Snapshot,
};
use extent::{sample, whole_levels};
use lattice::Point;
use scene::Scene;

/// The states of a deployment.
pub struct States<'d> {
    deployment: &'d Deployment,
    scene: Scene<'d>,
    points: Vec<Point>,
    covered: Covered,
}

impl<'d> States<'d> {
    /// The states of a deployment, with the settings that a schema tells of.
    #[must_use]
    pub fn of(deployment: &'d Deployment, settings_schema: &str, extent: &Extent) -> Self {
        let lattice = extent.lattice(deployment, settings_schema);
        let (points, up_to) = whole_levels(&lattice, extent.most);
        let mut covered = Covered {
            states: points.len(),
            of: lattice.size(),
            up_to,
            sampled: 0,
            seed: extent.seed,
        };
        let mut points = points;
        if let Some(level) = up_to {
            let sampled = sample(&lattice, level, extent.most - points.len(), extent.seed);
            covered.sampled = sampled.len();
            covered.states += sampled.len();
            points.extend(sampled);
        }
        Self { deployment, scene: Scene::new(deployment, lattice), points, covered }
    }

    /// How many there are at most, before any is made.
    #[must_use]
    pub fn whole(deployment: &Deployment, settings_schema: &str, extent: &Extent) -> f64 {
        extent.lattice(deployment, settings_schema).size()
    }

    /// Which they are.
    #[must_use]
    pub fn covered(&self) -> Covered {
        self.covered
    }

    /// Shows what holds of a policy. `progress` is told how many states are done.
    #[must_use]
    pub fn prove(&self, policy: &Policy, progress: &(dyn Fn(usize) + Sync)) -> Proof {
        let examine = |case: &Case| {
            let snapshot = self.scene.snapshot(case);
            let examined = examine(policy, &snapshot, &self.deployment.grants);
            (snapshot, examined)
        };
        let accepted = Accepted::new(policy, self.deployment);
        let mut counts = Counts::default();
        let mut reached = Reached::default();
        let mut first: BTreeMap<Property, (usize, usize)> = BTreeMap::new();
        let seen = self.each(progress, |seen: &mut Seen, index, case| {
            if !accepted.are(&case) {
                return;
            }
            let (snapshot, examined) = examine(&case);
            seen.counts.count(&examined);
            if let Some(answer) = &examined.answer {
                seen.reached.add(&snapshot, answer);
            }
            if let Some(failure) = examined.failure {
                let entry = seen.broken.entry(failure.property).or_insert((0, index));
                *entry = (entry.0 + 1, entry.1.min(index));
            }
        });
        for seen in seen {
            counts.add(&seen.counts);
            reached.merge(seen.reached);
            for (property, (count, index)) in seen.broken {
                let entry = first.entry(property).or_insert((0, index));
                *entry = (entry.0 + count, entry.1.min(index));
            }
        }
        let broken = first.into_iter().filter_map(|(property, (states, index))| {
            let holds_not = |point: &Point| {
                let (_, examined) = examine(&self.scene.case(point));
                examined.failure.filter(|failure| failure.property == property)
            };
            let point = self.shrunk(self.points.get(index)?, &|point| holds_not(point).is_some());
            let case = self.scene.on_its_own(self.scene.case(&point));
            Some((property, Broken { states, failure: holds_not(&point)?, case }))
        });
        Proof { covered: self.covered, counts, broken: broken.collect(), reached }
    }

    /// The states that something is said of, each made smaller while the same is said of it: for each
    /// thing that is said, the smallest state, smallest first, so many at most; and of how many states
    /// anything is said.
    pub fn find(
        &self,
        most: usize,
        progress: &(dyn Fn(usize) + Sync),
        say: &(dyn Fn(&Snapshot) -> Option<String> + Sync),
    ) -> (Vec<Case>, usize) {
        let seen =
            self.each(progress, |seen: &mut (BTreeMap<String, usize>, usize), index, case| {
                if let Some(said) = say(&self.scene.snapshot(&case)) {
                    seen.1 += 1;
                    let first = seen.0.entry(said).or_insert(index);
                    *first = index.min(*first);
                }
            });
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        let mut count = 0;
        for (said, states) in seen {
            count += states;
            for (said, index) in said {
                let known = first.entry(said).or_insert(index);
                *known = index.min(*known);
            }
        }
        let mut first: Vec<(usize, String)> =
            first.into_iter().map(|(said, index)| (index, said)).collect();
        first.sort_unstable();
        let mut smallest: Vec<Point> = Vec::new();
        for (index, said) in first.into_iter().take(most) {
            let Some(point) = self.points.get(index) else { continue };
            let same = |point: &Point| {
                say(&self.scene.snapshot(&self.scene.case(point))).as_ref() == Some(&said)
            };
            smallest.push(self.shrunk(point, &same));
        }
        smallest.sort_by_key(Vec::len);
        let case = |point: &Point| self.scene.on_its_own(self.scene.case(point));
        (smallest.iter().map(case).collect(), count)
    }

    /// The snapshot of a case of these states.
    #[must_use]
    pub fn snapshot(&self, case: &Case) -> Snapshot {
        self.scene.snapshot(case)
    }

    /// What a policy says and does over these states, without proving anything.
    #[must_use]
    pub fn reached(&self, policy: &Policy, progress: &(dyn Fn(usize) + Sync)) -> Reached {
        let seen = self.each(progress, |reached: &mut Reached, _, case| {
            let snapshot = self.scene.snapshot(&case);
            let answer: Option<Answer> = policy.decide(&snapshot).ok();
            answer.iter().for_each(|answer| reached.add(&snapshot, answer));
        });
        seen.into_iter().fold(Reached::default(), |mut all, one| {
            all.merge(one);
            all
        })
    }

    /// Goes through all states, on as many threads as the machine runs at once.
    fn each<T: Default + Send>(
        &self,
        progress: &(dyn Fn(usize) + Sync),
        visit: impl Fn(&mut T, usize, Case) + Sync,
    ) -> Vec<T> {
        /// How many a thread takes at a time.
        const CHUNK: usize = 64;
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let work = || {
            let mut seen = T::default();
            loop {
                let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                let chunk = self.points.iter().enumerate().skip(from).take(CHUNK);
                let mut count = 0;
                for (index, point) in chunk {
                    visit(&mut seen, index, self.scene.case(point));
                    count += 1;
                }
                if count == 0 {
                    break;
                }
                progress(count);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A point within this one for which something is still so, with nothing in it that does not matter.
    fn shrunk(&self, point: &Point, is_so: &dyn Fn(&Point) -> bool) -> Point {
        let mut point = point.clone();
        loop {
            let without = (0..point.len()).map(|gone| {
                let mut fewer = point.clone();
                fewer.remove(gone);
                self.scene.lattice.renamed(&fewer)
            });
            let mut simpler = without.chain(self.scene.lattice.plainer(&point));
            let Some(found) = simpler.find(|simpler| is_so(simpler)) else { break };
            drop(simpler);
            point = found;
        }
        point
    }
}

/// Which settings the policy takes; asked once for each.
struct Accepted<'p> {
    policy: &'p Policy,
    own: serde_json::Value,
    known: Mutex<HashMap<String, bool>>,
}

impl<'p> Accepted<'p> {
    fn new(policy: &'p Policy, deployment: &Deployment) -> Self {
        Self { policy, own: deployment.settings.clone(), known: Mutex::default() }
    }

    fn are(&self, case: &Case) -> bool {
        // Whoever asks for the proof has had the deployment's own looked at.
        if self.own.as_object() == Some(&case.settings) {
            return true;
        }
        let settings = serde_json::Value::Object(case.settings.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = self.policy;
        *known
            .entry(settings.to_string())
            .or_insert_with(|| policy.validate_settings(&settings).is_ok())
    }
}

#[derive(Default)]
struct Seen {
    counts: Counts,
    reached: Reached,
    /// By property: in how many states it does not hold, and the first of them.
    broken: BTreeMap<Property, (usize, usize)>,
}
