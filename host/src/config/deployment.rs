//! A deployment: manifest and preset put together and checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use toml::Spanned;

use super::{
    Manifest, ManifestError, PRESETS, PathTemplate, ReferenceForm, Syntax,
    declare::{Declarations, DocumentTable, FactTable, GrantTable, LocationTable},
    manifest,
    preset::Preset,
};
use crate::{
    artifact::PolicyRef,
    decide::Limits,
    model::{CredentialId, LocationKind, Pointer},
};

pub use super::declare::Trim;

/// A deployment, ready to be observed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Deployment {
    /// Name in messages and in the journal.
    pub name: String,
    /// What the policy cannot see for itself; wins over a fact of the same name.
    pub attributes: BTreeMap<String, String>,
    /// Which policy decides.
    pub policy: PolicyRef,
    /// The policy's parameters, an object.
    pub settings: serde_json::Value,
    /// What the policy may have done.
    pub grants: Grants,
    /// The bounds of one decision.
    pub limits: Limits,
    /// Credentials in order.
    pub(crate) credentials: Vec<CredentialSpec>,
    /// JSON and JSON5 files.
    pub documents: Vec<DocumentSpec>,
    /// Places that can hold a copy.
    pub locations: Vec<LocationSpec>,
    /// Programs and what they read.
    pub consumers: Vec<ConsumerSpec>,
    /// What the policy may know.
    pub facts: Vec<FactSpec>,
    /// What relative paths are relative to.
    pub base: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) struct CredentialSpec {
    pub(crate) name: String,
    pub(crate) placeholders: Vec<String>,
    pub(crate) trim: Trim,
}

/// A JSON or JSON5 file.
#[derive(Debug, Clone)]
pub struct DocumentSpec {
    /// What locations name it by.
    pub name: String,
    /// Where it is.
    pub path: PathTemplate,
    /// What it is written in.
    pub syntax: Syntax,
    /// The forms of reference that its readers know.
    pub references: Vec<ReferenceForm>,
}

/// Where a location is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaceSpec {
    /// A variable.
    Variable(String),
    /// A pointer into a document, by its position in [`Deployment::documents`].
    Pointer(usize, Pointer),
    /// A whole file.
    File(PathTemplate),
}

/// A place that can hold a copy.
#[derive(Debug, Clone)]
pub struct LocationSpec {
    /// Stable name.
    pub name: String,
    /// The credential that it can hold.
    pub credential: CredentialId,
    /// Where it is.
    pub place: PlaceSpec,
    /// The place in the operator's words.
    pub label: String,
    /// More about it, for the policy.
    pub attributes: BTreeMap<String, String>,
}

impl LocationSpec {
    pub(crate) fn kind(&self) -> LocationKind {
        match self.place {
            PlaceSpec::Variable(_) => LocationKind::Environment,
            PlaceSpec::Pointer(..) => LocationKind::Document,
            PlaceSpec::File(_) => LocationKind::File,
        }
    }
}

/// A program and a credential that it reads.
#[derive(Debug, Clone)]
pub struct ConsumerSpec {
    /// Name of the program.
    pub name: String,
    /// The credential.
    pub credential: CredentialId,
    /// More about it, for the policy.
    pub attributes: BTreeMap<String, String>,
}

/// Where a fact comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactSource {
    /// A variable.
    Variable(String),
    /// A pointer into a document, by its position in [`Deployment::documents`].
    Pointer(usize, Pointer),
}

/// What the policy may know.
#[derive(Debug, Clone)]
pub struct FactSpec {
    /// What the policy knows it by.
    pub name: String,
    /// Where it comes from.
    pub source: FactSource,
    /// Whether the policy learns only that there is a value.
    pub presence_only: bool,
}

/// What a policy may have done, by the names of locations and facts. Nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grants {
    /// Locations into which a secret may be written.
    pub write: BTreeSet<String>,
    /// Locations into which a reference may be written.
    pub refer: BTreeSet<String>,
    /// Locations from which a copy may be removed.
    pub remove: BTreeSet<String>,
    /// Locations into which a new secret may be written.
    pub mint: BTreeSet<String>,
    /// Locations at which a reference may be replaced or removed.
    pub replace_references: BTreeSet<String>,
    /// Facts that may be changed.
    pub set_facts: BTreeSet<String>,
}

