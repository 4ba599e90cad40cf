//! The decision as a policy builds it.

use std::collections::BTreeSet;

use crate::{
    Location, Standing,
    contract::{
        self, Action, Alert, ConsumerId, Deed, FactChange, Finding, LocationId, Mint, Refusal,
        Severity, Transfer, Verdict,
    },
};

/// A decision under construction: verdicts, actions and findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// One for each consumer.
    pub verdicts: Vec<Verdict>,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// What the operator should know.
    pub findings: Vec<Finding>,
    written: Written,
}

/// The writes among the actions, as far as they were looked through.
#[derive(Debug, Clone, Default)]
struct Written {
    known: BTreeSet<(LocationId, LocationId)>,
    looked_through: usize,
}

/// What was looked up says nothing about the decision.
impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}

/// So few actions are looked through faster than looked up.
const FEW: usize = 32;

impl Decision {
    /// Says what a consumer uses today, which copy should win, and why.
    pub fn verdict(
        &mut self,
        consumer: ConsumerId,
        today: Standing,
        wanted: Option<LocationId>,
        reason: impl Into<String>,
    ) -> &mut Verdict {
        self.verdicts.push_mut(Verdict {
            consumer,
            today,
            wanted,
            reason: reason.into(),
            next: None,
        })
    }

    /// Writes the secret at `from` into `to`, unless that secret is there already. A reference is
    /// left alone, and so are a place that could not be read and one that cannot be written; and a
    /// secret that has expired goes nowhere. Saying it twice is saying it once.
    /// Returns whether there was something to do.
    pub fn write_unless_equal(
        &mut self,
        from: Location<'_>,
        to: Location<'_>,
        reason: impl Into<String>,
    ) -> bool {
        let wanted =
            from.is_copyable() && from.id != to.id && to.can_be_written() && !to.same_secret(&from);
        if wanted && !self.writes(from.id, to.id) {
            self.act(Deed::Write(Transfer { from: from.id, to: to.id }), reason);
        }
        wanted
    }

    fn writes(&mut self, from: LocationId, to: LocationId) -> bool {
        let write = |action: &Action| match &action.deed {
            Deed::Write(known) => Some((known.from, known.to)),
            _ => None,
        };
        if self.actions.len() <= FEW {
            return self.actions.iter().filter_map(write).any(|known| known == (from, to));
        }
        let new = self.actions.get(self.written.looked_through..).unwrap_or_default();
        self.written.known.extend(new.iter().filter_map(write));
        self.written.looked_through = self.actions.len();
        self.written.known.contains(&(from, to))
    }

    /// Writes the secret at `from` into each of the copies that has another, or none, and gives back
    /// those that stay so: no write is possible there.
    ///
    /// ```
    /// # use precedent_guest::{Decision, testing::SnapshotBuilder};
    /// let snapshot = SnapshotBuilder::default()
    ///     .plain("file.token", "new")
    ///     .plain("config.token", "old")
    ///     .plain("env.token", "old")
    ///     .snapshot();
    /// let mut decision = Decision::default();
    /// let file = snapshot.location_named("file.token").unwrap();
    /// let left = decision.write_to_all(file, snapshot.copies_of(0), "follows the file");
    /// assert_eq!(decision.actions.len(), 1);
    /// assert_eq!(left[0].name, "env.token");
    /// ```
    pub fn write_to_all<'s>(
        &mut self,
        from: Location<'_>,
        copies: impl IntoIterator<Item = Location<'s>>,
        reason: &str,
    ) -> Vec<Location<'s>> {
        let differs = |to: &Location<'s>| to.id != from.id && !to.same_secret(&from);
        let mut left: Vec<Location<'s>> = copies.into_iter().filter(differs).collect();
        left.retain(|to| !self.write_unless_equal(from, *to, reason));
        left
    }

    /// Writes into `to` a reference to `from`.
    pub fn refer(&mut self, from: Location<'_>, to: Location<'_>, reason: impl Into<String>) {
        self.act(Deed::Refer(Transfer { from: from.id, to: to.id }), reason);
    }

    /// Removes a copy.
    pub fn remove(&mut self, location: Location<'_>, reason: impl Into<String>) {
        self.act(Deed::Remove(location.id), reason);
    }

    /// Removes a copy that stands there in clear, if the place can be written.
    /// Returns whether there was something to do.
    pub fn remove_if_plain(&mut self, location: Location<'_>, reason: impl Into<String>) -> bool {
        let wanted = location.is_plain() && location.can_be_written();
        if wanted {
            self.remove(location, reason);
        }
        wanted
    }

    /// Makes a new secret and writes it.
    pub fn mint(&mut self, to: Location<'_>, reason: impl Into<String>) {
        self.act(Deed::Mint(Mint { credential: to.credential, to: to.id }), reason);
    }

    /// Changes a fact.
    pub fn set_fact(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.act(Deed::SetFact(FactChange { key: key.into(), value: value.into() }), reason);
    }

    /// Restarts a consumer.
    pub fn restart(&mut self, consumer: ConsumerId, reason: impl Into<String>) {
        self.act(Deed::Restart(consumer), reason);
    }

    /// Tells whoever watches the deployment.
    pub fn alert(
        &mut self,
        severity: Severity,
        message: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.act(Deed::Alert(Alert { severity, message: message.into() }), reason);
    }

    /// Adds an action.
    pub fn act(&mut self, deed: Deed, reason: impl Into<String>) {
        self.actions.push(Action { deed, reason: reason.into() });
    }

    /// Adds a finding; give it locations and a remedy on what is returned.
    pub fn finding(
        &mut self,
        severity: Severity,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.findings.push_mut(Finding {
            code: code.into(),
            severity,
            message: message.into(),
            remedy: None,
            locations: Vec::new(),
        })
    }

    /// The contract's record.
    #[must_use]
    pub fn into_contract(self) -> contract::Decision {
        contract::Decision {
            verdicts: self.verdicts,
            actions: self.actions,
            findings: self.findings,
        }
    }
}

impl From<contract::Decision> for Decision {
    fn from(decision: contract::Decision) -> Self {
        Self {
            verdicts: decision.verdicts,
            actions: decision.actions,
            findings: decision.findings,
            written: Written::default(),
        }
    }
}

impl Finding {
    /// Names the locations that it speaks of.
    pub fn at<'s>(&mut self, locations: impl IntoIterator<Item = Location<'s>>) -> &mut Self {
        self.locations.extend(locations.into_iter().map(|location| location.id));
        self
    }

    /// Says what mends it.
    pub fn remedy(&mut self, remedy: impl Into<String>) -> &mut Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl Refusal {
    /// Says no, with a stable word for scripts and a sentence for someone in trouble.
    ///
    /// ```
    /// # use precedent_guest::{Answer, Refusal};
    /// let answer: Answer = Err(Refusal::new("no-source", "no location is called vault.token"));
    /// # assert!(answer.is_err());
    /// ```
    pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: code.into(), reason: reason.into(), remedy: None, locations: Vec::new() }
    }
}

impl From<Option<Location<'_>>> for Standing {
    fn from(location: Option<Location<'_>>) -> Self {
        location.map_or(Self::Nothing, |location| Self::Copy(location.id))
    }
}
