//! What belongs to a unit: its drop-ins, and the files that it names by `EnvironmentFile=`.
//!
//! Which of them there are is known only by looking. Each gets a document of its own, and each
//! location of the unit a sibling in it, `NAME@FILE`, which the same grants cover. A location is in
//! force where systemd would take the variable from it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::files::Files;
use crate::{
    config::{Deployment, DocumentSpec, LocationSpec, PathTemplate, PlaceSpec, Scope},
    document::{Specifiers, Step, Syntax, Text, Unit, envfile},
    model::{FAMILY, Pointer},
};

/// The deployment with what was discovered of its units.
pub(super) fn discover<'d>(
    deployment: &'d Deployment,
    files: &mut Files<'_>,
) -> Cow<'d, Deployment> {
    let mut found = Cow::Borrowed(deployment);
    for (index, spec) in deployment.documents.iter().enumerate() {
        if spec.syntax == Syntax::Unit {
            let parts = parts(spec, files);
            add(&mut found, index, &parts, files);
        }
    }
    found
}

/// A file of a unit, in the order in which systemd reads them.
struct Part {
    path: PathBuf,
    syntax: Syntax,
    /// Whether the unit is content where it is not there.
    optional: bool,
}

/// The unit itself, its drop-ins, and the environment files that are named in the end.
fn parts(spec: &DocumentSpec, files: &mut Files<'_>) -> Vec<Part> {
    let Some(main) = files.resolve(&spec.path) else {
        return Vec::new();
    };
    let name = file_name(&main);
    let unit = |path| Part { path, syntax: Syntax::Unit, optional: false };
    let mut parts = vec![unit(main)];
    parts.extend(drop_ins(spec, &name, files).into_iter().map(unit));
    let mut named: Vec<Part> = Vec::new();
    for part in &parts {
        for step in steps(&part.path, files) {
            match step {
                Step::NoFiles => named.clear(),
                Step::File { path, optional } => {
                    let path = expand(spec, &name, &path, files);
                    let path = path.filter(|path| path.is_absolute());
                    let syntax = Syntax::EnvironmentFile;
                    named.extend(path.map(|path| Part { path, syntax, optional }));
                }
                Step::Set(_) | Step::Reset | Step::Unset(_) => {}
            }
        }
    }
    parts.extend(named);
    parts
}

/// Drop-ins in the order of their names; of two with one name the more important folder's counts.
/// `service.d` is for all services, `a-.service.d` for all whose names begin so.
fn drop_ins(spec: &DocumentSpec, name: &str, files: &Files<'_>) -> Vec<PathBuf> {
    let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, "service"));
    let mut folders = vec![format!("{name}.d")];
    let prefixes = stem.match_indices('-').map(|(at, _)| stem.get(..=at).unwrap_or_default());
    folders.extend(prefixes.rev().map(|prefix| format!("{prefix}.{suffix}.d")));
    folders.push(format!("{suffix}.d"));
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for below in &folders {
        for folder in spec.drop_ins.iter().filter_map(|folder| files.resolve(folder)) {
            let folder = folder.join(below);
            let names = files.world.list(&folder);
            for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                found.entry(name.clone()).or_insert_with(|| folder.join(name));
            }
        }
    }
    found.into_values().collect()
}

fn steps(path: &Path, files: &mut Files<'_>) -> Vec<Step> {
    text(path, files)
        .and_then(|text| Unit::parse(text.as_str()).ok().map(|unit| unit.steps()))
        .unwrap_or_default()
}

fn text(path: &Path, files: &mut Files<'_>) -> Option<Text> {
    Text::decode(&files.open(path).contents.ok()?.bytes).ok()
}

fn expand(spec: &DocumentSpec, unit: &str, text: &str, files: &Files<'_>) -> Option<PathBuf> {
    let variable = |name: &str| files.world.variable(name);
    let specifiers = Specifiers { unit, user: spec.scope == Scope::User, variable: &variable };
    specifiers.expand(text).map(|path| PathBuf::from(path.as_str()))
}

