//! Places that a program reads and writes: a variable of a platform, an item of a secret store.
//!
//! How to call the program of a platform is data, in `presets/platforms.toml`; a manifest names one and
//! gives its words, or says itself what to run: `words` fills them in.

mod words;

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::{
    ManifestError,
    merge::{Source, unknown},
};
use crate::model::Pointer;

use words::Words;

/// The shipped platforms, as data.
const PLATFORMS: &str = include_str!("../../presets/platforms.toml");

/// How long a command may take where nobody says.
const TIME: Duration = Duration::from_secs(10);

/// How long a command may take at most: a check should end before the next begins.
const LONGEST: u64 = 300;

/// How long a run may take.
pub(super) fn time(
    source: &Source<'_>,
    seconds: Option<&Spanned<u64>>,
) -> Result<Duration, ManifestError> {
    match seconds {
        None => Ok(TIME),
        Some(seconds) if (1..=LONGEST).contains(seconds.get_ref()) => {
            Ok(Duration::from_secs(*seconds.get_ref()))
        }
        Some(seconds) => {
            let message = format!(
                "a run of {} seconds is not possible, 1 to {LONGEST} are allowed",
                seconds.get_ref()
            );
            Err(source.error(seconds, message))
        }
    }
}

/// A place that a program reads: a platform with its words, or what to run. What stands here takes the
/// place of what the platform says.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CommandTable {
    /// A shipped platform: `railway`, `fly`, `heroku`, `render`, `op`, `sops`, `vault`, `bao`, `kubectl`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    platform: Option<Spanned<String>>,
    /// The words that stand for `{NAME}` in what is run.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
    with: BTreeMap<Spanned<String>, String>,
    /// The longest that a run may take, in seconds; 10 where it is left out, 300 at most.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    seconds: Option<Spanned<u64>>,
    /// The program that prints the secret, and its arguments. A list within is left out where one of its
    /// words is not given.
    read: Option<Vec<Word>>,
    /// Where in the output the secret is, by RFC 6901; the whole output is it where this is left out.
    pointer: Option<String>,
    /// The output is a list: that element is meant at whose pointer `list-value` stands, and `pointer` goes
    /// on in it.
    list_key: Option<String>,
    /// What must stand at `list-key`; `{key}` where it is left out.
    list_value: Option<String>,
    /// What the value is wrapped in.
    encoding: Option<Encoding>,
    /// What the program shows of a secret that it does not show.
    digest: Option<DigestForm>,
    /// The exit codes that say that there is no such value.
    absent_exit: Option<Vec<i32>>,
    /// The program that takes a new secret on its standard input, and its arguments.
    write: Option<Vec<Word>>,
    /// The same, where the value is only kept until something else starts the service anew.
    write_staged: Option<Vec<Word>>,
    /// Whether a write is made by `write-staged`.
    staged: Option<bool>,
    /// What that program reads; `{secret}`, alone or in a text, stands for the secret.
    input: Option<String>,
    /// The same as a JSON document.
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    input_json: Option<toml::Value>,
    /// The variables that the programs get beside `PATH`, `HOME`, `USER`, `LANG` and `XDG_CONFIG_HOME`.
    pass_env: Option<Vec<String>>,
    /// Texts that a secret must not hold, for the program would store another one.
    refuses: Option<Vec<String>>,
    /// What a write does to what runs, in a sentence.
    on_write: Option<String>,
    /// What a write by `write-staged` does.
    on_staged: Option<String>,
    /// Why a value may be there although the program prints none: it is not known then.
    hides: Option<String>,
    /// What a read that fails says on its standard error where there is no such value.
    absent_output: Option<String>,
}

/// A platform of `presets/platforms.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Platform {
    /// The words that must be given.
    needs: Vec<String>,
    /// The words that may be given.
    may: Vec<String>,
    /// How its program is called.
    call: CommandTable,
}

/// A word of a command line, or some that go together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Word {
    One(String),
    Together(Vec<String>),
}

/// What a value is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encoding {
    /// Base64, as in a Kubernetes Secret.
    Base64,
}

/// What a platform shows of a secret that it does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DigestForm {
    /// A digest that nobody else can compute: whether two secrets are equal is not known.
    Unknown,
    /// SHA-256 of the secret, as hexadecimal digits, or the first of them.
    Sha256,
}

