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

use zeroize::Zeroizing;

use super::files::Files;
use crate::{
    config::{Deployment, DocumentSpec, LocationSpec, PathTemplate, PlaceSpec, Scope},
    document::{Specifiers, Step, Syntax, Text, Unit, envfile},
    model::{FAMILY, Pointer},
};

/// The variables that units give their services, by the position of the unit's document.
pub(super) struct Services(BTreeMap<usize, Vec<Part>>);

impl Services {
    /// A variable of the first of some services that there is; none where there is none of them.
    pub(super) fn variable(
        &self,
        units: &[usize],
        name: &str,
    ) -> Option<Option<Zeroizing<String>>> {
        let parts = units.iter().find_map(|unit| self.0.get(unit))?;
        let set = in_force(parts, name).and_then(|at| parts.get(at)?.value(name));
        Some(set)
    }
}

/// The deployment with what was discovered of its units, and what these give their services.
pub(super) fn discover<'d>(
    deployment: &'d Deployment,
    files: &mut Files<'_>,
) -> (Cow<'d, Deployment>, Services) {
    let mut found = Cow::Borrowed(deployment);
    let mut services = BTreeMap::new();
    for (index, spec) in deployment.documents.iter().enumerate() {
        if spec.syntax != Syntax::Unit {
            continue;
        }
        let parts = parts(index, spec, files);
        add(&mut found, index, &parts);
        // Drop-ins without a unit start nothing.
        if parts.first().is_some_and(|main| main.text.is_some()) {
            services.insert(index, parts);
        }
    }
    (found, Services(services))
}

/// A file of a unit, in the order in which systemd reads them.
struct Part {
    path: PathBuf,
    syntax: Syntax,
    /// Whether the unit is content where it is not there.
    optional: bool,
    /// Whether it belongs to other units too.
    shared: bool,
    /// None where it is not there, or cannot be read.
    text: Option<Text>,
    /// What it does with the environment, of a unit or drop-in.
    steps: Vec<Step>,
}

impl Part {
    fn read(path: PathBuf, syntax: Syntax, files: &mut Files<'_>) -> Self {
        let contents = files.open(&path).contents.ok();
        let text = contents.and_then(|contents| Text::decode(&contents.bytes).ok());
        let steps = match (&text, syntax) {
            (Some(text), Syntax::Unit) => {
                Unit::parse(text.as_str()).map(|unit| unit.steps()).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        Self { path, syntax, optional: false, shared: false, text, steps }
    }

    /// A variable's value here, specifiers unexpanded.
    fn value(&self, name: &str) -> Option<Zeroizing<String>> {
        let text = self.text.as_ref()?;
        match self.syntax {
            Syntax::Unit => {
                let pointer = Pointer::parse(&format!("/Service/Environment/{name}")).ok()?;
                Unit::parse(text.as_str()).ok()?.find(&pointer)
            }
            _ => envfile::find(text.as_str(), name).ok().flatten(),
        }
    }
}

/// The unit itself, its drop-ins, and the environment files that are named in the end.
fn parts(index: usize, spec: &DocumentSpec, files: &mut Files<'_>) -> Vec<Part> {
    let Some(main) = files.path_of(index, spec) else {
        return Vec::new();
    };
    let name = file_name(&main);
    let mut parts = vec![Part::read(main, Syntax::Unit, files)];
    for (path, shared) in drop_ins(spec, &name, files) {
        parts.push(Part { shared, ..Part::read(path, Syntax::Unit, files) });
    }
    let mut named: Vec<(PathBuf, bool)> = Vec::new();
    for step in parts.iter().flat_map(|part| &part.steps) {
        match step {
            Step::NoFiles => named.clear(),
            Step::File { path, optional } => {
                let path = expand(spec, &name, path, files);
                let paths = path.filter(|path| path.is_absolute());
                let paths = paths.iter().flat_map(|path| files.matching(path, false));
                named.extend(paths.map(|path| (path, *optional)));
            }
            _ => {}
        }
    }
    for (path, optional) in named {
        parts.push(Part { optional, ..Part::read(path, Syntax::EnvironmentFile, files) });
    }
    parts
}

/// Drop-ins in the order of their names, and whether other units have them too; of two with one name
/// the more important folder's counts. `service.d` is for all services, `a-.service.d` for all whose
/// names begin so.
fn drop_ins(spec: &DocumentSpec, name: &str, files: &Files<'_>) -> Vec<(PathBuf, bool)> {
    let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, "service"));
    let mut folders = vec![format!("{name}.d")];
    let prefixes = stem.match_indices('-').map(|(at, _)| stem.get(..=at).unwrap_or_default());
    folders.extend(prefixes.rev().map(|prefix| format!("{prefix}.{suffix}.d")));
    folders.push(format!("{suffix}.d"));
    let mut found: BTreeMap<String, (PathBuf, bool)> = BTreeMap::new();
    // Most of them are not there, and what is not there has nothing below it.
    let there = spec.drop_ins.iter().filter_map(|folder| files.resolve(folder));
    let there: Vec<PathBuf> = there.filter(|folder| files.world.exists(folder)).collect();
    for (index, below) in folders.iter().enumerate() {
        for folder in &there {
            let folder = folder.join(below);
            let names = files.world.list(&folder);
            for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                let path = (folder.join(&name), index > 0);
                found.entry(name).or_insert(path);
            }
        }
    }
    found.into_values().collect()
}

