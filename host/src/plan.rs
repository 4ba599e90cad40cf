//! The exact edits that a decision comes to. Pure, and without a secret.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    check::Checked,
    config::{ReferenceForm, Syntax},
    model::{
        Deed, FileId, FileStatus, LocationId, Place, Pointer, Presence, Reference, ReferenceKind,
        Severity, Snapshot, Standing, Verdict,
    },
    secret::{Digest, Fingerprint},
};

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// Writes a secret that stands elsewhere.
    Write,
    /// Writes a reference.
    Refer,
    /// Removes a copy.
    Remove,
    /// Writes a new secret.
    Mint,
    /// Changes a fact.
    SetFact,
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it does.
    pub action: ChangeKind,
    /// The location that the secret comes from, or that the reference names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The location, or the fact, that changes.
    pub to: String,
    /// The file and the place in it.
    pub target: String,
    /// The new value of a fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the write does to what runs, such as a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// When the secret that is written stops being valid, in seconds since 1970; it is written beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Why.
    pub reason: String,
    /// The file that changes.
    #[serde(skip)]
    pub path: PathBuf,
    #[serde(skip)]
    pub(crate) edit: ChangeEdit,
}

impl Change {
    /// What changes, as in `env.token -> config.token`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match &self.from {
            Some(from) => format!("{from} -> {}", self.to),
            None => self.to.clone(),
        }
    }

    /// The place in the file, as a person writes it; none for a whole file.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match &self.edit.place {
            Place::Pointer { pointer, .. } => Some(pointer.dotted()),
            _ => None,
        }
    }
}

/// What apply does for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeEdit {
    pub(crate) place: Place,
    pub(crate) new: NewContent,
    pub(crate) location: Option<LocationId>,
    pub(crate) expiry: Option<NewExpiry>,
}

/// The time that a secret takes along to where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewExpiry {
    /// Where in the document.
    pub(crate) pointer: Pointer,
    /// In seconds since 1970; none where it has no end.
    pub(crate) at: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NewContent {
    SecretOf(LocationId),
    Minted,
    ReferenceTo(String),
    Value(String),
    Nothing,
}

impl NewContent {
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self, Self::SecretOf(_) | Self::Minted)
    }
}

/// A step that is the operator's: the host restarts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// Restart a consumer.
    Restart {
        /// The consumer.
        consumer: String,
        /// Why.
        reason: String,
    },
    /// Tell whoever watches.
    Alert {
        /// How much it matters.
        severity: Severity,
        /// What to say.
        message: String,
    },
}

/// A file that changes, and what it must still be when it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The file.
    pub(crate) path: PathBuf,
    /// Keyed digest of the bytes that were planned on.
    pub(crate) digest: Digest,
    #[serde(skip)]
    pub(crate) file: FileId,
    #[serde(skip)]
    pub(crate) syntax: Option<Syntax>,
    #[serde(skip)]
    pub(crate) reference: Option<ReferenceForm>,
    /// The gateway's own lock on it.
    #[serde(skip)]
    pub(crate) lock: Option<PathBuf>,
}

/// The exact edits that a decision comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub(crate) changes: Vec<Change>,
    pub(crate) steps: Vec<Step>,
    pub(crate) targets: Vec<Target>,
}

impl Plan {
    /// The edits, in the order of the decision.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What is left to the operator.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The files that change, and what each must still be when it does.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The plan with its first changes only: as far as a run came that was stopped.
    #[cfg(feature = "cases")]
    #[doc(hidden)]
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let mut plan = self.clone();
        plan.changes.truncate(count);
        let changes = |target: &Target| {
            plan.changes.iter().any(|change| change.edit.place.file() == Some(target.file))
        };
        plan.targets = plan.targets.iter().filter(|target| changes(target)).cloned().collect();
        plan
    }

    /// Whether no file changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Plans. What is as it should be already is no change.