/// A text and where it came from, for errors that point.
struct Source<'s> {
    path: &'s Path,
    text: &'s str,
}

impl Source<'_> {
    fn error(&self, at: &Spanned<impl Sized>, message: String) -> ManifestError {
        let span = at.span();
        // What has no place of its own, such as the manifest of a deployment without a file, has
        // an empty span.
        let span = (!span.is_empty()).then_some(span);
        ManifestError::at(self.path, self.text, span, message)
    }
}

impl Deployment {
    /// Puts a manifest on top of its preset. `path` and `text` are the manifest's, for messages and
    /// for relative paths; `policy` takes the place of the manifest's own.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, where, and what is allowed.
    pub fn new(
        path: &Path,
        text: &str,
        manifest: &Manifest,
        policy: Option<PolicyRef>,
    ) -> Result<Self, ManifestError> {
        let source = Source { path, text };
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let (preset_name, preset) = load_preset(&source, manifest, &base)?;
        let own = manifest.declarations();
        let policy = match policy {
            Some(policy) => policy,
            None => policy_of(&source, manifest)?,
        };
        let mut deployment = Self {
            name: manifest
                .deployment
                .name
                .clone()
                .unwrap_or_else(|| preset_name.unwrap_or_else(|| "deployment".to_owned())),
            attributes: manifest.deployment.attributes.clone(),
            settings: serde_json::to_value(&manifest.settings).unwrap_or_default(),
            grants: Grants::default(),
            limits: limits(manifest),
            credentials: Vec::new(),
            documents: Vec::new(),
            locations: Vec::new(),
            consumers: Vec::new(),
            facts: Vec::new(),
            policy,
            base,
        };
        let preset_source = Source { path: Path::new("preset"), text: "" };
        deployment.declare(&preset_source, &preset.declare)?;
        deployment.declare(&source, &own)?;
        deployment.refuse_shared_places(&source, &own)?;
        let shipped = match &deployment.policy {
            PolicyRef::Shipped(name) => preset.grants.get(name),
            PolicyRef::File(_) => None,
        };
        deployment.grants = match (&manifest.grants, shipped) {
            (Some(table), _) => deployment.grants(&source, table)?,
            (None, Some(table)) => deployment.grants(&preset_source, table)?,
            (None, None) => Grants::default(),
        };
        Ok(deployment)
    }

    /// The deployment of the preset `openclaw` without a manifest.
    ///
    /// # Errors
    ///
    /// None that a release can show; the preset is checked by its tests.
    pub fn without_manifest(policy: PolicyRef) -> Result<Self, ManifestError> {
        Self::new(Path::new("precedent.toml"), "", &Manifest::without_file(), Some(policy))
    }

    /// Name of a credential.
    #[must_use]
    pub fn credential(&self, id: CredentialId) -> &str {
        self.credentials.get(id.index()).map_or("", |credential| &credential.name)
    }

    fn credential_id(&mut self, name: &str) -> CredentialId {
        let known = self.credentials.iter().position(|credential| credential.name == name);
        CredentialId::from_index(known.unwrap_or_else(|| {
            self.credentials.push(CredentialSpec {
                name: name.to_owned(),
                placeholders: Vec::new(),
                trim: Trim::default(),
            });
            self.credentials.len() - 1
        }))
    }

    fn declare(&mut self, source: &Source<'_>, own: &Declarations) -> Result<(), ManifestError> {
        for table in &own.documents {
            let DocumentTable { name, path, syntax, references } = table.clone();
            replace(&mut self.documents, DocumentSpec { name, path, syntax, references }, |d| {
                &d.name
            });
        }
        for table in &own.locations {
            let spec = self.location(source, table)?;
            replace(&mut self.locations, spec, |location| &location.name);
        }
        for table in &own.consumers {
            self.consumers.retain(|consumer| consumer.name != *table.name.get_ref());
            if table.credentials.is_empty() {
                return Err(source.error(
                    &table.name,
                    "a consumer reads at least one credential; add `credentials = [\"...\"]`"
                        .into(),
                ));
            }
            for credential in &table.credentials {
                let credential = self.credential_id(credential);
                self.consumers.push(ConsumerSpec {
                    name: table.name.get_ref().clone(),
                    credential,
                    attributes: table.attributes.clone(),
                });
            }
        }
        for table in &own.facts {
            let spec = self.fact(source, table)?;
            replace(&mut self.facts, spec, |fact| &fact.name);
        }
        for (name, table) in &own.credentials {
            let id = self.credential_id(name);
            if let Some(credential) = self.credentials.get_mut(id.index()) {
                credential.placeholders.extend(table.placeholders.iter().cloned());
                credential.trim = table.trim.unwrap_or(credential.trim);
            }
        }
        Ok(())
    }

