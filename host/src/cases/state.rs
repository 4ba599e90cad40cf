//! What a case says of locations and facts directly, where the files behind them do not matter.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    model::{
        Fault, FileId, FileState, FileStatus, Location, Place, Presence, Reference, ReferenceKind,
        Snapshot, declared_name,
    },
    secret::Key,
};

/// What is at a location: a secret, null for nothing, or an object that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) holds: Holds,
    pub(crate) more: More,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holds {
    Nothing,
    Empty,
    Placeholder,
    Secret(String),
    Reference(StatedReference),
    Unreadable(Fault),
}

/// A reference, and the secret it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StatedReference {
    pub(crate) kind: ReferenceKind,
    pub(crate) target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

/// What else is known of the place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) expires: Option<u64>,
    pub(crate) modified: Option<u64>,
    /// Whether it can be written; where nothing is said, it can.
    pub(crate) writable: Option<bool>,
    pub(crate) label: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// The object in full; exactly one of the first five.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    absent: bool,
    #[serde(skip_serializing_if = "is_false")]
    empty: bool,
    #[serde(skip_serializing_if = "is_false")]
    placeholder: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<StatedReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}

impl State {
    /// Nothing more than what is there.
    pub(crate) fn plain(holds: Holds) -> Self {
        Self { holds, more: More::default() }
    }
}

impl Described {
    fn state(self) -> Result<State, &'static str> {
        let held = [
            self.value.map(Holds::Secret),
            self.absent.then_some(Holds::Nothing),
            self.empty.then_some(Holds::Empty),
            self.placeholder.then_some(Holds::Placeholder),
            self.reference.map(Holds::Reference),
            self.unreadable.map(Holds::Unreadable),
        ];
        let mut held = held.into_iter().flatten();
        let (Some(holds), None) = (held.next(), held.next()) else {
            return Err(
                "a location has exactly one of `value`, `absent`, `empty`, `placeholder`, `reference` and `unreadable`",
            );
        };
        let Self { expires, modified, writable, label, attributes, .. } = self;
        Ok(State { holds, more: More { expires, modified, writable, label, attributes } })
    }

    fn of(state: &State) -> Self {
        let More { expires, modified, writable, label, attributes } = state.more.clone();
        let more = Self { expires, modified, writable, label, attributes, ..Self::default() };
        match state.holds.clone() {
            Holds::Nothing => Self { absent: true, ..more },
            Holds::Empty => Self { empty: true, ..more },
            Holds::Placeholder => Self { placeholder: true, ..more },
            Holds::Secret(value) => Self { value: Some(value), ..more },
            Holds::Reference(reference) => Self { reference: Some(reference), ..more },
            Holds::Unreadable(fault) => Self { unreadable: Some(fault), ..more },
        }
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null => Ok(Self::plain(Holds::Nothing)),
            serde_json::Value::String(secret) => Ok(Self::plain(Holds::Secret(secret))),
            object @ serde_json::Value::Object(_) => serde_json::from_value::<Described>(object)
                .map_err(de::Error::custom)?
                .state()
                .map_err(de::Error::custom),
            _ => Err(de::Error::custom("a location is a string, null or an object")),
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.holds, self.more == More::default()) {
            (Holds::Nothing, true) => serializer.serialize_none(),
            (Holds::Secret(secret), true) => serializer.serialize_str(secret),
            _ => Described::of(self).serialize(serializer),
        }
    }
}

/// Puts what is said of locations and facts in the place of what was observed. The host's own
/// findings speak of what was observed, so none are left.
///
/// # Errors
///
/// What is wrong, in words.
pub(crate) fn put(
    snapshot: &mut Snapshot,
    locations: &BTreeMap<String, State>,
    facts: &BTreeMap<String, Option<String>>,
    key: &Key,
) -> Result<(), String> {
    for (name, value) in facts {
        let Some(fact) = snapshot.facts.get_mut(name) else {
            let known: Vec<&str> = snapshot.facts.keys().map(String::as_str).collect();
            let known = known.join("`, `");
            return Err(format!("unknown fact `{name}`, expected one of `{known}`"));
        };
        fact.value.clone_from(value);
    }
    // By file: whether it can be written.
    let mut files: BTreeMap<usize, bool> = BTreeMap::new();
    for (name, state) in locations {
        let index = position(snapshot, name)?;
        if let Some(location) = snapshot.locations.get_mut(index) {
            describe(location, state, key);
            if let Some(file) = location.place.file() {
                *files.entry(file.index()).or_default() |= state.more.writable != Some(false);
            }
        }
    }
    for (file, writable) in files {
        settle(snapshot, locations, file, writable, key);
    }
    if !locations.is_empty() {
        snapshot.findings.clear();
    }
    Ok(())
}

