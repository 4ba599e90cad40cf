//! What a node publishes of itself: what it sees, with the fleet's fingerprints, and no secret.

use std::collections::{BTreeMap, HashMap};

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Send, Space, Store, StoreError,
    kept::told_by,
    signed::{self, Document},
    store::Transaction,
};
use crate::{
    handover::NodeIdentity,
    model::{
        Consumer, CredentialId, Fact, Finding, Location, LocationId, LocationKind, Phase, Place,
        Presence, Reference, Snapshot,
    },
    observe::Observed,
    secret::{Fingerprint, Key, hex},
};

/// What runs here.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a node publishes of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The node.
    pub node: String,
    /// When it looked, in seconds since 1970, by its own clock.
    pub at: u64,
    /// Grows with each report of the node, whatever its clock says: what has a lower one is over.
    pub count: u64,
    /// The version of precedent that runs there.
    pub version: String,
    /// Tells whether the node has the fleet's key for fingerprints.
    pub key: String,
    /// Digest of the policy that it has.
    pub policy: String,
    /// The generation that it follows; 0 for none yet.
    pub generation: u64,
    /// What became of that.
    pub state: NodeState,
    /// What it needs of others, and of whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<(String, Send)>,
    /// What it sees.
    pub seen: Seen,
}

/// What became of a node's assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NodeState {
    /// It has none yet.
    Unassigned,
    /// All is as was decided.
    InOrder,
    /// It was applied, and something is left for a person.
    Drift(String),
    /// It waits for a secret of another node.
    Waiting(String),
    /// The policy says no.
    Refused(String),
    /// Its own grants, or the host's rules, do not allow it.
    Violated(String),
    /// It could not be carried out.
    Failed(String),
}

impl Report {
    /// What a node publishes of what it saw, by the digest of the policy that it has: it follows nothing yet.
    #[must_use]
    pub fn new(node: &str, seen: Seen, key: &Key, policy: &str, at: u64) -> Self {
        Self {
            node: node.to_owned(),
            at,
            count: at,
            version: VERSION.to_owned(),
            key: told_by(key),
            policy: policy.to_owned(),
            generation: 0,
            state: NodeState::Unassigned,
            wants: Vec::new(),
            seen,
        }
    }

    /// Signs it and puts it into the store.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn publish(
        &self,
        store: &dyn Store,
        space: &Space,
        (fleet, identity): (&str, &NodeIdentity),
    ) -> Result<(), StoreError> {
        let text = signed::sign(identity, fleet, self);
        store.commit(Transaction::default().put(space.report(&self.node), text))?;
        Ok(())
    }
}

impl Document for Report {
    const SCHEMA: &'static str = "precedent.fleet-report/1";

    fn author(&self) -> &str {
        &self.node
    }
}

/// What a node sees: a snapshot without what only its own host needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Seen {
    /// Name of the deployment.
    pub deployment: String,
    /// For what the fleet decides.
    pub phase: Phase,
    /// The node's own settings for the policy.
    pub settings: serde_json::Value,
    /// Names of the credentials.
    pub credentials: Vec<String>,
    /// The copies that it sees.
    pub locations: Vec<SeenLocation>,
    /// Who reads what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<Consumer>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Option<String>>,
    /// What its host itself has to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A copy that a node sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SeenLocation {
    /// Its name.
    pub name: String,
    /// Position of its credential in `credentials`.
    pub credential: CredentialId,
    /// What sort of place it is.
    pub kind: LocationKind,
    /// The place in the operator's words.
    pub label: String,
    /// The machine or platform it is on; none on the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What was seen, with the fleet's fingerprints.
    pub presence: Presence,
    /// When the secret stops being valid, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// When what renews it stops being valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires: Option<u64>,
    /// When the place was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<u64>,
    /// Whether the node could write there.
    pub writable: bool,
    /// Whether what is written there outlives the process.
    pub durable: bool,
    /// More about it, for the policy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Each fingerprint of a node's own, and what the fleet knows it as.
pub(super) struct Fingerprints {
    to_fleet: HashMap<Fingerprint, Fingerprint>,
    to_own: HashMap<Fingerprint, Fingerprint>,
}

impl Fingerprints {
    /// Those of what was seen: the secrets are at hand.
    pub(super) fn of(observed: &Observed, fleet: &Key) -> Self {
        let (mut to_fleet, mut to_own) = (HashMap::new(), HashMap::new());
        for (index, location) in observed.snapshot.locations.iter().enumerate() {
            let secret = observed.vault.secret_at(LocationId::from_index(index));
            if let (Some(own), Some(secret)) = (location.presence.fingerprint(), secret) {
                let known = fleet.fingerprint(secret.expose_secret());
                to_fleet.insert(own, known);
                to_own.insert(known, own);
            }
        }
        Self { to_fleet, to_own }
    }

