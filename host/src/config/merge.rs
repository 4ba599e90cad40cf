//! Puts declarations on top of others: a name that is declared again takes the place of the first.
//!
//! | module | what |
//! |---|---|
//! | `platforms` | calls, and the logins of agents |

mod platforms;

use std::{collections::BTreeSet, path::Path};

use toml::Spanned;

use super::{
    ConsumerSpec, Deployment, DocumentSpec, FactSource, FactSpec, Grants, LocationSpec,
    ManifestError, PathTemplate, PlaceSpec, Trim,
    command::command,
    declare::{Declarations, DocumentTable, FactTable, GrantTable, LocationTable},
    profiles::{ProfilesSpec, is_for},
    spec::CredentialSpec,
};
use crate::model::{CredentialId, FAMILY, Pointer};

/// A text and where it came from, for errors that point.
pub(super) struct Source<'s> {
    pub(super) path: &'s Path,
    pub(super) text: &'s str,
}

impl Source<'_> {
    pub(super) fn error(&self, at: &Spanned<impl Sized>, message: String) -> ManifestError {
        let span = at.span();
        // What has no place of its own, such as the manifest of a deployment without a file, has
        // an empty span.
        let span = (!span.is_empty()).then_some(span);
        ManifestError::at(self.path, self.text, span, message)
    }
}

impl Source<'_> {
    /// A name that stands twice in one file is a typing error; in a manifest, one of the preset's
    /// is a replacement.
    fn refuse_twins<'n>(
        &self,
        what: &str,
        names: impl Iterator<Item = &'n Spanned<String>>,
    ) -> Result<(), ManifestError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.get_ref()) {
                let message = format!("{what} `{}` stands twice", name.get_ref());
                return Err(self.error(name, message));
            }
        }
        Ok(())
    }
}

impl Deployment {
    pub(crate) fn credential_id(&mut self, name: &str) -> CredentialId {
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

    pub(super) fn declare(
        &mut self,
        source: &Source<'_>,
        own: &Declarations,
    ) -> Result<(), ManifestError> {
        source.refuse_twins("document", own.documents.iter().map(|table| &table.name))?;
        source.refuse_twins("location", own.locations.iter().map(|table| &table.name))?;
        source.refuse_twins("consumer", own.consumers.iter().map(|table| &table.name))?;
        source.refuse_twins("fact", own.facts.iter().map(|table| &table.name))?;
        for table in &own.documents {
            let units = table.services.iter().map(|name| self.document_index(source, name));
            let services = units.collect::<Result<_, _>>()?;
            let spec = DocumentSpec { services, ..document(source, table)? };
            replace(&mut self.documents, spec, |document| &document.name);
        }
        if !own.environment.is_empty() {
            let index = |name| self.document_index(source, name);
            self.environment = own.environment.iter().map(index).collect::<Result<_, _>>()?;
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
                let credential = self.known_credential(source, credential)?;
                self.consumers.push(ConsumerSpec {
                    name: table.name.get_ref().clone(),
                    credential,
                    node: table.node.clone(),
                    attributes: table.attributes.clone(),
                });
            }
        }
        if cfg!(feature = "platforms") {
            self.declare_platforms(source, own)?;
        }
        for table in &own.facts {
            let spec = self.fact(source, table)?;
            replace(&mut self.facts, spec, |fact| &fact.name);
        }
        if let Some(name) = &own.version_fact {
            self.version_fact = Some(name.get_ref().clone());
        }
        for (name, table) in &own.credentials {
            let id = self.known_credential(source, name)?;
            if let Some(credential) = self.credentials.get_mut(id.index()) {
                credential.placeholders.extend(table.placeholders.iter().cloned());
                credential.trim = table.trim.unwrap_or(credential.trim);
            }
        }
        Ok(())
    }

    /// A credential that some location holds: another one is a typing error.
    fn known_credential(
        &mut self,
        source: &Source<'_>,
        name: &Spanned<String>,
    ) -> Result<CredentialId, ManifestError> {
        let known = self.credentials.iter().position(|known| known.name == *name.get_ref());
        known.map(CredentialId::from_index).ok_or_else(|| {
            let known = self.credentials.iter().map(|credential| credential.name.as_str());
            source.error(name, unknown("credential", name.get_ref(), known))
        })
    }

