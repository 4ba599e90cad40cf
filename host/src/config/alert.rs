//! Whom `check` tells of what it finds. A URL at which anybody may post is a secret, and so is a token:
//! the manifest says where they are, and never what they are.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{ManifestError, PathTemplate, merge::Source};
use crate::model::Severity;

/// A year: a problem that lasts longer is told again all the same.
const MOST_HOURS: u64 = 366 * 24;

/// Whom to tell, and of what.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AlertTable {
    /// Name of the alert in messages, and in what is kept of what was told.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// How it is told.
    pub(super) kind: AlertKind,
    /// Where the URL is that is posted to; for each kind but `command`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<ReferenceTable>"))]
    pub(super) url: Option<Spanned<Given>>,
    /// Where the token is that ntfy asks for.
    #[cfg_attr(feature = "schema", schemars(with = "Option<ReferenceTable>"))]
    pub(super) token: Option<Spanned<Given>>,
    /// The program, and its arguments, that reads the alert as JSON; for the kind `command`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub(super) command: Option<Spanned<Vec<String>>>,
    /// Variables that the command is given beside the usual ones.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) pass_env: Vec<Spanned<String>>,
    /// What is worth telling: `error` (the default), or `warning` and what is worse.
    #[serde(default)]
    pub(super) least: Least,
    /// After how many hours what lasts is told again; once only, where it is left out.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub(super) repeat_hours: Option<Spanned<u64>>,
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum AlertKind {
    /// A webhook that takes what Slack's take.
    Slack,
    /// A topic of ntfy.
    Ntfy,
    /// A watch over cron jobs, such as healthchecks, that hears of every check.
    Ping,
    /// A program that reads JSON.
    Command,
}

/// What is worth telling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Least {
    /// What hurts, and what will hurt one day.
    Warning,
    /// What hurts.
    #[default]
    Error,
}

/// Where a secret is: exactly one of `env` and `file`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ReferenceTable {
    /// A variable.
    env: Option<String>,
    /// A whole file.
    file: Option<PathTemplate>,
}

impl ReferenceTable {
    /// A URL is no place: it is the secret itself.
    fn holds_url(&self) -> bool {
        let is_url = |text: &str| text.contains("://");
        let file = self.file.as_ref().map(PathTemplate::as_written);
        self.env.as_deref().is_some_and(is_url) || file.as_deref().is_some_and(is_url)
    }
}

/// How a secret is given. One that stands there in clear is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    ByReference(ReferenceTable),
    InClear,
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An error of serde's would name a key or a value, and either may be the secret.
        let value = toml::Value::deserialize(deserializer)?;
        let is_text = value.is_str();
        let table = ReferenceTable::deserialize(value).unwrap_or_default();
        Ok(if is_text || table.holds_url() { Self::InClear } else { Self::ByReference(table) })
    }
}

/// Where a secret is that an alert is sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretPlace {
    /// A variable.
    Variable(String),
    /// A whole file.
    File(PathTemplate),
}

/// How an alert is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Channel {
    /// A webhook that takes what Slack's take.
    Slack {
        /// The webhook.
        url: SecretPlace,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The topic.
        url: SecretPlace,
        /// What it asks for.
        token: Option<SecretPlace>,
    },
    /// A watch over cron jobs that hears of every check.
    Ping {
        /// What is called when all is well; with `/fail` at its end when it is not.
        url: SecretPlace,
    },
    /// A program that reads JSON.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// Variables that it is given beside the usual ones.
        pass_env: Vec<String>,
    },
}

/// Whom to tell, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertSpec {
    /// Name of the alert.
    pub name: String,
    /// How it is told.
    pub channel: Channel,
    /// The least severity that is worth telling.
    pub least: Severity,
    /// After how long what lasts is told again; none where once is enough.
    pub repeat: Option<Duration>,
}

