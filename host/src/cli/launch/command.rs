//! The program itself, and why it could not be started.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::Command,
};

use secrecy::ExposeSecret;

use super::{super::exit::Exit, Given};

/// A program with its arguments, and with what it is given in its environment: nothing of that is in an
/// argument, which everybody on the machine could read. All other variables are as they are, even one
/// of a credential for which there is no secret to give: it is what the program would find without us.
pub(crate) fn command(words: &[OsString], given: Option<&Given>) -> Command {
    let (program, arguments) = words
        .split_first()
        .map_or((OsStr::new(""), words), |(first, rest)| (first.as_os_str(), rest));
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, secret) in given.iter().flat_map(|given| &given.variables) {
        command.env(name, secret.expose_secret());
    }
    command
}

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {}: {reason}", program.display())]
pub(crate) struct Unstarted {
    program: OsString,
    reason: String,
    is_missing: bool,
}

impl Unstarted {
    pub(crate) fn new(command: &Command, error: &io::Error) -> Self {
        let program = command.get_program();
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        let is_path = program.as_encoded_bytes().contains(&b'/');
        let reason = match error.kind() {
            io::ErrorKind::NotFound if !is_path => {
                "no folder of the PATH has it; name it by its path, or look at the PATH".to_owned()
            }
            io::ErrorKind::NotFound if Path::new(program).exists() => {
                "it is there, but what it wants to be run by is not; look at its first line".to_owned()
            }
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "it is no file that this user may execute; look at its mode, and at those of its folders"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        Self { program: program.to_owned(), reason, is_missing }
    }

    /// What a shell would exit with.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_missing { Exit::NotFound } else { Exit::NotExecutable }
    }
}
