//! Builds the shipped policies and writes the list of them that the host embeds.
//!
//! A policy is a component for `wasm32-unknown-unknown`, linked by `wasm-component-ld`, which comes
//! with rustc. It is built in a target directory of its own, so that this inner cargo does not wait
//! for the outer one. With `PRECEDENT_COMPILED_POLICIES=DIR` the policies that were compiled ahead
//! of time (`precedent policy compile --out DIR`) are embedded too; a release has them, and a host
//! without the compiler cannot do without. `PRECEDENT_POLICIES=NAME,NAME` embeds only these: an init
//! container needs one. A fuzzer without the compiler decides nothing and gets none.

#![allow(clippy::disallowed_methods, reason = "a build script is asked through the environment")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use sha2::{Digest, Sha256};

#[path = "build/guest.rs"]
mod guest;

use guest::{Guest, Stack};

const POLICIES: &[&str] = &["binary", "helm", "nodes", "paas"];

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
    if !with_compiler && env::var_os("CARGO_FEATURE_FUZZING").is_some() {
        return write_list(&out, "static SHIPPED: &[Shipped] = &[];\n");
    }
    if compiled.is_none() && !with_compiler {
        return Err("without the feature `compiler` the policies must be compiled ahead of time: run `deploy/release`, or set PRECEDENT_COMPILED_POLICIES to what `precedent policy compile --out DIR` wrote".to_owned());
    }
    guest::add_target(&root).map_err(|failure| failure.to_string())?;
    let guests = guest_directory(&out);
    let mut list = String::from("static SHIPPED: &[Shipped] = &[\n");
    for policy in policies()? {
        let package = format!("precedent-policy-{policy}");
        let guest = Guest {
            root: &root,
            package: &package,
            library: None,
            example: None,
            stack: Stack::Small,
            locked: true,
        };
        let component = guest::build(guest, &guests).map_err(|failure| failure.to_string())?;
        let bytes = fs::read(&component)
            .map_err(|error| format!("cannot read {}: {error}", component.display()))?;
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let ahead = match &compiled {
            None => "None".to_owned(),
            Some(folder) => {
                let file = folder.join(format!("{policy}.{digest}.cwasm"));
                println!("cargo::rerun-if-changed={}", file.display());
                if !file.is_file() {
                    return Err(format!(
                        "{} is missing: the policy changed since it was compiled ahead of time; run `precedent policy compile` again",
                        file.display()
                    ));
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
    write_list(&out, &list)
}

fn write_list(out: &Path, list: &str) -> Result<(), String> {
    fs::write(out.join("shipped.rs"), list)
        .map_err(|error| format!("cannot write the list of policies: {error}"))
}

/// The policies to embed.
fn policies() -> Result<Vec<&'static str>, String> {
    println!("cargo::rerun-if-env-changed=PRECEDENT_POLICIES");
    let Ok(wanted) = env::var("PRECEDENT_POLICIES") else {
        return Ok(POLICIES.to_vec());
    };
    let known = |name: &str| {
        POLICIES.iter().copied().find(|known| *known == name).ok_or_else(|| {
            format!(
                "PRECEDENT_POLICIES names `{name}`, expected some of `{}`",
                POLICIES.join("`, `")
            )
        })
    };
    wanted.split(',').map(|name| known(name.trim())).collect()
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

/// The folder next to the profiles' own, so that debug and release builds share the guests.
fn guest_directory(out: &Path) -> PathBuf {
    let profile = out.ancestors().find(|folder| folder.ends_with("build")).and_then(Path::parent);
    profile.and_then(Path::parent).unwrap_or(out).join("guests")
}
