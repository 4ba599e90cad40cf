//! `precedent policy new`

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;

use super::{
    super::exit::{Exit, UsageError},
    project::Language,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct NewArgs {
    /// Name of the policy, or the path of the folder to make, which is named after it
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// What it is written in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Language,
}

/// Longest name: it becomes a part of the names of packages.
const LONGEST: usize = 50;

pub(crate) fn run(args: &NewArgs) -> Result<Exit> {
    let name = name(&args.folder)?;
    refuse_taken(&args.folder)?;
    write(&args.folder, &args.lang.project(name))?;
    let mut out = anstream::stdout().lock();
    let folder = args.folder.display();
    let (language, source) = (args.lang.name(), args.lang.source());
    writeln!(out, "{folder} is a policy in {language}: {source} decides.\n")?;
    writeln!(out, "  cd {folder}\n  precedent policy build\n  precedent test cases")?;
    Ok(Exit::Done)
}

/// A name that cargo, npm and the policy's own description can all bear.
fn name(folder: &Path) -> Result<&str, UsageError> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && name.len() <= LONGEST;
    if fits {
        return Ok(name);
    }
    let shown = if name.is_empty() { folder.display().to_string() } else { name.to_owned() };
    Err(UsageError(format!(
        "`{shown}` is no name of a policy; it begins with a lower-case letter and has letters, digits and hyphens, {LONGEST} at most, such as `environment-wins`"
    )))
}

fn refuse_taken(folder: &Path) -> Result<(), UsageError> {
    let taken = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    // A link that leads nowhere is something too.
    if taken || folder.is_symlink() {
        let folder = folder.display();
        let message = format!("{folder} is there already and is not empty; take another name");
        return Err(UsageError(message));
    }
    Ok(())
}

/// Writes everything beside the folder first, so that there is a whole project or none.
#[allow(clippy::disallowed_methods, reason = "the user names the folder to make")]
fn write(folder: &Path, files: &[(&str, String)]) -> Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let cannot = || format!("cannot make {}", folder.display());
    fs::create_dir_all(parent).with_context(cannot)?;
    let aside =
        tempfile::Builder::new().prefix(".precedent-").tempdir_in(parent).with_context(cannot)?;
    // One below, for a temporary folder is its owner's alone, and a project is not.
    let project = aside.path().join("project");
    for (path, text) in files {
        let path = project.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&project)).with_context(cannot)?;
        fs::write(&path, text).with_context(cannot)?;
    }
    fs::rename(&project, folder).with_context(cannot)
}
