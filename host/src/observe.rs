//! Looks at every location of a deployment.
//!
//! The result is a [`Snapshot`], which holds no secret, and a [`Vault`], which holds them and never
//! leaves the host. What cannot be read is a finding, and the rest goes on.
//!
//! | module | what |
//! |---|---|
//! | `world` | where observations come from: this machine, or a test's own |
//! | `file` | a file read whole, and what can be told of it |
//! | `files` | the files of a pass, each read once |
//! | `units` | drop-ins and environment files of a unit, as they are discovered |
//! | `profiles` | the logins of agents, as they are discovered |
//! | `commands` | what the commands of a deployment print, each run once |
//! | `documents` | what a document says wherever the deployment points |
//! | `includes` | the files in which a document goes on |
//! | `variables` | the variables that programs find, in the environment and in files |
//! | `reference` | references that stand where a secret could, and where they lead |
//! | `facts` | what a policy may know beside the copies |
//! | `run` | a program that is run while observing, bounded in time |
//! | `report` | what is not there or cannot be read, as findings |

pub(crate) mod commands;
mod documents;
mod facts;
pub(crate) mod file;
mod files;
mod includes;
mod profiles;
mod reference;
mod report;
mod run;
mod units;
mod variables;
mod world;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    config::{CommandSpec, Deployment, DigestForm, LocationSpec, PathTemplate, PlaceSpec, Trim},
    model::{
        Consumer, CredentialId, Fault, Location, LocationId, LocationKind, Phase, Place, Pointer,
        Presence, Reference, ReferenceKind, Snapshot,
    },
    secret::{Fingerprint, Key, Vault},
};

pub use file::{FileContents, ReadError};
pub(crate) use reference::{reads_as_reference, to_write as reference_to};
pub use world::{Command, Machine, Memory, RunError, World};

use commands::{Commands, Told};
use documents::Documents;
use files::Files;
use variables::Variables;

/// What one pass saw.
#[derive(Debug)]
#[non_exhaustive]
pub struct Observed {
    /// All observations; no secret.
    pub snapshot: Snapshot,
    /// The secrets.
    pub vault: Vault,
}

impl Observed {
    /// Puts a new secret beside what was seen, at a location `incoming.CREDENTIAL`, for the policy to
    /// say where it goes. Gives back whether the deployment has that credential.
    pub fn bring(&mut self, key: &Key, credential: &str, secret: SecretString) -> bool {
        let snapshot = &mut self.snapshot;
        let Some(index) = snapshot.credentials.iter().position(|name| name == credential) else {
            return false;
        };
        let id = LocationId::from_index(snapshot.locations.len());
        snapshot.locations.push(Location {
            name: format!("incoming.{credential}"),
            credential: CredentialId::from_index(index),
            kind: LocationKind::Environment,
            label: "the new secret".to_owned(),
            node: None,
            presence: Presence::Plain(key.fingerprint(secret.expose_secret())),
            expires: None,
            refresh_expires: None,
            expiry: None,
            shown: None,
            modified: None,
            writable: false,
            durable: false,
            place: Place::Argument,
            attributes: BTreeMap::from([("shown".to_owned(), "when-set".to_owned())]),
        });
        self.vault.insert(id, secret);
        true
    }
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
    let mut files = Files::new(world, key, &deployment.base);
    let full = cfg!(feature = "platforms");
    let commands = match full {
        true => Commands::run(commands::of(deployment), world, &deployment.base),
        false => Commands::default(),
    };
    let (mut deployment, services) = units::discover(deployment, &mut files);
    let profiles = full.then(|| profiles::discover(&mut deployment, &mut files, &commands));
    let deployment = &*deployment;
    let variables = Variables::read(deployment, &mut files);
    let documents = Documents::read(deployment, &mut files, &variables, &services);
    let mut pass = Pass {
        deployment,
        world,
        key,
        vault: Vault::default(),
        files,
        documents,
        commands,
        digests: Vec::new(),
        problems: Vec::new(),
    };
    let mut locations: Vec<Location> = deployment
        .locations
        .iter()
        .enumerate()
        .map(|(index, spec)| pass.location(LocationId::from_index(index), spec))
        .collect();
    if let Some(profiles) = &profiles {
        pass.compare_digests(&mut locations);
        profiles.tell(&mut locations);
    }
    let facts =
        facts::observe(deployment, &locations, &pass.documents, &mut pass.files, &variables);
    let mixed = pass.files.mixed();
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
                node: spec.node.clone(),
                attributes: spec.attributes.clone(),
            })
            .collect(),
        facts,
        files: pass.files.states,
        findings: Vec::new(),
    };
    report::absent(deployment, &mut snapshot, &pass.documents);
    report::unreadable(&mut snapshot, &pass.documents);
    report::mixed(&mut snapshot, &mixed);
    if let Some(profiles) = profiles {
        report::commands(&mut snapshot, pass.problems);
        profiles.report(&mut snapshot);
    }
    Observed { snapshot, vault: pass.vault }
}

struct Pass<'p> {
    deployment: &'p Deployment,
    world: &'p dyn World,
    key: &'p Key,
    vault: Vault,
    files: Files<'p>,
    documents: Documents,
    commands: Commands,
    /// What is shown of secrets that are not.
    digests: Vec<(LocationId, DigestForm, Zeroizing<String>)>,
    /// What came of commands that could not be used.
    problems: Vec<(LocationId, String)>,
}

