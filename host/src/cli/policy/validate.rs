//! `precedent policy validate`: the settings of a manifest, by the policy's schema and by the policy.
//!
//! | module | what |
//! |---|---|
//! | `schema` | what a schema says of a value |

mod schema;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{
    Error,
    config::{ManifestError, settings_error},
    decide::{DecideError, Policy},
};
use serde_json::{Value, json};

use super::super::{
    args::{Format, PolicySubject},
    exit::Exit,
    json, selection,
    subject::Subject,
    text,
};
use schema::Fault;

#[derive(Debug, ClapArgs)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    subject: PolicySubject,
    /// Override one setting of the policy; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &ValidateArgs) -> Result<Exit> {
    let named = args.subject.named();
    let Subject { mut deployment, policy, .. } = Subject::open(&named)?;
    let written = deployment.settings.clone();
    selection::set(&mut deployment.settings, &args.set)?;
    let path = selection::manifest_path(named.manifest.as_deref());
    let place = |fault: &Fault| {
        // What a flag says stands in no file.
        let in_file =
            written.pointer(&fault.pointer) == deployment.settings.pointer(&fault.pointer);
        let text = std::fs::read_to_string(path.as_ref().filter(|_| in_file)?).ok()?;
        let path = PathBuf::from(path.as_ref()?);
        Some(settings_error(&path, &text, &fault.pointer, fault.message.clone()))
    };
    let faults = faults(&policy, &deployment.settings)?;
    let placed: Vec<(Fault, Option<ManifestError>)> =
        faults.into_iter().map(|fault| (place(&fault), fault)).map(|(at, f)| (f, at)).collect();
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Text => {
            for (fault, at) in &placed {
                text::fault(&mut out, &fault.pointer, &fault.message, at.as_ref())?;
            }
            text::validated(&mut out, &policy, placed.len())?;
        }
        Format::Json => json::print(&mut out, &document(&policy, &placed))?,
    }
    Ok(if placed.is_empty() { Exit::Done } else { Exit::Usage })
}

/// What the schema says, then what the policy says of what the schema lets pass.
fn faults(policy: &Policy, settings: &Value) -> Result<Vec<Fault>> {
    let schema: Value = serde_json::from_str(&policy.about().settings_schema).unwrap_or_default();
    let mut found = schema::faults(&schema, settings);
    match policy.validate_settings(settings) {
        Ok(()) => {}
        Err(DecideError::Settings { faults, .. }) => {
            let own = faults.into_iter().map(|message| {
                let pointer = pointer_of(&message, settings);
                Fault { pointer, message }
            });
            // The same place twice is the same fault in other words.
            let own: Vec<Fault> = own
                .filter(|fault| found.iter().all(|known| known.pointer != fault.pointer))
                .collect();
            found.extend(own);
        }
        Err(other) => return Err(Error::from(other).into()),
    }
    Ok(found)
}

/// The setting that a sentence of the policy speaks of: a key or a value that it quotes; empty where
/// it quotes none.
fn pointer_of(message: &str, settings: &Value) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let named = |(key, value): &(&String, &Value)| {
        quoted.contains(&key.as_str())
            || value.as_str().is_some_and(|value| quoted.contains(&value))
    };
    let found = settings.as_object().and_then(|settings| settings.iter().find(named));
    found.map_or_else(String::new, |(key, _)| schema::step("", key))
}

/// `precedent.policy.validate/1`
fn document(policy: &Policy, faults: &[(Fault, Option<ManifestError>)]) -> Value {
    let fault = |(fault, at): &(Fault, Option<ManifestError>)| {
        let (line, column) = at.as_ref().and_then(|at| at.at).unzip();
        json!({
            "pointer": fault.pointer,
            "message": fault.message,
            "file": at.as_ref().map(|at| &at.path),
            "line": line,
            "column": column,
        })
    };
    json!({
        "schema": "precedent.policy.validate/1",
        "policy": json::policy(policy),
        "valid": faults.is_empty(),
        "faults": faults.iter().map(fault).collect::<Vec<_>>(),
    })
}
