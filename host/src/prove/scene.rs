//! A point of the lattice as a case, and as the snapshot that the case comes to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::lattice::{Flavour, Lattice, Of, Point, State};
use crate::{
    cases::{
        Case, CaseDeployment, Expectations,
        state::{self, Holds, More, State as Stated, StatedReference},
    },
    config::{Deployment, PlaceSpec},
    model::{Fault, Phase, ReferenceKind, Snapshot},
    observe::{Memory, Observed, observe},
    secret::{Key, Vault},
};

/// When the gateway is looked at, in every state; before it what has expired expires.
const NOW: u64 = 1_774_569_600;
const EXPIRED: u64 = NOW - 3600;

/// A deployment, and what is seen of it where there is nothing.
pub(super) struct Scene<'d> {
    deployment: &'d Deployment,
    pub(super) lattice: Lattice,
    empty: Snapshot,
    /// Names of the locations by document.
    documents: Vec<Vec<String>>,
    key: Key,
}

impl<'d> Scene<'d> {
    /// Looks at a deployment where there is nothing.
    pub(super) fn new(deployment: &'d Deployment, lattice: Lattice) -> Self {
        // Stand-ins need no secrecy; a fixed key makes runs repeat.
        let key = Key::new([0; 32]);
        let world = Memory::default();
        let mut empty = observe(deployment, &world, &key, Phase::Check, NOW).snapshot;
        empty.findings.clear();
        let mut documents = vec![Vec::new(); deployment.documents.len()];
        for spec in &deployment.locations {
            if let PlaceSpec::Pointer(index, _) = spec.place
                && let Some(names) = documents.get_mut(index)
            {
                names.push(spec.name.clone());
            }
        }
        Self { deployment, lattice, empty, documents, key }
    }

    /// The case of a point. It expects that what is proven of a policy holds.
    pub(super) fn case(&self, point: &Point) -> Case {
        let mut case = Case {
            deployment: CaseDeployment { now: NOW, ..CaseDeployment::default() },
            expect: Expectations::proven(),
            settings: self.deployment.settings.as_object().cloned().unwrap_or_default(),
            ..Case::default()
        };
        let mut words = Vec::new();
        // What becomes of a document that something is said of.
        let mut documents: BTreeMap<usize, Option<&State>> = BTreeMap::new();
        for (index, names) in self.documents.iter().enumerate() {
            let optional = self.deployment.documents.get(index).is_some_and(|spec| spec.optional);
            if !optional && !names.is_empty() {
                documents.insert(index, None);
            }
        }
        for (cell, state) in self.lattice.states(point) {
            match (&cell.of, state) {
                (_, State::Phase(phase, rotated)) => {
                    case.deployment.phase = *phase;
                    words.push(format!("{phase:?}").to_lowercase());
                    let name = rotated.and_then(|of| self.deployment.credentials.get(of));
                    if let Some(name) = name.map(|credential| credential.name.clone()) {
                        case.incoming.insert(name, "brought".to_owned());
                    }
                }
                (Of::Setting(key), State::Setting(value)) => {
                    case.settings.insert(key.clone(), value.clone());
                    words.push(format!("{key} = {value}"));
                }
                (Of::Fact(key), State::Fact(value)) => {
                    case.facts.insert(key.clone(), Some(value.clone()));
                    words.push(format!("{key} = {value}"));
                }
                (Of::Document(index), state) => {
                    documents.insert(*index, Some(state));
                    let name = self.deployment.documents.get(*index).map_or("", |spec| &spec.name);
                    words.push(format!("{name} {}", state.in_words()));
                }
                (Of::Location(index, credential), State::Holds(flavour)) => {
                    let Some(spec) = self.deployment.locations.get(*index) else { continue };
                    let credential = self.deployment.credentials.get(*credential);
                    let credential = credential.map_or("", |credential| &credential.name);
                    let stated = stated(*flavour, credential);
                    words.push(format!("{} {}", spec.name, state.in_words()));
                    if let PlaceSpec::Pointer(index, _) = spec.place {
                        documents.entry(index).or_insert(None);
                    }
                    case.locations.insert(spec.name.clone(), stated);
                }
                _ => {}
            }
        }
        self.settle(&documents, &mut case.locations);
        case.name = if words.is_empty() { "nothing anywhere".to_owned() } else { words.join(", ") };
        case
    }

