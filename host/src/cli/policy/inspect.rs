//! `precedent policy inspect`

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use precedent::{Error, artifact, observe::Machine};
use serde_json::{Value, json};

use super::super::{
    args::{Format, PolicySubject},
    exit::Exit,
    json,
    subject::Subject,
    text::{self, Setting},
};

#[derive(Debug, ClapArgs)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    subject: PolicySubject,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &InspectArgs) -> Result<Exit> {
    let Subject { policy, deployment, .. } = Subject::open(&args.subject.named())?;
    let path = deployment.policy.path(&deployment.base, &Machine::default());
    let size = artifact::component_size(&deployment.policy, path.as_deref());
    let usage = policy.usage().map_err(Error::from)?;
    let shape = policy.shape();
    let schema: Value = serde_json::from_str(&policy.about().settings_schema)
        .context("the schema of the settings is no JSON")?;
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Text => text::inspected(&mut out, &policy, size, usage, &settings(&schema))?,
        Format::Json => json::print(
            &mut out,
            &json!({
                "schema": "precedent.policy.inspect/1",
                "policy": json::policy(&policy),
                "world": shape.world,
                "exports": shape.exports,
                "imports": shape.imports,
                "component-bytes": size,
                "compiled-bytes": shape.compiled_bytes,
                "memory": {
                    "memories": shape.memories,
                    "largest-declared-bytes": shape.declared_bytes,
                    "used-bytes": usage.memory_bytes,
                },
                "table-elements": usage.table_elements,
                "settings-schema": schema,
            }),
        )?,
    }
    Ok(Exit::Done)
}

/// The settings that a schema speaks of, one level deep.
fn settings(schema: &Value) -> Vec<Setting> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let properties = schema.get("properties").and_then(Value::as_object);
    let setting = |(key, what): (&String, &Value)| Setting {
        key: key.clone(),
        kind: match (what.get("enum").and_then(Value::as_array), what.get("type")) {
            (Some(values), _) => values.iter().map(text).collect::<Vec<_>>().join(" | "),
            (None, Some(kind)) => text(kind),
            (None, None) => String::new(),
        },
        default: what.get("default").map(text).unwrap_or_default(),
        description: what.get("description").map(text).unwrap_or_default(),
    };
    properties.into_iter().flatten().map(setting).collect()
}
