//! A deployment: manifest and preset put together and checked.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    AlertSpec, CallSpec, ConsumerSpec, DocumentSpec, FactSpec, FleetSpec, Grants, LocationSpec,
    Manifest, ManifestError, Mode, PRESETS, PeerSpec, ProfilesSpec, alert, manifest,
    merge::{Source, unknown},
    peer,
    preset::Preset,
    spec::CredentialSpec,
};
use toml::Spanned;

use crate::{
    apply::Keep,
    artifact::{PolicyRef, shipped},
    decide::Limits,
    model::CredentialId,
    record::Room,
};

/// A deployment, ready to be observed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Deployment {
    /// Name in messages and in the journal.
    pub name: String,
    /// The preset as the manifest names it.
    pub preset: Option<String>,
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
    /// Whether anything is written.
    pub mode: Mode,
    /// What runs keep, so that they can be rolled back.
    pub backups: Keep,
    /// How much room the journal of the runs has.
    pub journal: Room,
    /// Credentials in order.
    pub(crate) credentials: Vec<CredentialSpec>,
    /// Files that hold copies.
    pub documents: Vec<DocumentSpec>,
    /// Documents of variables that programs read after their own environment, by their position.
    pub environment: Vec<usize>,
    /// Places that can hold a copy.
    pub locations: Vec<LocationSpec>,
    /// Programs and what they read.
    pub consumers: Vec<ConsumerSpec>,
    /// What is done with the credentials.
    pub calls: Vec<CallSpec>,
    /// Files of the logins of agents.
    pub profiles: Vec<ProfilesSpec>,
    /// What the policy may know.
    pub facts: Vec<FactSpec>,
    /// Whom `check` tells of what it finds.
    pub alerts: Vec<AlertSpec>,
    /// Other nodes, to which secrets are handed and from which they are taken.
    pub peers: Vec<PeerSpec>,
    /// The fleet that this node is one of.
    pub fleet: Option<FleetSpec>,
    /// The fact that says which version of the gateway it is.
    pub version_fact: Option<String>,
    /// Whether references of the kind exec are followed.
    pub run_commands: bool,
    /// The provider of secrets as which the gateway's configuration asks this very process, while it
    /// does. A reference to it leads here, so that what stands there is no copy.
    pub asked_as: Option<String>,
    /// What relative paths are relative to.
    pub base: PathBuf,
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
            preset: manifest.deployment.preset.as_ref().map(|preset| preset.get_ref().clone()),
            attributes: manifest.deployment.attributes.clone(),
            settings: serde_json::to_value(&manifest.settings).unwrap_or_default(),
            grants: Grants::default(),
            limits: limits(&source, manifest)?,
            mode: manifest.deployment.mode,
            backups: backups(manifest),
            journal: journal(&source, manifest)?,
            credentials: Vec::new(),
            documents: Vec::new(),
            environment: Vec::new(),
            locations: Vec::new(),
            consumers: Vec::new(),
            calls: Vec::new(),
            profiles: Vec::new(),
            facts: Vec::new(),
            alerts: Vec::new(),
            peers: Vec::new(),
            fleet: None,
            version_fact: None,
            run_commands: manifest.deployment.run_commands,
            asked_as: None,
            policy,
            base,
        };
        // Said so that what checks them is no part of a build that has none.
        if cfg!(feature = "platforms") {
            deployment.alerts = alert::alerts(&source, &manifest.alerts)?;
            deployment.peers = peer::peers(&source, &manifest.peers)?;
        }
        let preset_source = Source { path: Path::new("preset"), text: "" };
        deployment.declare(&preset_source, &preset.declare)?;
        deployment.declare(&source, &own)?;
        deployment.refuse_shared_places(&source, &own)?;
        let shipped = match &deployment.policy {
            PolicyRef::Shipped(name) => preset.grants.get(name),
            PolicyRef::File(_) | PolicyRef::Bytes(_) => None,
        };
        deployment.grants = match (&manifest.grants, shipped) {
            (Some(table), _) => deployment.grants(&source, table)?,
            (None, Some(table)) => deployment.grants(&preset_source, table)?,
            (None, None) => Grants::default(),
        };
        if let Some(table) = manifest.fleet.as_ref().filter(|_| cfg!(feature = "platforms")) {
            deployment.fleet = Some(deployment.fleet(&source, table)?);
        }
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

    /// Names of the credentials.
    pub fn credentials(&self) -> impl Iterator<Item = &str> {
        self.credentials.iter().map(|credential| &*credential.name)
    }

    /// Name of a credential.
    #[must_use]
    pub fn credential(&self, id: CredentialId) -> &str {
        self.credentials.get(id.index()).map_or("", |credential| &credential.name)
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
    let text = manifest::read_text(&path).map_err(|error| {
        source.error(named, format!("cannot read the preset {}: {error}", path.display()))
    })?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok((stem, manifest::read(&path, &text)?))
}

