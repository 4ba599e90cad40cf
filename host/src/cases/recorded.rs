//! What OpenClaw's own resolvers were recorded to do, as cases: one for each release.
//!
//! | recorded | shape |
//! |---|---|
//! | a row of `precedence-matrix.jsonl` | `expect` is a list, each with the `versions` that it holds for |
//! | a case of `precedence-cases.json` | `expect` holds for `source_version`, `observed` for others |

use serde_json::{Map, Value, json};

use super::{Case, CaseDeployment, LeftOut};
use crate::model::Phase;

/// What a recording comes to: its cases, or why it says nothing of the credentials.
pub(super) type Read = Result<(Vec<Case>, Vec<LeftOut>), String>;

/// Whether a document is a recording, and no case that a person wrote.
pub(super) fn is_recorded(value: &Value) -> bool {
    value.get("consumer").is_some()
}

/// The cases of one recording.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn read(recorded: &Value) -> Read {
    let recording = Recording::new(recorded)?;
    let mut read = (Vec::new(), Vec::new());
    for run in recording.runs()? {
        let names = run.versions.iter().map(|version| format!("{} @ {version}", recording.id));
        match recording.why_not(run.expected) {
            Some(why) => {
                read.1.extend(names.map(|name| LeftOut { name, why: why.to_owned() }));
            }
            None => read.0.extend(recording.cases(&run)?),
        }
    }
    Ok(read)
}

struct Recording<'r> {
    id: &'r str,
    whole: &'r Value,
    /// As it was recorded.
    kind: &'r str,
    consumer: &'static str,
    phase: Phase,
    config: Value,
    options: Map<String, Value>,
}

/// A run of a recording, of which the same was recorded for these releases.
struct Run<'r> {
    versions: Vec<&'r str>,
    options: Map<String, Value>,
    expected: &'r Value,
}

