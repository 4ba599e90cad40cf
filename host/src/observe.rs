//! Looks at every location of a deployment.
//!
//! The result is a [`Snapshot`], which holds no secret, and a [`Vault`], which holds them and never
//! leaves the host. What cannot be read is a finding, and the rest goes on.
//!
//! | module | what |
//! |---|---|
//! | `world` | where observations come from: this machine, or a test's own |
//! | `file` | a file read whole, and what can be told of it |
//! | `documents` | each file read once, whatever the number of locations in it |
//! | `reference` | references that stand where a secret could |
//! | `report` | what is not there or cannot be read, as findings |

mod documents;
mod file;
mod reference;
mod report;
mod world;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::{
    config::{Deployment, DocumentSpec, FactSource, LocationSpec, PlaceSpec, Trim},
    model::{
        Consumer, Fact, Fault, FileId, FileState, FileStatus, Location, LocationId, Phase, Place,
        Presence, ReferenceKind, Snapshot,
    },
    secret::{Key, Vault},
};

pub use file::{FileContents, ReadError};
pub(crate) use reference::{reads_as_reference, to_write as reference_to};
pub use world::{Machine, Memory, World};

use documents::Documents;

/// What one pass saw.
#[derive(Debug)]
#[non_exhaustive]
pub struct Observed {
    /// All observations; no secret.
    pub snapshot: Snapshot,
    /// The secrets.
    pub vault: Vault,
}

/// Observes a deployment at `now`, in seconds since 1970.
#[must_use]
pub fn observe(
    deployment: &Deployment,
    world: &dyn World,
    key: &Key,
    phase: Phase,
    now: u64,
) -> Observed {
    let mut files = Files { world, key, deployment, states: Vec::new(), paths: BTreeMap::new() };
    let documents = Documents::read(deployment, &mut files);
    let mut pass = Pass { deployment, world, key, vault: Vault::default(), files, documents };
    let locations: Vec<Location> = deployment
        .locations
        .iter()
        .enumerate()
        .map(|(index, spec)| pass.location(LocationId::from_index(index), spec))
        .collect();
    let facts = pass.facts(&locations);
    let mut snapshot = Snapshot {
        deployment: deployment.name.clone(),
        phase,
        now,
        settings: deployment.settings.clone(),
        credentials: deployment.credentials.iter().map(|c| c.name.clone()).collect(),
        locations,
        consumers: deployment
            .consumers
            .iter()
            .map(|spec| Consumer {
                name: spec.name.clone(),
                credential: spec.credential,
                attributes: spec.attributes.clone(),
            })
            .collect(),
        facts,
        files: pass.files.states,
        findings: Vec::new(),
    };
    report::absent(deployment, &mut snapshot, &pass.documents);
    report::unreadable(&mut snapshot, &pass.documents);
    Observed { snapshot, vault: pass.vault }
}

struct Pass<'p> {
    deployment: &'p Deployment,
    world: &'p dyn World,
    key: &'p Key,
    vault: Vault,
    files: Files<'p>,
    documents: Documents,
}

/// The files behind the locations, each once.
struct Files<'p> {
    world: &'p dyn World,
    key: &'p Key,
    deployment: &'p Deployment,
    states: Vec<FileState>,
    paths: BTreeMap<PathBuf, FileId>,
}

/// A file of a pass, as far as it could be read.
struct Opened {
    id: FileId,
    contents: Result<FileContents, ReadError>,
}

impl Files<'_> {
    fn open(&mut self, path: &Path) -> Opened {
        let contents = self.world.read(path);
        let (status, writable) = match &contents {
            Ok(contents) => {
                (FileStatus::Present(self.key.digest(&contents.bytes)), contents.writable)
            }
            Err(ReadError::Absent) => (FileStatus::Absent, false),
            Err(error) => (FileStatus::Unreadable(error.fault()), false),
        };
        let next = FileId::from_index(self.states.len());
        // Two paths of one file are one file.
        let id = *self.paths.entry(self.world.identity(path)).or_insert(next);
        if id == next {
            self.states.push(FileState {
                path: path.to_owned(),
                status,
                writable,
                syntax: None,
                reference: None,
            });
        }
        Opened { id, contents }
    }

    fn is_document(&mut self, id: FileId, spec: &DocumentSpec) {
        if let Some(state) = self.states.get_mut(id.index()) {
            state.syntax = Some(spec.syntax);
            state.reference = spec.references.first().copied();
        }
    }

    fn resolve(&self, path: &crate::config::PathTemplate) -> Option<PathBuf> {
        path.resolve(&self.deployment.base, &|name| self.world.variable(name))
    }
}