/// A place that a program reads, with every word filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandSpec {
    /// The program and its arguments.
    pub read: Vec<String>,
    /// Where in the output the secret is.
    pub at: Selector,
    /// What the value is wrapped in.
    pub encoding: Option<Encoding>,
    /// What is shown of a secret that is not shown.
    pub digest: Option<DigestForm>,
    /// The exit codes that say that there is no such value.
    pub absent_exit: Vec<i32>,
    /// What a read that fails says on its standard error where there is no such value.
    pub absent_output: Option<String>,
    /// Why a value may be there although none is printed.
    pub hides: Option<String>,
    /// How a new secret is written; none where it cannot be.
    pub write: Option<WriteSpec>,
    /// The variables that the programs get beside those that every program does.
    pub pass_env: Vec<String>,
    /// The longest that a run may take.
    pub time: Duration,
}

/// How a new secret is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteSpec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it reads.
    pub input: Input,
    /// Texts that a secret must not hold, for the program would store another one.
    pub refuses: Vec<String>,
    /// What a write does to what runs.
    pub effect: Option<String>,
}

/// What a program that takes a secret reads. [`SECRET`](Input::SECRET) stands for the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A text.
    Text(String),
    /// A JSON document.
    Json(serde_json::Value),
}

impl Input {
    /// What stands for the secret.
    pub const SECRET: &'static str = "{secret}";
}

/// Where in a program's output a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selector {
    /// The element of a list that is meant: the pointer in it, and what must stand there.
    pub element: Option<(Pointer, String)>,
    /// The pointer to the value; none where it is all there is.
    pub pointer: Option<Pointer>,
}

impl Selector {
    /// All that is printed.
    pub const WHOLE: Self = Self { element: None, pointer: None };
}

impl CommandSpec {
    /// The place in words that hold no secret: the command, and where in its output.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = self.read.join(" ");
        if let Some((pointer, value)) = &self.at.element {
            words.push_str(&format!("#{pointer}={value}"));
        }
        if let Some(pointer) = &self.at.pointer {
            words.push_str(&format!("#{pointer}"));
        }
        words
    }

    /// The name of the program.
    #[must_use]
    pub fn program(&self) -> &str {
        self.read.first().map_or("", String::as_str)
    }
}

/// The shipped platforms.
fn platforms(
    source: &Source<'_>,
    at: &Spanned<String>,
) -> Result<BTreeMap<String, Platform>, ManifestError> {
    toml::from_str(PLATFORMS)
        .map_err(|error| source.error(at, format!("the shipped platforms cannot be read: {error}")))
}

