//! What a policy may know beside the copies.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    commands::on_path, documents::Documents, files::Files, variables::Variables, world::Command,
};
use crate::{
    config::{Deployment, DocumentSpec, FactSource, FactSpec, is_for},
    document::{Syntax, command},
    model::{Fact, Location, Place, Pointer, Presence, ReferenceKind},
};

/// How long a program may take to tell its version. One that starts an interpreter takes a second.
const VERSION_TIME: Duration = Duration::from_secs(10);

/// Looks for every fact.
pub(super) fn observe(
    deployment: &Deployment,
    locations: &[Location],
    documents: &Documents,
    files: &mut Files<'_>,
    variables: &Variables<'_>,
) -> BTreeMap<String, Fact> {
    let mut facts: BTreeMap<String, Fact> = BTreeMap::new();
    // What the deployment says itself wins, and needs no looking.
    for (name, value) in &deployment.attributes {
        facts.insert(name.clone(), Fact { value: Some(value.clone()), place: None });
    }
    let shown = |spec: &&FactSpec| is_for(&spec.policies, &deployment.policy);
    for spec in deployment.facts.iter().filter(shown) {
        let is_known = |name: &String| facts.get(name).is_some_and(|fact| fact.value.is_some());
        if facts.contains_key(&spec.name) || spec.unless.iter().any(is_known) {
            continue;
        }
        let (value, place) = look(deployment, spec, documents, files, variables);
        // A fact at a credential's place would show the secret to the policy and the journal, or
        // let the policy write one of its own; whatever way it was declared.
        let secret = spec.presence_only || is_secret(&spec.source, place.as_ref(), locations);
        let value = value.map(|value| if secret { "set".to_owned() } else { value });
        facts.insert(spec.name.clone(), Fact { value, place: place.filter(|_| !secret) });
    }
    facts
}

fn look(
    deployment: &Deployment,
    spec: &FactSpec,
    documents: &Documents,
    files: &mut Files<'_>,
    variables: &Variables<'_>,
) -> (Option<String>, Option<Place>) {
    match &spec.source {
        FactSource::Variable(name) => (variables.get(name).map(|value| value.to_string()), None),
        FactSource::Pointer(index, pointer) => {
            let sight = documents.get(*index).and_then(|document| document.sight(pointer));
            let Some(sight) = sight else { return (None, None) };
            let value = sight.scalar().and_then(|value| told(spec, &value));
            let value = value.filter(|path| {
                !spec.if_exists || files.expand(path).is_some_and(|path| files.world.exists(&path))
            });
            // What stands there must be a plain value to be replaced by another.
            let place = (value.is_some() || sight.is_free())
                .then(|| Place::Pointer { file: sight.file, pointer: sight.pointer.clone() });
            (value, place)
        }
        FactSource::Path(index) => {
            let document = deployment.documents.get(*index);
            let path = document.and_then(|document| files.path_of(*index, document));
            (path.map(|path| path.display().to_string()), None)
        }
        FactSource::Files(patterns, pointer) => {
            let found = patterns
                .iter()
                .filter_map(|pattern| files.expand(pattern))
                .flat_map(|pattern| files.matching(&pattern, true));
            let found: Vec<PathBuf> = found.collect();
            let lines = found.iter().flat_map(|path| match pointer {
                None => vec![path.display().to_string()],
                Some(pointer) => entries(path, pointer, files),
            });
            let lines: Vec<String> = lines.collect();
            ((!lines.is_empty()).then(|| lines.join("\n")), None)
        }
        FactSource::StartedPackage(name) => (started_version(deployment, name, files), None),
        FactSource::Package(name) => (package_version(name, files), None),
        FactSource::VersionOf(program) => (told_version(program, files), None),
    }
}

/// What is told of a text: all of it, or the word after a mark.
fn told(spec: &FactSpec, text: &str) -> Option<String> {
    let Some(mark) = &spec.after else { return Some(text.to_owned()) };
    let mut words = text.split_ascii_whitespace().map(|word| word.trim_matches(['"', '\'']));
    loop {
        let word = words.next()?;
        if word == mark {
            return words.next().map(ToOwned::to_owned);
        }
        let rest = word.strip_prefix(mark.as_str()).and_then(|rest| rest.strip_prefix('='));
        if let Some(rest) = rest {
            return Some(rest.to_owned());
        }
    }
}

