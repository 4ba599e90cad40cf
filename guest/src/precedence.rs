//! A ranking of locations: what wins, why, and what would win next.

use crate::{Location, Standing};

/// What happens at a reference that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved {
    /// The reader stops there and fails.
    Fails,
    /// The reader goes on to the next place.
    IsSkipped,
}

/// The places that a program looks at, in its order, each with the words that say so.
///
/// ```
/// # use precedent_guest::{Ranking, Standing, precedence::Unresolved, testing::SnapshotBuilder};
/// let snapshot = SnapshotBuilder::default()
///     .plain("env.token", "new")
///     .plain("config.token", "old")
///     .snapshot();
/// let ranking = Ranking::default()
///     .then(snapshot.location_named("config.token"), "the config comes first")
///     .then(snapshot.location_named("env.token"), "the config has none");
/// let winner = ranking.resolve(Unresolved::Fails);
/// assert_eq!(winner.standing, Standing::Copy(1));
/// assert_eq!(winner.reason, "the config comes first");
/// assert_eq!(winner.next.map(|location| location.id), Some(0));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Ranking<'s> {
    places: Vec<Ranked<'s>>,
}

#[derive(Debug, Clone, Copy)]
struct Ranked<'s> {
    location: Location<'s>,
    reason: &'static str,
    follows_references: bool,
}

impl Ranked<'_> {
    fn has_secret(&self) -> bool {
        let location = self.location;
        location.is_plain()
            || location.is_elsewhere()
            || (self.follows_references && location.fingerprint().is_some())
    }
}

/// What a ranking comes to.
#[derive(Debug, Clone)]
pub struct Winner<'s> {
    /// What the reader gets.
    pub standing: Standing,
    /// The words that came with the place that decided; empty where none did.
    pub reason: &'static str,
    /// What it would get if that place were empty.
    pub next: Option<Location<'s>>,
}

impl<'s> Ranking<'s> {
    /// Adds the next place; one that the deployment does not have is left out.
    #[must_use]
    pub fn then(mut self, location: Option<Location<'s>>, reason: &'static str) -> Self {
        self.places.extend(location.map(|location| Ranked {
            location,
            reason,
            follows_references: true,
        }));
        self
    }

    /// Adds the next place, at which this program cannot follow a reference to a variable, for it
    /// runs without that variable.
    #[must_use]
    pub fn then_without_references(
        mut self,
        location: Option<Location<'s>>,
        reason: &'static str,
    ) -> Self {
        self.places.extend(location.map(|location| Ranked {
            location,
            reason,
            follows_references: false,
        }));
        self
    }

    /// The places in order.
    pub fn places(&self) -> impl Iterator<Item = Location<'s>> {
        self.places.iter().map(|ranked| ranked.location)
    }

    /// Walks the places in order. A place that cannot be read makes the whole invalid: the reader
    /// would stop there.
    #[must_use]
    pub fn resolve(&self, unresolved: Unresolved) -> Winner<'s> {
        let mut decided: Option<(Standing, &'static str)> = None;
        for ranked in &self.places {
            let Ranked { location, reason, .. } = *ranked;
            if location.is_unset() {
                continue;
            }
            let standing = if location.is_unreadable() {
                Standing::Invalid
            } else if ranked.has_secret() {
                Standing::Copy(location.id)
            } else if unresolved == Unresolved::Fails {
                Standing::Unresolved(location.id)
            } else {
                continue;
            };
            match decided {
                None => decided = Some((standing, reason)),
                Some((standing, reason)) => {
                    let next = ranked.has_secret().then_some(location);
                    return Winner { standing, reason, next };
                }
            }
        }
        let (standing, reason) = decided.unwrap_or((Standing::Nothing, ""));
        Winner { standing, reason, next: None }
    }
}