/// Checks what is declared, and looks up nothing: a secret is read when it is used.
pub(super) fn alerts(
    source: &Source<'_>,
    tables: &[AlertTable],
) -> Result<Vec<AlertSpec>, ManifestError> {
    let mut names = BTreeSet::new();
    let mut specs = Vec::new();
    for table in tables {
        let name = table.name.get_ref();
        if name.trim().is_empty() {
            return Err(source.error(&table.name, "an alert needs a name".to_owned()));
        }
        if !names.insert(name) {
            return Err(source.error(&table.name, format!("alert `{name}` stands twice")));
        }
        let repeat = repeat(source, table)?;
        let least = match table.least {
            Least::Warning => Severity::Warning,
            Least::Error => Severity::Error,
        };
        let channel = channel(source, table)?;
        specs.push(AlertSpec { name: name.clone(), channel, least, repeat });
    }
    Ok(specs)
}

fn channel(source: &Source<'_>, table: &AlertTable) -> Result<Channel, ManifestError> {
    let place = |given| secret_place(source, table, given);
    let token = || table.token.as_ref().map(place).transpose();
    let wrong = |message: &str| {
        Err(source.error(&table.name, format!("alert `{}` {message}", table.name.get_ref())))
    };
    if let (Some(name), true) = (table.pass_env.first(), table.kind != AlertKind::Command) {
        let message = "only a command is given variables; take `pass-env` out";
        return Err(source.error(name, message.to_owned()));
    }
    match (table.kind, &table.url, &table.command, &table.token) {
        (AlertKind::Slack, Some(url), None, None) => Ok(Channel::Slack { url: place(url)? }),
        (AlertKind::Ntfy, Some(url), None, _) => {
            Ok(Channel::Ntfy { url: place(url)?, token: token()? })
        }
        (AlertKind::Ping, Some(url), None, None) => Ok(Channel::Ping { url: place(url)? }),
        (AlertKind::Command, None, Some(command), None) => {
            if command.get_ref().first().is_none_or(String::is_empty) {
                let message = "a command names a program: `command = [\"prog\", \"argument\"]`";
                return Err(source.error(command, message.to_owned()));
            }
            let pass_env = table.pass_env.iter().map(|name| name.get_ref().clone()).collect();
            Ok(Channel::Command { words: command.get_ref().clone(), pass_env })
        }
        (AlertKind::Command, ..) => {
            wrong("is a command: it needs `command = [\"prog\"]`, and neither `url` nor `token`")
        }
        (AlertKind::Ntfy, ..) => wrong(
            "needs `url = { env = \"NAME\" }` or `url = { file = \"path\" }`, and no `command`",
        ),
        (AlertKind::Slack | AlertKind::Ping, ..) => wrong(
            "needs `url = { env = \"NAME\" }` or `url = { file = \"path\" }`, and neither `command` nor `token`",
        ),
    }
}

fn secret_place(
    source: &Source<'_>,
    table: &AlertTable,
    given: &Spanned<Given>,
) -> Result<SecretPlace, ManifestError> {
    let name = table.name.get_ref();
    match given.get_ref() {
        Given::ByReference(ReferenceTable { env: Some(variable), file: None }) => {
            Ok(SecretPlace::Variable(variable.clone()))
        }
        Given::ByReference(ReferenceTable { env: None, file: Some(path) }) => {
            Ok(SecretPlace::File(path.clone()))
        }
        Given::ByReference(_) => {
            let message = format!(
                "alert `{name}` takes a secret from one place: `{{ env = \"NAME\" }}`, or `{{ file = \"path\" }}`"
            );
            Err(source.error(given, message))
        }
        Given::InClear => {
            let message = format!(
                "alert `{name}` has a secret in clear, with which anybody may post; name its place instead: `{{ env = \"NAME\" }}` or `{{ file = \"path\" }}`"
            );
            Err(source.error(given, message))
        }
    }
}

fn repeat(source: &Source<'_>, table: &AlertTable) -> Result<Option<Duration>, ManifestError> {
    let Some(hours) = &table.repeat_hours else { return Ok(None) };
    if table.kind == AlertKind::Ping {
        let message = "a ping is sent at every check; take `repeat-hours` out";
        return Err(source.error(hours, message.to_owned()));
    }
    match *hours.get_ref() {
        number @ 1..=MOST_HOURS => Ok(Some(Duration::from_secs(number * 3600))),
        number => {
            let message = format!("{number} hours are not possible, 1 to {MOST_HOURS} are allowed");
            Err(source.error(hours, message))
        }
    }
}