    fn location(
        &mut self,
        source: &Source<'_>,
        table: &LocationTable,
    ) -> Result<LocationSpec, ManifestError> {
        if table.name.get_ref().contains(FAMILY) {
            let message = format!(
                "a location's name holds no `{FAMILY}`, which stands before what is discovered beside it"
            );
            return Err(source.error(&table.name, message));
        }
        let LocationTable { env, argument, file, command: called, .. } = table;
        let document = (&table.document, &table.pointer);
        let place = match (env, argument.as_slice(), file, called, document) {
            (Some(variable), [], None, None, (None, None)) => PlaceSpec::Variable(variable.clone()),
            (None, [_, ..], None, None, (None, None)) => PlaceSpec::Argument(
                argument
                    .iter()
                    .map(|pointer| parse_pointer(source, pointer))
                    .collect::<Result<_, _>>()?,
            ),
            (None, [], Some(path), None, (None, None)) => PlaceSpec::File(path.clone()),
            (None, [], None, Some(called), (None, None)) if cfg!(feature = "platforms") => {
                PlaceSpec::Command(Box::new(command(source, &table.name, called)?))
            }
            (None, [], None, None, (Some(document), Some(pointer))) => {
                let (document, pointer) = self.pointer(source, document, pointer)?;
                PlaceSpec::Pointer(document, pointer)
            }
            _ => {
                return Err(source.error(
                    &table.name,
                    format!(
                        "location `{}` needs exactly one place: `env`, or `argument`, or `file`, or `command`, or `document` with `pointer`",
                        table.name.get_ref()
                    ),
                ));
            }
        };
        let label = table.label.clone().unwrap_or_else(|| match &place {
            PlaceSpec::Variable(name) => name.clone(),
            PlaceSpec::Argument(_) => "what the caller hands over".to_owned(),
            PlaceSpec::Pointer(_, pointer) => pointer.dotted(),
            PlaceSpec::File(path) => path.as_written(),
            PlaceSpec::Command(_) => table.name.get_ref().clone(),
        });
        let mut attributes = table.attributes.clone();
        if let PlaceSpec::Command(called) = &place
            && let Some(write) = &called.write
        {
            // A policy decides whether that is worth it.
            attributes.extend(write.effect.clone().map(|effect| ("on-write".to_owned(), effect)));
        }
        Ok(LocationSpec {
            name: table.name.get_ref().clone(),
            credential: self.credential_id(&table.credential),
            place,
            label,
            node: table.node.clone(),
            attributes,
        })
    }

    fn fact(&self, source: &Source<'_>, table: &FactTable) -> Result<FactSpec, ManifestError> {
        let mut from = Vec::new();
        if let Some(variable) = &table.env {
            from.push(FactSource::Variable(variable.clone()));
        }
        if let (Some(document), Some(pointer)) = (&table.document, &table.pointer) {
            let (document, pointer) = self.pointer(source, document, pointer)?;
            from.push(FactSource::Pointer(document, pointer));
        }
        if !table.files.is_empty() {
            let pointer = table.pointer.as_ref().map(|at| parse_pointer(source, at)).transpose()?;
            from.push(FactSource::Files(table.files.clone(), pointer));
        }
        from.extend(table.started_package.clone().map(FactSource::StartedPackage));
        from.extend(table.package.clone().map(FactSource::Package));
        from.extend(table.version_of.clone().map(FactSource::VersionOf));
        if let (Some(document), None) = (&table.document, &table.pointer) {
            from.push(FactSource::Path(self.document_index(source, document)?));
        }
        let (Some(from), true) = (from.pop(), from.is_empty()) else {
            return Err(source.error(
                &table.name,
                format!(
                    "fact `{}` needs exactly one source: `env`, `document` with `pointer`, `files`, `package`, or `version-of`",
                    table.name.get_ref()
                ),
            ));
        };
        Ok(FactSpec {
            name: table.name.get_ref().clone(),
            source: from,
            presence_only: table.presence_only,
            unless: table.unless.iter().map(|name| name.get_ref().clone()).collect(),
            after: table.after.clone(),
            if_exists: table.if_exists,
            values: table.values.clone(),
            policies: table.policies.clone(),
        })
    }