fn policy_of(source: &Source<'_>, manifest: &Manifest) -> Result<PolicyRef, ManifestError> {
    match (&manifest.policy.name, &manifest.policy.file) {
        (Some(name), None) if shipped().contains(&name.get_ref().as_str()) => {
            Ok(PolicyRef::Shipped(name.get_ref().clone()))
        }
        (Some(name), None) => {
            let message = unknown("policy", name.get_ref(), shipped().into_iter());
            Err(source.error(name, format!("{message}, or a component by `file`")))
        }
        (None, Some(path)) => Ok(PolicyRef::File(path.clone())),
        (Some(name), Some(_)) => {
            Err(source.error(name, "a policy has `name` or `file`, not both; keep one".to_owned()))
        }
        (None, None) => {
            let message = "no policy is named; add `[policy]` with `name = \"helm\"` or `file = \"...\"`, or use --policy";
            Err(source.error(&Spanned::new(0..0, ()), message.to_owned()))
        }
    }
}

fn backups(manifest: &Manifest) -> Keep {
    let (table, default) = (&manifest.backups, Keep::default());
    Keep { runs: table.runs.unwrap_or(default.runs), days: table.days.unwrap_or(default.days) }
}

fn journal(source: &Source<'_>, manifest: &Manifest) -> Result<Room, ManifestError> {
    let (table, default) = (&manifest.journal, Room::default());
    let number = |given: &Option<Spanned<usize>>, default, allowed: RangeInclusive<u64>, what| {
        let Some(given) = given else { return Ok(default) };
        let number = *given.get_ref() as u64;
        let (least, most) = (allowed.start(), allowed.end());
        let message = || {
            format!("a journal of {number} {what} is not possible, {least} to {most} are allowed")
        };
        if allowed.contains(&number) { Ok(number) } else { Err(source.error(given, message())) }
    };
    Ok(Room {
        bytes: number(&table.bytes, default.bytes, Room::BYTES, "bytes")?,
        files: number(&table.files, default.files, Room::FILES, "files")?,
    })
}

fn limits(source: &Source<'_>, manifest: &Manifest) -> Result<Limits, ManifestError> {
    let (table, default) = (&manifest.limits, Limits::default());
    if let Some(bytes) = &table.stack_bytes
        && !(1..=Limits::MOST_STACK).contains(bytes.get_ref())
    {
        let most = Limits::MOST_STACK;
        let message = format!(
            "a stack of {} bytes is not possible, 1 to {most} are allowed: the policy runs on the stack of the host",
            bytes.get_ref()
        );
        return Err(source.error(bytes, message));
    }
    Ok(Limits {
        deadline: table.deadline_ms.map_or(default.deadline, Duration::from_millis),
        fuel: table.fuel,
        memory_bytes: table.memory_bytes.unwrap_or(default.memory_bytes),
        table_elements: table.table_elements.unwrap_or(default.table_elements),
        instances: table.instances.unwrap_or(default.instances),
        stack_bytes: table.stack_bytes.as_ref().map_or(default.stack_bytes, |b| *b.get_ref()),
        output_bytes: table.output_bytes.unwrap_or(default.output_bytes),
        list_items: table.list_items.unwrap_or(default.list_items),
        component_bytes: table.component_bytes.unwrap_or(default.component_bytes),
        compile: table.compile_ms.map_or(default.compile, Duration::from_millis),
    })
}
