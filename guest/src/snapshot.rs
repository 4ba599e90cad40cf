//! The snapshot as a policy reads it.

use crate::contract::{
    self, ConsumerId, CredentialId, Fingerprint, LocationId, Phase, Presence, Reference,
    ReferenceKind, Standing, Verdict,
};

/// All that a policy knows, with look-ups by name.
#[derive(Debug, Clone)]
pub struct Snapshot(contract::Snapshot);

/// A location with its position in the snapshot. Dereferences to the contract's record.
#[derive(Debug, Clone, Copy)]
pub struct Location<'s> {
    /// What the decision names it by.
    pub id: LocationId,
    record: &'s contract::Location,
}

/// A consumer with its position in the snapshot. Dereferences to the contract's record.
#[derive(Debug, Clone, Copy)]
pub struct Consumer<'s> {
    /// What the decision names it by.
    pub id: ConsumerId,
    record: &'s contract::Consumer,
}

impl std::ops::Deref for Location<'_> {
    type Target = contract::Location;

    fn deref(&self) -> &Self::Target {
        self.record
    }
}

impl std::ops::Deref for Consumer<'_> {
    type Target = contract::Consumer;

    fn deref(&self) -> &Self::Target {
        self.record
    }
}

impl<'s> Location<'s> {
    /// The equality class of the secret that a reader would get here: the plain copy, or what the
    /// reference leads to.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.record.presence {
            Presence::Plain(fingerprint) => Some(*fingerprint),
            Presence::Reference(reference) => reference.resolved,
            _ => None,
        }
    }

    /// The place in the words of the operator; lives as long as the snapshot.
    #[must_use]
    pub fn label(&self) -> &'s str {
        &self.record.label
    }

    /// The name under which the location was declared. What the host discovered for itself, such as
    /// a drop-in of a unit, is called `DECLARED@FILE`.
    #[must_use]
    pub fn declared_name(&self) -> &'s str {
        self.record.name.split('@').next().unwrap_or(&self.record.name)
    }

    /// Whether a secret stands here in clear.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.record.presence, Presence::Plain(_))
    }

    /// Whether a reader finds nothing to use: absent, empty or a placeholder.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        matches!(self.record.presence, Presence::Absent | Presence::Empty | Presence::Placeholder)
    }

    /// Whether the place could not be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self.record.presence, Presence::Unreadable(_))
    }

    /// The reference that stands here.
    #[must_use]
    pub fn reference(&self) -> Option<&'s Reference> {
        match &self.record.presence {
            Presence::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// Whether a reference stands here that the host may not follow, to a file, a command or a
    /// store: a reader gets a secret, but which one is not known.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.reference().is_some_and(|reference| {
            reference.resolved.is_none() && reference.kind != ReferenceKind::Environment
        })
    }

    /// Whether both hold the same secret; false where either holds none.
    #[must_use]
    pub fn same_secret(&self, other: &Location<'_>) -> bool {
        self.fingerprint().is_some() && self.fingerprint() == other.fingerprint()
    }
}

impl Snapshot {
    /// Wraps the contract's record.
    #[must_use]
    pub fn new(record: contract::Snapshot) -> Self {
        Self(record)
    }

    /// Name of the deployment.
    #[must_use]
    pub fn deployment(&self) -> &str {
        &self.0.deployment
    }

    /// Why the host asks.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// When the host observed, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.now
    }

    /// The locations, in the order of the deployment.
    pub fn locations(&self) -> impl Iterator<Item = Location<'_>> {
        (0..).zip(&self.0.locations).map(|(id, record)| Location { id, record })
    }

    /// The consumers, in the order of the deployment.
    pub fn consumers(&self) -> impl Iterator<Item = Consumer<'_>> {
        (0..).zip(&self.0.consumers).map(|(id, record)| Consumer { id, record })
    }

    /// The consumer with this name that reads this credential.
    #[must_use]
    pub fn consumer_of(&self, name: &str, credential: &str) -> Option<Consumer<'_>> {
        self.consumers().find(|consumer| {
            consumer.name == name && self.credential_name(consumer.credential) == credential
        })
    }

    /// The location with this number.
    #[must_use]
    pub fn location(&self, id: LocationId) -> Option<Location<'_>> {
        let record = self.0.locations.get(usize::try_from(id).ok()?)?;
        Some(Location { id, record })
    }

    /// The location with this name.
    #[must_use]
    pub fn location_named(&self, name: &str) -> Option<Location<'_>> {
        self.locations().find(|location| location.name == name)
    }

    /// The locations of one credential, in the order of the deployment.
    pub fn locations_of(&self, credential: CredentialId) -> impl Iterator<Item = Location<'_>> {
        self.locations().filter(move |location| location.credential == credential)
    }

    /// The first location at which a reader finds a secret.
    #[must_use]
    pub fn first_present<'s>(
        &self,
        locations: impl IntoIterator<Item = Location<'s>>,
    ) -> Option<Location<'s>> {
        locations.into_iter().find(|location| location.fingerprint().is_some())
    }

    /// Whether a consumer would today get another secret than the verdict wants, none where it wants
    /// one, or fail. A secret that is not known is no drift. The host counts alike.
    ///
    /// ```
    /// # use precedent_guest::{Decision, Standing, testing::SnapshotBuilder};
    /// let snapshot =
    ///     SnapshotBuilder::default().consumer("cli").plain("a", "x").plain("b", "y").snapshot();
    /// let mut decision = Decision::default();
    /// let verdict = decision.verdict(0, Standing::Copy(0), Some(1), "b wins");
    /// assert!(snapshot.drifts(verdict));
    /// ```
    #[must_use]
    pub fn drifts(&self, verdict: &Verdict) -> bool {
        let secret = |id| self.location(id).and_then(|location| location.fingerprint());
        let elsewhere = |id| self.location(id).is_some_and(|location| location.is_elsewhere());
        match (verdict.today, verdict.wanted) {
            (Standing::Unresolved(_) | Standing::Invalid, _) => true,
            (_, None) => false,
            (Standing::Copy(today), Some(_)) if elsewhere(today) => false,
            (Standing::Copy(today), Some(wanted)) => secret(today) != secret(wanted),
            (Standing::Nothing | Standing::Generated, Some(_)) => true,
        }
    }

    /// Name of a credential.
    #[must_use]
    pub fn credential_name(&self, id: CredentialId) -> &str {
        usize::try_from(id)
            .ok()
            .and_then(|index| self.0.credentials.get(index))
            .map_or("", String::as_str)
    }

    /// A fact by its key.
    #[must_use]
    pub fn fact(&self, key: &str) -> Option<&str> {
        self.0.facts.iter().find(|fact| fact.key == key).map(|fact| fact.value.as_str())
    }

    /// An attribute of a consumer.
    #[must_use]
    pub fn consumer_attribute(&self, consumer: Consumer<'_>, key: &str) -> Option<&str> {
        attribute(&self.0.consumer_attributes, consumer.id, key)
    }

    /// An attribute of a location.
    #[must_use]
    pub fn location_attribute(&self, location: Location<'_>, key: &str) -> Option<&str> {
        attribute(&self.0.location_attributes, location.id, key)
    }
}

fn attribute<'s>(list: &'s [contract::Attribute], owner: u32, key: &str) -> Option<&'s str> {
    list.iter()
        .find(|attribute| attribute.owner == owner && attribute.key == key)
        .map(|attribute| attribute.value.as_str())
}
