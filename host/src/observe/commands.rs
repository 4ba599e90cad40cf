//! What the commands of a deployment print: each run once a pass, several at a time.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    World,
    world::{Command, RunError},
};
use crate::{
    config::{
        CommandSpec, Deployment, DigestForm, Encoding, PlaceSpec, ProfilesSpec, Selector, is_for,
    },
    model::Fault,
    secret::hex,
};

/// The variables that every program gets: to be found, and to find its own files.
const USUAL: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "XDG_CONFIG_HOME"];

/// How many run at a time: each is an interpreter, as likely as not.
const AT_A_TIME: usize = 8;

/// Fewer digits of a digest are no proof that two secrets are equal.
const LEAST_DIGITS: usize = 16;

type Answer = Result<Zeroizing<Vec<u8>>, RunError>;

/// What commands printed.
#[derive(Default)]
pub(crate) struct Commands(BTreeMap<Line, Answer>);

/// What tells one run from another: the command line, the variables that are passed on, and what it says
/// where there is nothing.
type Line = (Vec<String>, Vec<String>, Option<String>);

fn line(spec: &CommandSpec) -> Line {
    (spec.read.clone(), spec.pass_env.clone(), spec.absent_output.clone())
}

/// What one of them says of a value.
pub(crate) enum Told {
    /// There is none.
    Nothing,
    /// The value.
    Value(Zeroizing<String>),
    /// There may be one, which is not shown, and why.
    Hidden(String),
    /// There is one, of which only a digest is shown.
    Digest(Zeroizing<String>),
    /// It could not be told, and why, in words that hold nothing of the output.
    Fault(Fault, String),
}

/// What a deployment's commands are.
pub(crate) fn of(deployment: &Deployment) -> impl Iterator<Item = &CommandSpec> {
    let places = deployment.locations.iter().filter_map(|location| match &location.place {
        PlaceSpec::Command(spec) => Some(&**spec),
        _ => None,
    });
    let logins = deployment.profiles.iter();
    let shown = logins.filter(|profiles| is_for(&profiles.policies, &deployment.policy));
    places.chain(shown.flat_map(ProfilesSpec::commands))
}

