//! Runs the tools of a language, and installs them into the project where they are not.

use std::{fs, io, path::Path, process::Command};

use super::guest::Failure;
use crate::cli::selection;

/// What is told of a project's tools: which file pins them, and where they go.
pub(super) struct Pinned<'p> {
    /// The file that pins them.
    pub(super) by: &'p Path,
    /// The folder that they go to.
    pub(super) into: &'p Path,
}

/// What of the pins was installed last, in the folder of the tools.
const INSTALLED: &str = ".precedent-installed";

impl Pinned<'_> {
    /// Installs what is pinned, unless just that is installed already.
    #[allow(clippy::disallowed_methods, reason = "the author asks for a build in this folder")]
    pub(super) fn install(
        &self,
        install: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let failed = |path: &Path, error: io::Error| {
            Failure::from(format!("cannot use {}: {error}", path.display()))
        };
        let pins = fs::read_to_string(self.by).map_err(|error| failed(self.by, error))?;
        let installed = self.into.join(INSTALLED);
        if fs::read_to_string(&installed).is_ok_and(|known| known == pins) {
            return Ok(());
        }
        install()?;
        fs::write(&installed, pins).map_err(|error| failed(&installed, error))
    }
}

/// Runs a command. Where it fails, the sentence says what it was, and what it said is kept for
/// whoever wants to know why; `remedy` says how to get a program that is not there.
pub(super) fn run(command: &mut Command, what: &str, remedy: &str) -> Result<(), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    // Whoever wrote a package runs in here: no copy of a credential is handed to them.
    for name in selection::variables_of_copies() {
        command.env_remove(name);
    }
    let output = command
        .output()
        .map_err(|error| Failure::from(format!("cannot run {program}: {error}; {remedy}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Failure { why: what.to_owned(), said: String::from_utf8_lossy(&said).into_owned() })
}
