//! References that stand where a secret could, and where they lead.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jsonc_parser::ast::{Object, Value};
use zeroize::Zeroizing;

use super::{World, units::Services, variables::Variables, world::Command};
use crate::{
    config::{DocumentSpec, ReferenceForm},
    document::json::{self, Found, Part, text_of},
    model::{Reference, ReferenceKind},
    secret::Fingerprint,
};

/// How long a command may take, as in the gateway itself.
const COMMAND_TIME: Duration = Duration::from_secs(5);

/// A reference, and the value that it leads to today.
#[derive(Clone)]
pub(super) struct Followed {
    kind: ReferenceKind,
    target: String,
    pub(super) value: Option<Zeroizing<String>>,
    /// Where alone the variable is seen, of a process and the service beside it.
    pub(super) seen: Option<&'static str>,
}

impl Followed {
    pub(super) fn with(self, resolved: Option<Fingerprint>) -> Reference {
        Reference { kind: self.kind, target: self.target, resolved }
    }
}

/// Whether readers that substitute `${NAME}` would find one in the text, or take it whole for
/// `$NAME`.
pub(crate) fn reads_as_reference(text: &str) -> bool {
    let names = |rest: &str| rest.split_once('}').is_some_and(|(name, _)| is_name(name));
    text.split("${").skip(1).any(names) || whole_name(text).is_some()
}

/// The variable that a text names as a whole: `${NAME}` or `$NAME`.
fn whole_name(text: &str) -> Option<&str> {
    let rest = text.trim().strip_prefix('$')?;
    let name = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(rest);
    is_name(name).then_some(name)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Follows the references of one document.
pub(super) struct Follower<'f, 't> {
    pub(super) spec: &'f DocumentSpec,
    pub(super) parts: &'f [Part<'t>],
    pub(super) variables: &'f Variables<'f>,
    pub(super) world: &'f dyn World,
    pub(super) run_commands: bool,
    pub(super) asked_as: Option<&'f str>,
    pub(super) services: &'f Services,
}

impl Follower<'_, '_> {
    /// Reads a string as a reference, where the document's readers know the form.
    pub(super) fn in_text(&self, text: &str) -> Option<Followed> {
        if !self.spec.references.contains(&ReferenceForm::Variable) {
            return None;
        }
        match whole_name(text) {
            Some(name) => Some(self.to_variable(name)),
            // A text with a reference in it is put together by its readers; to replace it would
            // destroy what somebody meant.
            None => reads_as_reference(text).then(|| Followed {
                kind: ReferenceKind::Unknown,
                target: "a text with variables in it".to_owned(),
                value: None,
                seen: None,
            }),
        }
    }

    /// Reads an object as a reference, where the document's readers know the form. An object of
    /// another shape is still one, of a kind that the host does not know: to take it for a value
    /// that may be replaced would destroy it.
    pub(super) fn in_object(&self, object: &Object<'_>) -> Option<Followed> {
        if !self.spec.references.contains(&ReferenceForm::SecretRef) {
            return None;
        }
        let id = text_of(object, "id").unwrap_or_default();
        let provider = text_of(object, "provider").unwrap_or("default");
        let (kind, value) = match text_of(object, "source") {
            // Only the provider of that name need not be configured.
            Some("env") if provider == "default" || self.provider(provider, "env").is_some() => {
                return Some(self.to_variable(id));
            }
            Some("env") => (ReferenceKind::Environment, None),
            Some("file") => (ReferenceKind::File, self.in_file(provider, id)),
            Some("exec") => (ReferenceKind::Command, self.told_by(provider, id)),
            Some("store") => (ReferenceKind::Store, None),
            _ => (ReferenceKind::Unknown, None),
        };
        Some(Followed { kind, target: id.to_owned(), value, seen: None })
    }

    /// Whether it is the reference for whose sake this process runs: to follow it would be to run it
    /// again, and again.
    pub(super) fn is_asker(&self, object: &Object<'_>) -> bool {
        let provider = || text_of(object, "provider").unwrap_or("default");
        cfg!(feature = "provide")
            && self.asked_as.is_some_and(|asked| asked == provider())
            && text_of(object, "source") == Some("exec")
            && self.spec.references.contains(&ReferenceForm::SecretRef)
    }

