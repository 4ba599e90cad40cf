//! What renews a login, where two nodes have the same: it may serve only once.

use std::collections::BTreeMap;

use precedent_guest::{Decision, Location, Severity, Snapshot, contract::CredentialId};

use crate::Settings;

/// Says which logins of this node another one renews by the same token, unless one node is named that does.
pub(crate) fn shared(snapshot: &Snapshot, settings: &Settings, decision: &mut Decision) {
    if settings.refresher.is_some() {
        return;
    }
    let single = |at: &Location<'_>| snapshot.location_attribute(*at, "single-use") == Some("yes");
    let mut found: BTreeMap<CredentialId, Vec<Location<'_>>> = BTreeMap::new();
    for own in snapshot.locations().filter(|at| at.node.is_none() && single(at)) {
        let elsewhere = snapshot.copies_of(own.credential).filter(|at| at.node.is_some());
        let same: Vec<Location<'_>> = elsewhere.filter(|at| at.same_secret(&own)).collect();
        if !same.is_empty() {
            let known = found.entry(own.credential).or_default();
            let all = std::iter::once(own).chain(same);
            all.for_each(|at| {
                if !known.iter().any(|seen| seen.id == at.id) {
                    known.push(at)
                }
            });
        }
    }
    for places in found.into_values() {
        let names: Vec<String> = places.iter().map(Location::in_words).collect();
        let message = format!(
            "{} is the same token, which may serve only once: the first node that renews ends the login of the others",
            names.join(", ")
        );
        decision.finding(Severity::Warning, "refresh-token-shared", message).at(places).remedy(
            "log in on each node for itself, or name the one that renews in the setting `refresher`",
        );
    }
}
