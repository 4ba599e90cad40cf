//! What a node is shown of the others: their copies of its credentials.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
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

/// The most copies of one credential that a node is shown beside those of the same places: copies that no policy
/// could tell apart are shown once, and of more the ones that it has too, then the ones that last longest.
const MOST: usize = 8;
/// The most copies of one place, such as the login of one agent, that a node is shown.
const OF_ONE_PLACE: usize = 2;

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

/// The copies of all nodes, by credential: so few of each that a node is shown its own in no time.
#[derive(Debug, Default)]
pub(super) struct Copies {
    by_credential: HashMap<String, OfCredential>,
}

/// Those of one credential.
#[derive(Debug, Default)]
struct OfCredential {
    /// The ones that last longest, and enough of them for a node to which its own are not shown.
    best: Vec<Foreign>,
    /// Those of each secret, on some nodes.
    by_secret: HashMap<Fingerprint, Vec<Foreign>>,
    /// Those of each place by its name, on the nodes on which they last longest.
    by_place: HashMap<String, Vec<Foreign>>,
}

/// How many copies of one credential a node has shown to others: it must not crowd out the rest.
const OF_ONE_NODE: usize = 2;

/// Takes copies that policies could tell apart, and few of each node.
#[derive(Default)]
struct Chosen<'c> {
    copies: Vec<&'c Foreign>,
    told_apart: HashSet<String>,
    of_node: HashMap<&'c str, usize>,
}

impl<'c> Chosen<'c> {
    /// Takes one of the same place; whether it is not there already.
    fn take_of_place(&mut self, one: &'c Foreign) -> bool {
        let is_new = self.told_apart.insert(as_policies_see(&one.copy));
        if is_new {
            self.copies.push(one);
        }
        is_new
    }

    /// Takes one of any place, if its node has not enough already; whether it did.
    fn take(&mut self, one: &'c Foreign) -> bool {
        let count = self.of_node.get(one.node.as_str()).copied().unwrap_or_default();
        let is_taken = count < OF_ONE_NODE && self.take_of_place(one);
        if is_taken {
            self.of_node.insert(&one.node, count + 1);
        }
        is_taken
    }
}

impl Copies {
    /// Those of all reports. A node speaks for itself alone: what it says of others is passed over.
    pub(super) fn of<'r>(reports: impl Iterator<Item = &'r Report>) -> Self {
        let mut all: HashMap<&str, Vec<(&Report, &SeenLocation)>> = HashMap::new();
        for report in reports {
            let own = report.seen.locations.iter().filter(|copy| copy.node.is_none());
            for copy in own.filter(|copy| copy.presence.fingerprint().is_some()) {
                all.entry(report.seen.credential(copy)).or_default().push((report, copy));
            }
        }
        let sorted = all.into_iter().map(|(credential, mut copies)| {
            copies.sort_by_key(|(report, copy)| {
                (Reverse(copy.expires.unwrap_or(u64::MAX)), &report.node, &copy.name)
            });
            (credential.to_owned(), OfCredential::of(credential, &copies))
        });
        Self { by_credential: sorted.collect() }
    }

    /// What a node is shown.
    pub(super) fn for_node(&self, report: &Report) -> Vec<Foreign> {
        let own = report.seen.locations.iter().filter_map(|copy| copy.presence.fingerprint());
        let own: BTreeSet<Fingerprint> = own.collect();
        let mut view = Vec::new();
        for credential in &report.seen.credentials {
            let Some(copies) = self.by_credential.get(credential) else { continue };
            let too = own.iter().filter_map(|secret| copies.by_secret.get(secret)).flatten();
            let is_other = |one: &&Foreign| one.node != report.node;
            let mut chosen = Chosen::default();
            for place in report.seen.locations.iter().filter(|place| place.node.is_none()) {
                let same = copies.by_place.get(&place.name).into_iter().flatten().filter(is_other);
                same.take(OF_ONE_PLACE).for_each(|one| {
                    chosen.take_of_place(one);
                });
            }
            let mut left = MOST;
            for one in too.chain(&copies.best).filter(is_other) {
                if left == 0 {
                    break;
                }
                left -= usize::from(chosen.take(one));
            }
            view.extend(chosen.copies.into_iter().cloned());
        }
        view
    }
}

impl OfCredential {
    /// Of all copies, the one that lasts longest first.
    fn of(credential: &str, sorted: &[(&Report, &SeenLocation)]) -> Self {
        let mut all = Self::default();
        // A copy that is its own is not shown to a node: so of each that could be told apart, two nodes'.
        let mut of_each: HashMap<String, usize> = HashMap::new();
        let mut of_node: HashMap<&str, usize> = HashMap::new();
        for (report, copy) in sorted {
            let foreign = || Foreign {
                node: report.node.clone(),
                credential: credential.to_owned(),
                copy: (*copy).clone(),
            };
            if let Some(secret) = copy.presence.fingerprint() {
                let known = all.by_secret.entry(secret).or_default();
                if known.len() < OF_ONE_NODE && known.iter().all(|one| one.node != report.node) {
                    known.push(foreign());
                }
            }
            let same = all.by_place.entry(copy.name.clone()).or_default();
            // One more than is shown: a node's own is not shown to it.
            if same.len() <= OF_ONE_PLACE && same.iter().all(|one| one.node != report.node) {
                same.push(foreign());
            }
            let count = of_node.entry(report.node.as_str()).or_default();
            if all.best.len() < 4 * MOST && *count < OF_ONE_NODE {
                let same = of_each.entry(as_policies_see(copy)).or_default();
                if *same < OF_ONE_NODE {
                    (*same, *count) = (*same + 1, *count + 1);
                    all.best.push(foreign());
                }
            }
        }
        all
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
