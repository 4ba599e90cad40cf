//! The world as it would be with other variables.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use precedent::observe::{Command, FileContents, Machine, ReadError, RunError, World};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// This machine, as a program sees it that is given these variables.
pub(super) struct AsIf<'v> {
    variables: &'v BTreeMap<String, SecretString>,
    machine: Machine,
}

impl<'v> AsIf<'v> {
    pub(super) fn with(variables: &'v BTreeMap<String, SecretString>) -> Self {
        Self { variables, machine: Machine::default() }
    }
}

impl World for AsIf<'_> {
    fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>> {
        match self.variables.get(name) {
            Some(secret) => Some(Some(Zeroizing::new(secret.expose_secret().to_owned()))),
            None => self.machine.raw_variable(name),
        }
    }

    fn read(&self, path: &Path) -> Result<FileContents, ReadError> {
        self.machine.read(path)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        self.machine.identity(path)
    }

    fn identity_in(&self, folder: &Path, path: &Path) -> PathBuf {
        self.machine.identity_in(folder, path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.machine.exists(path)
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        self.machine.list(folder)
    }

    fn run(&self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
        self.machine.run(command)
    }
}