impl<'r> Recording<'r> {
    fn new(whole: &'r Value) -> Result<Self, String> {
        let text = |key: &str| whole.get(key).and_then(Value::as_str);
        let id = text("id").ok_or("a recording needs an `id`, a string")?;
        let kind = text("consumer").ok_or("`consumer` is no string")?;
        let (consumer, phase) = match kind {
            "client_call" | "client_call_async" | "client_call_sync_wrapper" | "values" => {
                ("cli", Phase::Check)
            }
            "probe" | "probe_async" | "probe_safe" | "probe_safe_async" | "status" => {
                ("probe", Phase::Check)
            }
            "tui" => ("tui", Phase::Check),
            "node_host" => ("node-host", Phase::Check),
            "gateway_server" => ("gateway", Phase::Check),
            "gateway_server_startup"
            | "auth_mode_ambiguity"
            | "auth_mode_ambiguity_assert"
            | "hooks_token_reuse_assert" => ("gateway", Phase::Start),
            other => return Err(format!("unknown consumer `{other}`")),
        };
        let object = |key: &str| match whole.get(key) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(_) => Err(format!("`{key}` is no object")),
        };
        let config = Value::Object(object("config")?);
        let mut recording =
            Self { id, whole, kind, consumer, phase, config, options: object("options")? };
        if kind == "values" {
            recording.values_as_configuration();
        }
        Ok(recording)
    }

    /// The function that takes bare values has no configuration; the same values in one come to the
    /// same, with the precedence that it has by default.
    fn values_as_configuration(&mut self) {
        let mut taken = |key: &str| self.options.remove(key);
        let mut auth = Map::new();
        auth.extend(taken("configToken").map(|value| ("token".to_owned(), value)));
        auth.extend(taken("configPassword").map(|value| ("password".to_owned(), value)));
        let mut precedence = |key: &str| taken(key).unwrap_or_else(|| json!("env-first"));
        let (token, password) = (precedence("tokenPrecedence"), precedence("passwordPrecedence"));
        self.options.insert("localPrecedence".to_owned(), token.clone());
        self.options.insert("localTokenPrecedence".to_owned(), token);
        self.options.insert("localPasswordPrecedence".to_owned(), password);
        self.config = json!({"gateway": {"auth": auth}});
    }

    /// What is expected, by release.
    fn runs(&self) -> Result<Vec<Run<'r>>, String> {
        let run = |versions, expected| Run { versions, options: self.options.clone(), expected };
        let expect = self.whole.get("expect").ok_or("a recording needs `expect`")?;
        let mut runs = Vec::new();
        if let Value::Array(list) = expect {
            for expected in list {
                let versions = expected.get("versions").and_then(Value::as_array);
                let versions = versions.ok_or("each of `expect` needs `versions`, a list")?;
                let versions: Option<Vec<&str>> = versions.iter().map(Value::as_str).collect();
                runs.push(run(versions.ok_or("a version is no string")?, expected));
            }
            return Ok(runs);
        }
        let version = self.whole.get("source_version").and_then(Value::as_str);
        let version = version.ok_or("`expect` is no list, and there is no `source_version`")?;
        // A note says that the suite's own expectation does not follow from what it was given.
        if self.whole.get("note").is_none() {
            runs.push(run(vec![version], expect));
        }
        let observed = self.whole.get("observed").and_then(Value::as_object);
        for (version, expected) in observed.into_iter().flatten() {
            let mut run = run(vec![version.as_str()], expected);
            if self.kind == "status" {
                // `status` hands its resolver a mode; the later runs handed it this one.
                run.options.insert("mode".to_owned(), json!("local"));
            }
            runs.push(run);
        }
        Ok(runs)
    }

    /// Why an expectation is none of what the host can see.
    fn why_not(&self, expected: &Value) -> Option<&'static str> {
        let secret = |key: &str| expected.get(key).and_then(Value::as_str);
        let mut secrets = [secret("token"), secret("password")].into_iter().flatten();
        let options = Value::Object(self.options.clone());
        let env = self.whole.get("env").unwrap_or(&Value::Null);
        let is_given = |secret: &str| {
            secret == "<generated>"
                || [&self.config, env, &options].iter().any(|v| holds(v, secret))
        };
        if self.kind == "hooks_token_reuse_assert" {
            Some("it is about hooks.token, which is no credential of the preset")
        } else if self.kind == "values" && holds_reference(&self.config) {
            Some("a bare value with a variable in it counts as none, where a configuration fails")
        } else if !secrets.all(is_given) {
            Some("the secret comes from a file, a command or a variable that the recording lacks")
        } else {
            None
        }
    }

    /// The cases of a run: they differ in their names and releases alone.
    fn cases(&self, run: &Run<'_>) -> Result<Vec<Case>, String> {
        let text = |error: serde_json::Error| error.to_string();
        let credentials = self.credentials(run.expected)?;
        let expect = json!({"consumers": {self.consumer: credentials}});
        let env = self.whole.get("env").cloned().unwrap_or_else(|| json!({}));
        let alike = Case {
            deployment: CaseDeployment { phase: self.phase, ..CaseDeployment::default() },
            env: serde_json::from_value(env).map_err(text)?,
            files: [("~/.openclaw/openclaw.json".to_owned(), self.config.clone())].into(),
            options: run.options.clone(),
            expect: serde_json::from_value(expect).map_err(text)?,
            ..Case::default()
        };
        let case = |version: &&str| {
            let mut case = Case { name: format!("{} @ {version}", self.id), ..alike.clone() };
            // `newest-stored` is what the host takes an unknown version for.
            if version.starts_with(|c: char| c.is_ascii_digit()) {
                let (name, version) = ("openclaw-version".to_owned(), (*version).to_owned());
                case.deployment.attributes.insert(name, version);
            }
            case
        };
        Ok(run.versions.iter().map(case).collect())
    }

    /// What is expected of each credential.
    fn credentials(&self, expected: &Value) -> Result<Value, String> {
        let text = |key: &str| expected.get(key).and_then(Value::as_str);
        let value = |key: &str| match text(key) {
            Some("<generated>") => json!({"today": {"generated": true}}),
            value => json!({"today": {"value": value}}),
        };
        if let Some(throws) = text("throws").or_else(|| text("warning_path")) {
            return self.failure(throws);
        }
        if let Some(ambiguous) = expected.get("value") {
            return Ok(json!({"gateway-token": {"today": {"invalid": ambiguous}}}));
        }
        Ok(json!({"gateway-token": value("token"), "gateway-password": value("password")}))
    }

    fn failure(&self, throws: &str) -> Result<Value, String> {
        let invalid = || json!({"gateway-token": {"today": {"invalid": true}}});
        let none = || json!({"today": {"value": null}});
        let first = throws.split(' ').next().unwrap_or_default();
        let kind = match first {
            "gateway.auth.token" | "gateway.remote.token" => "gateway-token",
            "gateway.auth.password" | "gateway.remote.password" => "gateway-password",
            _ if throws.starts_with("Invalid config") => return Ok(invalid()),
            _ if throws.starts_with("gateway url override requires explicit credentials")
                || throws == "Missing gateway auth credentials." =>
            {
                return Ok(json!({"gateway-token": none(), "gateway-password": none()}));
            }
            _ if throws == "Missing gateway auth token." => {
                return Ok(json!({"gateway-token": none()}));
            }
            _ if throws == "Missing gateway auth password." => {
                return Ok(json!({"gateway-password": none()}));
            }
            _ => return Err(format!("`throws` is nothing that is known: {throws}")),
        };
        // Only a reference can lead nowhere; what is said of a value there is that it is refused.
        let pointer = format!("/{}", first.replace('.', "/"));
        let is_reference = self.config.pointer(&pointer).is_some_and(holds_reference);
        Ok(if is_reference { json!({kind: {"today": {"unresolved": first}}}) } else { invalid() })
    }
}

/// Whether a secret stands somewhere in a value, as a string of its own.
fn holds(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => text.trim() == secret,
        Value::Array(list) => list.iter().any(|value| holds(value, secret)),
        Value::Object(map) => map.values().any(|value| holds(value, secret)),
        _ => false,
    }
}

/// Whether a reference stands at a value, or in it.
fn holds_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${"),
        Value::Object(map) => map.contains_key("source") || map.values().any(holds_reference),
        _ => false,
    }
}
