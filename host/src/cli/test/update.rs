//! What came out, written into the cases that ask for it.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, Result};
use precedent::cases::{Case, Recording, record};

/// Writes each recording into the file of its case. Gives back how many there were.
pub(super) fn write(cases: &[Case], recordings: &[Recording]) -> Result<usize> {
    for recording in recordings {
        let source = cases.get(recording.case).and_then(|case| case.source.as_ref());
        let Some(source) = source else { continue };
        let text = fs::read_to_string(&source.path)
            .with_context(|| format!("cannot read {}", source.path.display()))?;
        let text = record(source, &text, recording)?;
        replace(&source.path, &text)
            .with_context(|| format!("cannot write {}", source.path.display()))?;
    }
    Ok(recordings.len())
}

/// The old file or the new one, never a part.
#[allow(clippy::disallowed_methods, reason = "the user asks for these files to be written")]
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link stays one.
    let path = &path.canonicalize()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
