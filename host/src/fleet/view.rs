//! What a node is shown of the others: their copies of its credentials.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    Hand, Report,
    report::{Fingerprints, SeenLocation, digest, translated},
};
use crate::{
    model::{CredentialId, Location, LocationId, Presence, Snapshot},
    observe::Observed,
    secret::{Fingerprint, Key},
};

/// The most copies of one credential that a node is shown: copies that no policy could tell apart are shown
/// once, and of more the ones that it has too, then the ones that last longest.
const MOST: usize = 8;

/// A copy of another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Foreign {
    /// The node.
    pub node: String,
    /// Name of the credential.
    pub credential: String,
    /// The copy, as that node sees it.
    pub copy: SeenLocation,
}

impl Foreign {
    /// What it is called where it is shown.
    #[must_use]
    pub fn name(&self) -> String {
        format!("fleet@{}/{}", self.node, self.copy.name)
    }

    fn location(&self, credential: CredentialId, presence: Presence) -> Location {
        Location {
            name: self.name(),
            credential,
            label: format!("{} on {}", self.copy.label, self.node),
            node: Some(self.node.clone()),
            presence,
            writable: false,
            ..self.copy.location()
        }
    }
}

/// The copies of all nodes, by credential: the ones worth being shown first.
#[derive(Debug, Default)]
pub(super) struct Copies {
    by_credential: HashMap<String, Vec<Foreign>>,
}

impl Copies {
    /// Those of all reports. A node speaks for itself alone: what it says of others is passed over.
    pub(super) fn of<'r>(reports: impl Iterator<Item = &'r Report>) -> Self {
        let mut by_credential: HashMap<String, Vec<Foreign>> = HashMap::new();
        for report in reports {
            let own = report.seen.locations.iter().filter(|copy| copy.node.is_none());
            for copy in own.filter(|copy| copy.presence.fingerprint().is_some()) {
                let credential = report.seen.credential(copy).to_owned();
                let foreign = Foreign {
                    node: report.node.clone(),
                    credential: credential.clone(),
                    copy: copy.clone(),
                };
                by_credential.entry(credential).or_default().push(foreign);
            }
        }
        for copies in by_credential.values_mut() {
            copies.sort_by_cached_key(|one| {
                (
                    Reverse(one.copy.expires.unwrap_or(u64::MAX)),
                    one.node.clone(),
                    one.copy.name.clone(),
                )
            });
        }
        Self { by_credential }
    }

    /// What a node is shown.
    pub(super) fn for_node(&self, report: &Report) -> Vec<Foreign> {
        let own = report.seen.locations.iter().filter_map(|copy| copy.presence.fingerprint());
        let own: HashSet<Fingerprint> = own.collect();
        let mut view = Vec::new();
        for credential in &report.seen.credentials {
            let all = self.by_credential.get(credential).into_iter().flatten();
            let mut others: Vec<&Foreign> = all.filter(|one| one.node != report.node).collect();
            // Stable, so that the order among equals stays.
            others.sort_by_key(|one| {
                !one.copy.presence.fingerprint().is_some_and(|f| own.contains(&f))
            });
            let mut told_apart = HashSet::new();
            let others =
                others.into_iter().filter(|one| told_apart.insert(as_policies_see(&one.copy)));
            view.extend(others.take(MOST).cloned());
        }
        view
    }
}

/// What a policy could tell a copy by, but for its name and node.
fn as_policies_see(copy: &SeenLocation) -> String {
    digest(&(&copy.presence, copy.expires, copy.refresh_expires, copy.durable, &copy.attributes))
}

/// Shows a snapshot the copies of others, as the elected node does: all fingerprints are the fleet's.
pub(super) fn show(snapshot: &mut Snapshot, view: &[Foreign]) {
    let ids = credentials(&snapshot.credentials);
    for one in view {
        if let Some(id) = ids.get(&one.credential) {
            snapshot.locations.push(one.location(*id, one.copy.presence.clone()));
        }
    }
}

/// Shows what this node saw the copies of others: fingerprints become this node's own, and secrets that came
/// of them are at hand.
pub(super) fn merge(
    observed: &mut Observed,
    key: &Key,
    fleet: &Key,
    view: &[Foreign],
    hand: &Hand,
) {
    let fingerprints = Fingerprints::of(observed, fleet);
    let ids = credentials(&observed.snapshot.credentials);
    for one in view {
        let Some(id) = ids.get(&one.credential) else { continue };
        let secret = one.copy.presence.fingerprint().and_then(|known| hand.secret(known));
        let of = |known| match secret {
            Some(secret) => key.fingerprint(secret.expose_secret()),
            None => fingerprints.own(known, key),
        };
        let location = LocationId::from_index(observed.snapshot.locations.len());
        let presence = translated(&one.copy.presence, of);
        observed.snapshot.locations.push(one.location(*id, presence));
        if let Some(secret) = secret {
            observed.vault.insert(location, SecretString::clone(secret));
        }
    }
}

fn credentials(names: &[String]) -> BTreeMap<String, CredentialId> {
    let ids = names.iter().enumerate();
    ids.map(|(index, name)| (name.clone(), CredentialId::from_index(index))).collect()
}
