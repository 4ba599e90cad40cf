//! The snapshot as a policy reads it: the contract has its strings in one text and spans that point
//! into it, here they are strings again, and nothing is copied.

use crate::{
    Decision, Ranking, Refusal,
    contract::{
        self, ConsumerId, CredentialId, Deed, Fault, Fingerprint, LocationId, LocationKind, Phase,
        ReferenceKind, Span, Standing, Verdict,
    },
};

/// All that a policy knows, with look-ups by name.
#[derive(Debug, Clone)]
pub struct Snapshot(contract::Snapshot);

/// A place that can hold a copy of a credential, and what was seen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location<'s> {
    /// What the decision names it by: its position in the snapshot.
    pub id: LocationId,
    /// Stable name, such as `config.remote-token`.
    pub name: &'s str,
    /// The credential that it can hold.
    pub credential: CredentialId,
    /// What sort of place it is.
    pub kind: LocationKind,
    /// The place in the words of the gateway's operator, such as `gateway.remote.token`.
    pub label: &'s str,
    /// The node it is on; none on the node that observes.
    pub node: Option<&'s str>,
    /// What was seen.
    pub presence: Presence<'s>,
    /// When the secret stops being valid, in seconds since 1970.
    pub expires: Option<u64>,
    /// When the means to renew it stop being valid, in seconds since 1970.
    pub refresh_expires: Option<u64>,
    /// When the place was last changed, in seconds since 1970.
    pub modified: Option<u64>,
    /// Whether the host could write there, grants aside.
    pub writable: bool,
    /// Whether what is written there outlives the process.
    pub durable: bool,
    now: u64,
}

/// What was seen at a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence<'s> {
    /// Nothing: no such key, variable or file.
    Absent,
    /// There, but empty or white space.
    Empty,
    /// A value from the documentation that everybody knows; counts as unset.
    Placeholder,
    /// A secret in clear.
    Plain(Fingerprint),
    /// A reference to a secret that is kept elsewhere.
    Reference(Reference<'s>),
    /// There may be something, but it could not be read.
    Unreadable(Fault),
}

/// A reference that stands where a secret could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'s> {
    /// What sort of thing it names.
    pub kind: ReferenceKind,
    /// What it names: the variable, the path, the id in the store.
    pub target: &'s str,
    /// The secret it leads to today; none where the host could not, or may not, follow it.
    pub resolved: Option<Fingerprint>,
}

/// A program that reads a credential. A program that reads two appears twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consumer<'s> {
    /// What the decision names it by: its position in the snapshot.
    pub id: ConsumerId,
    /// Name of the program, such as `cli`.
    pub name: &'s str,
    /// The credential that it reads.
    pub credential: CredentialId,
    /// The node it runs on; none on the node that observes.
    pub node: Option<&'s str>,
}

/// So few facts are looked through faster than searched.
const FEW: usize = 64;

/// Whether two texts of one length are the same: eight bytes at a time, which a component's own comparison
/// does not do.
fn same(one: &[u8], other: &[u8]) -> bool {
    let (Some(end), Some(other_end)) = (one.last_chunk(), other.last_chunk()) else {
        return one == other;
    };
    let differ =
        |one: &[u8; 8], other: &[u8; 8]| u64::from_ne_bytes(*one) != u64::from_ne_bytes(*other);
    let mut whole = one.as_chunks().0.iter().zip(other.as_chunks().0);
    !whole.any(|(one, other)| differ(one, other)) && !differ(end, other_end)
}

