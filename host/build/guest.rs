//! Builds a guest: a component without imports. The build script uses it for the shipped policies,
//! the tests for their own, and `precedent policy build` for everybody's.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";

/// The stack of a guest, below its data, in bytes. Running out of it is an access outside the memory, which
/// traps.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stack {
    /// For a policy that goes over lists and calls little, as the shipped ones do: small as it is, stack, data and
    /// heap fit into one page. There is less to set up for each decision, and to ask for another page costs
    /// as much as a small decision.
    #[allow(dead_code, reason = "the tests and the authors' verbs build other policies")]
    Small = 16 << 10,
    /// For anybody's, whose settings may be nested as deep as their reader goes.
    #[allow(dead_code, reason = "the build script builds the shipped ones alone")]
    Ample = 128 << 10,
}

/// The memory that a shipped policy begins with, in bytes. The deployment of a preset wants more than one page,
/// and to ask for another changes what the whole process may do with its memory, on every thread.
const TWO_PAGES: u32 = 128 << 10;

/// A guest that is not built: why, in a sentence, and what the tool said.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) said: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        if self.said.is_empty() { Ok(()) } else { write!(f, ":\n{}", self.said) }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self { why, said: String::new() }
    }
}

/// A package of a workspace, or an example of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest<'g> {
    /// The folder of the workspace.
    pub(crate) root: &'g Path,
    pub(crate) package: &'g str,
    /// Name of the library where it is not the package's.
    pub(crate) library: Option<&'g str>,
    pub(crate) example: Option<&'g str>,
    pub(crate) stack: Stack,
    /// Whether the lock file must be as it is.
    pub(crate) locked: bool,
}

/// Adds the guests' target where the toolchain lacks it.
pub(crate) fn add_target(root: &Path) -> Result<(), Failure> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let libraries = Command::new(rustc)
        // Where a toolchain is chosen by the folder.
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| missing("rustc", &error))?;
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
    let added = Command::new("rustup").current_dir(root).args(["target", "add", TARGET]).output();
    if added.is_ok_and(|added| added.status.success()) && installed() {
        return Ok(());
    }
    Err(format!(
        "the policies need the target {TARGET}: run `rustup target add {TARGET}`, or install rust-std for it from where this toolchain came from"
    ).into())
}

/// Builds a guest below the folder `guests`. Returns the component's path.
pub(crate) fn build(guest: Guest<'_>, guests: &Path) -> Result<PathBuf, Failure> {
    let Guest { root, package, library, example, stack, locked } = guest;
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // What is kept in git is small before fast: see tests/compat/README.md. What ships is small too, for an
    // init container carries it.
    let is_shipped = package.starts_with("precedent-policy-");
    // A larger stack would not fit into it. Anybody's policy may have such a name.
    let begins_with = matches!(stack, Stack::Small).then_some(TWO_PAGES);
    let level = match package {
        compat if compat.starts_with("precedent-compat") => "z",
        _ if is_shipped => "s",
        _ => "3",
    };
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["rustc", "--release", "--target", TARGET])
        .args(locked.then_some("--locked"))
        .args(match example {
            Some(example) => ["--example", example],
            None => ["--lib", "--quiet"],
        })
        .args(["--crate-type", "cdylib", "--package", package, "--target-dir"])
        .arg(guests)
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level)
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        // Paths of this machine in panic messages would make the component differ from machine to
        // machine, and with it the digest.
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            [
                "-Clinker=wasm-component-ld".to_owned(),
                format!("-Clink-arg=-zstack-size={}", stack as u32),
                format!(
                    "--remap-path-prefix={}=.",
                    root.canonicalize().unwrap_or_default().display()
                ),
            ]
            .into_iter()
            .chain(begins_with.map(|bytes| format!("-Clink-arg=--initial-memory={bytes}")))
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
    let output = command.output().map_err(|error| missing("cargo", &error))?;
    if !output.status.success() {
        return Err(Failure {
            why: format!("the policy {package} does not build"),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let release = guests.join(TARGET).join("release");
    Ok(match example {
        Some(example) => release.join("examples").join(format!("{example}.wasm")),
        None => release.join(format!("{}.wasm", library.unwrap_or(package).replace('-', "_"))),
    })
}

fn missing(program: &str, error: &std::io::Error) -> Failure {
    format!("cannot run {program}: {error}; install Rust from https://rustup.rs").into()
}

fn home(name: &str, folder: &str) -> Option<String> {
    env::var(name).ok().or_else(|| Some(format!("{}/{folder}", env::var("HOME").ok()?)))
}