    fn location(
        &mut self,
        source: &Source<'_>,
        table: &LocationTable,
    ) -> Result<LocationSpec, ManifestError> {
        let place = match (&table.env, &table.file, &table.document, &table.pointer) {
            (Some(variable), None, None, None) => PlaceSpec::Variable(variable.clone()),
            (None, Some(path), None, None) => PlaceSpec::File(path.clone()),
            (None, None, Some(document), Some(pointer)) => {
                let (document, pointer) = self.pointer(source, document, pointer)?;
                PlaceSpec::Pointer(document, pointer)
            }
            _ => {
                return Err(source.error(
                    &table.name,
                    format!(
                        "location `{}` needs exactly one place: `env`, or `file`, or `document` with `pointer`",
                        table.name.get_ref()
                    ),
                ));
            }
        };
        let label = table.label.clone().unwrap_or_else(|| match &place {
            PlaceSpec::Variable(name) => name.clone(),
            PlaceSpec::Pointer(_, pointer) => pointer.dotted(),
            PlaceSpec::File(path) => path.as_written(),
        });
        Ok(LocationSpec {
            name: table.name.get_ref().clone(),
            credential: self.credential_id(&table.credential),
            place,
            label,
            attributes: table.attributes.clone(),
        })
    }

    fn fact(&self, source: &Source<'_>, table: &FactTable) -> Result<FactSpec, ManifestError> {
        let from = match (&table.env, &table.document, &table.pointer) {
            (Some(variable), None, None) => FactSource::Variable(variable.clone()),
            (None, Some(document), Some(pointer)) => {
                let (document, pointer) = self.pointer(source, document, pointer)?;
                FactSource::Pointer(document, pointer)
            }
            _ => {
                return Err(source.error(
                    &table.name,
                    format!(
                        "fact `{}` needs exactly one source: `env`, or `document` with `pointer`",
                        table.name.get_ref()
                    ),
                ));
            }
        };
        Ok(FactSpec {
            name: table.name.get_ref().clone(),
            source: from,
            presence_only: table.presence_only,
        })
    }

    fn pointer(
        &self,
        source: &Source<'_>,
        document: &Spanned<String>,
        pointer: &Spanned<String>,
    ) -> Result<(usize, Pointer), ManifestError> {
        let index = self.documents.iter().position(|known| known.name == *document.get_ref());
        let index = index.ok_or_else(|| {
            let known = self.documents.iter().map(|document| document.name.as_str());
            source.error(document, unknown("document", document.get_ref(), known))
        })?;
        let parsed = Pointer::parse(pointer.get_ref())
            .map_err(|message| source.error(pointer, message.to_owned()))?;
        Ok((index, parsed))
    }

    /// Two names for one place could be given two secrets, and a fact at a credential's place
    /// would show the secret.
    fn refuse_shared_places(
        &self,
        source: &Source<'_>,
        own: &Declarations,
    ) -> Result<(), ManifestError> {
        for (index, location) in self.locations.iter().enumerate() {
            let twin =
                self.locations.iter().skip(index + 1).find(|other| other.place == location.place);
            let written = |name: &str| own.locations.iter().find(|l| l.name.get_ref() == name);
            if let Some(twin) = twin
                && let Some(table) = written(&twin.name).or_else(|| written(&location.name))
            {
                return Err(source.error(
                    &table.name,
                    format!("locations `{}` and `{}` are the same place", location.name, twin.name),
                ));
            }
        }
        let shows_secret = |fact: &&FactTable| {
            let named = self.facts.iter().find(|known| known.name == *fact.name.get_ref());
            named.is_some_and(|fact| {
                !fact.presence_only
                    && self.locations.iter().any(|location| match (&location.place, &fact.source) {
                        (PlaceSpec::Variable(a), FactSource::Variable(b)) => a == b,
                        (PlaceSpec::Pointer(a, at), FactSource::Pointer(b, fact_at)) => {
                            a == b && at == fact_at
                        }
                        _ => false,
                    })
            })
        };
        match own.facts.iter().find(shows_secret) {
            Some(fact) => Err(source.error(
                &fact.name,
                format!(
                    "fact `{}` would show a secret to the policy; set `presence-only = true`, or take another place",
                    fact.name.get_ref()
                ),
            )),
            None => Ok(()),
        }
    }

