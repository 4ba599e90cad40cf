//! What a file has beside its bytes: owner, mode, access list, extended attributes.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
};

use xattr::FileExt;

/// Where Linux keeps a file's access list.
pub(super) const ACCESS_LIST: &str = "system.posix_acl_access";

/// Made by the kernel from a file's bytes, so they belong to the old ones.
const OF_THE_BYTES: [&str; 2] = ["security.ima", "security.evm"];

/// Given by the system to every file as it sees fit: kept where it may be, and no reason to fail.
const OF_THE_SYSTEM: [&str; 2] = ["security.selinux", "com.apple.provenance"];

/// What a file has beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    owner: (u32, u32),
    pub(super) mode: u32,
    extended: BTreeMap<OsString, Vec<u8>>,
}

impl Attributes {
    /// What a file has.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let extended = extended(file)?;
        let owner = (metadata.uid(), metadata.gid());
        Ok(Self { owner, mode: metadata.permissions().mode() & 0o7777, extended })
    }

    /// The access list, if there is one beside the mode.
    pub(super) fn access_list(&self) -> Option<&[u8]> {
        self.extended.get(&OsString::from(ACCESS_LIST)).map(Vec::as_slice)
    }

    /// The same with another mode and access list.
    pub(super) fn with(mut self, mode: u32, access_list: Option<Vec<u8>>) -> Self {
        self.mode = mode & 0o7777;
        match access_list {
            Some(list) => self.extended.insert(ACCESS_LIST.into(), list),
            None => self.extended.remove(&OsString::from(ACCESS_LIST)),
        };
        self
    }

    /// The same for a file with a secret in it: the owner's, and those users' and groups' that an
    /// access list names, for somebody named them; nobody else's.
    pub(super) fn private(mut self) -> Self {
        // Lists of other kinds, as of NFS, are not read here, so they are not handed on.
        self.extended.retain(|name, _| {
            name == ACCESS_LIST || !name.to_string_lossy().starts_with("system.")
        });
        match self.extended.get_mut(&OsString::from(ACCESS_LIST)) {
            // The group's bits of the mode are then the most that a name in the list may do.
            Some(list) => {
                keep_names_only(list);
                self.mode &= 0o660;
            }
            None => self.mode &= 0o600,
        }
        self
    }

    /// Gives them to a file, which nobody else has open yet.
    pub(super) fn give(&self, file: &File) -> io::Result<()> {
        let made = Self::of(file)?;
        if made.owner != self.owner {
            fchown(file, Some(self.owner.0), Some(self.owner.1))
                .map_err(|error| kept("owner", &error))?;
        }
        // What a folder hands down to what is made in it.
        if made.access_list().is_some() && self.access_list().is_none() {
            file.remove_xattr(ACCESS_LIST).map_err(|error| kept("access list", &error))?;
        }
        for (name, value) in &self.extended {
            if made.extended.get(name) == Some(value) {
                continue;
            }
            match file.set_xattr(name, value) {
                Err(_) if OF_THE_SYSTEM.iter().any(|known| name == known) => {}
                set => {
                    let what = format!("extended attribute `{}`", name.display());
                    set.map_err(|error| kept(&what, &error))?;
                }
            }
        }
        // Last, for with an access list the group's bits are what its names may do at most, and
        // without one they are the group's.
        file.set_permissions(Permissions::from_mode(self.mode))?;
        let became = file.metadata()?.permissions().mode() & 0o7777;
        if became & !self.mode & 0o077 != 0 {
            let words = format!("it would be open to others (mode {became:o})");
            return Err(io::Error::other(words));
        }
        Ok(())
    }
}

fn kept(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("its {what} cannot be kept: {error}"))
}

fn extended(file: &File) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let names = match file.list_xattr() {
        Ok(names) => names,
        // A file system without any.
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let of_the_bytes = |name: &OsString| OF_THE_BYTES.iter().any(|known| name == known);
    names
        .filter(|name| !of_the_bytes(name))
        // One that is gone since, or that only the kernel may read, is none.
        .filter_map(|name| Some(Ok((name.clone(), file.get_xattr(&name).ok().flatten()?))))
        .collect()
}

/// Takes from an access list what it allows the group and everybody. The list is the kernel's own
/// form: four bytes of version, then entries of a tag, permissions and an id, two, two and four
/// bytes, little-endian.
pub(super) fn keep_names_only(list: &mut [u8]) {
    const GROUP: u16 = 0x04;
    const EVERYBODY: u16 = 0x20;
    let Some(entries) = list.get_mut(4..) else { return };
    for entry in entries.as_chunks_mut::<8>().0 {
        let [tag_low, tag_high, permissions, _, ..] = entry;
        if [GROUP, EVERYBODY].contains(&u16::from_le_bytes([*tag_low, *tag_high])) {
            *permissions = 0;
        }
    }
}