impl Pass<'_> {
    fn location(&mut self, id: LocationId, spec: &LocationSpec) -> Location {
        let mut location = Location {
            name: spec.name.clone(),
            credential: spec.credential,
            kind: self.kind(spec),
            label: spec.label.clone(),
            node: spec.node.clone(),
            presence: Presence::Absent,
            expires: None,
            refresh_expires: None,
            expiry: None,
            shown: None,
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
            PlaceSpec::Command(command) if cfg!(feature = "platforms") => {
                self.printed(id, spec, command, &mut location);
            }
            PlaceSpec::Command(_) => location.presence = Presence::Unreadable(Fault::Failed),
        }
        location
    }

    fn kind(&self, spec: &LocationSpec) -> LocationKind {
        match &spec.place {
            PlaceSpec::Variable(_) | PlaceSpec::Argument(_) => LocationKind::Environment,
            PlaceSpec::Pointer(index, _) => self
                .deployment
                .documents
                .get(*index)
                .map_or(LocationKind::Document, |document| document.syntax.kind()),
            PlaceSpec::File(_) => LocationKind::File,
            PlaceSpec::Command(_) => LocationKind::Command,
        }
    }

    fn at_pointer(
        &mut self,
        id: LocationId,
        spec: &LocationSpec,
        index: usize,
        pointer: &Pointer,
        location: &mut Location,
    ) {
        let Some(document) = self.documents.get(index) else {
            location.presence = Presence::Unreadable(Fault::Failed);
            return;
        };
        location.place = Place::Pointer { file: document.id, pointer: pointer.clone() };
        if let Some(sight) = document.sight(pointer) {
            location.place = Place::Pointer { file: sight.file, pointer: sight.pointer.clone() };
            location.modified = sight.modified;
            // What belongs to other units too, or has readers of two minds, is not ours to edit.
            let shared = location.attributes.contains_key("shared");
            location.writable = sight.writable && !shared && !self.files.is_mixed(sight.file);
        }
        if document.is_absent() {
            location.attributes.insert("file".to_owned(), "absent".to_owned());
        }
        match document.at(pointer) {
            documents::Seen::Nothing => {}
            documents::Seen::Asker => {
                location.attributes.insert("asks".to_owned(), "here".to_owned());
            }
            documents::Seen::Value(value) => location.presence = self.keep(id, spec, &value),
            documents::Seen::Reference(reference) => {
                if let Some(seen) = reference.seen {
                    location.attributes.insert("resolved-in".to_owned(), seen.to_owned());
                }
                let resolved =
                    reference.value.as_ref().and_then(|value| self.resolved(id, spec, value));
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
        path: &PathTemplate,
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

    fn printed(
        &mut self,
        id: LocationId,
        spec: &LocationSpec,
        command: &CommandSpec,
        location: &mut Location,
    ) {
        location.place = Place::Command(command.in_words());
        location.writable = command.write.is_some();
        match self.commands.told(command) {
            Told::Nothing => {}
            Told::Value(value) => location.presence = self.keep(id, spec, &value),
            Told::Digest(digest) => {
                location.presence = Presence::Reference(Reference {
                    kind: ReferenceKind::Store,
                    target: "a secret of which only a digest is shown".to_owned(),
                    resolved: None,
                });
                let digest = Zeroizing::new(commands::normal(&digest));
                location.shown = Some(self.key.fingerprint(&digest));
                self.digests.push((id, command.digest.unwrap_or(DigestForm::Unknown), digest));
            }
            Told::Hidden(why) => {
                location.presence = Presence::Reference(Reference {
                    kind: ReferenceKind::Store,
                    target: why,
                    resolved: None,
                });
            }
            Told::Fault(fault, problem) => {
                location.presence = Presence::Unreadable(fault);
                location.writable = false;
                self.problems.push((id, problem));
            }
        }
    }

    /// Says of a digest which of the secrets it is one of. One of none of them is another secret; where
    /// one of them could not be tried, nobody knows.
    fn compare_digests(&self, locations: &mut [Location]) {
        for (id, form, digest) in &self.digests {
            let Some(credential) = locations.get(id.index()).map(|l| l.credential) else {
                continue;
            };
            let others = (0..).map(LocationId).zip(&*locations);
            let others = others.filter(|(at, l)| at != id && l.credential == credential);
            let tried: Vec<(Fingerprint, Option<bool>)> = others
                .filter_map(|(at, l)| {
                    let secret = self.vault.secret_at(at);
                    let is_its =
                        secret.and_then(|s| commands::is_of(*form, digest, s.expose_secret()));
                    Some((l.presence.fingerprint()?, is_its))
                })
                .collect();
            let same = tried.iter().find(|(_, is_its)| *is_its == Some(true));
            let is_another = !tried.is_empty() && tried.iter().all(|(_, is_its)| is_its.is_some());
            let another =
                || self.key.fingerprint(&format!("a secret with the digest {}", **digest));
            if let Some(Presence::Reference(reference)) =
                locations.get_mut(id.index()).map(|l| &mut l.presence)
            {
                reference.resolved =
                    same.map(|(fingerprint, _)| *fingerprint).or_else(|| is_another.then(another));
            }
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

    /// The same with what a reference leads to.
    fn resolved(
        &mut self,
        id: LocationId,
        spec: &LocationSpec,
        value: &str,
    ) -> Option<Fingerprint> {
        let (value, presence) = self.known(spec, value);
        let fingerprint = presence.fingerprint()?;
        self.vault.insert_behind(id, SecretString::from(value.to_owned()));
        Some(fingerprint)
    }

    fn known<'v>(&self, spec: &LocationSpec, value: &'v str) -> (&'v str, Presence) {
        let credential = self.deployment.credentials.get(spec.credential.index());
        let value = credential.map_or(Trim::default(), |credential| credential.trim).of(value);
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
}