fn expand(spec: &DocumentSpec, unit: &str, text: &str, files: &Files<'_>) -> Option<PathBuf> {
    let variable = |name: &str| files.world.variable(name);
    let specifiers = Specifiers { unit, user: spec.scope == Scope::User, variable: &variable };
    specifiers.expand(text).map(|path| PathBuf::from(path.as_str()))
}

/// Adds the documents and locations of a unit's parts, and says of each location whether it is in
/// force.
fn add(found: &mut Cow<'_, Deployment>, index: usize, parts: &[Part]) {
    let of_unit = |location: &&LocationSpec| match &location.place {
        PlaceSpec::Pointer(document, pointer) => {
            *document == index && variable_of(pointer).is_some()
        }
        _ => false,
    };
    let locations: Vec<LocationSpec> = found.locations.iter().filter(of_unit).cloned().collect();
    if locations.is_empty() || parts.iter().all(|part| part.text.is_none()) {
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
        let in_force = in_force(parts, variable);
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
            if part.shared {
                own.attributes.insert("shared".to_owned(), "yes".to_owned());
            }
            own.label = format!("{variable} of {file}");
            own.place = PlaceSpec::Pointer(
                *document,
                if part.syntax == Syntax::Unit { pointer.clone() } else { pointer.after_step(2) },
            );
            deployment.locations.push(own);
        }
    }
}

/// The part from which systemd takes a variable; none where the service does not get it.
fn in_force(parts: &[Part], variable: &str) -> Option<usize> {
    let mut set = None;
    // The values that are unset; none for whatever value.
    let mut unset: Vec<Option<&str>> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        // What files say wins over what `Environment=` says, and they come last.
        if part.syntax == Syntax::EnvironmentFile && part.value(variable).is_some() {
            set = Some(at);
        }
        for step in &part.steps {
            match step {
                Step::Set(name) if name == variable => set = Some(at),
                Step::Reset => set = None,
                Step::Unset(name, value) if name == variable => {
                    unset.push(value.as_ref().map(|value| value.as_str()));
                }
                Step::NoUnset => unset.clear(),
                _ => {}
            }
        }
    }
    let value = set.and_then(|at| parts.get(at)?.value(variable));
    let is_unset = unset
        .iter()
        .any(|unset| unset.is_none() || *unset == value.as_ref().map(|value| value.as_str()));
    set.filter(|_| !is_unset)
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
pub(super) fn unused(deployment: &Deployment, name: &str) -> String {
    let taken = |name: &str| deployment.locations.iter().any(|location| location.name == name);
    (2..)
        .map(|number| format!("{name}#{number}"))
        .find(|numbered| !taken(numbered))
        .filter(|_| taken(name))
        .unwrap_or_else(|| name.to_owned())
}
