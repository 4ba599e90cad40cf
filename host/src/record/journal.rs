//! A line for each run, in files that together stay within their bound.
//!
//! ```text
//! journal-NAME.jsonl             the newest records: what is appended to
//! journal-NAME@00000412.jsonl    put aside when it was full; its last line is the journal's 412th
//! ```
//!
//! Runs append in turn, by a lock on the file itself. A file is put aside in one step, by a rename, so a
//! run that is killed leaves the one name or the other, and who has the file open goes on writing to it.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    ops::RangeInclusive,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;

use super::{LARGEST, Record, RecordError, StateFolder, failed, not_a_file, ours::is_ours};
use crate::apply::sync_folder;

/// How long to wait for a turn. Others take milliseconds.
const WAIT: Duration = Duration::from_secs(5);
/// How often to try.
const PAUSE: Duration = Duration::from_millis(5);

/// How much room a deployment's journal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all its files together. 16 MiB by default.
    pub bytes: u64,
    /// How many files share them; the oldest goes as a whole. 4 by default.
    pub files: u64,
}

impl Room {
    /// From a few records to more than anybody reads.
    pub(crate) const BYTES: RangeInclusive<u64> = 64 << 10..=1 << 40;
    /// With one alone everything would go at once.
    pub(crate) const FILES: RangeInclusive<u64> = 2..=100;

    fn share(self) -> u64 {
        self.bytes / self.files.max(1)
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: 16 << 20, files: 4 }
    }
}

impl StateFolder {
    /// Appends a run to its deployment's journal, and removes what there is no more room for. Returns
    /// the journal's path. A run that wrote, or tried to, is on disk then; one that only looked is where
    /// the operating system keeps it, for a gateway's start should not wait for a disk.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, and where the record has more bytes than there is room for.
    pub fn append(&self, record: &Record<'_>, room: Room) -> Result<PathBuf, RecordError> {
        let files = Files::of(self, record.deployment);
        let path = files.newest();
        let append = || -> io::Result<()> {
            self.make()?;
            let mut line = serde_json::to_vec(record)?;
            line.push(b'\n');
            let (size, most) = (line.len() as u64, room.bytes.min(LARGEST));
            if size > most {
                return Err(io::Error::other(format!(
                    "the record has {size} bytes, {most} are allowed (journal.bytes)"
                )));
            }
            files.append(line, size, room, record.tells_of_deeds())
        };
        append().map_err(|error| failed("write", &path, &error))?;
        Ok(path)
    }
}

/// The files of a deployment's journal, by what their names begin with.
pub(super) struct Files(PathBuf);

/// A file that was put aside.
pub(super) struct Aside {
    /// The number of its last line in the journal.
    pub(super) last: u64,
    pub(super) path: PathBuf,
    bytes: u64,
}

impl Files {
    pub(super) fn of(state: &StateFolder, deployment: &str) -> Self {
        Self(state.of("journal", deployment))
    }

    /// Where the next record goes.
    pub(super) fn newest(&self) -> PathBuf {
        self.named(".jsonl")
    }

