//! A ranking of locations: what wins, why, and what would win next.

use crate::{Location, Standing};

/// The places that a program looks at, in its order, each with the words that say so.
///
/// ```
/// # use precedent_guest::{Ranking, Standing, testing::SnapshotBuilder};
/// let snapshot = SnapshotBuilder::default()
///     .plain("env.token", "new")
///     .plain("config.token", "old")
///     .snapshot();
/// let ranking = Ranking::default()
///     .then(snapshot.location_named("config.token"), "the config comes first")
///     .then(snapshot.location_named("env.token"), "the config has none");
/// let winner = ranking.resolve();
/// assert_eq!(winner.standing, Standing::Copy(1));
/// assert_eq!(winner.reason, "the config comes first");
/// assert_eq!(winner.next.map(|location| location.id), Some(0));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Ranking<'s> {
    places: Vec<Ranked<'s>>,
}

/// One place that a program looks at, for those who put an order together place by place: see
/// [`Winner::of`].
#[derive(Debug, Clone, Copy)]
pub struct Ranked<'s> {
    location: Location<'s>,
    reason: &'static str,
    follows: Follows,
    stops_at_unresolved: bool,
}

/// Which references the program follows at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    All,
    AllButVariables,
    None,
}

impl<'s> Ranked<'s> {
    /// A place, with the words that say why it is looked at. At a reference that leads nowhere the program
    /// stops and fails, unless it [skips](Self::skipping_unresolved) it.
    #[must_use]
    pub fn new(location: Location<'s>, reason: &'static str) -> Self {
        Self { location, reason, follows: Follows::All, stops_at_unresolved: true }
    }

    /// The program goes on to the next where a reference leads nowhere.
    #[must_use]
    pub fn skipping_unresolved(self) -> Self {
        Self { stops_at_unresolved: false, ..self }
    }

    /// The program cannot follow a reference to a variable, for it runs without that variable.
    #[must_use]
    pub fn without_variables(self) -> Self {
        match self.follows {
            Follows::All => Self { follows: Follows::AllButVariables, ..self },
            _ => self,
        }
    }

    /// The program takes no notice of a reference.
    #[must_use]
    pub fn without_references(self) -> Self {
        Self { follows: Follows::None, stops_at_unresolved: false, ..self }
    }

    fn has_secret(&self) -> bool {
        let location = self.location;
        location.is_plain()
            || match self.follows {
                Follows::All => location.is_elsewhere() || location.fingerprint().is_some(),
                Follows::AllButVariables => location.is_elsewhere(),
                Follows::None => false,
            }
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
    /// These places in their order, with the same words for each.
    #[must_use]
    pub fn of(locations: impl IntoIterator<Item = Location<'s>>, reason: &'static str) -> Self {
        locations
            .into_iter()
            .fold(Self::default(), |all, location| all.then(Some(location), reason))
    }

    /// Adds the next place; one that the deployment does not have is left out. At a reference that
    /// leads nowhere the program stops and fails, unless it [skips](Self::skipping_unresolved) it.
    #[must_use]
    pub fn then(mut self, location: Option<Location<'s>>, reason: &'static str) -> Self {
        self.places.extend(location.map(|location| Ranked::new(location, reason)));
        self
    }

    /// Adds the places of another ranking after these.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        self.places.extend(other.places);
        self
    }

    /// At the places that were added so far, the program goes on to the next where a reference leads
    /// nowhere.
    #[must_use]
    pub fn skipping_unresolved(mut self) -> Self {
        self.places.iter_mut().for_each(|ranked| *ranked = ranked.skipping_unresolved());
        self
    }

    /// At the places that were added so far, the program cannot follow a reference to a variable, for
    /// it runs without that variable.
    #[must_use]
    pub fn without_variables(mut self) -> Self {
        self.places.iter_mut().for_each(|ranked| *ranked = ranked.without_variables());
        self
    }

    /// At the places that were added so far, the program takes no notice of references.
    #[must_use]
    pub fn without_references(mut self) -> Self {
        self.places.iter_mut().for_each(|ranked| *ranked = ranked.without_references());
        self
    }

    /// The place at which nobody here knows what the program gets: the first that holds something, where
    /// that could not be read. For programs elsewhere, which read their own places well enough.
    ///
    /// ```
    /// # use precedent_guest::{Fault, Presence, Ranking, testing::SnapshotBuilder};
    /// let snapshot = SnapshotBuilder::default()
    ///     .absent("config.token")
    ///     .location("railway.token", Presence::Unreadable(Fault::TimedOut))
    ///     .snapshot();
    /// let ranking = Ranking::of(snapshot.locations(), "the first copy");
    /// assert_eq!(ranking.unknown().unwrap().name, "railway.token");
    /// ```
    #[must_use]
    pub fn unknown(&self) -> Option<Location<'s>> {
        let mut held = self.places.iter().filter(|ranked| !ranked.location.is_unset());
        held.next().map(|ranked| ranked.location).filter(Location::is_unreadable)
    }

    /// Walks the places in order. A place that cannot be read makes the whole invalid: the reader
    /// would stop there.
    #[must_use]
    pub fn resolve(&self) -> Winner<'s> {
        Winner::of(self.places.iter().copied())
    }
}

impl<'s> Winner<'s> {
    /// What wins of places in their order, looked at one by one as far as need be. A place that cannot be
    /// read makes the whole invalid: the reader would stop there.
    #[must_use]
    pub fn of(places: impl IntoIterator<Item = Ranked<'s>>) -> Self {
        let mut decided: Option<(Standing, &'static str)> = None;
        for ranked in places {
            let Ranked { location, reason, .. } = ranked;
            if location.is_unset() {
                continue;
            }
            let standing = if location.is_unreadable() {
                Standing::Invalid
            } else if ranked.has_secret() {
                Standing::Copy(location.id)
            } else if ranked.stops_at_unresolved {
                Standing::Unresolved(location.id)
            } else {
                continue;
            };
            match decided {
                None => decided = Some((standing, reason)),
                Some((standing, reason)) => {
                    let next = ranked.has_secret().then_some(location);
                    return Self { standing, reason, next };
                }
            }
        }
        let (standing, reason) = decided.unwrap_or((Standing::Nothing, ""));
        Self { standing, reason, next: None }
    }
}
