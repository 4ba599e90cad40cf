//! Which deployment and which policy the words on the command line select.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use precedent::{
    Error,
    artifact::{self, PolicyRef},
    config::{Deployment, Manifest, read_text},
};

use super::{args::Selection, exit::UsageError};

const MANIFEST: &str = "precedent.toml";
/// The policy where nobody names one; a build without it takes the one that it has.
const DEFAULT_POLICY: &str = "binary";

/// The policy that the user names.
pub(super) fn policy_of(selection: &Selection) -> Result<Option<PolicyRef>> {
    selection.policy.as_deref().map(policy_from).transpose()
}

/// The policy where nobody names one.
pub(crate) fn default_policy() -> PolicyRef {
    let shipped = artifact::shipped();
    let default = shipped.iter().find(|name| **name == DEFAULT_POLICY).or(shipped.first());
    PolicyRef::Shipped(default.copied().unwrap_or(DEFAULT_POLICY).to_owned())
}

/// Reads the manifest that the user names, or the one that is here; `policy` takes the place of its
/// own.
pub(crate) fn read_deployment(
    manifest: Option<&Path>,
    policy: Option<PolicyRef>,
) -> Result<Deployment> {
    let path = manifest.map(Path::to_owned).or_else(|| {
        let here = PathBuf::from(MANIFEST);
        // A link that leads nowhere is no manifest, and no reason to go on without.
        here.symlink_metadata().is_ok().then_some(here)
    });
    let Some(path) = path else {
        let policy = policy.unwrap_or_else(default_policy);
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
    match PolicyRef::from_argument(argument) {
        PolicyRef::File(_) => {
            let path =
                std::path::absolute(Path::new(argument)).context("cannot tell where I am")?;
            Ok(PolicyRef::from_argument(&path.display().to_string()))
        }
        shipped => Ok(shipped),
    }
}

pub(super) fn set_all(deployment: &mut Deployment, selection: &Selection) -> Result<()> {
    deployment.run_commands |= selection.run_commands;
    for pair in &selection.attribute {
        let (key, value) = split(pair, "--attribute")?;
        deployment.attributes.insert(key.to_owned(), value.to_owned());
    }
    for pair in &selection.set {
        let (key, value) = split(pair, "--set")?;
        // A number, a boolean, an object if it reads as one; a string otherwise.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        if let Some(settings) = deployment.settings.as_object_mut() {
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