    fn grants(&self, source: &Source<'_>, table: &GrantTable) -> Result<Grants, ManifestError> {
        let locations = |names: &[Spanned<String>]| {
            let known = || self.locations.iter().map(|location| location.name.as_str());
            known_names(source, "location", names, known)
        };
        Ok(Grants {
            write: locations(&table.write)?,
            refer: locations(&table.refer)?,
            remove: locations(&table.remove)?,
            mint: locations(&table.mint)?,
            replace_references: locations(&table.replace_references)?,
            set_facts: known_names(source, "fact", &table.set_facts, || {
                self.facts.iter().map(|fact| fact.name.as_str())
            })?,
        })
    }
}

fn load_preset(
    source: &Source<'_>,
    manifest: &Manifest,
    base: &Path,
) -> Result<(Option<String>, Preset), ManifestError> {
    let Some(named) = &manifest.deployment.preset else {
        return Ok((None, Preset::default()));
    };
    let name = named.get_ref();
    if let Some((name, text)) = PRESETS.iter().find(|(known, _)| known == name) {
        let path = PathBuf::from(format!("preset {name}"));
        return Ok((Some((*name).to_owned()), manifest::read(&path, text)?));
    }
    if !name.contains('/') && !name.ends_with(".toml") {
        let known = PRESETS.iter().map(|(name, _)| *name);
        let message = format!("{}, or the path of a file", unknown("preset", name, known));
        return Err(source.error(named, message));
    }
    let path = base.join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        source.error(named, format!("cannot read the preset {}: {error}", path.display()))
    })?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok((stem, manifest::read(&path, &text)?))
}

fn policy_of(source: &Source<'_>, manifest: &Manifest) -> Result<PolicyRef, ManifestError> {
    match (&manifest.policy.name, &manifest.policy.file) {
        (Some(name), None) => Ok(PolicyRef::Shipped(name.clone())),
        (None, Some(path)) => Ok(PolicyRef::File(path.clone())),
        (Some(_), Some(_)) => Err(ManifestError::at(
            source.path,
            source.text,
            None,
            "[policy] has both `name` and `file`; keep one".to_owned(),
        )),
        (None, None) => Err(ManifestError::at(
            source.path,
            source.text,
            None,
            "no policy is named; add `[policy]` with `name = \"helm\"` or `file = \"...\"`, or use --policy"
                .to_owned(),
        )),
    }
}

fn limits(manifest: &Manifest) -> Limits {
    let (table, default) = (&manifest.limits, Limits::default());
    Limits {
        deadline: table.deadline_ms.map_or(default.deadline, std::time::Duration::from_millis),
        memory_bytes: table.memory_bytes.unwrap_or(default.memory_bytes),
        table_elements: table.table_elements.unwrap_or(default.table_elements),
        output_bytes: table.output_bytes.unwrap_or(default.output_bytes),
        component_bytes: table.component_bytes.unwrap_or(default.component_bytes),
    }
}

fn replace<T>(list: &mut Vec<T>, new: T, name: impl Fn(&T) -> &String) {
    match list.iter_mut().find(|known| name(known) == name(&new)) {
        Some(known) => *known = new,
        None => list.push(new),
    }
}

fn known_names<'k, K: Iterator<Item = &'k str>>(
    source: &Source<'_>,
    what: &str,
    names: &[Spanned<String>],
    known: impl Fn() -> K,
) -> Result<BTreeSet<String>, ManifestError> {
    names
        .iter()
        .map(|name| {
            if known().any(|known| known == name.get_ref()) {
                Ok(name.get_ref().clone())
            } else {
                Err(source.error(name, unknown(what, name.get_ref(), known())))
            }
        })
        .collect()
}

fn unknown<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<String> = known.map(|known| format!("`{known}`")).collect();
    if known.is_empty() {
        format!("unknown {what} `{name}`; none is declared")
    } else {
        format!("unknown {what} `{name}`, expected one of {}", known.join(", "))
    }
}