    fn pointer(
        &self,
        source: &Source<'_>,
        document: &Spanned<String>,
        pointer: &Spanned<String>,
    ) -> Result<(usize, Pointer), ManifestError> {
        Ok((self.document_index(source, document)?, parse_pointer(source, pointer)?))
    }

    fn document_index(
        &self,
        source: &Source<'_>,
        document: &Spanned<String>,
    ) -> Result<usize, ManifestError> {
        let index = self.documents.iter().position(|known| known.name == *document.get_ref());
        index.ok_or_else(|| {
            let known = self.documents.iter().map(|document| document.name.as_str());
            source.error(document, unknown("document", document.get_ref(), known))
        })
    }

    /// Two names for one place could be given two secrets, and a fact at a credential's place
    /// would show the secret.
    pub(super) fn refuse_shared_places(
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
        let shows_secret = |fact: &&FactSpec| {
            !fact.presence_only
                && self.locations.iter().any(|location| match (&location.place, &fact.source) {
                    (PlaceSpec::Variable(a), FactSource::Variable(b)) => a == b,
                    (PlaceSpec::Pointer(a, at), FactSource::Pointer(b, fact_at)) => {
                        a == b && at == fact_at
                    }
                    _ => false,
                })
        };
        let Some(fact) = self.facts.iter().find(shows_secret) else {
            return Ok(());
        };
        let message = format!(
            "fact `{}` would show a secret to the policy; set `presence-only = true`, or take another place",
            fact.name
        );
        let written = own.facts.iter().find(|table| *table.name.get_ref() == fact.name);
        Err(match written {
            Some(table) => source.error(&table.name, message),
            None => source.error(&Spanned::new(0..0, ()), message),
        })
    }

    pub(super) fn grants(
        &self,
        source: &Source<'_>,
        table: &GrantTable,
    ) -> Result<Grants, ManifestError> {
        let locations = |names: &[Spanned<String>]| {
            let declared = || self.locations.iter().map(|location| location.name.as_str());
            let shown = |profiles: &&ProfilesSpec| is_for(&profiles.policies, &self.policy);
            let logins = || self.profiles.iter().filter(shown).map(|p| p.name.as_str());
            known_names(source, "location", names, || declared().chain(logins()))
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

fn parse_pointer(source: &Source<'_>, pointer: &Spanned<String>) -> Result<Pointer, ManifestError> {
    Pointer::parse(pointer.get_ref()).map_err(|message| source.error(pointer, message.to_owned()))
}

fn document(source: &Source<'_>, table: &DocumentTable) -> Result<DocumentSpec, ManifestError> {
    let pointer = |pointer| parse_pointer(source, pointer);
    let table = table.clone();
    Ok(DocumentSpec {
        variables: table.variables.iter().map(pointer).collect::<Result<_, _>>()?,
        providers: table.providers.as_ref().map(pointer).transpose()?,
        name: table.name.into_inner(),
        path: table.path,
        syntax: table.syntax,
        optional: table.optional,
        references: table.references,
        include_key: table.include_key,
        drop_ins: table.drop_ins.into_iter().map(PathTemplate::One).collect(),
        scope: table.scope,
        lock_suffix: table.lock_suffix.as_ref().map(|end| lock_suffix(source, end)).transpose()?,
        services: Vec::new(),
    })
}

/// A lock is beside its file, and is not the file.
pub(super) fn lock_suffix(
    source: &Source<'_>,
    suffix: &Spanned<String>,
) -> Result<String, ManifestError> {
    let end = suffix.get_ref();
    if end.is_empty() || end.contains('/') {
        let message = format!(
            "`{end}` is no end of a name; a lock is another file beside the document, such as `.lock`"
        );
        return Err(source.error(suffix, message));
    }
    Ok(end.clone())
}

fn replace<T>(list: &mut Vec<T>, new: T, name: impl Fn(&T) -> &String) {
    match list.iter_mut().find(|known| name(known) == name(&new)) {
        Some(known) => *known = new,
        None => list.push(new),
    }
}

pub(super) fn known_names<'k, K: Iterator<Item = &'k str>>(
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

pub(super) fn unknown<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<String> = known.map(|known| format!("`{known}`")).collect();
    if known.is_empty() {
        format!("unknown {what} `{name}`; none is declared")
    } else {
        format!("unknown {what} `{name}`, expected one of {}", known.join(", "))
    }
}