    /// What the fleet knows a fingerprint of this node's as. Of what is shown as a digest alone there is no
    /// secret; it gets a fingerprint that equals nobody else's.
    fn known(&self, own: Fingerprint, fleet: &Key) -> Fingerprint {
        let known = self.to_fleet.get(&own).copied();
        known.unwrap_or_else(|| fleet.fingerprint(&format!("of one node alone: {}", hex(&own.0))))
    }

    /// What this node knows a fingerprint of the fleet's as. Of what it does not have it gets one that equals
    /// none of its own.
    pub(super) fn own(&self, known: Fingerprint, key: &Key) -> Fingerprint {
        let own = self.to_own.get(&known).copied();
        own.unwrap_or_else(|| key.fingerprint(&format!("of another node: {}", hex(&known.0))))
    }
}

/// The same with another fingerprint for each.
pub(super) fn translated(presence: &Presence, of: impl Fn(Fingerprint) -> Fingerprint) -> Presence {
    match presence {
        Presence::Plain(fingerprint) => Presence::Plain(of(*fingerprint)),
        Presence::Reference(reference) => Presence::Reference(Reference {
            resolved: reference.resolved.map(of),
            ..reference.clone()
        }),
        other => other.clone(),
    }
}

impl Seen {
    /// What a node may publish of what it saw, with the fleet's key for fingerprints.
    #[must_use]
    pub fn of(observed: &Observed, fleet: &Key) -> Self {
        let fingerprints = Fingerprints::of(observed, fleet);
        let Snapshot { deployment, phase, settings, credentials, consumers, .. } =
            &observed.snapshot;
        let seen = |location: &Location| SeenLocation {
            name: location.name.clone(),
            credential: location.credential,
            kind: location.kind,
            label: location.label.clone(),
            node: location.node.clone(),
            presence: translated(&location.presence, |own| fingerprints.known(own, fleet)),
            expires: location.expires,
            refresh_expires: location.refresh_expires,
            modified: location.modified,
            writable: location.writable,
            durable: location.durable,
            attributes: location.attributes.clone(),
        };
        let facts = observed.snapshot.facts.iter();
        Self {
            deployment: deployment.clone(),
            phase: *phase,
            settings: settings.clone(),
            credentials: credentials.clone(),
            locations: observed.snapshot.locations.iter().map(seen).collect(),
            consumers: consumers.clone(),
            facts: facts.map(|(key, fact)| (key.clone(), fact.value.clone())).collect(),
            findings: observed.snapshot.findings.clone(),
        }
    }

    /// The snapshot that a policy is shown of it: nothing can be written from it.
    pub(super) fn snapshot(&self, now: u64, settings: serde_json::Value) -> Snapshot {
        let fact = |value: &Option<String>| Fact { value: value.clone(), place: None };
        Snapshot {
            deployment: self.deployment.clone(),
            phase: self.phase,
            now,
            settings,
            credentials: self.credentials.clone(),
            locations: self.locations.iter().map(SeenLocation::location).collect(),
            consumers: self.consumers.clone(),
            facts: self.facts.iter().map(|(key, value)| (key.clone(), fact(value))).collect(),
            files: Vec::new(),
            findings: self.findings.clone(),
        }
    }

    /// Name of the credential of a location.
    pub(super) fn credential(&self, location: &SeenLocation) -> &str {
        self.credentials.get(location.credential.index()).map_or("", String::as_str)
    }

    /// Tells two apart.
    pub(super) fn digest(&self) -> String {
        digest(self)
    }
}

impl SeenLocation {
    /// The location that a policy is shown of it.
    pub(super) fn location(&self) -> Location {
        Location {
            name: self.name.clone(),
            credential: self.credential,
            kind: self.kind,
            label: self.label.clone(),
            node: self.node.clone(),
            presence: self.presence.clone(),
            expires: self.expires,
            refresh_expires: self.refresh_expires,
            expiry: None,
            shown: None,
            modified: self.modified,
            writable: self.writable,
            durable: self.durable,
            place: Place::Argument,
            attributes: self.attributes.clone(),
        }
    }
}

/// SHA-256 of a value as JSON, in 32 digits: tells two apart.
pub(super) fn digest(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    hex(&Sha256::digest(text)).chars().take(32).collect()
}
