//! A policy in Rust, built as the shipped ones are.

use std::{fs, path::Path};

use serde::Deserialize;

use super::guest::{self, Failure, Guest, Stack};

/// Of `Cargo.toml`, what the files that cargo makes are named after.
#[derive(Deserialize)]
struct CargoToml {
    package: Named,
    #[serde(default)]
    lib: Library,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
struct Library {
    name: Option<String>,
}

/// Adds the target where the toolchain lacks it.
pub(super) fn prepare(folder: &Path) -> Result<(), Failure> {
    guest::add_target(folder)
}

#[allow(clippy::disallowed_methods, reason = "the author names the file")]
pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    let path = folder.join("Cargo.toml");
    let failed = |why: String| Failure::from(format!("cannot use {}: {why}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    let CargoToml { package, lib } =
        toml::from_str(&text).map_err(|error| failed(error.message().trim().to_owned()))?;
    let guest = Guest {
        stack: Stack::Ample,
        root: folder,
        package: &package.name,
        library: lib.name.as_deref(),
        example: None,
        locked: false,
    };
    let built = guest::build(guest, &folder.join("target"))?;
    fs::copy(&built, out).map_err(|error| failed(error.to_string()))?;
    Ok(())
}
