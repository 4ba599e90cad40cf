//! Any snapshot, grants and decision.
//!
//! What the host itself makes is as the host makes it: one place holds one thing however many locations
//! name it, and only what is in a file can be written. What the policy says is anything at all.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};

use crate::{
    config::{Grants, ReferenceForm, Syntax},
    model::{
        Action, Consumer, ConsumerId, CredentialId, Decision, Deed, Fact, Fault, FileId, FileState,
        FileStatus, Finding, Location, LocationId, LocationKind, Phase, Place, Pointer, Presence,
        Reference, ReferenceKind, Severity, Snapshot, Standing, Verdict, declared_name,
    },
    secret::{Fingerprint, Key},
};

/// What a decision is checked in.
pub(super) struct Scene {
    pub(super) snapshot: Snapshot,
    pub(super) grants: Grants,
    pub(super) decision: Decision,
}

pub(super) const NOW: u64 = 1000;

/// A snapshot of nothing.
pub(super) fn empty() -> Snapshot {
    Snapshot {
        deployment: "any".to_owned(),
        phase: Phase::Check,
        now: NOW,
        settings: serde_json::json!({}),
        credentials: Vec::new(),
        locations: Vec::new(),
        consumers: Vec::new(),
        facts: BTreeMap::new(),
        files: Vec::new(),
        findings: Vec::new(),
    }
}

impl Scene {
    pub(super) fn any(u: &mut Unstructured<'_>) -> Result<Self> {
        // How rare it is that something is amiss: where it is not, nothing would ever pass.
        let calm = *u.choose(&[1, 24, 48])?;
        let snapshot = snapshot(u, calm)?;
        let grants = grants(u, &snapshot, calm)?;
        let decision = decision(u, &snapshot, calm)?;
        Ok(Self { snapshot, grants, decision })
    }
}

/// True once in so many; false where no bytes are left.
fn rarely(u: &mut Unstructured<'_>, once_in: u32) -> Result<bool> {
    Ok(!u.ratio(once_in - 1, once_in)?)
}

fn snapshot(u: &mut Unstructured<'_>, calm: u32) -> Result<Snapshot> {
    let mut snapshot = empty();
    let credentials = u.int_in_range(1..=2)?;
    snapshot.credentials = (0..credentials).map(|index| format!("credential-{index}")).collect();
    for index in 0..u.int_in_range(1..=3)? {
        snapshot.files.push(file(u, index, calm)?);
    }
    let mut seen: Vec<(Place, (Presence, bool))> = Vec::new();
    for index in 0..u.int_in_range(0..=6)? {
        let place = place(u, snapshot.files.len())?;
        let known = seen.iter().find(|(known, _)| *known == place);
        let (presence, writable) = match known {
            Some((_, what)) => what.clone(),
            None => {
                let what = (presence(u, calm)?, place.file().is_some() && !rarely(u, 8 * calm)?);
                seen.push((place.clone(), what.clone()));
                what
            }
        };
        snapshot.locations.push(Location {
            name: match u.ratio(1, 6)? {
                true => format!("location-{}@10-token.conf", index / 2),
                false => format!("location-{index}"),
            },
            credential: CredentialId(u.int_in_range(0..=credentials - 1)?),
            kind: LocationKind::Document,
            label: "label".to_owned(),
            node: None,
            presence,
            expires: *u.choose(&[None, None, Some(NOW - 1), Some(NOW), Some(NOW + 1)])?,
            refresh_expires: None,
            expiry: None,
            shown: None,
            modified: None,
            writable,
            durable: place.file().is_some(),
            place,
            attributes: BTreeMap::new(),
        });
    }
    for index in 0..u.int_in_range(0..=3)? {
        snapshot.consumers.push(Consumer {
            name: format!("consumer-{index}"),
            credential: CredentialId(u.int_in_range(0..=credentials - 1)?),
            node: None,
            attributes: BTreeMap::new(),
        });
    }
    for index in 0..u.int_in_range(0..=2)? {
        let place = if u.ratio(3, 4)? { Some(place(u, snapshot.files.len())?) } else { None };
        let value = u.choose(&[None, Some("off"), Some("on")])?.map(ToOwned::to_owned);
        snapshot.facts.insert(format!("fact-{index}"), Fact { value, place });
    }
    Ok(snapshot)
}

