//! The keys by which other nodes know this one: made once, and nobody else's.

use std::{
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{
    RecordError, StateFolder, failed,
    ours::{is_ours, open_ours},
};
use crate::{apply::sync_folder, handover::NodeIdentity, observe::file::Opened};

impl StateFolder {
    /// The keys of this node; none where nobody has made any yet.
    ///
    /// # Errors
    ///
    /// Where they cannot be read, are another user's, or others can read them.
    pub fn identity(&self) -> Result<Option<NodeIdentity>, RecordError> {
        if let Ok(metadata) = std::fs::metadata(&self.0) {
            is_ours(&metadata).map_err(|error| failed("use", &self.0, &error))?;
        }
        read(&self.identity_path())
    }

    /// The keys of this node; made at the first call.
    ///
    /// # Errors
    ///
    /// Where they can neither be read nor made.
    pub fn make_identity(&self) -> Result<NodeIdentity, RecordError> {
        if let Some(identity) = self.identity()? {
            return Ok(identity);
        }
        let path = self.identity_path();
        let identity = NodeIdentity::generate().map_err(|error| failed("make", &path, &error))?;
        match self.store_identity(&path, &identity) {
            Ok(()) => Ok(identity),
            // Another run made them in the meantime; they are the ones that count.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                read(&path)?.ok_or_else(|| failed("read", &path, &io::ErrorKind::NotFound.into()))
            }
            Err(error) => Err(failed("write", &path, &error)),
        }
    }

    fn identity_path(&self) -> PathBuf {
        self.0.join("identity")
    }

    #[allow(clippy::disallowed_methods, reason = "the keys are this host's own")]
    fn store_identity(&self, path: &Path, identity: &NodeIdentity) -> io::Result<()> {
        self.make()?;
        // Of mode 0600, as all that is made so.
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(identity.to_text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        // Others seal to it as soon as it is shown.
        sync_folder(path)
    }
}

fn read(path: &Path) -> Result<Option<NodeIdentity>, RecordError> {
    let unusable = |reason: String| failed("use", path, &io::Error::other(reason));
    let Some(Opened { metadata, bytes, .. }) = open_ours(path)? else { return Ok(None) };
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let shown = path.display();
        return Err(unusable(format!(
            "others have access to it (mode {mode:04o}), and may have read what was handed to this node; run `chmod 600 {shown}`, or remove it, make another with `precedent identity` and tell the peers"
        )));
    }
    let identity = std::str::from_utf8(&bytes).ok().and_then(NodeIdentity::from_text);
    identity.map(Some).ok_or_else(|| {
        unusable(
            "it is no identity; remove it, make another with `precedent identity` and tell the peers"
                .to_owned(),
        )
    })
}