/// Adds the documents and locations of a unit's parts, and says of each location whether it is in
/// force.
fn add(found: &mut Cow<'_, Deployment>, index: usize, parts: &[Part], files: &mut Files<'_>) {
    let of_unit = |location: &&LocationSpec| match &location.place {
        PlaceSpec::Pointer(document, pointer) => {
            *document == index && variable_of(pointer).is_some()
        }
        _ => false,
    };
    let locations: Vec<LocationSpec> = found.locations.iter().filter(of_unit).cloned().collect();
    if locations.is_empty() || parts.iter().all(|part| files.open(&part.path).contents.is_err()) {
        return;
    }
    let deployment = found.to_mut();
    let Some(spec) = deployment.documents.get(index).cloned() else { return };
    let mut document_of: Vec<usize> = vec![index];
    for part in parts.iter().skip(1) {
        document_of.push(deployment.documents.len());
        deployment.documents.push(DocumentSpec {
            name: format!("{}{FAMILY}{}", spec.name, file_name(&part.path)),
            path: PathTemplate::One(part.path.display().to_string()),
            syntax: part.syntax,
            optional: part.optional,
            ..spec.clone()
        });
    }
    for location in locations {
        let PlaceSpec::Pointer(_, pointer) = &location.place else { continue };
        let Some(variable) = variable_of(pointer) else { continue };
        let in_force = in_force(parts, variable, files);
        for (at, (part, document)) in parts.iter().zip(&document_of).enumerate() {
            let mut own = location.clone();
            let said = if in_force == Some(at) { "yes" } else { "no" };
            own.attributes.insert("in-force".to_owned(), said.to_owned());
            if at == 0 {
                let known = deployment.locations.iter_mut().find(|l| l.name == location.name);
                if let Some(known) = known {
                    *known = own;
                }
                continue;
            }
            let file = file_name(&part.path);
            own.name = unused(deployment, &format!("{}{FAMILY}{file}", location.name));
            let from = if part.syntax == Syntax::Unit { "drop-in" } else { "environment-file" };
            own.attributes.insert("from".to_owned(), from.to_owned());
            own.label = format!("{variable} in {}", part.path.display());
            own.place = PlaceSpec::Pointer(
                *document,
                if part.syntax == Syntax::Unit { pointer.clone() } else { pointer.after_step(2) },
            );
            deployment.locations.push(own);
        }
    }
}

/// The part from which systemd takes a variable; none where the service does not get it.
fn in_force(parts: &[Part], variable: &str, files: &mut Files<'_>) -> Option<usize> {
    let mut set = None;
    let mut unset = false;
    for (at, part) in parts.iter().enumerate() {
        if part.syntax == Syntax::EnvironmentFile {
            // What files say wins over what `Environment=` says.
            let value =
                text(&part.path, files).and_then(|t| envfile::find(t.as_str(), variable).ok());
            if value.flatten().is_some() {
                set = Some(at);
            }
            continue;
        }
        for step in steps(&part.path, files) {
            match step {
                Step::Set(name) if name == variable => set = Some(at),
                Step::Reset => set = None,
                Step::Unset(name) if name == variable => unset = true,
                _ => {}
            }
        }
    }
    set.filter(|_| !unset)
}

fn variable_of(pointer: &Pointer) -> Option<&str> {
    match pointer.steps() {
        [section, key, name] if section == "Service" && key == "Environment" => Some(name),
        _ => None,
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The name, with a number where it is taken.
fn unused(deployment: &Deployment, name: &str) -> String {
    let taken = |name: &str| deployment.locations.iter().any(|location| location.name == name);
    (2..)
        .map(|number| format!("{name}#{number}"))
        .find(|numbered| !taken(numbered))
        .filter(|_| taken(name))
        .unwrap_or_else(|| name.to_owned())
}