    fn to_variable(&self, name: &str) -> Followed {
        let inner = |pointer: &crate::model::Pointer| match self.find(&pointer.then(name)) {
            Found::Text(text) => Some(Zeroizing::new(text.to_owned())),
            _ => None,
        };
        // A blank variable is filled by the document's own, like one that is not set.
        let shell = self.variables.of_process(name).filter(|value| !value.trim().is_empty());
        let service = self.services.variable(&self.spec.services, name);
        let files =
            self.variables.of_files(name).or_else(|| self.spec.variables.iter().find_map(inner));
        let (value, seen) = match (shell, service, files) {
            // Where there is a service that has none, only a file feeds both.
            (Some(value), Some(None), None) => (Some(value), Some("process")),
            (Some(value), _, _) | (None, _, Some(value)) => (Some(value), None),
            (None, Some(Some(value)), None) => (Some(value), Some("service")),
            (None, _, None) => (None, None),
        };
        Followed { kind: ReferenceKind::Environment, target: name.to_owned(), value, seen }
    }

    fn find(&self, pointer: &crate::model::Pointer) -> Found<'_, '_> {
        json::find(self.parts, self.spec.include_key.as_deref(), pointer).found
    }

    fn provider(&self, name: &str, source: &str) -> Option<&Object<'_>> {
        match self.find(&self.spec.providers.as_ref()?.then(name)) {
            Found::Object(object) if text_of(object, "source") == Some(source) => Some(object),
            _ => None,
        }
    }

    /// What a file holds: a whole one, or a value in a JSON file.
    fn in_file(&self, provider: &str, id: &str) -> Option<Zeroizing<String>> {
        let provider = self.provider(provider, "file")?;
        let contents = self.world.read(&self.path(text_of(provider, "path")?)?).ok()?;
        // The gateway refuses a file that others may read.
        if !contents.private {
            return None;
        }
        let text = std::str::from_utf8(&contents.bytes).ok()?;
        if text_of(provider, "mode") == Some("singleValue") {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            return (id == "value").then(|| Zeroizing::new(text.to_owned()));
        }
        let document: serde_json::Value = serde_json::from_str(text).ok()?;
        document.pointer(id)?.as_str().map(|text| Zeroizing::new(text.to_owned()))
    }

    /// What a command says, by the protocol of the gateway: the ids on its standard input, the
    /// values on its standard output.
    fn told_by(&self, name: &str, id: &str) -> Option<Zeroizing<String>> {
        let provider = self.run_commands.then(|| self.provider(name, "exec"))??;
        let program = self.path(text_of(provider, "command")?)?;
        let arguments = texts_of(provider, "args");
        let passed = texts_of(provider, "passEnv").into_iter().filter_map(|name| {
            let value = self.variables.get(&name)?;
            Some((name, value.to_string()))
        });
        let variables: Vec<(String, String)> = passed.chain(pairs_of(provider, "env")).collect();
        let request = serde_json::json!({"protocolVersion": 1, "provider": name, "ids": [id]});
        let answer = self.world.run(&Command {
            program: &program,
            arguments: &arguments,
            variables: &variables,
            input: request.to_string().as_bytes(),
            folder: Path::new(""),
            time: COMMAND_TIME,
            absent: None,
            guarded: true,
        });
        let answer = answer.ok()?;
        let answer: serde_json::Value = serde_json::from_slice(&answer).ok()?;
        answer.get("values")?.get(id)?.as_str().map(|text| Zeroizing::new(text.to_owned()))
    }

    fn path(&self, text: &str) -> Option<PathBuf> {
        match text.strip_prefix("~/") {
            Some(below) => Some(Path::new(&self.world.variable("HOME")?).join(below)),
            None => Some(PathBuf::from(text)).filter(|path| path.is_absolute()),
        }
    }
}

fn pairs_of(object: &Object<'_>, name: &str) -> Vec<(String, String)> {
    let property = object.properties.iter().find(|p| p.name.as_str() == name);
    let Some(Value::Object(inner)) = property.map(|property| &property.value) else {
        return Vec::new();
    };
    let pair = |name: &str| Some((name.to_owned(), text_of(inner, name)?.to_owned()));
    inner.properties.iter().filter_map(|property| pair(property.name.as_str())).collect()
}

fn texts_of(object: &Object<'_>, name: &str) -> Vec<String> {
    let property = object.properties.iter().find(|p| p.name.as_str() == name);
    let text = |value: &Value<'_>| match value {
        Value::StringLit(text) => Some(text.value.to_string()),
        _ => None,
    };
    match property.map(|property| &property.value) {
        Some(Value::Array(array)) => array.elements.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

/// The reference to a variable in a form that the document's readers know.
pub(crate) fn to_write(form: ReferenceForm, variable: &str) -> serde_json::Value {
    match form {
        ReferenceForm::SecretRef => serde_json::json!({
            "source": "env",
            "provider": "default",
            "id": variable,
        }),
        ReferenceForm::Variable => serde_json::Value::from(format!("${{{variable}}}")),
    }
}