impl Commands {
    /// Runs what some places are read with, several at a time: one that is slow keeps few others waiting.
    pub(crate) fn run<'s>(
        specs: impl Iterator<Item = &'s CommandSpec>,
        world: &dyn World,
        base: &Path,
    ) -> Self {
        let mut wanted: BTreeMap<Line, &CommandSpec> = BTreeMap::new();
        for spec in specs {
            let known = wanted.entry(line(spec)).or_insert(spec);
            // What one place waits for, another gets too.
            if known.time < spec.time {
                *known = spec;
            }
        }
        let queue: Mutex<Vec<(Line, &CommandSpec)>> = Mutex::new(wanted.into_iter().collect());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let work = || {
            let mut answers = Vec::new();
            while let Some((line, spec)) = next() {
                let absent = spec.absent_output.as_deref();
                let answer = call(world, base, &spec.read, &spec.pass_env, b"", absent, spec.time);
                answers.push((line, answer));
            }
            answers
        };
        let count = queue.lock().unwrap_or_else(PoisonError::into_inner).len().min(AT_A_TIME);
        let answers = thread::scope(|scope| {
            let workers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        Self(answers)
    }

    /// All that a command printed; none where it says that there is nothing, and why, in words that hold
    /// nothing of the output, where it failed.
    pub(super) fn printed(&self, spec: &CommandSpec) -> Option<Result<&[u8], String>> {
        match self.0.get(&line(spec))? {
            Ok(output) => Some(Ok(output.as_slice())),
            Err(RunError::Absent) => None,
            Err(error) => Some(Err(error.in_words(&spec.read, spec.time))),
        }
    }

    /// What is said of a place.
    pub(crate) fn told(&self, spec: &CommandSpec) -> Told {
        match self.0.get(&line(spec)) {
            Some(Ok(output)) => match (value(output, spec), &spec.hides) {
                (Told::Nothing, Some(why)) => Told::Hidden(why.clone()),
                (told, _) => told,
            },
            Some(Err(RunError::Absent)) => Told::Nothing,
            Some(Err(RunError::Failed(Some(code)))) if spec.absent_exit.contains(code) => {
                Told::Nothing
            }
            Some(Err(error)) => Told::Fault(error.fault(), error.in_words(&spec.read, spec.time)),
            // Whoever asks has had it run.
            None => Told::Fault(Fault::Failed, format!("`{}` was not run", spec.read.join(" "))),
        }
    }
}

/// Runs a program with the variables that it may have.
pub(crate) fn call(
    world: &dyn World,
    base: &Path,
    line: &[String],
    pass_env: &[String],
    input: &[u8],
    absent: Option<&str>,
    time: Duration,
) -> Answer {
    let Some((program, arguments)) = line.split_first() else {
        return Err(RunError::NotFound);
    };
    let program = match program.contains('/') {
        // Absolute, for it is looked up from the folder that it runs in.
        true => std::path::absolute(base.join(program)).map_err(|_| RunError::NotFound)?,
        false => on_path(program, world).unwrap_or_else(|| PathBuf::from(program)),
    };
    let names = USUAL.into_iter().chain(pass_env.iter().map(String::as_str));
    let variables: Vec<(String, String)> =
        names.filter_map(|name| Some((name.to_owned(), world.variable(name)?))).collect();
    world.run(&Command {
        program: &program,
        arguments,
        variables: &variables,
        input,
        folder: base,
        time,
        absent,
        guarded: false,
    })
}

/// Where a program is.
pub(super) fn on_path(program: &str, world: &dyn World) -> Option<PathBuf> {
    let path = world.variable("PATH")?;
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    folders.map(|folder| Path::new(folder).join(program)).find(|path| world.exists(path))
}

fn value(output: &[u8], spec: &CommandSpec) -> Told {
    let garbage = |what: &str| {
        Told::Fault(Fault::Syntax, format!("what `{}` prints is {what}", spec.read.join(" ")))
    };
    let text = if spec.at == Selector::WHOLE {
        match std::str::from_utf8(output) {
            Ok(text) => Zeroizing::new(text.to_owned()),
            Err(_) => return garbage("no text"),
        }
    } else {
        let Ok(document) = serde_json::from_slice::<Value>(output) else {
            return garbage("no JSON");
        };
        match select(&document, &spec.at) {
            Ok(Some(text)) => Zeroizing::new(text.to_owned()),
            Ok(None) => return Told::Nothing,
            Err(is) => {
                let message = format!("`{}` has {is} where a text should be", spec.in_words());
                return Told::Fault(Fault::WrongType, message);
            }
        }
    };
    match (spec.encoding, spec.digest) {
        (_, Some(_)) => Told::Digest(text),
        (None, None) => Told::Value(text),
        (Some(Encoding::Base64), None) => {
            let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new);
            match bytes.as_ref().map(|bytes| std::str::from_utf8(bytes)) {
                Ok(Ok(text)) => Told::Value(Zeroizing::new(text.to_owned())),
                _ => garbage("no text in base64"),
            }
        }
    }
}

/// The text that is meant; none where there is none, and what stands there where it is no text.
fn select<'d>(document: &'d Value, at: &Selector) -> Result<Option<&'d str>, &'static str> {
    let mut value = document;
    if let Some((pointer, wanted)) = &at.element {
        let Value::Array(list) = value else { return Err(is(value)) };
        let is_it = |element: &&Value| {
            element.pointer(&pointer.to_string()).and_then(Value::as_str) == Some(wanted)
        };
        match list.iter().find(is_it) {
            Some(found) => value = found,
            // Another release, with other names: then nothing is known.
            None if !list.iter().any(|element| element.pointer(&pointer.to_string()).is_some())
                && !list.is_empty() =>
            {
                return Err("no element with that key");
            }
            None => return Ok(None),
        }
    }
    for step in at.pointer.iter().flat_map(|pointer| pointer.steps()) {
        match value {
            Value::Object(map) => match map.get(step) {
                Some(next) => value = next,
                None => return Ok(None),
            },
            Value::Null => return Ok(None),
            other => return Err(is(other)),
        }
    }
    match value {
        Value::String(text) => Ok(Some(text)),
        Value::Null => Ok(None),
        other => Err(is(other)),
    }
}

fn is(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whether a digest is one of a secret; none where that cannot be told.
pub(crate) fn is_of(form: DigestForm, digest: &str, secret: &str) -> Option<bool> {
    match form {
        DigestForm::Unknown => None,
        DigestForm::Sha256 => {
            let digest = normal(digest);
            (digest.len() >= LEAST_DIGITS)
                .then(|| hex(&Sha256::digest(secret.as_bytes())).starts_with(&digest))
        }
    }
}

/// A digest as it is compared: hexadecimal digits are written in two ways.
pub(crate) fn normal(digest: &str) -> String {
    digest.trim().to_ascii_lowercase()
}