fn file(u: &mut Unstructured<'_>, index: usize, calm: u32) -> Result<FileState> {
    let bytes: [u8; 2] = u.arbitrary()?;
    Ok(FileState {
        path: format!("/any/file-{index}").into(),
        status: match (rarely(u, 4 * calm)?, u.arbitrary()?) {
            (false, _) => FileStatus::Present(Key::new([1; 32]).digest(&bytes)),
            (true, true) => FileStatus::Absent,
            (true, false) => FileStatus::Unreadable(Fault::Syntax),
        },
        writable: !rarely(u, 6 * calm)?,
        syntax: *u.choose(&[
            None,
            Some(Syntax::Json5),
            Some(Syntax::Unit),
            Some(Syntax::Dotenv),
        ])?,
        reference: *u.choose(&[
            None,
            Some(ReferenceForm::SecretRef),
            Some(ReferenceForm::Variable),
        ])?,
        lock: None,
    })
}

fn place(u: &mut Unstructured<'_>, files: usize) -> Result<Place> {
    let index = u.choose_index(files)?;
    let file = FileId::from_index(index);
    Ok(match u.int_in_range(0..=9)? {
        0 => Place::Argument,
        1 | 2 => Place::Variable((*u.choose(&["TOKEN", "PASSWORD"])?).to_owned()),
        3 => Place::File(file),
        _ => {
            let text = *u.choose(&["/a", "/b", "/a/c", "/a/d"])?;
            Place::Pointer { file, pointer: Pointer::parse(text).expect("a pointer") }
        }
    })
}

fn fingerprint(u: &mut Unstructured<'_>) -> Result<Fingerprint> {
    Ok(Fingerprint([u.int_in_range(0xa0..=0xa3)?; 16]))
}

fn presence(u: &mut Unstructured<'_>, calm: u32) -> Result<Presence> {
    if rarely(u, 10 * calm)? {
        return Ok(Presence::Unreadable(Fault::WrongType));
    }
    Ok(match u.int_in_range(0..=11)? {
        0 => Presence::Absent,
        1 => Presence::Empty,
        2 => Presence::Placeholder,
        3 | 4 => Presence::Reference(Reference {
            kind: *u.choose(&[ReferenceKind::Environment, ReferenceKind::Command])?,
            target: (*u.choose(&["TOKEN", "PASSWORD"])?).to_owned(),
            resolved: if u.arbitrary()? { Some(fingerprint(u)?) } else { None },
        }),
        _ => Presence::Plain(fingerprint(u)?),
    })
}

fn grants(u: &mut Unstructured<'_>, snapshot: &Snapshot, calm: u32) -> Result<Grants> {
    let mut grants = Grants::default();
    for location in &snapshot.locations {
        let name = declared_name(&location.name);
        for names in [
            &mut grants.write,
            &mut grants.refer,
            &mut grants.remove,
            &mut grants.mint,
            &mut grants.replace_references,
        ] {
            if !rarely(u, 4 * calm)? {
                names.insert(name.to_owned());
            }
        }
    }
    for key in snapshot.facts.keys() {
        if !rarely(u, 4 * calm)? {
            grants.set_facts.insert(key.clone());
        }
    }
    Ok(grants)
}

/// Any location, now and then one that does not exist.
fn id(u: &mut Unstructured<'_>, snapshot: &Snapshot, calm: u32) -> Result<LocationId> {
    let beyond = rarely(u, 12 * calm)?;
    let last = snapshot.locations.len().saturating_sub(1);
    Ok(match beyond || snapshot.locations.is_empty() {
        true => *u.choose(&[LocationId::from_index(last + 1), LocationId(u32::MAX)])?,
        false => LocationId::from_index(u.int_in_range(0..=last)?),
    })
}