impl Pass<'_> {
    fn location(&mut self, id: LocationId, spec: &LocationSpec) -> Location {
        let mut location = Location {
            name: spec.name.clone(),
            credential: spec.credential,
            kind: spec.kind(),
            label: spec.label.clone(),
            presence: Presence::Absent,
            expires: None,
            modified: None,
            writable: false,
            durable: true,
            place: Place::Variable(String::new()),
            attributes: spec.attributes.clone(),
        };
        match &spec.place {
            PlaceSpec::Variable(name) => {
                location.durable = false;
                location.place = Place::Variable(name.clone());
                location.presence = match self.world.raw_variable(name) {
                    None => Presence::Absent,
                    Some(None) => Presence::Unreadable(Fault::Syntax),
                    Some(Some(value)) => self.keep(id, spec, &value),
                };
            }
            PlaceSpec::Argument(pointers) => {
                location.durable = false;
                location.place = Place::Argument;
                let handed = pointers.iter().find_map(|pointer| self.world.argument(pointer));
                location.presence =
                    handed.map_or(Presence::Absent, |value| self.keep(id, spec, &value));
            }
            PlaceSpec::Pointer(index, pointer) => {
                self.at_pointer(id, spec, *index, pointer, &mut location)
            }
            PlaceSpec::File(path) => self.whole_file(id, spec, path, &mut location),
        }
        location
    }

    fn at_pointer(
        &mut self,
        id: LocationId,
        spec: &LocationSpec,
        index: usize,
        pointer: &crate::model::Pointer,
        location: &mut Location,
    ) {
        let Some(document) = self.documents.get(index) else {
            location.presence = Presence::Unreadable(Fault::Failed);
            return;
        };
        location.place = Place::Pointer { file: document.id, pointer: pointer.clone() };
        location.modified = document.modified;
        location.writable = document.writable();
        if document.is_absent() {
            location.attributes.insert("file".to_owned(), "absent".to_owned());
        }
        match document.at(pointer) {
            documents::Seen::Nothing => {}
            documents::Seen::Value(value) => location.presence = self.keep(id, spec, &value),
            documents::Seen::Reference(reference) => {
                let resolved =
                    reference.value.as_ref().and_then(|value| self.resolved(spec, value));
                location.presence = Presence::Reference(reference.with(resolved));
            }
            documents::Seen::Unreadable(fault) => {
                location.presence = Presence::Unreadable(fault);
                location.writable = false;
            }
        }
    }

    fn whole_file(
        &mut self,
        id: LocationId,
        spec: &LocationSpec,
        path: &crate::config::PathTemplate,
        location: &mut Location,
    ) {
        let Some(path) = self.files.resolve(path) else {
            return;
        };
        let opened = self.files.open(&path);
        location.place = Place::File(opened.id);
        match opened.contents {
            Ok(contents) => {
                location.modified = contents.modified;
                location.writable = contents.writable;
                location.presence = match std::str::from_utf8(&contents.bytes) {
                    Ok(text) => self.keep(id, spec, text),
                    Err(_) => Presence::Unreadable(Fault::Syntax),
                };
            }
            Err(ReadError::Absent) => {}
            Err(error) => location.presence = Presence::Unreadable(error.fault()),
        }
    }

    /// Puts a secret into the vault, and says what may be known of it.
    fn keep(&mut self, id: LocationId, spec: &LocationSpec, value: &str) -> Presence {
        let (value, presence) = self.known(spec, value);
        if matches!(presence, Presence::Plain(_)) {
            self.vault.insert(id, SecretString::from(value.to_owned()));
        }
        presence
    }

    fn resolved(&self, spec: &LocationSpec, value: &str) -> Option<crate::secret::Fingerprint> {
        self.known(spec, value).1.fingerprint()
    }

    fn known<'v>(&self, spec: &LocationSpec, value: &'v str) -> (&'v str, Presence) {
        let credential = self.deployment.credentials.get(spec.credential.index());
        let value = match credential.map(|credential| credential.trim) {
            Some(Trim::Whitespace) => value.trim(),
            _ => value.trim_end_matches(['\n', '\r']),
        };
        let placeholder =
            credential.is_some_and(|credential| credential.placeholders.iter().any(|p| p == value));
        let presence = if value.trim().is_empty() {
            Presence::Empty
        } else if placeholder {
            Presence::Placeholder
        } else {
            Presence::Plain(self.key.fingerprint(value))
        };
        (value, presence)
    }

    /// Whether a fact comes from where a secret stands, or where a reference leads. Told by the
    /// place, not by the value: what a policy sees must not depend on a secret.
    fn is_secret(source: &FactSource, place: Option<&Place>, locations: &[Location]) -> bool {
        locations.iter().any(|location| match (source, &location.presence) {
            _ if Some(&location.place) == place => true,
            (FactSource::Variable(name), Presence::Reference(to)) => {
                to.kind == ReferenceKind::Environment && to.target == *name
            }
            (FactSource::Variable(name), _) => location.place == Place::Variable(name.clone()),
            _ => false,
        })
    }

    fn facts(&mut self, locations: &[Location]) -> BTreeMap<String, Fact> {
        let mut facts = BTreeMap::new();
        for spec in &self.deployment.facts {
            let (value, place): (Option<String>, Option<Place>) = match &spec.source {
                FactSource::Variable(name) => (self.world.variable(name), None),
                FactSource::Pointer(index, pointer) => match self.documents.get(*index) {
                    Some(document) => {
                        let value = document.scalar(pointer);
                        // What stands there must be a plain value to be replaced by another.
                        let place = value.is_some() || document.is_free(pointer);
                        let place = place.then(|| Place::Pointer {
                            file: document.id,
                            pointer: pointer.clone(),
                        });
                        (value, place)
                    }
                    None => (None, None),
                },
            };
            // A fact at a credential's place would show the secret to the policy and the journal,
            // or let the policy write one of its own; whatever way it was declared.
            let secret =
                spec.presence_only || Self::is_secret(&spec.source, place.as_ref(), locations);
            let value = value.map(|value| if secret { "set".to_owned() } else { value });
            facts.insert(spec.name.clone(), Fact { value, place: place.filter(|_| !secret) });
        }
        for (name, value) in &self.deployment.attributes {
            facts.insert(name.clone(), Fact { value: Some(value.clone()), place: None });
        }
        facts
    }
}
