//! What a pass looked at: that, and nothing else, is what has to be watched.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use precedent::observe::{Command, FileContents, Machine, ReadError, RunError, World};
use zeroize::Zeroizing;

/// Paths that were asked for, whether or not anything is there.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) files: BTreeSet<PathBuf>,
    /// Folders of which all names were asked for.
    pub(super) folders: BTreeSet<PathBuf>,
}

/// This machine, and what it is asked for.
pub(super) struct Witness {
    asked: Mutex<Asked>,
    machine: Machine,
    /// Where programs are looked for. Each start of any program there is news, and none of ours; what
    /// is installed there is found when it is time to look anyway.
    programs: Vec<PathBuf>,
}

impl Witness {
    pub(super) fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let machine = Machine::default();
        let path = machine.variable("PATH").unwrap_or_default();
        let programs = path.split(':').map(PathBuf::from).collect();
        let asked = Asked { files: files.into_iter().collect(), folders: BTreeSet::new() };
        Self { asked: Mutex::new(asked), machine, programs }
    }

    pub(super) fn asked(self) -> Asked {
        self.asked.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, path: &Path) {
        let is_program =
            path.parent().is_some_and(|folder| self.programs.iter().any(|p| p == folder));
        if let (false, Ok(path)) = (is_program, std::path::absolute(path)) {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).files.insert(path);
        }
    }
}

impl World for Witness {
    fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>> {
        self.machine.raw_variable(name)
    }

    fn read(&self, path: &Path) -> Result<FileContents, ReadError> {
        self.note(path);
        self.machine.read(path)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        self.note(path);
        self.machine.identity(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.note(path);
        self.machine.exists(path)
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        if let Ok(folder) = std::path::absolute(folder) {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).folders.insert(folder);
        }
        self.machine.list(folder)
    }

    fn run(&self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
        self.machine.run(command)
    }
}
