//! Where observations come from.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use zeroize::Zeroizing;

use super::{
    file::{self, FileContents, ReadError},
    run,
};
use crate::model::{Fault, Pointer};

/// What a pass looks at: variables and files.
pub trait World: Sync {
    /// A variable as it is: none where it is not set, none within where it is not UTF-8.
    fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>>;

    /// Reads a file whole.
    ///
    /// # Errors
    ///
    /// Why it could not be read.
    fn read(&self, path: &Path) -> Result<FileContents, ReadError>;

    /// What a program is handed by whoever starts it, by a pointer into a case's `options`. On a
    /// machine nobody sees that.
    fn argument(&self, _pointer: &Pointer) -> Option<Zeroizing<String>> {
        None
    }

    /// The path that a file has whatever links lead to it; the path itself where that is not known.
    fn identity(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    /// The same, where it is known already what path the file's folder has whatever links lead to it: most
    /// files of a pass are in a few folders.
    fn identity_in(&self, _folder: &Path, path: &Path) -> PathBuf {
        self.identity(path)
    }

    /// Whether anything is at a path, even a link that leads nowhere.
    fn exists(&self, path: &Path) -> bool;

    /// The names in a folder, sorted; none where it cannot be read.
    fn list(&self, folder: &Path) -> Vec<String>;

    /// Runs a program without a shell and gives back what it prints.
    ///
    /// # Errors
    ///
    /// Where it is not there, fails, takes too long or prints too much.
    fn run(&self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError>;

    /// A variable that is set and is UTF-8.
    fn variable(&self, name: &str) -> Option<String> {
        self.raw_variable(name).flatten().map(|value| value.to_string())
    }
}

/// A program to be run while observing. What it is handed may be secret, so it shows only its path.
#[non_exhaustive]
pub struct Command<'c> {
    /// Its path, or its name on the PATH.
    pub program: &'c Path,
    /// Its arguments.
    pub arguments: &'c [String],
    /// All the variables it gets.
    pub variables: &'c [(String, String)],
    /// What it reads.
    pub input: &'c [u8],
    /// Where it runs, if it is not guarded; here where this is empty.
    pub folder: &'c Path,
    /// How long it may take.
    pub time: Duration,
    /// What it says on its standard error where what it was asked for does not exist.
    pub absent: Option<&'c str>,
    /// Whether it is refused unless nobody else can have changed it: its path is absolute, no link,
    /// and this user's, and neither group nor others may write it.
    pub guarded: bool,
}

impl std::fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Why a program gave no answer. Holds nothing of what it printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// It is not there.
    NotFound,
    /// Others could have changed it.
    NotGuarded,
    /// It could not be started.
    NotStarted,
    /// It took too long, and was ended.
    TimedOut,
    /// It printed more than 1 MiB.
    TooLarge,
    /// It says that what it was asked for does not exist.
    Absent,
    /// It ended with this code; none where a signal ended it.
    Failed(Option<i32>),
}

impl RunError {
    /// The same as why a place could not be read.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::NotFound | Self::NotStarted | Self::Absent | Self::Failed(_) => Fault::Failed,
            Self::NotGuarded => Fault::NotPermitted,
            Self::TimedOut => Fault::TimedOut,
            Self::TooLarge => Fault::TooLarge,
        }
    }

    /// What a command came to, in words.
    pub(crate) fn in_words(self, line: &[String], time: Duration) -> String {
        let (program, line) = (line.first().map_or("", String::as_str), line.join(" "));
        match self {
            Self::NotFound => format!("`{program}` is not on the PATH"),
            Self::NotGuarded => format!("`{program}` could have been changed by others"),
            Self::NotStarted => format!("`{program}` could not be started"),
            Self::TimedOut => format!("`{line}` gave no answer within {} s", time.as_secs()),
            Self::TooLarge => format!("`{line}` prints more than 1 MiB"),
            Self::Absent => format!("`{line}` says that there is none"),
            Self::Failed(Some(code)) => format!("`{line}` ended with {code}"),
            Self::Failed(None) => format!("`{line}` was ended by a signal"),
        }
    }
}

/// The name by which a path template asks for the working directory.
const WORKING_DIRECTORY: &str = "CWD";

/// This process's environment and this machine's files.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Machine;

impl World for Machine {
    #[allow(clippy::disallowed_methods, reason = "observing is what this module is for")]
    fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>> {
        let value = std::env::var_os(name).or_else(|| {
            // What programs take for the home directory where nobody says; and where they are, which no
            // variable tells for sure.
            let path = match name {
                "HOME" => std::env::home_dir(),
                WORKING_DIRECTORY => std::env::current_dir().ok(),
                _ => None,
            };
            path.map(PathBuf::into_os_string)
        });
        value.map(|value| value.into_string().ok().map(Zeroizing::new))
    }

    fn read(&self, path: &Path) -> Result<FileContents, ReadError> {
        file::read(path)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }

    fn identity_in(&self, folder: &Path, path: &Path) -> PathBuf {
        // Where a file system may take two names for one, only it can say.
        let is_plain = cfg!(target_os = "linux")
            && path.symlink_metadata().is_ok_and(|metadata| !metadata.is_symlink());
        match path.file_name().filter(|_| is_plain) {
            Some(name) => folder.join(name),
            None => self.identity(path),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        let mut names: Vec<String> = entries.filter_map(name).collect();
        names.sort();
        names
    }

    fn run(&self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
        run::run(command)
    }
}

/// Variables and files of a test's own. `~` is `/home/node` unless `HOME` says otherwise.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Memory {
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// The files and their text.
    pub files: BTreeMap<PathBuf, String>,
    /// What programs are handed by whoever starts them.
    pub arguments: serde_json::Value,
}

impl Memory {
    /// The home directory of the variables.
    #[must_use]
    pub fn home(&self) -> Cow<'_, str> {
        self.variables.get("HOME").map_or(Cow::Borrowed("/home/node"), |home| Cow::Borrowed(home))
    }
}

impl World for Memory {
    fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>> {
        match self.variables.get(name) {
            Some(value) => Some(Some(Zeroizing::new(value.clone()))),
            None if name == "HOME" => Some(Some(Zeroizing::new(self.home().into_owned()))),
            None => None,
        }
    }

    fn argument(&self, pointer: &Pointer) -> Option<Zeroizing<String>> {
        // Most programs are handed nothing, and are looked at for every place that they could be handed.
        if self.arguments.as_object().is_some_and(serde_json::Map::is_empty) {
            return None;
        }
        let value = self.arguments.pointer(&pointer.to_string())?.as_str()?;
        Some(Zeroizing::new(value.to_owned()))
    }

    fn read(&self, path: &Path) -> Result<FileContents, ReadError> {
        let text = self.files.get(path).ok_or(ReadError::Absent)?;
        Ok(FileContents {
            bytes: Zeroizing::new(text.clone().into_bytes()),
            modified: None,
            writable: true,
            replaceable: true,
            private: true,
        })
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.keys().any(|known| known.starts_with(path))
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        let below = |path: &PathBuf| {
            let name = path.strip_prefix(folder).ok()?.components().next()?;
            name.as_os_str().to_str().map(ToOwned::to_owned)
        };
        let names: BTreeSet<String> = self.files.keys().filter_map(below).collect();
        names.into_iter().collect()
    }

    fn run(&self, _: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
        // What a program would print is said by the location that it is for.
        Err(RunError::Absent)
    }
}
