//! The states in which a deployment can be, as points of a finite lattice.
//!
//! A point says for some cells that they are not at rest: a location that holds something, a document
//! that cannot be read, another phase, setting or fact. Secrets are told apart by their class only, and
//! classes are numbered in the order in which they first stand, so points that differ by a renaming
//! of secrets are one.

use std::collections::HashSet;

use crate::{
    config::{Deployment, FactSource, FactSpec, LocationSpec, PlaceSpec, ReferenceForm},
    model::Phase,
};

/// How many secrets of one credential are told apart.
const CLASSES: usize = 3;

/// What is varied, with its states; the first is rest.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) of: Of,
    pub(super) states: Vec<State>,
    /// The cell of the document that it is in.
    document: Option<usize>,
}

/// What a cell is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Of {
    Phase,
    Setting(String),
    /// A document by its position, and whether it may be missing.
    Document(usize),
    Fact(String),
    /// A location by its position, and the credential's.
    Location(usize, usize),
}

/// A state of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// As it is where nothing is said.
    Rest,
    Phase(Phase, Option<usize>),
    Setting(serde_json::Value),
    Fact(String),
    /// There is no such document.
    Missing,
    /// It does not parse.
    Broken,
    /// It cannot be written.
    ReadOnly,
    Holds(Flavour),
}

/// What a location holds, secrets by their class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Empty,
    Placeholder,
    Unreadable,
    /// A reference that leads nowhere.
    Dangling,
    /// A reference that the host may not follow.
    Elsewhere,
    Secret(usize),
    Expired(usize),
    /// A reference that leads to a secret.
    Resolved(usize),
}

impl Flavour {
    fn class(self) -> Option<usize> {
        match self {
            Self::Secret(class) | Self::Expired(class) | Self::Resolved(class) => Some(class),
            _ => None,
        }
    }

    fn with(self, class: usize) -> Self {
        match self {
            Self::Secret(_) => Self::Secret(class),
            Self::Expired(_) => Self::Expired(class),
            Self::Resolved(_) => Self::Resolved(class),
            other => other,
        }
    }
}

/// The cells that are not at rest, in order, each with the position of its state.
pub(super) type Point = Vec<(usize, usize)>;

/// All cells of a deployment.
#[derive(Debug, Clone)]
pub(super) struct Lattice {
    pub(super) cells: Vec<Cell>,
    credentials: usize,
}

impl Lattice {
    /// The lattice of a deployment and the settings of a policy. With names, only these locations are
    /// varied.
    pub(super) fn of(
        deployment: &Deployment,
        schema: &serde_json::Value,
        only: Option<&HashSet<String>>,
    ) -> Self {
        let credentials = deployment.credentials.len();
        let mut cells = vec![phase(credentials)];
        cells.extend(settings(schema));
        let varied = |spec: &&LocationSpec| only.is_none_or(|only| only.contains(&spec.name));
        let mut documents = vec![None; deployment.documents.len()];
        for spec in deployment.locations.iter().filter(varied) {
            if let PlaceSpec::Pointer(index, _) = spec.place
                && let Some(cell @ None) = documents.get_mut(index)
            {
                *cell = Some(cells.len());
                let optional = deployment.documents.get(index).is_some_and(|spec| spec.optional);
                cells.push(document(index, optional));
            }
        }
        let cell_of = |index: usize| documents.get(index).copied().flatten();
        cells.extend(deployment.facts.iter().filter_map(|spec| fact(spec, &cell_of)));
        for (index, spec) in deployment.locations.iter().enumerate() {
            if varied(&spec) {
                cells.extend(location(deployment, index, spec, &cell_of));
            }
        }
        Self { cells, credentials }
    }

    /// How many points there are at most: some cells do not matter in some states of others.
    pub(super) fn size(&self) -> f64 {
        let others = self.cells.iter().filter(|cell| !matches!(cell.of, Of::Location(..)));
        let others: f64 = others.map(|cell| cell.states.len() as f64).product();
        let of = |credential: usize| {
            // By the number of classes in use: how many ways there are.
            let mut ways = [0.0; CLASSES + 1];
            if let Some(none) = ways.first_mut() {
                *none = 1.0;
            }
            let is_its = |cell: &&Cell| matches!(cell.of, Of::Location(_, of) if of == credential);
            for cell in self.cells.iter().filter(is_its) {
                let mut next = [0.0; CLASSES + 1];
                for (used, count) in ways.iter().enumerate() {
                    for state in &cell.states {
                        let then = match state {
                            State::Holds(flavour) => match flavour.class() {
                                Some(class) if class > used => continue,
                                Some(class) if class == used => used + 1,
                                _ => used,
                            },
                            _ => used,
                        };
                        if let Some(next) = next.get_mut(then) {
                            *next += count;
                        }
                    }
                }
                ways = next;
            }
            ways.iter().sum::<f64>()
        };
        others * (0..self.credentials).map(of).product::<f64>()
    }

