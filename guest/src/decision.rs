//! The decision as a policy builds it.

use crate::{
    Location, Standing,
    contract::{
        self, Action, Alert, ConsumerId, Deed, Fact, Finding, LocationId, Mint, Severity, Transfer,
        Verdict,
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
}

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
    /// left alone, and so are a place that could not be read and one that cannot be written.
    /// Returns whether there was something to do.
    pub fn write_unless_equal(
        &mut self,
        from: Location<'_>,
        to: Location<'_>,
        reason: impl Into<String>,
    ) -> bool {
        let wanted = from.is_plain()
            && from.id != to.id
            && to.writable
            && !to.is_unreadable()
            && to.reference().is_none()
            && !to.same_secret(&from);
        if wanted {
            self.act(Deed::Write(Transfer { from: from.id, to: to.id }), reason);
        }
        wanted
    }

    /// Writes into `to` a reference to `from`.
    pub fn refer(&mut self, from: Location<'_>, to: Location<'_>, reason: impl Into<String>) {
        self.act(Deed::Refer(Transfer { from: from.id, to: to.id }), reason);
    }

    /// Removes a copy.
    pub fn remove(&mut self, location: Location<'_>, reason: impl Into<String>) {
        self.act(Deed::Remove(location.id), reason);
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
        self.act(Deed::SetFact(Fact { key: key.into(), value: value.into() }), reason);
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
        Self { verdicts: decision.verdicts, actions: decision.actions, findings: decision.findings }
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

impl From<Option<Location<'_>>> for Standing {
    fn from(location: Option<Location<'_>>) -> Self {
        location.map_or(Self::Nothing, |location| Self::Copy(location.id))
    }
}
