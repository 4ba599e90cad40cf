//! The folders of runs on disk: intents, backups, and what goes when.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{
    super::replace::{Staged, sync_folder},
    Run, RunId, RunState, RunTarget, Runs, seconds,
};
use crate::{observe::file::open, secret::Key};

impl Runs {
    /// Journals what is about to change, with what was there.
    pub(in super::super) fn begin(
        &self,
        staged: &[(Staged, Option<PathBuf>)],
        of: Option<RunId>,
        key: &Key,
    ) -> io::Result<Run> {
        let id = RunId(last(&self.folder)?.0.saturating_add(1));
        let targets = staged.iter().map(|(staged, lock)| target(staged, lock.clone())).collect();
        let run = Run {
            schema: "precedent.run/1".to_owned(),
            run: id,
            at: seconds(),
            verb: self.verb.clone(),
            of,
            targets,
            mac: None,
        }
        .signed(key);
        let folder = self.folder_of(id);
        // Where something is in its place already, that is not ours to remove.
        DirBuilder::new().mode(0o700).create(&folder)?;
        let journaled = self.journal(&folder, &run, staged, key);
        if journaled.is_err() {
            remove(&folder);
        }
        journaled.map(|()| run)
    }

    fn journal(
        &self,
        folder: &Path,
        run: &Run,
        staged: &[(Staged, Option<PathBuf>)],
        key: &Key,
    ) -> io::Result<()> {
        for (index, ((staged, _), target)) in staged.iter().zip(&run.targets).enumerate() {
            let keep = |what: &str, bytes: &[u8]| {
                let sealed = key.seal(&purpose(run.run, what, target), bytes)?;
                write(&folder.join(format!("{index}.{what}")), &sealed)
            };
            keep("old", &staged.original.bytes)?;
            if target.in_place {
                keep("new", &staged.new)?;
            }
        }
        let intent = folder.join(RunState::Begun.file());
        let unnamed = intent.with_extension("new");
        write(&unnamed, &serde_json::to_vec_pretty(run)?)?;
        rename(&unnamed, &intent)?;
        sync_folder(&intent)?;
        sync_folder(folder)
    }

    /// What a run kept of a target: `old` or `new`. None where it is gone, or not what it was.
    pub(in super::super) fn kept(
        &self,
        run: &Run,
        index: usize,
        what: &str,
        key: &Key,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let target = run.targets.get(index)?;
        let path = self.folder_of(run.run).join(format!("{index}.{what}"));
        key.unseal(&purpose(run.run, what, target), &open(&path).ok()?.bytes)
    }

    /// Says how far a run came, and removes what need not be kept.
    pub(in super::super) fn mark(&self, run: &Run, from: RunState, to: RunState) -> io::Result<()> {
        let folder = self.folder_of(run.run);
        rename(&folder.join(from.file()), &folder.join(to.file()))?;
        sync_folder(&folder.join(to.file()))?;
        self.prune();
        Ok(())
    }

    /// Removes what a run kept of the files, where all of them are as they were.
    pub(in super::super) fn forget(&self, run: &Run) {
        remove_kept(&self.folder_of(run.run));
    }

    /// Removes what is older than is kept, or more. A clock that went back makes nothing old; the
    /// order is that of the numbers. Runs that changed nothing do not count, however many they are.
    fn prune(&self) {
        let runs = self.all().unwrap_or_default();
        let now = seconds();
        let newest = runs.last().map(|(run, _)| run.run);
        let mut newer = 0;
        for (run, _) in runs.iter().rev().filter(|(_, state)| *state != RunState::Begun) {
            let folder = self.folder_of(run.run);
            let days = now.saturating_sub(run.at) / (24 * 3600);
            let holds = has_kept(&folder);
            let is_wanted = holds && newer < self.keep.runs && days < self.keep.days;
            newer += usize::from(holds);
            if is_wanted {
                continue;
            }
            if Some(run.run) == newest {
                // Its number must not be given twice.
                remove_kept(&folder);
            } else {
                remove(&folder);
            }
        }
    }

    /// A run that began, and whose intent cannot be read or is not ours.
    pub(in super::super) fn unreadable(&self, key: &Key) -> io::Result<Option<(RunId, String)>> {
        for id in numbers(&self.folder)? {
            if !self.folder_of(id).join(RunState::Begun.file()).exists() {
                continue;
            }
            let reason = match read(&self.folder, id) {
                Some((run, _)) if run.is_ours(key) => continue,
                Some(_) => "its intent.json was written with another key, or by hand",
                None => "its intent.json is not what was written",
            };
            return Ok(Some((id, reason.to_owned())));
        }
        Ok(None)
    }

    /// Removes the folders of runs that were killed before they had begun.
    pub(in super::super) fn sweep(&self) -> io::Result<()> {
        for id in numbers(&self.folder)? {
            let folder = self.folder_of(id);
            let is_any = |state: RunState| folder.join(state.file()).symlink_metadata().is_ok();
            if !RunState::ALL.into_iter().any(is_any) && is_all_ours(&folder) {
                remove(&folder);
            }
        }
        Ok(())
    }
}

fn target(staged: &Staged, lock: Option<PathBuf>) -> RunTarget {
    let original = &staged.original;
    RunTarget {
        // Wherever it is mended or taken back from, it is the same.
        path: std::path::absolute(&original.path).unwrap_or_else(|_| original.path.clone()),
        real: original.real.clone(),
        lock,
        old: original.digest.clone(),
        new: staged.digest.clone(),
        mode: original.attributes.mode,
        access_list: original.attributes.access_list().map(crate::secret::hex),
        in_place: original.in_place,
        temporary: staged.temporary().map(Path::to_owned),
    }
}

/// What a backup is bound to: one that is moved to another run, or whose target is changed by hand,
/// does not open.
fn purpose(run: RunId, what: &str, target: &RunTarget) -> Vec<u8> {
    serde_json::to_vec(&("backup", run, what, target)).unwrap_or_default()
}

/// The highest number that anything in a folder has.
fn last(folder: &Path) -> io::Result<RunId> {
    let names = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let numbers = names.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.max().unwrap_or_default())
}

/// The numbers of the runs in a folder, in order.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<RunId>> {
    let number = |entry: fs::DirEntry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let id: RunId = entry.file_name().to_str()?.parse().ok()?;
        (is_folder && entry.file_name() == id.to_string().as_str()).then_some(id)
    };
    let mut numbers: Vec<RunId> = fs::read_dir(folder)?
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .filter_map(number)
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn read(folder: &Path, id: RunId) -> Option<(Run, RunState)> {
    let folder = folder.join(id.to_string());
    RunState::ALL.into_iter().find_map(|state| {
        let bytes = open(&folder.join(state.file())).ok()?.bytes;
        let run: Run = serde_json::from_slice(&bytes).ok()?;
        (run.run == id).then_some((run, state))
    })
}

#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a run. What cannot be removed now is at the next run.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

/// Removes what a run kept of the files, and not that it was.
#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn remove_kept(folder: &Path) {
    for path in names(folder).into_iter().filter(|path| is_kept(path)) {
        let _ = fs::remove_file(path);
    }
}

fn has_kept(folder: &Path) -> bool {
    names(folder).iter().any(|path| is_kept(path))
}

/// Whether nothing is in it that a run did not put there.
fn is_all_ours(folder: &Path) -> bool {
    names(folder).iter().all(|path| is_kept(path))
}

fn is_kept(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "old" || end == "new")
}

fn names(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