impl<'s> Location<'s> {
    /// The equality class of the secret that a reader would get here: the plain copy, or what the
    /// reference leads to.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self.presence {
            Presence::Plain(fingerprint) => Some(fingerprint),
            Presence::Reference(reference) => reference.resolved,
            _ => None,
        }
    }

    /// The place in the words of the operator; lives as long as the snapshot.
    #[must_use]
    pub fn label(&self) -> &'s str {
        self.label
    }

    /// The place as people speak of it: its label, and the node where that is another one.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.node {
            Some(node) if !self.label.contains(node) => format!("{} on {node}", self.label),
            _ => self.label.to_owned(),
        }
    }

    /// The name under which the location was declared. What the host discovered for itself, such as
    /// a drop-in of a unit, is called `DECLARED@FILE`.
    #[must_use]
    pub fn declared_name(&self) -> &'s str {
        self.name.split('@').next().unwrap_or(self.name)
    }

    /// Whether a secret stands here in clear.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.presence, Presence::Plain(_))
    }

    /// Whether the secret that stands here is no longer valid; the host lets none such be copied.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= self.now)
    }

    /// Whether the secret here may be written elsewhere: it stands in clear and has not expired.
    #[must_use]
    pub fn is_copyable(&self) -> bool {
        self.is_plain() && !self.is_expired()
    }

    /// Whether a secret could be written here, grants aside: the place was read, it can be written,
    /// and no reference stands there.
    #[must_use]
    pub fn can_be_written(&self) -> bool {
        self.writable && !self.is_unreadable() && self.reference().is_none()
    }

    /// Whether this is no place but the new secret of a rotation, `incoming.CREDENTIAL`.
    #[must_use]
    pub fn is_incoming(&self) -> bool {
        self.name.starts_with("incoming.")
    }

    /// Whether a reader finds nothing to use: absent, empty or a placeholder.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        matches!(self.presence, Presence::Absent | Presence::Empty | Presence::Placeholder)
    }

    /// Whether the place could not be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self.presence, Presence::Unreadable(_))
    }

    /// The reference that stands here.
    #[must_use]
    pub fn reference(&self) -> Option<Reference<'s>> {
        match self.presence {
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

    /// The part of the text that a span points at; empty where it points at none.
    fn text(&self, span: Span) -> &str {
        let start = span.offset as usize;
        self.0.text.get(start..start.saturating_add(span.length as usize)).unwrap_or_default()
    }

    /// The same as bytes: what is only compared need not be seen to end between two characters.
    fn bytes(&self, span: Span) -> &[u8] {
        let start = span.offset as usize;
        let end = start.saturating_add(span.length as usize);
        self.0.text.as_bytes().get(start..end).unwrap_or_default()
    }

    /// Whether a span points at this text. Most do not by their length, and policies look for names all the
    /// time.
    fn is(&self, span: Span, text: &str) -> bool {
        span.length as usize == text.len() && same(self.bytes(span), text.as_bytes())
    }

    /// Name of the deployment.
    #[must_use]
    pub fn deployment(&self) -> &str {
        self.text(self.0.deployment)
    }

    /// The deployment's settings for this policy, as JSON text.
    #[must_use]
    pub fn settings(&self) -> &str {
        self.text(self.0.settings)
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

    /// Names of the credentials; what reads or holds one names it by its position.
    pub fn credentials(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.credentials.iter().map(|&name| self.text(name))
    }

    /// The locations, in the order of the deployment.
    pub fn locations(&self) -> impl Iterator<Item = Location<'_>> {
        (0..).zip(&self.0.locations).map(|(id, record)| self.view(id, record))
    }

    fn view<'s>(&'s self, id: LocationId, record: &'s contract::Location) -> Location<'s> {
        Location {
            id,
            name: self.text(record.name),
            credential: record.credential,
            kind: record.kind,
            label: self.text(record.label),
            node: record.node.map(|node| self.text(node)),
            presence: match record.presence {
                contract::Presence::Absent => Presence::Absent,
                contract::Presence::Empty => Presence::Empty,
                contract::Presence::Placeholder => Presence::Placeholder,
                contract::Presence::Plain(fingerprint) => Presence::Plain(fingerprint),
                contract::Presence::Reference(reference) => Presence::Reference(Reference {
                    kind: reference.kind,
                    target: self.text(reference.target),
                    resolved: reference.resolved,
                }),
                contract::Presence::Unreadable(fault) => Presence::Unreadable(fault),
            },
            expires: record.expires,
            refresh_expires: record.refresh_expires,
            modified: record.modified,
            writable: record.writable,
            durable: record.durable,
            now: self.0.now,
        }
    }

    /// The consumers, in the order of the deployment.
    pub fn consumers(&self) -> impl Iterator<Item = Consumer<'_>> {
        (0..).zip(&self.0.consumers).map(|(id, record)| Consumer {
            id,
            name: self.text(record.name),
            credential: record.credential,
            node: record.node.map(|node| self.text(node)),
        })
    }

    /// The consumer with this name that reads this credential.
    #[must_use]
    pub fn consumer_of(&self, name: &str, credential: &str) -> Option<Consumer<'_>> {
        self.consumers().find(|consumer| {
            consumer.name == name && self.credential_name(consumer.credential) == credential
        })
    }

    fn record(&self, id: LocationId) -> Option<&contract::Location> {
        self.0.locations.get(usize::try_from(id).ok()?)
    }

    /// The location with this number.
    #[must_use]
    pub fn location(&self, id: LocationId) -> Option<Location<'_>> {
        Some(self.view(id, self.record(id)?))
    }

    /// The location with this name.
    #[must_use]
    pub fn location_named(&self, name: &str) -> Option<Location<'_>> {
        let mut records = (0..).zip(&self.0.locations);
        let (id, record) = records.find(|(_, record)| self.is(record.name, name))?;
        Some(self.view(id, record))
    }

    /// The location with this name, for a policy that cannot do without it.
    ///
    /// # Errors
    ///
    /// A refusal, `unknown-location`, that says the name: a typing error of the manifest.
    ///
    /// ```
    /// # use precedent_guest::testing::SnapshotBuilder;
    /// let snapshot = SnapshotBuilder::default().plain("vault.token", "new").snapshot();
    /// assert_eq!(snapshot.named("vault.token").unwrap().id, 0);
    /// assert_eq!(snapshot.named("vault.tokn").unwrap_err().code, "unknown-location");
    /// ```
    pub fn named(&self, name: &str) -> Result<Location<'_>, Refusal> {
        self.location_named(name).ok_or_else(|| {
            Refusal::new("unknown-location", format!("the policy needs a location `{name}`"))
        })
    }

    /// The locations of one credential, in the order of the deployment.
    pub fn locations_of(&self, credential: CredentialId) -> impl Iterator<Item = Location<'_>> {
        let records = (0..).zip(&self.0.locations);
        let of_it = records.filter(move |(_, record)| record.credential == credential);
        of_it.map(|(id, record)| self.view(id, record))
    }

    /// The places that can hold a copy of one credential, in the order of the deployment; without the
    /// new secret of a rotation, which stands nowhere yet.
    pub fn copies_of(&self, credential: CredentialId) -> impl Iterator<Item = Location<'_>> {
        self.locations_of(credential).filter(|location| !location.is_incoming())
    }

    /// The new secret of a credential, while it is rotated.
    #[must_use]
    pub fn incoming(&self, credential: CredentialId) -> Option<Location<'_>> {
        self.locations_of(credential).find(Location::is_incoming)
    }

    /// What a consumer reads: the copies that its attribute `reads` names, in that order, with spaces
    /// between them; without the attribute all copies, in the order of the deployment. A name that is
    /// no copy of what it reads is left out.
    ///
    /// ```
    /// # use precedent_guest::{Standing, testing::SnapshotBuilder};
    /// let snapshot = SnapshotBuilder::default()
    ///     .consumer("worker")
    ///     .with("reads", "env.token dotenv.token")
    ///     .plain("dotenv.token", "old")
    ///     .plain("env.token", "new")
    ///     .snapshot();
    /// let worker = snapshot.consumers().next().unwrap();
    /// assert_eq!(snapshot.reads(worker).resolve().reason, "the first that it reads");
    /// assert_eq!(snapshot.today(worker), Standing::Copy(1));
    /// ```
    #[must_use]
    pub fn reads(&self, consumer: Consumer<'_>) -> Ranking<'_> {
        let copies = || self.copies_of(consumer.credential);
        match self.consumer_attribute(consumer, "reads") {
            None => Ranking::of(copies(), "the first copy"),
            Some(names) => {
                let named = names.split_whitespace();
                let places = named.filter_map(|name| copies().find(|copy| copy.name == name));
                Ranking::of(places, "the first that it reads")
            }
        }
    }

    /// What a consumer gets of what it [reads](Self::reads).
    #[must_use]
    pub fn today(&self, consumer: Consumer<'_>) -> Standing {
        self.reads(consumer).resolve().standing
    }

    /// The copy that a consumer gets, if it gets one.
    #[must_use]
    pub fn copy_at(&self, standing: Standing) -> Option<Location<'_>> {
        match standing {
            Standing::Copy(id) => self.location(id),
            _ => None,
        }
    }

    /// What a policy would be shown once what is to be written and removed so far is done: for saying
    /// what will be left. References and new secrets are left out of account.
    ///
    /// ```
    /// # use precedent_guest::{Decision, testing::SnapshotBuilder};
    /// let snapshot =
    ///     SnapshotBuilder::default().plain("file.token", "new").plain("config.token", "old").snapshot();
    /// let mut decision = Decision::default();
    /// let [file, config] = ["file.token", "config.token"].map(|name| snapshot.named(name).unwrap());
    /// decision.write_unless_equal(file, config, "follows the file");
    /// let then = snapshot.after(&decision);
    /// assert!(then.location_named("config.token").unwrap().same_secret(&file));
    /// ```
    #[must_use]
    pub fn after(&self, decision: &Decision) -> Self {
        let mut after = self.clone();
        for action in &decision.actions {
            let (id, presence) = match &action.deed {
                Deed::Write(copy) => (copy.to, self.record(copy.from).map(|from| from.presence)),
                Deed::Remove(id) => (*id, Some(contract::Presence::Absent)),
                _ => continue,
            };
            let place = usize::try_from(id).ok().and_then(|id| after.0.locations.get_mut(id));
            if let (Some(place), Some(presence)) = (place, presence) {
                place.presence = presence;
            }
        }
        after
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
        let name = usize::try_from(id).ok().and_then(|index| self.0.credentials.get(index));
        name.map_or("", |&name| self.text(name))
    }

    /// A fact by its key.
    #[must_use]
    pub fn fact(&self, key: &str) -> Option<&str> {
        let facts = &self.0.facts;
        if facts.len() <= FEW {
            let mut named = facts.iter().filter(|fact| self.is(fact.key, key));
            return named.next().map(|fact| self.text(fact.value));
        }
        // The host sorts them.
        let at = facts.binary_search_by(|fact| self.bytes(fact.key).cmp(key.as_bytes())).ok()?;
        facts.get(at).map(|fact| self.text(fact.value))
    }

    /// An attribute of a consumer.
    #[must_use]
    pub fn consumer_attribute(&self, consumer: Consumer<'_>, key: &str) -> Option<&str> {
        self.attribute(&self.0.consumer_attributes, consumer.id, key)
    }

    /// An attribute of a location.
    #[must_use]
    pub fn location_attribute(&self, location: Location<'_>, key: &str) -> Option<&str> {
        self.attribute(&self.0.location_attributes, location.id, key)
    }

    fn attribute<'s>(
        &'s self,
        list: &'s [contract::Attribute],
        owner: u32,
        key: &str,
    ) -> Option<&'s str> {
        // In the order of their owners.
        let from = list.partition_point(|attribute| attribute.owner < owner);
        let own = list.get(from..)?.iter().take_while(|attribute| attribute.owner == owner);
        let mut named = own.filter(|attribute| self.is(attribute.key, key));
        named.next().map(|attribute| self.text(attribute.value))
    }
}
