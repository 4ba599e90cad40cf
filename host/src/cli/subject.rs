//! The policy that the workbench works on, and the deployment that it is for.

use anyhow::Result;
use precedent::{
    config::Deployment,
    decide::{Limits, Policy},
};

use super::{args::SubjectArgs, key::key, selection, session};

/// A policy and the deployment that it is for.
pub(crate) struct Subject {
    pub(crate) deployment: Deployment,
    pub(crate) policy: Policy,
    /// The flags that make another verb work on the same.
    pub(crate) flags: String,
}

impl Subject {
    /// Reads the manifest that the words name, and loads the policy within its limits.
    pub(crate) fn open(args: &SubjectArgs) -> Result<Self> {
        Self::with(args, |_| {})
    }

    /// The same, with the policy's fuel counted.
    pub(crate) fn open_metered(args: &SubjectArgs) -> Result<Self> {
        // More than any deadline leaves time for.
        Self::with(args, |limits| limits.fuel = limits.fuel.or(Some(u64::MAX)))
    }

    fn with(args: &SubjectArgs, change: impl FnOnce(&mut Limits)) -> Result<Self> {
        let named = args.policy.as_deref().map(selection::policy_from).transpose()?;
        let mut deployment = selection::read_deployment(args.manifest.as_deref(), named)?;
        change(&mut deployment.limits);
        let key = key(session::state().as_ref())?;
        let Deployment { policy, base, limits, .. } = &deployment;
        let policy = session::load_policy(policy, base, *limits, &key)?;
        let flags = session::subject_words(args);
        Ok(Self { deployment, policy, flags })
    }
}
