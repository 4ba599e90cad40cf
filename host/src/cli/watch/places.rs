//! The names whose change can change what a path leads to.
//!
//! A path is followed step by step: each folder on the way may be another one tomorrow, and each link.
//! A Secret that is mounted into a pod changes by nothing but one of them: `token` is a link to
//! `..data/token`, and `..data`, one to the folder of a time, is exchanged for a link to another. An editor
//! puts a new file in the place of the old one, which is the last name. What is below a name that does
//! not exist yet comes only with it.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    path::{Component, Path, PathBuf},
};

use super::witness::Asked;

/// More links than that lead in a circle.
const MOST_LINKS: usize = 40;

/// Names, each in a folder that is no link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    names: BTreeSet<PathBuf>,
    /// Folders in which every name matters.
    listed: BTreeSet<PathBuf>,
}

impl Places {
    pub(super) fn of(asked: &Asked) -> Self {
        let mut places = Self::default();
        for path in &asked.files {
            places.follow(path);
        }
        for folder in &asked.folders {
            let folder = places.follow(folder);
            places.listed.extend(folder);
        }
        places
    }

    /// The folders to be watched.
    pub(super) fn folders(&self) -> BTreeSet<&Path> {
        let above = self.names.iter().filter_map(|name| name.parent());
        above.chain(self.listed.iter().map(PathBuf::as_path)).collect()
    }

    /// Whether news of a name matter.
    pub(super) fn concern(&self, name: &Path) -> bool {
        self.names.contains(name)
            || name.parent().is_some_and(|folder| self.listed.contains(folder))
    }

    /// Notes every name on the way; returns where it ends, if anything is there.
    fn follow(&mut self, path: &Path) -> Option<PathBuf> {
        let mut at = PathBuf::from("/");
        let mut rest = steps(path);
        let mut links = 0;
        while let Some(step) = rest.pop() {
            if step == ".." {
                at.pop();
                continue;
            }
            let name = at.join(step);
            let metadata = name.symlink_metadata().ok();
            // The folders of the root stay, and what goes on among them concerns everybody.
            let stays = at.parent().is_none() && metadata.as_ref().is_some_and(|it| it.is_dir());
            if !stays {
                self.names.insert(name.clone());
            }
            if metadata?.is_symlink() {
                links += 1;
                let target = name.read_link().ok().filter(|_| links <= MOST_LINKS)?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                rest.extend(steps(&target));
            } else {
                at = name;
            }
        }
        Some(at)
    }
}

/// The steps of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let step = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        _ => None,
    };
    path.components().rev().filter_map(step).collect()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests make what is followed")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_a_name() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().canonicalize()?;
        std::fs::create_dir_all(root.join("mount/..2026_1"))?;
        std::fs::write(root.join("mount/..2026_1/token"), "x")?;
        symlink("..2026_1", root.join("mount/..data"))?;
        symlink("..data/token", root.join("mount/token"))?;
        symlink(root.join("mount/token"), root.join("alias"))?;
        symlink("circle", root.join("circle"))?;
        let files = ["alias", "circle", "later/config.json"].map(|name| root.join(name));
        let asked = Asked { files: files.into(), folders: [root.join("units.d")].into() };
        let places = Places::of(&asked);
        for name in
            ["alias", "mount/token", "mount/..data", "mount/..2026_1/token", "circle", "later"]
        {
            assert!(places.concern(&root.join(name)), "{name}");
        }
        for name in ["mount/..data_tmp", "later/config.json", "else", "units.d/10.conf"] {
            assert!(!places.concern(&root.join(name)), "{name}");
        }
        let folders = places.folders();
        assert!(folders.contains(root.join("mount/..2026_1").as_path()), "{folders:?}");
        std::fs::create_dir(root.join("units.d"))?;
        assert!(Places::of(&asked).concern(&root.join("units.d/10.conf")));
        Ok(())
    }
}