/// Fills in what a location's table says.
///
/// # Errors
///
/// What is wrong, where, and what is allowed.
pub(super) fn command(
    source: &Source<'_>,
    name: &Spanned<String>,
    table: &CommandTable,
) -> Result<CommandSpec, ManifestError> {
    let mut calls = table.clone();
    if let Some(platform) = &table.platform {
        let mut known = platforms(source, platform)?;
        let Some(found) = known.remove(platform.get_ref()) else {
            let known = known.keys().map(String::as_str);
            return Err(source.error(platform, unknown("platform", platform.get_ref(), known)));
        };
        found.expect_words(source, platform, table)?;
        calls = calls.over(found.call);
    }
    let words = Words {
        source,
        name,
        given: table.with.iter().map(|(k, v)| (k.get_ref().as_str(), v.as_str())).collect(),
    };
    let Some(read) = &calls.read else {
        let message = "a command has `platform = \"...\"`, or `read = [\"PROGRAM\", ...]`";
        return Err(source.error(name, message.to_owned()));
    };
    let read = words.line(read)?;
    let time = time(source, calls.seconds.as_ref())?;
    let element = match &calls.list_key {
        None => None,
        Some(key) => {
            let value = calls.list_value.as_deref().unwrap_or("{key}");
            Some((words.pointer(key)?, words.fill(value)?))
        }
    };
    let pointer = calls.pointer.as_deref().map(|pointer| words.pointer(pointer)).transpose()?;
    let input = match (&calls.input, &calls.input_json) {
        (Some(text), None) => Some(Input::Text(words.fill(text)?)),
        (None, Some(document)) => {
            let document = serde_json::to_value(document).unwrap_or_default();
            Some(Input::Json(words.document(&document)?))
        }
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(
                source.error(name, "a command reads `input` or `input-json`, not both".to_owned())
            );
        }
    };
    let (line, effect) = match calls.staged {
        Some(true) if calls.write_staged.is_none() => {
            let message = "`staged` needs a platform that can keep a value until something starts anew, or `write-staged`";
            return Err(source.error(name, message.to_owned()));
        }
        Some(true) => (&calls.write_staged, &calls.on_staged),
        _ => (&calls.write, &calls.on_write),
    };
    let write = match (line, input) {
        (Some(line), input) => {
            let input = input.unwrap_or_else(|| Input::Text(Input::SECRET.to_owned()));
            let command = words.line(line)?;
            if command.iter().any(|word| word.contains(Input::SECRET)) {
                let message = "`{secret}` is no word of a command line, where every user of the machine reads it; take `input`";
                return Err(source.error(name, message.to_owned()));
            }
            let refuses = calls.refuses.unwrap_or_default();
            Some(WriteSpec { command, input, refuses, effect: effect.clone() })
        }
        (None, Some(_)) => {
            return Err(source.error(
                name,
                "`input` is for a command that writes; add `write = [\"PROGRAM\", ...]`".to_owned(),
            ));
        }
        (None, None) => None,
    };
    Ok(CommandSpec {
        read,
        at: Selector { element, pointer },
        encoding: calls.encoding,
        digest: calls.digest,
        absent_exit: calls.absent_exit.unwrap_or_default(),
        absent_output: calls.absent_output,
        hides: calls.hides,
        write,
        pass_env: calls.pass_env.unwrap_or_default(),
        time,
    })
}

impl Platform {
    fn expect_words(
        &self,
        source: &Source<'_>,
        platform: &Spanned<String>,
        table: &CommandTable,
    ) -> Result<(), ManifestError> {
        let known = || self.needs.iter().chain(&self.may);
        for word in table.with.keys() {
            if !known().any(|known| known == word.get_ref()) {
                let message = unknown("word", word.get_ref(), known().map(String::as_str));
                return Err(source.error(word, message));
            }
        }
        let given = |word: &String| table.with.keys().any(|given| given.get_ref() == word);
        match self.needs.iter().find(|word| !given(word)) {
            None => Ok(()),
            Some(missing) => {
                let message =
                    format!("`{}` needs `with = {{ {missing} = \"...\" }}`", platform.get_ref());
                Err(source.error(platform, message))
            }
        }
    }
}

impl CommandTable {
    /// This, with another's in the place of what it does not say.
    fn over(self, under: Self) -> Self {
        // Another way to write has another input, and does something else to what runs.
        let under = match &self.write {
            None => under,
            Some(_) => Self {
                write_staged: None,
                input: None,
                input_json: None,
                refuses: None,
                on_write: None,
                on_staged: None,
                ..under
            },
        };
        let has_input = self.input.is_some() || self.input_json.is_some();
        let (input, input_json) = match has_input {
            true => (self.input, self.input_json),
            false => (under.input, under.input_json),
        };
        Self {
            platform: self.platform,
            with: self.with,
            seconds: self.seconds.or(under.seconds),
            read: self.read.or(under.read),
            pointer: self.pointer.or(under.pointer),
            list_key: self.list_key.or(under.list_key),
            list_value: self.list_value.or(under.list_value),
            encoding: self.encoding.or(under.encoding),
            digest: self.digest.or(under.digest),
            absent_exit: self.absent_exit.or(under.absent_exit),
            write: self.write.or(under.write),
            input,
            input_json,
            pass_env: self.pass_env.or(under.pass_env),
            write_staged: self.write_staged.or(under.write_staged),
            staged: self.staged.or(under.staged),
            refuses: self.refuses.or(under.refuses),
            on_write: self.on_write.or(under.on_write),
            on_staged: self.on_staged.or(under.on_staged),
            hides: self.hides.or(under.hides),
            absent_output: self.absent_output.or(under.absent_output),
        }
    }
}
