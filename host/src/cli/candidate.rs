//! A policy that is tried, and what it may have done.

use std::path::Path;

use precedent::{
    artifact::PolicyRef,
    config::{Deployment, Grants},
};

use super::selection::{has_manifest, read_deployment};

/// What a policy would be granted: what the deployment grants it; to a component that the manifest does
/// not speak of, what the manifest's own policy has. None where nobody says, for there is no manifest.
pub(crate) fn grants(manifest: Option<&Path>, deployment: &Deployment) -> Option<Grants> {
    let is_shipped = matches!(deployment.policy, PolicyRef::Shipped(_));
    if is_shipped || deployment.grants != Grants::default() {
        return Some(deployment.grants.clone());
    }
    let present = has_manifest(manifest).then(|| read_deployment(manifest, None).ok()).flatten();
    present.map(|present| present.grants)
}
