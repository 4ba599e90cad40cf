//! Builds the reference policy as a component, as the shipped policies are built, and as a plugin for
//! Extism.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

#[path = "../host/build/guest.rs"]
mod guest;

use guest::{Guest, Stack};

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    for path in ["policies", "Cargo.lock", "../guest/src", "../wit", "../host/build/guest.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let variable = |name| env::var(name).map_err(|_| format!("cargo did not set {name}"));
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let guests = PathBuf::from(variable("OUT_DIR")?).join("guests");
    guest::add_target(&root).map_err(|failure| failure.to_string())?;
    let reference = Guest {
        stack: Stack::Small,
        root: &root,
        package: "precedent-bench-reference",
        library: None,
        example: None,
        locked: false,
    };
    let component = guest::build(reference, &guests).map_err(|failure| failure.to_string())?;
    println!("cargo::rustc-env=REFERENCE_COMPONENT={}", component.display());
    println!("cargo::rustc-env=REFERENCE_PLUGIN={}", plugin(&root, &guests)?.display());
    Ok(())
}

/// Builds the plugin: optimised as the component is, but linked as a plain module.
fn plugin(root: &Path, guests: &Path) -> Result<PathBuf, String> {
    let target = "wasm32-unknown-unknown";
    let package = "precedent-bench-extism";
    let built = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .current_dir(root)
        .args(["rustc", "--release", "--quiet", "--lib", "--crate-type", "cdylib"])
        .args(["--target", target, "--package", package, "--target-dir"])
        .arg(guests)
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .env("CARGO_ENCODED_RUSTFLAGS", "-Clinker=rust-lld")
        // A linter's own wrapper has no say over it.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CLIPPY_ARGS")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        return Err(format!("the plugin does not build:\n{said}"));
    }
    Ok(guests.join(target).join("release").join("precedent_bench_extism.wasm"))
}