/// A location, rather of a credential than not.
fn id_of(
    u: &mut Unstructured<'_>,
    snapshot: &Snapshot,
    of: CredentialId,
    calm: u32,
) -> Result<LocationId> {
    let fitting: Vec<LocationId> = (0..)
        .zip(&snapshot.locations)
        .filter(|(_, location)| location.credential == of)
        .map(|(index, _)| LocationId(index))
        .collect();
    if fitting.is_empty() || rarely(u, 3 * calm)? {
        id(u, snapshot, calm)
    } else {
        Ok(*u.choose(&fitting)?)
    }
}

fn decision(u: &mut Unstructured<'_>, snapshot: &Snapshot, calm: u32) -> Result<Decision> {
    let mut decision = Decision::default();
    for (index, consumer) in (0..).zip(&snapshot.consumers) {
        // One for each, now and then none, two, or one for nobody.
        let count = if rarely(u, 6 * calm)? { *u.choose(&[0, 2])? } else { 1 };
        for _ in 0..count {
            let stranger = rarely(u, 12 * calm)?;
            let one = id_of(u, snapshot, consumer.credential, calm)?;
            decision.verdicts.push(Verdict {
                consumer: ConsumerId(if stranger { u.arbitrary()? } else { index }),
                today: *u.choose(&[
                    Standing::Nothing,
                    Standing::Generated,
                    Standing::Invalid,
                    Standing::Copy(one),
                    Standing::Unresolved(one),
                ])?,
                wanted: some_id(u, snapshot, consumer.credential, calm)?,
                reason: String::new(),
                next: some_id(u, snapshot, consumer.credential, calm)?,
            });
        }
    }
    for _ in 0..u.int_in_range(0..=4)? {
        decision.actions.push(Action { deed: deed(u, snapshot, calm)?, reason: String::new() });
    }
    if u.ratio(1, 8)? {
        decision.findings.push(Finding {
            code: "any".to_owned(),
            severity: Severity::Info,
            message: String::new(),
            remedy: None,
            locations: vec![id(u, snapshot, calm)?],
        });
    }
    Ok(decision)
}

fn some_id(
    u: &mut Unstructured<'_>,
    snapshot: &Snapshot,
    of: CredentialId,
    calm: u32,
) -> Result<Option<LocationId>> {
    Ok(if u.ratio(1, 3)? { Some(id_of(u, snapshot, of, calm)?) } else { None })
}

fn deed(u: &mut Unstructured<'_>, snapshot: &Snapshot, calm: u32) -> Result<Deed> {
    // What can be written at all, rather than not.
    let written = (0..).zip(&snapshot.locations).filter(|(_, location)| location.writable);
    let written: Vec<u32> = written.map(|(index, _)| index).collect();
    let to = match written.is_empty() || rarely(u, 4 * calm)? {
        true => id(u, snapshot, calm)?,
        false => LocationId(*u.choose(&written)?),
    };
    let credential = snapshot.location(to).map_or(CredentialId(9), |to| to.credential);
    Ok(match u.int_in_range(0..=15)? {
        0..=5 => Deed::Write { from: id_of(u, snapshot, credential, calm)?, to },
        6..=7 => Deed::Refer { from: id_of(u, snapshot, credential, calm)?, to },
        8..=9 => Deed::Remove(to),
        10 => {
            let other = u.ratio(1, 6)?;
            Deed::Mint {
                credential: if other { CredentialId(u.arbitrary()?) } else { credential },
                to,
            }
        }
        11 if rarely(u, 1 + calm)? => Deed::Refresh(to),
        11 => Deed::Remove(to),
        12..=13 => Deed::SetFact {
            key: (*u.choose(&["fact-0", "fact-1", "fact-7"])?).to_owned(),
            value: (*u.choose(&["on", "off", "true", "7"])?).to_owned(),
        },
        14 => Deed::Restart(ConsumerId(u.int_in_range(0..=3)?)),
        _ => Deed::Alert { severity: Severity::Info, message: String::new() },
    })
}
