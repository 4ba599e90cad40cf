//! The variables that programs find: their own environment, then files that they read into it.

use zeroize::Zeroizing;

use super::{World, documents, files::Files};
use crate::{
    config::Deployment,
    document::{Text, dotenv},
};

/// A look-up of variables, most important place first.
pub(super) struct Variables<'w> {
    world: &'w dyn World,
    files: Vec<Text>,
}

impl<'w> Variables<'w> {
    pub(super) fn read(deployment: &Deployment, files: &mut Files<'w>) -> Self {
        let specs = deployment.environment.iter().copied();
        let specs = specs.filter_map(|at| Some((at, deployment.documents.get(at)?)));
        let mut texts = Vec::new();
        for (index, spec) in specs {
            let path = files.path_of(index, spec);
            let contents = path.and_then(|path| files.open(&path).contents.ok());
            texts.extend(contents.and_then(|contents| documents::text_of(&contents)));
        }
        Self { world: files.world, files: texts }
    }

    /// A variable, from the first place that sets it.
    pub(super) fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        match self.world.raw_variable(name) {
            Some(value) => value,
            None => self.of_files(name),
        }
    }

    /// A variable of the process itself.
    pub(super) fn of_process(&self, name: &str) -> Option<Zeroizing<String>> {
        self.world.raw_variable(name).flatten()
    }

    /// A variable that a file sets. What is wrong with a file is told by its own document.
    pub(super) fn of_files(&self, name: &str) -> Option<Zeroizing<String>> {
        self.files.iter().find_map(|text| dotenv::find(text.as_str(), name).ok().flatten())
    }
}
