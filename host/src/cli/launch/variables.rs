//! The variables that a program takes its credentials from.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use precedent::{config::PlaceSpec, model::Snapshot};

use super::{
    super::{exit::UsageError, session::Session},
    LaunchArgs,
};

/// A program, the credentials that it reads, and the variables that it takes them from.
pub(super) struct Variables {
    pub(super) credentials: Vec<String>,
    /// By somebody's word, by credential.
    told: BTreeMap<String, Vec<String>>,
    /// As the deployment declares them, by credential, most important first.
    declared: BTreeMap<String, Vec<String>>,
}

impl Variables {
    pub(super) fn of(session: &Session, snapshot: &Snapshot, args: &LaunchArgs) -> Result<Self> {
        let all = || snapshot.consumers.iter();
        let read: Vec<String> = all()
            .filter(|one| one.name == args.consumer)
            .map(|one| snapshot.credential(one.credential).to_owned())
            .collect();
        if read.is_empty() {
            let known: BTreeSet<&str> = all().map(|one| one.name.as_str()).collect();
            let known: Vec<&str> = known.into_iter().collect();
            let message = format!(
                "unknown consumer `{}`, expected one of `{}`",
                args.consumer,
                known.join("`, `")
            );
            return Err(UsageError(message).into());
        }
        let deployment = session.host.deployment();
        let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for spec in &deployment.locations {
            if let PlaceSpec::Variable(name) = &spec.place {
                let credential = deployment.credential(spec.credential).to_owned();
                declared.entry(credential).or_default().push(name.clone());
            }
        }
        let told = told(&args.env, &args.consumer, &read)?;
        let variables = Self { credentials: read, told, declared };
        variables.are_apart()?;
        Ok(variables)
    }

    /// One variable holds one credential: what stands there twice would be given once.
    fn are_apart(&self) -> Result<()> {
        let mut taken = BTreeMap::new();
        for credential in &self.credentials {
            for variable in self.of_credential(credential) {
                if let Some(other) = taken.insert(variable, credential) {
                    let message = format!(
                        "--env: the variable {variable} is that of `{other}` and of `{credential}`; name another for one of them"
                    );
                    return Err(UsageError(message).into());
                }
            }
        }
        Ok(())
    }

    /// The variables for a credential: those that somebody named, else the first that is declared.
    pub(super) fn of_credential(&self, credential: &str) -> &[String] {
        match self.told.get(credential) {
            Some(told) => told,
            None => self.declared.get(credential).and_then(|all| all.get(..1)).unwrap_or_default(),
        }
    }

    /// Whether a program takes a credential from a variable of which the deployment knows nothing.
    pub(super) fn is_told(&self, credential: &str) -> bool {
        let is_declared =
            |name| self.declared.get(credential).is_some_and(|all| all.contains(name));
        self.told.get(credential).is_some_and(|told| !told.iter().any(is_declared))
    }
}

/// The pairs of `--env`, by credential.
fn told(
    pairs: &[String],
    consumer: &str,
    read: &[String],
) -> Result<BTreeMap<String, Vec<String>>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in pairs {
        let parts = pair.split_once('=').filter(|(_, variable)| is_name(variable));
        let Some((credential, variable)) = parts else {
            let message = format!("--env takes CREDENTIAL=VARIABLE, not `{pair}`");
            return Err(UsageError(message).into());
        };
        if !read.iter().any(|known| known == credential) {
            let read = read.join("`, `");
            let message = format!("--env: `{consumer}` reads no `{credential}`, it reads `{read}`");
            return Err(UsageError(message).into());
        }
        if told.values().flatten().any(|taken| taken == variable) {
            let message = format!("--env: the variable {variable} stands twice");
            return Err(UsageError(message).into());
        }
        told.entry(credential.to_owned()).or_default().push(variable.to_owned());
    }
    Ok(told)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