    fn named(&self, end: &str) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(end);
        path.into()
    }

    /// The files that were put aside, oldest first. A deployment's name has no `@` in it.
    pub(super) fn aside(&self) -> io::Result<Vec<Aside>> {
        let own = self.0.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let aside = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let name = name.to_str()?.strip_prefix(own)?.strip_prefix('@')?;
            let last = name.strip_suffix(".jsonl")?.parse().ok()?;
            let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
            Some(Aside { last, path: entry.path(), bytes: metadata.len() })
        };
        let folder = self.0.parent().unwrap_or(Path::new("."));
        let mut all: Vec<Aside> = Vec::new();
        for entry in fs::read_dir(folder)? {
            if let Some(aside) = aside(entry?) {
                // They are few, and the code of a sort is not small.
                let at = all.partition_point(|other| other.last < aside.last);
                all.insert(at, aside);
            }
        }
        Ok(all)
    }

    /// With `wait` it is on disk when this returns.
    fn append(&self, mut line: Vec<u8>, size: u64, room: Room, wait: bool) -> io::Result<()> {
        let path = self.newest();
        let (mut file, has_turn) = self.open(&path, size, room)?;
        let before = file.metadata()?.len();
        if before > 0 && last_byte(&file, before)? != b'\n' {
            // A run was stopped in the middle of its line: that one is lost, not this one too.
            line.insert(0, b'\n');
        }
        // One write, so that two runs at once do not mix their lines.
        let written = match file.write_all(&line) {
            Ok(()) if wait => file.sync_data(),
            written => written,
        };
        if written.is_err() && has_turn {
            // Half a line helps nobody, and where the disk is full each of them takes room.
            let _ = file.set_len(before);
        }
        written?;
        // A run that only looked may have made it, or put the one before aside.
        if wait { sync_folder(&path) } else { Ok(()) }
    }

    /// Opens the journal with room for a line, and says whether nobody else appends now. Who gets no
    /// turn, for another run hangs or the file system knows no locks, appends all the same.
    fn open(&self, path: &Path, size: u64, room: Room) -> io::Result<(File, bool)> {
        let until = Instant::now() + WAIT;
        loop {
            let file = open(path)?;
            if !wait_for_turn(&file, until) {
                return Ok((file, false));
            }
            let metadata = file.metadata()?;
            if !is_at(&metadata, path) && Instant::now() < until {
                // Another run put it aside in the meantime.
                continue;
            }
            let bytes = metadata.len();
            let is_full = bytes > 0 && bytes.saturating_add(size) > room.share();
            // Where it cannot be put aside it grows: no record is lost for that.
            if is_full && self.put_aside(path, &file).is_ok() {
                continue;
            }
            self.make_room(bytes.saturating_add(size).max(room.share()), room);
            return Ok((file, true));
        }
    }

    fn put_aside(&self, path: &Path, file: &File) -> io::Result<()> {
        let before = self.aside()?.last().map_or(0, |aside| aside.last);
        let last = before.saturating_add(lines(file)?);
        rename(path, &self.named(&format!("@{last:08}.jsonl")))
    }

    /// Removes the oldest files until so many bytes more have room. What cannot be removed now is at the
    /// next run. The newest of them is made empty at most, for its name says how the numbers go on.
    #[allow(clippy::disallowed_methods, reason = "the journal is this host's own")]
    fn make_room(&self, more: u64, room: Room) {
        let aside = self.aside().unwrap_or_default();
        let mut bytes = aside.iter().fold(more, |sum, one| sum.saturating_add(one.bytes));
        let mut files = aside.len() as u64 + 1;
        let newest = aside.last().map(|newest| newest.last);
        for one in aside {
            if bytes <= room.bytes && files <= room.files {
                break;
            }
            if Some(one.last) == newest {
                let _ = make_empty(&one.path);
            } else if fs::remove_file(&one.path).is_ok() {
                bytes = bytes.saturating_sub(one.bytes);
                files -= 1;
            }
        }
    }
}

/// How many lines a file has; one that was cut short is one too.
pub(super) fn lines(file: &File) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let (mut at, mut lines, mut last) = (0, 0, b'\n');
    loop {
        let read = file.read_at(&mut buffer, at)?;
        let Some((bytes, end)) = buffer.get(..read).and_then(|read| Some((read, read.last()?)))
        else {
            break;
        };
        last = *end;
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        at += read as u64;
    }
    Ok(lines + u64::from(last != b'\n'))
}

fn last_byte(file: &File, length: u64) -> io::Result<u8> {
    let mut last = [b'\n'];
    file.read_exact_at(&mut last, length.saturating_sub(1))?;
    Ok(last[0])
}

/// Whether nobody else has the file now, or will soon.
fn wait_for_turn(file: &File, until: Instant) -> bool {
    loop {
        match file.try_lock() {
            Ok(()) => return true,
            Err(fs::TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
}

/// Whether a file still has its name.
fn is_at(file: &Metadata, path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|named| (named.dev(), named.ino()) == (file.dev(), file.ino()))
}

#[allow(clippy::disallowed_methods, reason = "the journal is this host's own")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

#[allow(clippy::disallowed_methods, reason = "the journal is this host's own")]
fn make_empty(path: &Path) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().write(true).truncate(true).custom_flags(flags).open(path).map(drop)
}

#[allow(clippy::disallowed_methods, reason = "the journal is this host's own")]
fn open(path: &Path) -> io::Result<File> {
    // Not waiting for somebody to read a FIFO that stands in its place.
    // Nor writing to another file by a link.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
    let journal = options.open(path)?;
    let metadata = journal.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(not_a_file());
    }
    is_ours(&metadata)?;
    Ok(journal)
}