/// The position of a location. One that was discovered, `DECLARED@FILE`, is made beside those that
/// were declared.
fn position(snapshot: &mut Snapshot, name: &str) -> Result<usize, String> {
    let at = |name: &str| snapshot.locations.iter().position(|known| known.name == name);
    if let Some(index) = at(name) {
        return Ok(index);
    }
    let declared = at(declared_name(name)).and_then(|index| snapshot.locations.get(index));
    let Some(mut found) = declared.cloned() else {
        let known: Vec<&str> = snapshot.locations.iter().map(|known| known.name.as_str()).collect();
        return Err(format!("unknown location `{name}`, expected one of `{}`", known.join("`, `")));
    };
    name.clone_into(&mut found.name);
    if let Place::Pointer { file, .. } | Place::File(file) = &mut found.place {
        let path = PathBuf::from(name);
        *file = match snapshot.files.iter().position(|known| known.path == path) {
            Some(index) => FileId::from_index(index),
            None => {
                let like = snapshot.files.get(file.index()).cloned();
                let id = FileId::from_index(snapshot.files.len());
                snapshot.files.extend(like.map(|like| FileState { path, ..like }));
                id
            }
        };
    }
    snapshot.locations.push(found);
    Ok(snapshot.locations.len() - 1)
}

fn describe(location: &mut Location, state: &State, key: &Key) {
    location.presence = match &state.holds {
        Holds::Nothing => Presence::Absent,
        Holds::Empty => Presence::Empty,
        Holds::Placeholder => Presence::Placeholder,
        Holds::Secret(secret) => Presence::Plain(key.fingerprint(secret)),
        Holds::Reference(stated) => Presence::Reference(Reference {
            kind: stated.kind,
            target: stated.target.clone(),
            resolved: stated.value.as_ref().map(|value| key.fingerprint(value)),
        }),
        Holds::Unreadable(fault) => Presence::Unreadable(*fault),
    };
    let More { expires, modified, label, attributes, .. } = &state.more;
    (location.expires, location.modified) = (*expires, *modified);
    if let Some(label) = label {
        location.label.clone_from(label);
    }
    location.attributes.extend(attributes.clone());
    let is_unreadable = matches!(state.holds, Holds::Unreadable(_));
    if let Place::Command(_) = location.place {
        location.writable &= !is_unreadable && state.more.writable != Some(false);
    }
    if location.place.file().is_some() {
        location.writable = !is_unreadable && state.more.writable != Some(false);
    }
}

/// A file of which something is said is there; what is wrong with the whole of it is wrong with all
/// that is in it, and what nothing is said of can be written if the file can.
fn settle(
    snapshot: &mut Snapshot,
    stated: &BTreeMap<String, State>,
    file: usize,
    writable: bool,
    key: &Key,
) {
    let is_in_it = |location: &Location| location.place.file().is_some_and(|f| f.index() == file);
    let whole = |location: &Location| match location.presence {
        Presence::Unreadable(Fault::DuplicateKey | Fault::WrongType) => None,
        Presence::Unreadable(fault) => Some(fault),
        _ => None,
    };
    let fault = snapshot.locations.iter().filter(|l| is_in_it(l)).find_map(whole);
    for location in snapshot.locations.iter_mut().filter(|l| is_in_it(l)) {
        location.attributes.retain(|key, value| key != "file" || value != "absent");
        if let Some(fault) = fault {
            location.presence = Presence::Unreadable(fault);
            location.writable = false;
        } else if !stated.contains_key(&location.name) {
            location.writable = writable && !location.attributes.contains_key("shared");
        }
    }
    if let Some(state) = snapshot.files.get_mut(file) {
        state.status = match fault {
            Some(fault) => FileStatus::Unreadable(fault),
            None => FileStatus::Present(key.digest(state.path.as_os_str().as_encoded_bytes())),
        };
        state.writable = fault.is_none() && writable;
    }
}
