//! Reads the cases of a file's text.

use std::{path::Path, thread};

use super::{Case, CaseError, Source, recorded};

/// What the text of a file comes to.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Read {
    /// The cases.
    pub cases: Vec<Case>,
    /// Recordings that say nothing of the credentials.
    pub left_out: Vec<LeftOut>,
}

/// A recording that is no case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// What it would be called.
    pub name: String,
    /// Why it is none.
    pub why: String,
}

/// Reads the cases of a file's text: one document, or one a line in `.jsonl`. Recordings of
/// OpenClaw's own resolvers turn into cases here, one for each release.
///
/// # Errors
///
/// The first thing that is wrong, and where.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Case>, CaseError> {
    read(path, text).map(|read| read.cases)
}

/// Reads the cases of a file's text, and tells of the recordings that turn into none.
///
/// # Errors
///
/// The first thing that is wrong, and where.
pub fn read(path: &Path, text: &str) -> Result<Read, CaseError> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        return lines(path, &stem, text);
    }
    let mut read = Read::default();
    let at = |(line, message)| CaseError { path: path.to_owned(), line: Some(line), message };
    read.add(text, stem).map_err(at)?;
    read.come_from(0, &Source { path: path.to_owned(), line: None });
    Ok(read)
}

/// So few lines are read before another thread has begun.
const FEW: usize = 64;

/// Reads a document a line, on as many threads as the machine runs at once.
fn lines(path: &Path, stem: &str, text: &str) -> Result<Read, CaseError> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<(usize, &str)> = lines.collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let parts = lines.chunks(lines.len().div_ceil(threads).max(FEW));
    let part = |part: &[(usize, &str)]| {
        let mut read = Read::default();
        for &(number, line) in part {
            let source = Source { path: path.to_owned(), line: Some(number) };
            let at = |message| CaseError { path: path.to_owned(), line: Some(number), message };
            let before = read.cases.len();
            read.add(line, format!("{stem}:{number}")).map_err(|(_, message)| at(message))?;
            read.come_from(before, &source);
        }
        Ok(read)
    };
    let mut all = Read::default();
    thread::scope(|scope| {
        let reading: Vec<_> = parts.map(|lines| scope.spawn(move || part(lines))).collect();
        // In order, so that the first thing that is wrong is told.
        for reading in reading {
            let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.cases.extend(read.cases);
            all.left_out.extend(read.left_out);
        }
        Ok(all)
    })
}

impl Read {
    /// Says of the cases from a position on where they are written.
    fn come_from(&mut self, position: usize, source: &Source) {
        let cases = self.cases.get_mut(position..).unwrap_or_default();
        cases.iter_mut().for_each(|case| case.source = Some(source.clone()));
    }

    /// Adds what one document holds; its errors have a line of their own.
    fn add(&mut self, text: &str, fallback: String) -> Result<(), (usize, String)> {
        let error = |error: serde_json::Error| (error.line(), error.to_string());
        let document: serde_json::Value = serde_json::from_str(text).map_err(error)?;
        if recorded::is_recorded(&document) {
            return self.add_recorded(&document).map_err(|message| (1, message));
        }
        if let Some(all) = document.get("cases").and_then(|cases| cases.as_array()) {
            return all.iter().try_for_each(|one| {
                self.add_recorded(one).map_err(|message| (line_of(one, text), message))
            });
        }
        let mut case: Case = serde_json::from_str(text).map_err(error)?;
        if case.name.is_empty() {
            case.name = fallback;
        }
        self.cases.push(case);
        Ok(())
    }

    fn add_recorded(&mut self, recorded: &serde_json::Value) -> Result<(), String> {
        let (cases, left_out) = recorded::read(recorded)?;
        self.cases.extend(cases);
        self.left_out.extend(left_out);
        Ok(())
    }
}

/// The line on which a recording's name stands.
fn line_of(recorded: &serde_json::Value, text: &str) -> usize {
    let id = recorded.get("id").map(ToString::to_string).unwrap_or_default();
    let before = text.find(&id).and_then(|at| text.get(..at)).unwrap_or_default();
    before.matches('\n').count() + 1
}
