//! The deployments of cases, each made once.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{Case, PRESET};
use crate::{
    Error,
    artifact::PolicyRef,
    config::{Deployment, Grants, Manifest},
};

/// The deployments that were made so far, for most cases share one.
#[derive(Debug)]
pub(super) struct Deployments {
    reference: PolicyRef,
    base: Option<Made>,
    made: HashMap<(String, String), Made>,
}

/// A deployment to be lent to one case after another.
#[derive(Debug)]
struct Made {
    deployment: Deployment,
    grants: Arc<Grants>,
    attributes: BTreeMap<String, String>,
    settings: Value,
}

impl Made {
    fn new(deployment: Deployment) -> Self {
        Self {
            grants: Arc::new(deployment.grants.clone()),
            attributes: deployment.attributes.clone(),
            settings: deployment.settings.clone(),
            deployment,
        }
    }

    /// The deployment as a case says. What it does not say of the settings is as it is.
    fn lend(&mut self, case: &Case) -> (&mut Deployment, Arc<Grants>) {
        self.deployment.attributes.clone_from(&self.attributes);
        self.deployment.attributes.extend(case.deployment.attributes.clone());
        self.deployment.settings = settings(&self.settings, &case.settings);
        (&mut self.deployment, Arc::clone(&self.grants))
    }
}

/// What a case says, or else what the deployment does.
fn settings(own: &Value, said: &Map<String, Value>) -> Value {
    if said.is_empty() { own.clone() } else { Value::Object(said.clone()) }
}

impl Deployments {
    /// None yet. The reference says which of a preset's grants hold.
    pub(super) fn new(reference: PolicyRef) -> Self {
        Self { reference, base: None, made: HashMap::new() }
    }

    /// Takes a deployment for the cases that describe none of their own.
    pub(super) fn on(&mut self, base: Deployment) {
        self.base = Some(Made::new(base));
    }

    /// The deployment of a case, and its grants.
    pub(super) fn of(&mut self, case: &Case) -> Result<(&mut Deployment, Arc<Grants>), Error> {
        let spec = &case.deployment;
        if self.base.as_ref().is_some_and(|base| spec.is_on(&base.deployment)) {
            let base = self.base.as_mut().map(|base| base.lend(case));
            return base.ok_or_else(|| case.error("no deployment".to_owned()).into());
        }
        let preset = spec.preset.as_deref().unwrap_or(PRESET);
        let key = (preset.to_owned(), spec.manifest.clone());
        if !self.made.contains_key(&key) {
            let made = Made::new(self.make(case, preset)?);
            self.made.insert(key.clone(), made);
        }
        let made = self.made.get_mut(&key).ok_or_else(|| case.error("no deployment".to_owned()))?;
        Ok(made.lend(case))
    }

    fn make(&self, case: &Case, preset: &str) -> Result<Deployment, Error> {
        let spec = &case.deployment;
        let preset = Value::from(preset);
        let text = format!("deployment.preset = {preset}\n{}", spec.manifest);
        let path = PathBuf::from(format!("manifest of `{}`", case.name));
        let manifest = Manifest::parse(&path, &text)?;
        let mut made = Deployment::new(&path, &text, &manifest, Some(self.reference.clone()))?;
        // A case that adds to a deployment speaks of its grants only if they are others.
        let base = self.base.as_ref().map(|base| &base.deployment);
        if let Some(base) = base.filter(|base| spec.adds_to(base))
            && !manifest.says_grants()
        {
            made.grants.clone_from(&base.grants);
        }
        Ok(made)
    }
}
