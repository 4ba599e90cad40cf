//! The host's own rules. A decision that breaks one is refused whole, and nothing is written.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    config::Grants,
    model::{
        ConsumerId, Decision, Deed, FileStatus, Location, LocationId, Place, Presence, Snapshot,
        Standing, declared_name,
    },
    secret::Fingerprint,
};

/// A decision that keeps the host's rules. Only [`check`] makes one.
#[derive(Debug)]
pub struct Checked<'s> {
    snapshot: &'s Snapshot,
    decision: Decision,
}

impl Checked<'_> {
    /// The snapshot that was decided on.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        self.snapshot
    }

    /// The decision.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Gives the decision back, for showing it.
    #[must_use]
    pub fn into_decision(self) -> Decision {
        self.decision
    }
}

/// A host rule that a decision breaks.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Violation {
    /// Stable word for scripts, such as `not-granted`.
    pub rule: Cow<'static, str>,
    /// What the policy wanted and why it may not.
    pub message: String,
}

/// The host rules that a decision breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy's decision breaks {} of the host's rules: {}", .0.len(), .0.iter().map(|v| v.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Violations(pub Vec<Violation>);

/// Checks a decision against the host's rules.
///
/// # Errors
///
/// All rules that it breaks.
pub fn check<'s>(
    snapshot: &'s Snapshot,
    decision: Decision,
    grants: &Grants,
) -> Result<Checked<'s>, Violations> {
    match broken(snapshot, &decision, grants) {
        Some(violations) => Err(violations),
        None => Ok(Checked { snapshot, decision }),
    }
}

/// All rules that a decision breaks, if it breaks any.
pub(crate) fn broken(
    snapshot: &Snapshot,
    decision: &Decision,
    grants: &Grants,
) -> Option<Violations> {
    let mut checker = Checker { snapshot, grants, found: Vec::new(), targets: Vec::new() };
    checker.verdicts(decision);
    for finding in &decision.findings {
        checker.known(&finding.locations, "a finding");
    }
    for action in &decision.actions {
        checker.deed(&action.deed);
    }
    (!checker.found.is_empty()).then_some(Violations(checker.found))
}

/// What a place becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Secret(Fingerprint),
    Nothing,
}

struct Checker<'c> {
    snapshot: &'c Snapshot,
    grants: &'c Grants,
    found: Vec<Violation>,
    targets: Vec<(&'c Place, Option<Becomes>)>,
}

impl<'c> Checker<'c> {
    fn break_rule(&mut self, rule: &'static str, message: String) {
        self.found.push(Violation { rule: rule.into(), message });
    }

    fn known(&mut self, ids: &[LocationId], what: &str) {
        for id in ids {
            if self.snapshot.location(*id).is_none() {
                self.break_rule(
                    "unknown-location",
                    format!("{what} names location {}, which does not exist", id.0),
                );
            }
        }
    }

    fn verdicts(&mut self, decision: &Decision) {
        let mut judged = HashSet::new();
        for verdict in &decision.verdicts {
            let Some(consumer) = self.snapshot.consumers.get(verdict.consumer.index()) else {
                self.break_rule(
                    "unknown-consumer",
                    format!(
                        "a verdict is for consumer {}, which does not exist",
                        verdict.consumer.0
                    ),
                );
                continue;
            };
            if !judged.insert(verdict.consumer) {
                self.break_rule("verdict-twice", format!("{} has two verdicts", consumer.name));
            }
            let today = match verdict.today {
                Standing::Copy(id) | Standing::Unresolved(id) => Some(id),
                _ => None,
            };
            for id in [today, verdict.wanted, verdict.next].into_iter().flatten() {
                match self.snapshot.location(id) {
                    None => self.known(&[id], &format!("the verdict of {}", consumer.name)),
                    Some(location) if location.credential != consumer.credential => {
                        self.break_rule(
                            "other-credential",
                            format!(
                                "the verdict of {} on {} names {}, which holds {}",
                                consumer.name,
                                self.snapshot.credential(consumer.credential),
                                location.name,
                                self.snapshot.credential(location.credential)
                            ),
                        );
                    }
                    Some(_) => {}
                }
            }
        }
        for (index, consumer) in self.snapshot.consumers.iter().enumerate() {
            if !judged.contains(&ConsumerId::from_index(index)) {
                let credential = self.snapshot.credential(consumer.credential);
                let message = format!("{} has no verdict on {credential}", consumer.name);
                self.break_rule("verdict-missing", message);
            }
        }
    }

    fn deed(&mut self, deed: &Deed) {
        match deed {
            Deed::Write { from, to } => {
                let grants = &self.grants.write;
                let (Some(from), Some(to)) = self.both(*from, *to, "write") else { return };
                self.source(from);
                let becomes = from.presence.fingerprint().map(Becomes::Secret);
                self.target(to, "write", grants.contains(declared_name(&to.name)), becomes);
            }
            Deed::Refer { from, to } => {
                let grants = &self.grants.refer;
                let (Some(from), Some(to)) = self.both(*from, *to, "refer") else { return };
                self.referable(from, to);
                self.target(to, "refer", grants.contains(declared_name(&to.name)), None);
            }
            Deed::Remove(id) => {
                if let Some(location) = self.location(*id, "remove") {
                    if matches!(location.place, Place::Command(_)) {
                        let name = &location.name;
                        self.break_rule(
                            "unsupported",
                            format!("remove {name}: this host cannot remove what a program writes"),
                        );
                    }
                    let granted = self.grants.remove.contains(declared_name(&location.name));
                    self.target(location, "remove", granted, Some(Becomes::Nothing));
                }
            }
            Deed::Mint { credential, to } => {
                let Some(location) = self.location(*to, "mint") else { return };
                if location.credential != *credential {
                    self.break_rule(
                        "other-credential",
                        format!("mint would put another credential into {}", location.name),
                    );
                }
                let granted = self.grants.mint.contains(declared_name(&location.name));
                self.target(location, "mint", granted, None);
            }
            Deed::Refresh(id) => {
                if let Some(location) = self.location(*id, "refresh") {
                    let name = location.name.clone();
                    self.break_rule(
                        "unsupported",
                        format!("refresh {name}: this host cannot renew a secret at such a place"),
                    );
                }
            }
            Deed::SetFact { key, .. } => self.fact(key),
            Deed::Restart(id) => {
                if self.snapshot.consumers.get(id.index()).is_none() {
                    self.break_rule(
                        "unknown-consumer",
                        format!("restart names consumer {}, which does not exist", id.0),
                    );
                }
            }
            Deed::Alert { .. } => {}
        }
    }

