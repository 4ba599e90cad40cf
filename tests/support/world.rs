//! The files below one folder and some variables, and nothing else of the machine.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use precedent::observe::{Command, FileContents, Machine, ReadError, RunError, World};
use zeroize::Zeroizing;

/// The files below one folder and some variables, and nothing else of the machine.
#[derive(Debug, Clone)]
pub(crate) struct Below {
    pub(crate) folder: PathBuf,
    pub(crate) variables: BTreeMap<String, String>,
}

impl World for Below {
    fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>> {
        self.variables.get(name).map(|value| Some(value.clone().into()))
    }

    fn read(&self, path: &Path) -> Result<FileContents, ReadError> {
        if !path.starts_with(&self.folder) {
            return Err(ReadError::Absent);
        }
        Machine::default().read(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.starts_with(&self.folder) && path.exists()
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        if folder.starts_with(&self.folder) { Machine::default().list(folder) } else { vec![] }
    }

    fn run(&self, _: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
        Err(RunError::NotFound)
    }
}