#[must_use]
pub fn plan(checked: &Checked<'_>) -> Plan {
    let snapshot = checked.snapshot();
    let mut plan = Plan::default();
    let mut targets: BTreeMap<FileId, Target> = BTreeMap::new();
    for action in &checked.decision().actions {
        let edit = match &action.deed {
            Deed::Restart(id) => {
                if let Some(consumer) = snapshot.consumers.get(id.index()) {
                    plan.steps.push(Step::Restart {
                        consumer: consumer.name.clone(),
                        reason: action.reason.clone(),
                    });
                }
                continue;
            }
            Deed::Alert { severity, message } => {
                plan.steps.push(Step::Alert { severity: *severity, message: message.clone() });
                continue;
            }
            deed => edit_for(snapshot, deed),
        };
        let Some(planned) = edit.filter(|planned| planned.is_needed(snapshot)) else {
            continue;
        };
        // Another name of a place that changes already; `check` saw to it that both say the same.
        if plan.changes.iter().any(|change| change.edit.place == planned.edit.place) {
            continue;
        }
        let file = planned.edit.place.file().and_then(|id| Some((id, snapshot.file(id)?)));
        if let Some((id, file)) = file
            && let FileStatus::Present(digest) = &file.status
        {
            targets.entry(id).or_insert_with(|| Target {
                path: file.path.clone(),
                digest: digest.clone(),
                file: id,
                syntax: file.syntax,
                reference: file.reference,
                lock: file.lock.clone(),
            });
        }
        plan.changes.push(Change {
            action: planned.kind,
            from: planned.from.map(|id| snapshot.name_of(id)),
            to: planned.to,
            target: in_words(snapshot, &planned.edit.place),
            value: match &planned.edit.new {
                NewContent::Value(value) => Some(value.clone()),
                _ => None,
            },
            effect: planned
                .edit
                .location
                .and_then(|id| snapshot.location(id)?.attributes.get("on-write").cloned()),
            expires: planned.edit.expiry.as_ref().and_then(|expiry| expiry.at),
            path: file.map(|(_, file)| file.path.clone()).unwrap_or_default(),
            reason: action.reason.clone(),
            edit: planned.edit,
        });
    }
    plan.targets = targets.into_values().collect();
    plan
}

/// The actions that would change nothing.
#[cfg(feature = "cases")]
pub(crate) fn needless<'c>(checked: &'c Checked<'_>) -> Vec<&'c crate::model::Action> {
    let snapshot = checked.snapshot();
    let is_needless = |action: &&crate::model::Action| {
        edit_for(snapshot, &action.deed).is_some_and(|planned| !planned.is_needed(snapshot))
    };
    checked.decision().actions.iter().filter(is_needless).collect()
}

struct Planned {
    kind: ChangeKind,
    from: Option<LocationId>,
    to: String,
    edit: ChangeEdit,
}

impl Planned {
    fn is_needed(&self, snapshot: &Snapshot) -> bool {
        let Some(now) = self.edit.location.and_then(|id| snapshot.location(id)) else {
            let fact = snapshot.facts.get(&self.to).and_then(|fact| fact.value.as_ref());
            return !matches!(&self.edit.new, NewContent::Value(new) if Some(new) == fact);
        };
        match (&self.edit.new, &now.presence) {
            (NewContent::SecretOf(from), Presence::Plain(there)) => {
                snapshot.location(*from).and_then(|from| from.presence.fingerprint())
                    != Some(*there)
            }
            (NewContent::ReferenceTo(variable), Presence::Reference(there)) => {
                there.kind != ReferenceKind::Environment || there.target != *variable
            }
            (NewContent::Nothing, Presence::Absent) => false,
            // A whole file is emptied, not deleted.
            (NewContent::Nothing, Presence::Empty) => !matches!(self.edit.place, Place::File(_)),
            _ => true,
        }
    }
}