    fn location(&mut self, id: LocationId, what: &str) -> Option<&'c Location> {
        self.known(&[id], what);
        self.snapshot.location(id)
    }

    fn both(
        &mut self,
        from: LocationId,
        to: LocationId,
        what: &str,
    ) -> (Option<&'c Location>, Option<&'c Location>) {
        let (source, target) = (self.location(from, what), self.location(to, what));
        if let (Some(source), Some(target)) = (source, target)
            && source.credential != target.credential
        {
            self.break_rule(
                "other-credential",
                format!(
                    "{what} {} -> {} would put {} where {} belongs",
                    source.name,
                    target.name,
                    self.snapshot.credential(source.credential),
                    self.snapshot.credential(target.credential)
                ),
            );
        }
        (source, target)
    }

    fn source(&mut self, from: &Location) {
        if !matches!(from.presence, Presence::Plain(_)) {
            self.break_rule(
                "source-unusable",
                format!("write from {}: no secret stands there in clear", from.name),
            );
        }
        if from.expires.is_some_and(|expires| expires <= self.snapshot.now) {
            self.break_rule(
                "source-expired",
                format!("write from {}: the secret there has expired", from.name),
            );
        }
    }

    fn referable(&mut self, from: &Location, to: &Location) {
        if !matches!(from.place, Place::Variable(_)) {
            self.break_rule(
                "reference-unsupported",
                format!("refer to {}: only an environment variable can be referred to", from.name),
            );
        }
        let form = to.place.file().and_then(|file| self.snapshot.file(file)?.reference);
        if form.is_none() {
            self.break_rule(
                "reference-unsupported",
                format!("refer into {}: its readers know no form of reference", to.name),
            );
        }
    }

    /// What holds for every place that changes.
    fn target(
        &mut self,
        location: &'c Location,
        what: &str,
        granted: bool,
        becomes: Option<Becomes>,
    ) {
        let name = &location.name;
        if !granted {
            self.break_rule("not-granted", format!("{what} {name}: no grant covers it"));
        }
        self.once(&location.place, name, becomes);
        let parses = location
            .place
            .file()
            .and_then(|file| self.snapshot.file(file))
            .is_none_or(|file| matches!(file.status, FileStatus::Present(_)));
        if matches!(location.presence, Presence::Unreadable(_)) || !parses {
            self.break_rule(
                "target-unreadable",
                format!("{what} {name}: what stands there cannot be read, so it is not written"),
            );
        } else if !location.writable {
            self.break_rule("target-read-only", format!("{what} {name}: it cannot be written"));
        }
        if matches!(location.presence, Presence::Reference(_))
            && !self.grants.replace_references.contains(declared_name(name))
        {
            self.break_rule(
                "reference-replaced",
                format!(
                    "{what} {name}: a reference stands there, and no grant lets it be replaced"
                ),
            );
        }
    }

    /// Two changes of one place have no order that would make sense, unless both come to the same:
    /// two locations may be one place, by a link or by a name.
    fn once(&mut self, place: &'c Place, name: &str, becomes: Option<Becomes>) {
        let clashes = self.targets.iter().any(|(known, what)| match *known == place {
            true => becomes.is_none() || *what != becomes,
            // What stands within another place goes with it.
            false => overlap(known, place),
        });
        if clashes {
            self.break_rule("target-twice", format!("{name} would be changed twice"));
        }
        self.targets.push((place, becomes));
    }

    fn fact(&mut self, key: &str) {
        let place = self.snapshot.facts.get(key).and_then(|fact| fact.place.as_ref());
        if let Some(place) = place {
            self.once(place, key, None);
            // A grant of a fact is none of a secret, nor of what stands in its place.
            let secret = self.snapshot.locations.iter().find(|l| overlap(&l.place, place));
            if let Some(Location { name, .. }) = secret {
                self.break_rule("not-granted", format!("set {key}: {name} has its place there"));
            }
        }
        let writable = place
            .filter(|place| matches!(place, Place::Pointer { .. }))
            .and_then(|place| self.snapshot.file(place.file()?))
            .is_some_and(|file| file.writable && matches!(file.status, FileStatus::Present(_)));
        if !self.grants.set_facts.contains(key) {
            self.break_rule("not-granted", format!("set {key}: no grant covers it"));
        }
        if !writable {
            self.break_rule(
                "target-read-only",
                format!("set {key}: it is no plain value in a document that can be written"),
            );
        }
    }
}

/// Whether one place is the other, or within it.
fn overlap(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Pointer { file, pointer }, Place::Pointer { file: other_file, pointer: other }) => {
            let (one, other) = (pointer.steps(), other.steps());
            file == other_file && (one.starts_with(other) || other.starts_with(one))
        }
        (Place::File(whole), other) | (other, Place::File(whole)) => other.file() == Some(*whole),
        _ => one == other,
    }
}
