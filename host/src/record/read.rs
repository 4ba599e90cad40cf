//! A journal read from its oldest record to its newest.
//!
//! A line at a time, for a journal may be large. What is no record is told and left out: a power cut
//! leaves half a line, another version its own fields, and the rest is as good as before.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use serde::Deserialize;

use super::{
    LARGEST, RecordError, Recorded, SCHEMA, StateFolder, failed,
    journal::{Files, lines},
    not_a_file,
    ours::is_ours,
};

/// A line of a journal that is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {reason}", path.display())]
pub struct BrokenRecord {
    /// The file.
    pub path: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// What is wrong with it. Says nothing of what stands there.
    pub reason: String,
}

/// A journal's records, oldest first.
#[derive(Debug, Default)]
pub struct Journal {
    parts: VecDeque<Part>,
    /// The number of the line that was read last.
    number: u64,
}

/// A file of a journal.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    reader: BufReader<File>,
    /// The line that was read last.
    line: u64,
    /// The number that its first line has at least.
    first: u64,
}

impl Journal {
    /// Opens a deployment's journal; one that is not there has no records. Asks for no lock.
    ///
    /// # Errors
    ///
    /// Where a file of it is none, or is another user's.
    pub fn of(state: &StateFolder, deployment: &str) -> Result<Self, RecordError> {
        let files = Files::of(state, deployment);
        // The newest first: were it put aside while we look, it would be found among those.
        let newest = open_ours(&files.newest())?;
        let is_newest = |file: &File| {
            let id = |file: &File| file.metadata().ok().map(|it| (it.dev(), it.ino()));
            newest.as_ref().is_some_and(|newest| id(newest) == id(file))
        };
        let mut parts = VecDeque::new();
        let mut last = 0;
        for aside in files.aside().unwrap_or_default() {
            // One that is gone was the oldest, and there was no more room for it.
            let Some(file) = open_ours(&aside.path)? else { continue };
            if is_newest(&file) {
                continue;
            }
            let fault = |error| failed("read", &aside.path, &error);
            let first = match last {
                0 => aside.last.saturating_sub(count(&aside.path).map_err(fault)?) + 1,
                _ => last + 1,
            };
            last = aside.last;
            parts.push_back(Part::new(aside.path, file, first));
        }
        parts.extend(newest.map(|file| Part::new(files.newest(), file, last + 1)));
        Ok(Self { parts, number: 0 })
    }

    /// Opens files that somebody names, as one journal, in their order.
    ///
    /// # Errors
    ///
    /// Where one cannot be read.
    pub fn named(paths: &[PathBuf]) -> Result<Self, RecordError> {
        let mut parts = VecDeque::new();
        for path in paths {
            let opened = open(path, OFlags::NONBLOCK);
            let file = opened.map_err(|error| failed("read", path, &error))?;
            parts.push_back(Part::new(path.clone(), file, 1));
        }
        Ok(Self { parts, number: 0 })
    }
}

impl Part {
    fn new(path: PathBuf, file: File, first: u64) -> Self {
        Self { path, reader: BufReader::with_capacity(64 << 10, file), line: 0, first }
    }

    fn broken(&self, reason: String) -> BrokenRecord {
        BrokenRecord { path: self.path.clone(), line: self.line, reason }
    }
}

impl Iterator for Journal {
    type Item = Result<Recorded, BrokenRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let part = self.parts.front_mut()?;
            part.line += 1;
            let line = match next_line(&mut part.reader, LARGEST) {
                Ok(Some(line)) => line,
                Ok(None) => {
                    self.parts.pop_front();
                    continue;
                }
                Err(error) => {
                    let broken = part.broken(format!("cannot read on: {error}"));
                    self.parts.pop_front();
                    return Some(Err(broken));
                }
            };
            self.number = (self.number + 1).max(part.first);
            if matches!(&line, Line::Whole(text) if text.trim_ascii().is_empty()) {
                continue;
            }
            let number = self.number;
            let decoded = line.decode().map(|record| Recorded { number, ..record });
            return Some(decoded.map_err(|reason| part.broken(reason)));
        }
    }
}

/// A line as it was found.
pub(super) enum Line {
    Whole(Vec<u8>),
    /// The last of its file, without an end.
    Cut(Vec<u8>),
    TooLong,
}

/// Reads a line of so many bytes at most; a longer one is passed over.
pub(super) fn next_line(reader: &mut impl BufRead, most: u64) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    reader.by_ref().take(most.saturating_add(1)).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(Line::Whole(line)));
    }
    if line.len() as u64 > most {
        reader.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Cut(line)))
}

impl Line {
    /// The record that it is, or what is wrong with it. What stands there is not told: who names a file
    /// may have named one that holds secrets.
    pub(super) fn decode(&self) -> Result<Recorded, String> {
        match self {
            Self::Whole(line) => decode(line),
            Self::Cut(line) => decode(line).map_err(|_| {
                "it is cut short: a run was stopped while it wrote it, or is at it".to_owned()
            }),
            Self::TooLong => Err(format!("a line of more than {} MiB is no record", LARGEST >> 20)),
        }
    }
}

fn decode(line: &[u8]) -> Result<Recorded, String> {
    if line.trim_ascii().first() != Some(&b'{') {
        return Err("it is no record: no JSON object".to_owned());
    }
    let mut unknown = Vec::new();
    let mut text = serde_json::Deserializer::from_slice(line);
    let read = serde_ignored::deserialize(&mut text, |path| {
        let name = name_of(&path.to_string());
        if !unknown.contains(&name) {
            unknown.push(name);
        }
    });
    let read = read.and_then(|record: Recorded| text.end().map(|()| record));
    match read {
        Ok(record) if record.schema == SCHEMA => Ok(Recorded { unknown, ..record }),
        Ok(record) => Err(of_schema(&record.schema)),
        Err(error) => Err(match (other_schema(line), error.is_data()) {
            (Some(schema), _) => of_schema(&schema),
            (None, true) => {
                format!("it is no record that this version can read (column {})", error.column())
            }
            (None, false) => format!("it is no JSON (column {})", error.column()),
        }),
    }
}

/// The schema of a line that is JSON, where it is another than ours.
fn other_schema(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let Head { schema } = serde_json::from_slice(line).ok()?;
    (schema != SCHEMA).then_some(schema)
}

fn of_schema(schema: &str) -> String {
    let is_version = |rest: &str| rest.len() < 8 && rest.bytes().all(|byte| byte.is_ascii_digit());
    if schema.strip_prefix("precedent.record/").is_some_and(is_version) {
        format!("its schema is {schema}, and this version reads {SCHEMA}")
    } else {
        format!("it is no record: its schema is not {SCHEMA}")
    }
}

/// Where a field is, without positions: `snapshot.locations.colour`.
fn name_of(path: &str) -> String {
    let is_name = |step: &&str| *step != "?" && !step.bytes().all(|byte| byte.is_ascii_digit());
    path.split('.').filter(is_name).collect::<Vec<_>>().join(".")
}

fn count(path: &Path) -> io::Result<u64> {
    lines(&open(path, OFlags::NONBLOCK | OFlags::NOFOLLOW)?)
}

fn open_ours(path: &Path) -> Result<Option<File>, RecordError> {
    let opened = open(path, OFlags::NONBLOCK | OFlags::NOFOLLOW);
    match opened.and_then(|file| is_ours(&file.metadata()?).map(|()| file)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) if path.is_symlink() => Err(failed("read", path, &not_a_file())),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// A regular file, opened for reading; whatever else stands there is not waited for.
#[allow(clippy::disallowed_methods, reason = "it opens for reading only")]
fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_a_file()) }
}