    /// All points in which so many cells are not at rest, unless they are more than a number.
    pub(super) fn level(&self, count: usize, most: usize) -> Option<Vec<Point>> {
        let mut found = Vec::new();
        let mut used = vec![0; self.credentials];
        self.extend(0, count, &mut Vec::new(), &mut used, &mut found, most).then_some(found)
    }

    fn extend(
        &self,
        from: usize,
        left: usize,
        point: &mut Point,
        used: &mut [usize],
        found: &mut Vec<Point>,
        most: usize,
    ) -> bool {
        if left == 0 {
            found.push(point.clone());
            return found.len() <= most;
        }
        for (index, cell) in self.cells.iter().enumerate().skip(from) {
            if self.is_moot(cell, point) {
                continue;
            }
            for (number, state) in cell.states.iter().enumerate().skip(1) {
                let class = match (&cell.of, state) {
                    (Of::Location(_, credential), State::Holds(flavour)) => {
                        flavour.class().map(|class| (*credential, class))
                    }
                    _ => None,
                };
                let before = class.and_then(|(credential, _)| used.get(credential).copied());
                if let (Some((credential, class)), Some(before)) = (class, before) {
                    if class > before {
                        continue;
                    }
                    if let Some(used) = used.get_mut(credential) {
                        *used = before.max(class + 1);
                    }
                }
                point.push((index, number));
                let goes_on = self.extend(index + 1, left - 1, point, used, found, most);
                point.pop();
                if let (Some((credential, _)), Some(before)) = (class, before)
                    && let Some(used) = used.get_mut(credential)
                {
                    *used = before;
                }
                if !goes_on {
                    return false;
                }
            }
        }
        true
    }

    /// Whether nothing can be seen of a cell, for its document is missing or broken.
    fn is_moot(&self, cell: &Cell, point: &Point) -> bool {
        let of = cell.document.and_then(|document| {
            let (_, number) = point.iter().find(|(index, _)| *index == document)?;
            self.cells.get(document)?.states.get(*number)
        });
        matches!(of, Some(State::Missing | State::Broken))
    }

    /// A point by chance in which so many cells are not at rest, or fewer where some do not matter.
    pub(super) fn sample(&self, count: usize, random: &mut fastrand::Rng) -> Point {
        let mut chosen = random.choose_multiple(0..self.cells.len(), count);
        chosen.sort_unstable();
        let mut point = Point::new();
        for index in chosen {
            let Some(cell) = self.cells.get(index) else { continue };
            if cell.states.len() > 1 && !self.is_moot(cell, &point) {
                point.push((index, random.usize(1..cell.states.len())));
            }
        }
        self.renamed(&point)
    }

    /// The same point with one of its secrets plain, where it has expired or is referred to.
    pub(super) fn plainer(&self, point: &Point) -> impl Iterator<Item = Point> {
        (0..point.len()).filter_map(move |at| {
            let (index, number) = *point.get(at)?;
            let cell = self.cells.get(index)?;
            let State::Holds(Flavour::Expired(class) | Flavour::Resolved(class)) =
                cell.states.get(number)?
            else {
                return None;
            };
            let plain = State::Holds(Flavour::Secret(*class));
            let plain = cell.states.iter().position(|state| *state == plain)?;
            let mut plainer = point.clone();
            plainer.get_mut(at)?.1 = plain;
            Some(plainer)
        })
    }