    /// Says of each location of a document that is there what it holds, if it is only nothing.
    fn settle(
        &self,
        documents: &BTreeMap<usize, Option<&State>>,
        locations: &mut BTreeMap<String, Stated>,
    ) {
        for (index, state) in documents {
            if matches!(state, Some(State::Missing)) {
                continue;
            }
            for name in self.documents.get(*index).into_iter().flatten() {
                let nothing = || Stated::plain(Holds::Nothing);
                let stated = locations.entry(name.clone()).or_insert_with(nothing);
                match state {
                    Some(State::Broken) => stated.holds = Holds::Unreadable(Fault::Syntax),
                    Some(State::ReadOnly) => stated.more.writable = Some(false),
                    _ => {}
                }
            }
        }
    }

    /// What a policy is shown of a case of this deployment.
    pub(super) fn snapshot(&self, case: &Case) -> Snapshot {
        let mut snapshot = self.empty.clone();
        snapshot.phase = case.deployment.phase;
        snapshot.settings = Value::Object(case.settings.clone());
        // Every location of a point is the deployment's own.
        let _ = state::put(&mut snapshot, &case.locations, &case.facts, &self.key);
        if case.incoming.is_empty() {
            return snapshot;
        }
        let mut observed = Observed { snapshot, vault: Vault::default() };
        for (credential, secret) in &case.incoming {
            observed.bring(&self.key, credential, secret.clone().into());
        }
        observed.snapshot
    }

    /// The case for somebody else to run: it says which deployment it is of.
    pub(super) fn on_its_own(&self, mut case: Case) -> Case {
        case.deployment.preset.clone_from(&self.deployment.preset);
        case
    }
}

impl Lattice {
    fn states<'l>(
        &'l self,
        point: &'l Point,
    ) -> impl Iterator<Item = (&'l super::lattice::Cell, &'l State)> {
        point.iter().filter_map(|(cell, state)| {
            let cell = self.cells.get(*cell)?;
            Some((cell, cell.states.get(*state)?))
        })
    }
}

impl State {
    fn in_words(&self) -> String {
        let class = |class: &usize| ["A", "B", "C"].get(*class).copied().unwrap_or("?");
        match self {
            Self::Missing => "is missing".to_owned(),
            Self::Broken => "does not parse".to_owned(),
            Self::ReadOnly => "cannot be written".to_owned(),
            Self::Holds(Flavour::Empty) => "is empty".to_owned(),
            Self::Holds(Flavour::Placeholder) => "holds the documentation's example".to_owned(),
            Self::Holds(Flavour::Unreadable) => "cannot be read".to_owned(),
            Self::Holds(Flavour::Dangling) => "refers to nowhere".to_owned(),
            Self::Holds(Flavour::Elsewhere) => "refers to a store".to_owned(),
            Self::Holds(Flavour::Secret(of)) => format!("holds {}", class(of)),
            Self::Holds(Flavour::Expired(of)) => format!("holds {}, expired", class(of)),
            Self::Holds(Flavour::Resolved(of)) => format!("refers to {}", class(of)),
            Self::Rest | Self::Phase(..) | Self::Setting(_) | Self::Fact(_) => String::new(),
        }
    }
}

/// What a case says of a location. Secrets of two credentials are never the same.
fn stated(flavour: Flavour, credential: &str) -> Stated {
    let secret = |class: usize| {
        let letter = ["A", "B", "C"].get(class).copied().unwrap_or("?");
        format!("{credential} {letter}")
    };
    let reference = |kind, target: String, value| {
        Stated::plain(Holds::Reference(StatedReference { kind, target, value }))
    };
    let environment = ReferenceKind::Environment;
    match flavour {
        Flavour::Empty => Stated::plain(Holds::Empty),
        Flavour::Placeholder => Stated::plain(Holds::Placeholder),
        // The rest of the document, if there is one, can be read.
        Flavour::Unreadable => Stated::plain(Holds::Unreadable(Fault::WrongType)),
        Flavour::Dangling => reference(environment, "NOT_SET".to_owned(), None),
        Flavour::Elsewhere => reference(ReferenceKind::Store, "a-store".to_owned(), None),
        Flavour::Secret(class) => Stated::plain(Holds::Secret(secret(class))),
        Flavour::Expired(class) => Stated {
            holds: Holds::Secret(secret(class)),
            more: More { expires: Some(EXPIRED), ..More::default() },
        },
        Flavour::Resolved(class) => {
            let name = secret(class).replace([' ', '-'], "_").to_uppercase();
            reference(environment, name, Some(secret(class)))
        }
    }
}
