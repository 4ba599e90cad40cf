//! The files of a pass, each read once.

use std::{
    collections::BTreeMap,
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
    opened: BTreeMap<PathBuf, Opened>,
}

/// A file of a pass, as far as it could be read.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) id: FileId,
    pub(super) contents: Result<Rc<FileContents>, ReadError>,
}

impl<'p> Files<'p> {
    pub(super) fn new(world: &'p dyn World, key: &'p Key, base: &'p Path) -> Self {
        Self { world, key, base, states: Vec::new(), opened: BTreeMap::new() }
    }

    /// Reads a file, unless it was read already. Two paths of one file are one file.
    pub(super) fn open(&mut self, path: &Path) -> Opened {
        let identity = self.world.identity(path);
        if let Some(opened) = self.opened.get(&identity) {
            return opened.clone();
        }
        let contents = self.world.read(path).map(Rc::new);
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
        });
        let opened = Opened { id, contents };
        self.opened.insert(identity, opened.clone());
        opened
    }

    pub(super) fn is_document(&mut self, id: FileId, spec: &DocumentSpec) {
        if let Some(state) = self.states.get_mut(id.index()) {
            state.syntax = Some(spec.syntax);
            state.reference = spec.references.first().copied();
        }
    }

    pub(super) fn path(&self, id: FileId) -> &Path {
        self.states.get(id.index()).map_or(Path::new(""), |state| &state.path)
    }

    pub(super) fn resolve(&self, path: &PathTemplate) -> Option<PathBuf> {
        let exists = |path: &Path| self.world.exists(path);
        path.resolve(self.base, &|name| self.world.variable(name), &exists)
    }

    /// A path as a person may write it: with `~` and variables.
    pub(super) fn expand(&self, path: &str) -> Option<PathBuf> {
        self.resolve(&PathTemplate::One(path.to_owned()))
    }
}