    /// The same point with its classes numbered in the order in which they first stand.
    pub(super) fn renamed(&self, point: &Point) -> Point {
        let mut seen: Vec<Vec<usize>> = vec![Vec::new(); self.credentials];
        let rename = |(index, number): &(usize, usize)| {
            let cell = self.cells.get(*index);
            let state = cell.and_then(|cell| cell.states.get(*number));
            let (Some(cell), Some(State::Holds(flavour))) = (cell, state) else {
                return (*index, *number);
            };
            let (Of::Location(_, credential), Some(class)) = (&cell.of, flavour.class()) else {
                return (*index, *number);
            };
            let Some(seen) = seen.get_mut(*credential) else { return (*index, *number) };
            let class = seen.iter().position(|known| *known == class).unwrap_or_else(|| {
                seen.push(class);
                seen.len() - 1
            });
            let then = State::Holds(flavour.with(class));
            let number = cell.states.iter().position(|state| *state == then);
            (*index, number.unwrap_or_default())
        };
        point.iter().map(rename).collect()
    }
}

fn phase(credentials: usize) -> Cell {
    let mut states = vec![State::Rest];
    states.extend([Phase::Start, Phase::Restart, Phase::Repair].map(|p| State::Phase(p, None)));
    let rotated = |credential| State::Phase(Phase::Rotate, Some(credential));
    states.extend((0..credentials).map(rotated));
    Cell { of: Of::Phase, states, document: None }
}

/// The settings whose values can be told from the schema: those of an enumeration, and flags.
fn settings(schema: &serde_json::Value) -> Vec<Cell> {
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    let cell = |(key, of): (&String, &serde_json::Value)| {
        let values = match of.get("enum").and_then(serde_json::Value::as_array) {
            Some(values) => values.clone(),
            None if of.get("type").is_some_and(|kind| kind == "boolean") => {
                vec![true.into(), false.into()]
            }
            None => return None,
        };
        let states = std::iter::once(State::Rest).chain(values.into_iter().map(State::Setting));
        Some(Cell { of: Of::Setting(key.clone()), states: states.collect(), document: None })
    };
    properties.into_iter().flatten().filter_map(cell).collect()
}

fn document(index: usize, optional: bool) -> Cell {
    // One that may be missing is, where nothing is in it.
    let missing = (!optional).then_some(State::Missing);
    let states = [State::Rest].into_iter().chain(missing).chain([State::Broken, State::ReadOnly]);
    Cell { of: Of::Document(index), states: states.collect(), document: None }
}

fn fact(spec: &FactSpec, cell_of: &dyn Fn(usize) -> Option<usize>) -> Option<Cell> {
    let document = match &spec.source {
        FactSource::Pointer(index, _) => cell_of(*index),
        _ => None,
    };
    let states = spec.values.iter().cloned().map(State::Fact);
    let states: Vec<State> = std::iter::once(State::Rest).chain(states).collect();
    (states.len() > 1).then(|| Cell { of: Of::Fact(spec.name.clone()), states, document })
}

fn location(
    deployment: &Deployment,
    index: usize,
    spec: &LocationSpec,
    cell_of: &dyn Fn(usize) -> Option<usize>,
) -> Option<Cell> {
    let mut flavours = vec![Flavour::Empty, Flavour::Placeholder, Flavour::Unreadable];
    let secrets = |of: fn(usize) -> Flavour| (0..CLASSES).map(of);
    let mut document = None;
    match &spec.place {
        // What a caller hands over is nowhere to be seen on a machine.
        PlaceSpec::Argument(_) => return None,
        PlaceSpec::Variable(_) => flavours.extend(secrets(Flavour::Secret)),
        PlaceSpec::Command(spec) => {
            flavours.extend(secrets(Flavour::Secret));
            if spec.digest.is_some() || spec.hides.is_some() {
                flavours.push(Flavour::Elsewhere);
            }
        }
        PlaceSpec::File(_) => {
            flavours.extend(secrets(Flavour::Secret).chain(secrets(Flavour::Expired)));
        }
        PlaceSpec::Pointer(at, _) => {
            document = cell_of(*at);
            flavours.extend(secrets(Flavour::Secret).chain(secrets(Flavour::Expired)));
            let forms = deployment.documents.get(*at).map_or(&[][..], |spec| &spec.references);
            if !forms.is_empty() {
                flavours.push(Flavour::Dangling);
                flavours.extend(secrets(Flavour::Resolved));
            }
            if forms.contains(&ReferenceForm::SecretRef) {
                flavours.push(Flavour::Elsewhere);
            }
        }
    }
    let states = std::iter::once(State::Rest).chain(flavours.into_iter().map(State::Holds));
    let of = Of::Location(index, spec.credential.index());
    Some(Cell { of, states: states.collect(), document })
}
