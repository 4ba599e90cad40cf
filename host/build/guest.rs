//! Builds a guest: a component without imports. The build script uses it for the shipped policies,
//! the tests for their own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";

/// Adds the guests' target where the toolchain lacks it.
pub(crate) fn add_target() -> Result<(), String> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let libraries = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim().to_owned());
    let installed = || {
        fs::read_dir(&libraries).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
        })
    };
    if installed() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) && installed() {
        return Ok(());
    }
    Err(format!(
        "the policies need the target {TARGET}: run `rustup target add {TARGET}`, or install rust-std for it from where this toolchain came from"
    ))
}

/// Builds the library of a package of the workspace, or an example of it. Returns the component's
/// path.
pub(crate) fn build(
    root: &Path,
    guests: &Path,
    package: &str,
    example: Option<&str>,
) -> Result<PathBuf, String> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["rustc", "--release", "--locked", "--target", TARGET])
        .args(match example {
            Some(example) => ["--example", example],
            None => ["--lib", "--quiet"],
        })
        .args(["--crate-type", "cdylib", "--package", package, "--target-dir"])
        .arg(guests)
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        // Paths of this machine in panic messages would make the component differ from machine to
        // machine, and with it the digest.
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            [
                "-Clinker=wasm-component-ld".to_owned(),
                format!(
                    "--remap-path-prefix={}=.",
                    root.canonicalize().unwrap_or_default().display()
                ),
            ]
            .into_iter()
            .chain(
                home("CARGO_HOME", ".cargo")
                    .map(|home| format!("--remap-path-prefix={home}=cargo")),
            )
            .collect::<Vec<_>>()
            .join("\x1f"),
        );
    // What the outer cargo set for itself, or a linter for its own wrapper.
    for name in [
        "RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "CARGO_BUILD_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the policy {package} does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let release = guests.join(TARGET).join("release");
    Ok(match example {
        Some(example) => release.join("examples").join(format!("{example}.wasm")),
        None => release.join(format!("{}.wasm", package.replace('-', "_"))),
    })
}

fn home(name: &str, folder: &str) -> Option<String> {
    env::var(name).ok().or_else(|| Some(format!("{}/{folder}", env::var("HOME").ok()?)))
}
