//! Builds the shipped policies and writes the list of them that the host embeds.
//!
//! A policy is a component for `wasm32-unknown-unknown`, linked by `wasm-component-ld`, which comes
//! with rustc. It is built in a target directory of its own, so that this inner cargo does not wait
//! for the outer one. With `PRECEDENT_COMPILED_POLICIES=DIR` the policies that were compiled ahead
//! of time (`precedent policy compile --out DIR`) are embedded too; a release has them, and a host
//! without the compiler cannot do without.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use sha2::{Digest, Sha256};

const TARGET: &str = "wasm32-unknown-unknown";
const POLICIES: &[&str] = &["helm"];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // The one line that cargo shows of a build script's failure without being asked.
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("..");
    for path in ["wit", "guest/src", "guest/Cargo.toml", "policies", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    println!("cargo::rerun-if-env-changed=PRECEDENT_COMPILED_POLICIES");
    println!("cargo::rustc-env=PRECEDENT_TARGET={}", variable("TARGET")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let compiled = env::var_os("PRECEDENT_COMPILED_POLICIES").map(PathBuf::from);
    let with_compiler = env::var_os("CARGO_FEATURE_COMPILER").is_some();
    if compiled.is_none() && !with_compiler {
        return Err("without the feature `compiler` the policies must be compiled ahead of time: run `deploy/release`, or set PRECEDENT_COMPILED_POLICIES to what `precedent policy compile --out DIR` wrote".to_owned());
    }
    add_target()?;
    let guests = guest_directory(&out);
    let mut list = String::from("static SHIPPED: &[Shipped] = &[\n");
    for policy in POLICIES {
        let component = build_guest(&root, &guests, policy)?;
        let bytes = fs::read(&component)
            .map_err(|error| format!("cannot read {}: {error}", component.display()))?;
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let ahead = match &compiled {
            None => "None".to_owned(),
            Some(folder) => {
                let file = folder.join(format!("{policy}.{digest}.cwasm"));
                println!("cargo::rerun-if-changed={}", file.display());
                if !file.is_file() {
                    return Err(format!("{} is missing: the policy changed since it was compiled ahead of time; run `precedent policy compile` again", file.display()));
                }
                format!("Some(include_bytes!({:?}))", file.display().to_string())
            }
        };
        // A host that cannot compile has no use for the component itself.
        let component = if with_compiler {
            format!("Some(include_bytes!({:?}))", component.display().to_string())
        } else {
            "None".to_owned()
        };
        list.push_str(&format!(
            "    Shipped {{ name: {policy:?}, digest: \"sha256:{digest}\", component: {component}, compiled: {ahead} }},\n"
        ));
    }
    list.push_str("];\n");
    fs::write(out.join("shipped.rs"), list).map_err(|error| format!("cannot write the list of policies: {error}"))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

/// The folder next to the profiles' own, so that debug and release builds share the guests.
fn guest_directory(out: &Path) -> PathBuf {
    let profile = out.ancestors().find(|folder| folder.ends_with("build")).and_then(Path::parent);
    profile.and_then(Path::parent).unwrap_or(out).join("guests")
}

/// Adds the guests' target where the toolchain lacks it.
fn add_target() -> Result<(), String> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let libraries = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim().to_owned());
    let installed = || {
        fs::read_dir(&libraries).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
        })
    };
    if installed() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) && installed() {
        return Ok(());
    }
    Err(format!("the policies need the target {TARGET}: run `rustup target add {TARGET}`, or install rust-std for it from where this toolchain came from"))
}

fn build_guest(root: &Path, guests: &Path, policy: &str) -> Result<PathBuf, String> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["rustc", "--release", "--locked", "--target", TARGET, "--lib"])
        .args(["--crate-type", "cdylib", "--package"])
        .arg(format!("precedent-policy-{policy}"))
        .arg("--target-dir")
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
            ["-Clinker=wasm-component-ld".to_owned(), format!("--remap-path-prefix={}=.", root.canonicalize().unwrap_or_default().display())]
                .into_iter()
                .chain(home("CARGO_HOME", ".cargo").map(|home| format!("--remap-path-prefix={home}=cargo")))
                .collect::<Vec<_>>()
                .join("\x1f"),
        );
    // What the outer cargo set for itself, or a linter for its own wrapper.
    for name in ["RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "CARGO_BUILD_RUSTFLAGS"] {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the policy {policy} does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(guests.join(TARGET).join("release").join(format!("precedent_policy_{policy}.wasm")))
}

fn home(name: &str, folder: &str) -> Option<String> {
    env::var(name).ok().or_else(|| Some(format!("{}/{folder}", env::var("HOME").ok()?)))
}
