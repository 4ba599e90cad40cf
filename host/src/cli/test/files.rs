//! The files in which cases are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use precedent::cases::{self, CaseError, Read};

/// Reads the cases of files, and of all case files below folders.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Read> {
    let mut all = Read::default();
    for path in paths {
        for file in files(path)? {
            let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
            let read = cases::read(&file, &text)?;
            all.cases.extend(read.cases);
            all.left_out.extend(read.left_out);
        }
    }
    Ok(all)
}

/// A file, or all case files below a folder, in order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path)
        .and_then(|entries| {
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(|error| unreadable(path, &error))?;
    entries.sort();
    let is_case = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "json" || extension == "jsonl")
    };
    let mut found = Vec::new();
    for entry in entries {
        // A link to a folder may lead back here.
        if entry.is_dir() && !entry.is_symlink() {
            found.extend(files(&entry)?);
        } else if is_case(&entry) {
            found.push(entry);
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CaseError {
    CaseError::new(path, None, error.to_string())
}

/// The paths, for a message.
pub(super) fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
