//! The files of a pass, each read once.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{FileContents, ReadError, World};
use crate::{
    config::{DocumentSpec, PathTemplate},
    model::{FileId, FileState, FileStatus},
    secret::Key,
};

/// The files behind the locations.
pub(super) struct Files<'p> {
    pub(super) world: &'p dyn World,
    key: &'p Key,
    base: &'p Path,
    pub(super) states: Vec<FileState>,
    /// By the path that each has whatever links lead to it.
    opened: HashMap<PathBuf, Opened>,
    /// By the path that was asked for, letter by letter.
    asked: HashMap<OsString, Opened>,
    /// Where the deployment's documents are, by their position; none within where a variable is missing.
    documents: HashMap<usize, Option<PathBuf>>,
    /// Where folders are whatever links lead to them: most files of a pass are in a few.
    folders: HashMap<PathBuf, PathBuf>,
    /// The variables that paths are made of: a few, asked for over and over.
    variables: RefCell<BTreeMap<String, Option<String>>>,
    mixed: Vec<FileId>,
}

/// More files than a pass of a usual deployment opens.
const MANY: usize = 28;

/// A file of a pass, as far as it could be read.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) id: FileId,
    pub(super) contents: Result<Rc<FileContents>, ReadError>,
}

impl<'p> Files<'p> {
    pub(super) fn new(world: &'p dyn World, key: &'p Key, base: &'p Path) -> Self {
        Self {
            world,
            key,
            base,
            states: Vec::new(),
            opened: HashMap::with_capacity(MANY),
            asked: HashMap::with_capacity(MANY),
            documents: HashMap::with_capacity(MANY),
            folders: HashMap::new(),
            variables: RefCell::default(),
            mixed: Vec::new(),
        }
    }

    /// The path that a file has whatever links lead to it.
    fn identity(&mut self, path: &Path) -> PathBuf {
        // No link leads to what is not there; and most is not.
        if !self.world.exists(path) {
            return path.to_owned();
        }
        let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
            return self.world.identity(path);
        };
        let world = self.world;
        let known = self.folders.entry(folder.to_owned());
        world.identity_in(known.or_insert_with(|| world.identity(folder)), path)
    }

    /// Reads a file, unless it was read already. Two paths of one file are one file.
    pub(super) fn open(&mut self, path: &Path) -> Opened {
        if let Some(opened) = self.asked.get(path.as_os_str()) {
            return opened.clone();
        }
        let opened = self.open_anew(path);
        self.asked.insert(path.as_os_str().to_owned(), opened.clone());
        opened
    }

    fn open_anew(&mut self, path: &Path) -> Opened {
        let identity = self.identity(path);
        if let Some(opened) = self.opened.get(&identity) {
            return opened.clone();
        }
        // What is linked to there is masked: to its readers it is as if nothing were there.
        let contents = if identity == Path::new("/dev/null") {
            Err(ReadError::Absent)
        } else {
            self.world.read(path).map(Rc::new)
        };
        let (status, writable) = match &contents {
            Ok(contents) => {
                (FileStatus::Present(self.key.digest(&contents.bytes)), contents.writable)
            }
            Err(ReadError::Absent) => (FileStatus::Absent, false),
            Err(error) => (FileStatus::Unreadable(error.fault()), false),
        };
        let id = FileId::from_index(self.states.len());
        self.states.push(FileState {
            path: path.to_owned(),
            status,
            writable,
            syntax: None,
            reference: None,
            lock: None,
        });
        let opened = Opened { id, contents };
        self.opened.insert(identity, opened.clone());
        opened
    }

    pub(super) fn is_document(&mut self, id: FileId, spec: &DocumentSpec) {
        let Some(state) = self.states.get_mut(id.index()) else { return };
        // Read by two grammars, it would be edited by one and misread by the other.
        if state.syntax.is_some_and(|syntax| syntax != spec.syntax) {
            self.mixed.push(id);
        }
        state.syntax = Some(spec.syntax);
        state.reference = spec.references.first().copied();
        if let Some(end) = &spec.lock_suffix {
            let mut lock = state.path.clone().into_os_string();
            lock.push(end);
            // Wherever a run is mended or taken back from, it is the same.
            state.lock = std::path::absolute(PathBuf::from(lock)).ok();
        }
    }

    /// The files whose readers do not agree on their grammar.
    pub(super) fn mixed(&self) -> Vec<FileId> {
        self.mixed.clone()
    }

    /// Whether a file is read by readers that do not agree on its grammar.
    pub(super) fn is_mixed(&self, id: FileId) -> bool {
        self.mixed.contains(&id)
    }

    /// The path of the document at a position.
    pub(super) fn path_of(&mut self, index: usize, spec: &DocumentSpec) -> Option<PathBuf> {
        if let Some(known) = self.documents.get(&index) {
            return known.clone();
        }
        let path = self.resolve(&spec.path);
        self.documents.insert(index, path.clone());
        path
    }

    /// The files that a path names; `*` stands for any part of a name. A path without one names
    /// itself, whether or not it is there, unless only those that exist are wanted.
    pub(super) fn matching(&self, path: &Path, existing: bool) -> Vec<PathBuf> {
        if !path.as_os_str().as_encoded_bytes().contains(&b'*') {
            let found: PathBuf = path.components().collect();
            let counts = !existing || self.world.exists(&found);
            return counts.then_some(found).into_iter().collect();
        }
        let mut found = vec![PathBuf::new()];
        for component in path.components() {
            let name = component.as_os_str().to_string_lossy();
            found = match name.split_once('*') {
                None => {
                    found.iter_mut().for_each(|path| path.push(component));
                    found
                }
                Some((start, end)) => found
                    .into_iter()
                    .flat_map(|folder| {
                        let names = self.world.list(&folder);
                        let fits = |name: &String| {
                            name.len() >= start.len() + end.len()
                                && name.starts_with(start)
                                && name.ends_with(end)
                        };
                        names.into_iter().filter(fits).map(move |name| folder.join(name))
                    })
                    .collect(),
            };
        }
        found.retain(|path| self.world.exists(path));
        found
    }

    pub(super) fn path(&self, id: FileId) -> &Path {
        self.states.get(id.index()).map_or(Path::new(""), |state| &state.path)
    }

    pub(super) fn resolve(&self, path: &PathTemplate) -> Option<PathBuf> {
        let exists = |path: &Path| self.world.exists(path);
        path.resolve(self.base, &|name| self.variable(name), &exists)
    }

    fn variable(&self, name: &str) -> Option<String> {
        if let Some(known) = self.variables.borrow().get(name) {
            return known.clone();
        }
        let value = self.world.variable(name);
        self.variables.borrow_mut().insert(name.to_owned(), value.clone());
        value
    }

    /// A path as a person may write it: with `~` and variables.
    pub(super) fn expand(&self, path: &str) -> Option<PathBuf> {
        self.resolve(&PathTemplate::One(path.to_owned()))
    }
}