fn edit_for(snapshot: &Snapshot, deed: &Deed) -> Option<Planned> {
    let (kind, from, to, new) = match deed {
        Deed::Write { from, to } => {
            (ChangeKind::Write, Some(*from), *to, NewContent::SecretOf(*from))
        }
        Deed::Refer { from, to } => {
            let Place::Variable(variable) = &snapshot.location(*from)?.place else {
                return None;
            };
            (ChangeKind::Refer, Some(*from), *to, NewContent::ReferenceTo(variable.clone()))
        }
        Deed::Remove(id) => (ChangeKind::Remove, None, *id, NewContent::Nothing),
        Deed::Mint { to, .. } => (ChangeKind::Mint, None, *to, NewContent::Minted),
        Deed::SetFact { key, value } => {
            return Some(Planned {
                kind: ChangeKind::SetFact,
                from: None,
                to: key.clone(),
                edit: ChangeEdit {
                    place: snapshot.facts.get(key)?.place.clone()?,
                    new: NewContent::Value(value.clone()),
                    location: None,
                    expiry: None,
                },
            });
        }
        // `check` refuses what the host cannot do; the rest is no edit.
        Deed::Refresh(_) | Deed::Restart(_) | Deed::Alert { .. } => return None,
    };
    let location = snapshot.location(to)?;
    let expiry = from.filter(|_| kind == ChangeKind::Write).and_then(|from| {
        let (pointer, at) = (location.expiry.clone()?, snapshot.location(from)?.expires);
        // Where neither says, there is nothing to write, nor to remove.
        (at.is_some() || location.expires.is_some()).then_some(NewExpiry { pointer, at })
    });
    Some(Planned {
        kind,
        from,
        to: location.name.clone(),
        edit: ChangeEdit { place: location.place.clone(), new, location: Some(to), expiry },
    })
}

fn in_words(snapshot: &Snapshot, place: &Place) -> String {
    let path = |id: &FileId| {
        snapshot.file(*id).map(|file| file.path.display().to_string()).unwrap_or_default()
    };
    match place {
        Place::Variable(name) => format!("${name}"),
        Place::Argument => "what the caller hands over".to_owned(),
        Place::Pointer { file, pointer } => format!("{}#{pointer}", path(file)),
        Place::File(file) => path(file),
        Place::Command(command) => command.clone(),
    }
}

/// The snapshot as it would be after a plan, for deciding again without writing. A minted secret
/// gets a fingerprint of its own.
#[must_use]
pub fn after(snapshot: &Snapshot, plan: &Plan) -> Snapshot {
    let mut after = snapshot.clone();
    for (index, change) in plan.changes.iter().enumerate() {
        let secret_of = |id: &LocationId| snapshot.location(*id)?.presence.fingerprint();
        let presence = match &change.edit.new {
            NewContent::SecretOf(from) => secret_of(from).map(Presence::Plain),
            NewContent::Minted => Some(Presence::Plain(minted(index))),
            NewContent::ReferenceTo(variable) => Some(Presence::Reference(Reference {
                kind: ReferenceKind::Environment,
                target: variable.clone(),
                resolved: snapshot
                    .locations
                    .iter()
                    .find(|l| l.place == Place::Variable(variable.clone()))
                    .and_then(|l| l.presence.fingerprint()),
            })),
            NewContent::Nothing => Some(match change.edit.place {
                Place::File(_) => Presence::Empty,
                _ => Presence::Absent,
            }),
            NewContent::Value(value) => {
                if let Some(fact) = after.facts.get_mut(&change.to) {
                    fact.value = Some(value.clone());
                }
                None
            }
        };
        let Some(presence) = presence.filter(|_| change.edit.location.is_some()) else { continue };
        // One place may have two names.
        for location in after.locations.iter_mut().filter(|l| l.place == change.edit.place) {
            location.presence = presence.clone();
            if let Some(expiry) = &change.edit.expiry {
                location.expires = expiry.at;
            }
        }
    }
    after
}

/// A fingerprint that no keyed hash has but by an accident of one in 2^127.
fn minted(index: usize) -> Fingerprint {
    let mut bytes = [0xff; 16];
    bytes.iter_mut().zip(index.to_le_bytes()).for_each(|(to, from)| *to = from);
    Fingerprint(bytes)
}

/// Whether a consumer would today get another secret than the decision wants, none where it wants
/// one, or fail. Two copies of one secret are no drift, and neither is a secret that is not known
/// here.
#[must_use]
pub fn drifts(snapshot: &Snapshot, verdict: &Verdict) -> bool {
    let presence = |id: LocationId| snapshot.location(id).map(|location| &location.presence);
    let secret = |id: LocationId| presence(id)?.fingerprint();
    match (verdict.today, verdict.wanted) {
        (Standing::Unresolved(_) | Standing::Invalid, _) => true,
        (_, None) => false,
        (Standing::Copy(today), Some(_)) if presence(today).is_some_and(Presence::is_elsewhere) => {
            false
        }
        (Standing::Copy(today), Some(wanted)) => secret(today) != secret(wanted),
        (Standing::Nothing | Standing::Generated, Some(_)) => true,
    }
}
