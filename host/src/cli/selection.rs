//! Which deployment and which policy the words on the command line select.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Result;
#[cfg(feature = "workbench")]
use precedent::config::{LocationSpec, PlaceSpec};
use precedent::{
    Error,
    artifact::PolicyRef,
    config::{Deployment, Manifest, read_text},
};

use super::{args::Selection, exit::UsageError};

const MANIFEST: &str = "precedent.toml";

/// The policy that the user names.
pub(super) fn policy_of(selection: &Selection) -> Result<Option<PolicyRef>> {
    selection.policy.as_deref().map(policy_from).transpose()
}

/// The manifest that the user names, or the one that is here.
pub(crate) fn manifest_path(manifest: Option<&Path>) -> Option<PathBuf> {
    manifest.map(Path::to_owned).or_else(|| {
        let here = PathBuf::from(MANIFEST);
        // A link that leads nowhere is no manifest, and no reason to go on without.
        here.symlink_metadata().is_ok().then_some(here)
    })
}

/// Reads the manifest that the user names, or the one that is here; `policy` takes the place of its
/// own.
pub(crate) fn read_deployment(
    manifest: Option<&Path>,
    policy: Option<PolicyRef>,
) -> Result<Deployment> {
    let Some(path) = manifest_path(manifest) else {
        let policy = policy.unwrap_or_default();
        return Ok(Deployment::without_manifest(policy).map_err(Error::from)?);
    };
    let unreadable = |error: std::io::Error| {
        UsageError(format!("cannot read the manifest {}: {error}", path.display()))
    };
    if manifest.is_none() {
        is_meant(&path).map_err(unreadable)?;
    }
    let text = read_text(&path).map_err(unreadable)?;
    let manifest = Manifest::parse(&path, &text).map_err(Error::from)?;
    Ok(Deployment::new(&path, &text, &manifest, policy).map_err(Error::from)?)
}

/// Whether there is a manifest: one that is named, or one that is here.
#[cfg(feature = "workbench")]
pub(crate) fn has_manifest(manifest: Option<&Path>) -> bool {
    manifest.is_some() || Path::new(MANIFEST).symlink_metadata().is_ok()
}

/// Whether a manifest that nobody named, but that is here, was put there for this user. Whoever can put
/// one where another user works could have secrets written where they can read them.
fn is_meant(path: &Path) -> std::io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    let (named, metadata) = (path.symlink_metadata()?, std::fs::metadata(path)?);
    // A link to a good one is as good as where it lies: relative paths lead from there.
    let others =
        [named.uid(), metadata.uid()].into_iter().find(|owner| *owner != me && *owner != 0);
    if !metadata.is_file() {
        Err(std::io::Error::other("it is no regular file"))
    } else if let Some(owner) = others {
        let words = format!(
            "it belongs to another user ({owner}, this is {me}); if it is meant, name it: --manifest {}",
            path.display()
        );
        Err(std::io::Error::other(words))
    } else {
        Ok(())
    }
}

/// A path on the command line is relative to where the user is, not to the manifest.
pub(crate) fn policy_from(argument: &str) -> Result<PolicyRef> {
    Ok(PolicyRef::from_argument(argument).from_here().map_err(Error::from)?)
}

pub(super) fn set_all(deployment: &mut Deployment, selection: &Selection) -> Result<()> {
    deployment.run_commands |= selection.run_commands;
    for pair in &selection.attribute {
        let (key, value) = split(pair, "--attribute")?;
        deployment.attributes.insert(key.to_owned(), value.to_owned());
    }
    set(&mut deployment.settings, &selection.set)
}

/// Overrides settings, by pairs of the command line.
pub(super) fn set(settings: &mut serde_json::Value, pairs: &[String]) -> Result<()> {
    for pair in pairs {
        let (key, value) = split(pair, "--set")?;
        // A number, a boolean, an object if it reads as one; a string otherwise.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        if let Some(settings) = settings.as_object_mut() {
            settings.insert(key.to_owned(), value);
        }
    }
    Ok(())
}

fn split<'p>(pair: &'p str, flag: &str) -> Result<(&'p str, &'p str)> {
    pair.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| UsageError(format!("{flag} takes KEY=VALUE, not `{pair}`")).into())
}

/// The variables that hold copies of credentials: of the gateway, and of the deployment here.
#[cfg(feature = "workbench")]
pub(crate) fn variables_of_copies() -> Vec<String> {
    let presets = Deployment::without_manifest(PolicyRef::default()).ok();
    let here = read_deployment(None, Some(PolicyRef::default())).ok();
    let specs = presets.into_iter().chain(here).flat_map(|deployment| deployment.locations);
    let variable = |spec: LocationSpec| match spec.place {
        PlaceSpec::Variable(name) => Some(name),
        _ => None,
    };
    specs.filter_map(variable).collect()
}