/// Whether a fact comes from where a secret stands, or where a reference leads. Told by the place,
/// not by the value: what a policy sees must not depend on a secret.
fn is_secret(source: &FactSource, place: Option<&Place>, locations: &[Location]) -> bool {
    locations.iter().any(|location| match (source, &location.presence) {
        _ if Some(&location.place) == place => true,
        (FactSource::Variable(name), Presence::Reference(to)) => {
            to.kind == ReferenceKind::Environment && to.target == *name
        }
        (FactSource::Variable(name), _) => match &location.place {
            Place::Variable(own) => own == name,
            _ => false,
        },
        _ => false,
    })
}

/// What stands at a pointer of a JSON file, `*` for any key, as `FILE#KEY=VALUE` with the keys that
/// stand for `*`. Only numbers and booleans: a text could be a secret.
fn entries(path: &Path, pointer: &Pointer, files: &Files<'_>) -> Vec<String> {
    let contents = files.world.read(path).ok();
    let document = contents
        .and_then(|contents| serde_json::from_slice::<serde_json::Value>(&contents.bytes).ok());
    let mut at: Vec<(Vec<String>, serde_json::Value)> =
        document.map(|document| (Vec::new(), document)).into_iter().collect();
    for step in pointer.steps() {
        at = at
            .into_iter()
            .flat_map(|(keys, value)| {
                let serde_json::Value::Object(map) = value else { return Vec::new() };
                map.into_iter()
                    .filter(|(key, _)| step == "*" || key == step)
                    .map(|(key, value)| {
                        let named = (step == "*").then_some(key);
                        (keys.iter().cloned().chain(named).collect(), value)
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    at.into_iter()
        .filter(|(_, value)| value.is_number() || value.is_boolean())
        .map(|(keys, value)| format!("{}#{}={value}", path.display(), keys.join("/")))
        .collect()
}

/// The version of a package that a unit starts.
fn started_version(deployment: &Deployment, name: &str, files: &mut Files<'_>) -> Option<String> {
    let marker = format!("/node_modules/{name}/");
    let starts = |spec: &DocumentSpec| matches!(spec.syntax, Syntax::Unit | Syntax::Plist);
    let definitions = deployment.documents.iter().enumerate().filter(|(_, spec)| starts(spec));
    for (index, spec) in definitions {
        let path = files.path_of(index, spec);
        let contents = path.and_then(|path| files.open(&path).contents.ok());
        let words = contents.map(|contents| command(&contents.bytes, spec.syntax));
        for word in words.unwrap_or_default() {
            let Some((before, _)) = word.split_once(&marker) else { continue };
            let folder = PathBuf::from(format!("{before}{marker}"));
            if let Some(version) = version_in(&folder, name, files) {
                return Some(version);
            }
        }
    }
    None
}

/// The version of the package that a program on the PATH belongs to.
fn package_version(name: &str, files: &Files<'_>) -> Option<String> {
    let program = files.world.identity(&on_path(name, files.world)?);
    program.ancestors().skip(1).take(4).find_map(|folder| version_in(folder, name, files))
}

fn version_in(folder: &Path, name: &str, files: &Files<'_>) -> Option<String> {
    let contents = files.world.read(&folder.join("package.json")).ok()?;
    let package: serde_json::Value = serde_json::from_slice(&contents.bytes).ok()?;
    let is_it = package.get("name")?.as_str()? == name;
    is_it.then(|| package.get("version")?.as_str().map(ToOwned::to_owned))?
}

/// The first word with a digit in it of what a program says to `--version`.
fn told_version(program: &str, files: &Files<'_>) -> Option<String> {
    let path = on_path(program, files.world)?;
    let kept = |name: &str| Some((name.to_owned(), files.world.variable(name)?));
    let variables: Vec<(String, String)> = ["PATH", "HOME"].into_iter().filter_map(kept).collect();
    let answer = files.world.run(&Command {
        program: &path,
        arguments: &["--version".to_owned()],
        variables: &variables,
        input: b"",
        folder: Path::new(""),
        time: VERSION_TIME,
        absent: None,
        guarded: false,
    });
    let answer = answer.ok()?;
    let text = std::str::from_utf8(&answer).ok()?;
    let word =
        text.split_ascii_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    word.map(ToOwned::to_owned)
}
