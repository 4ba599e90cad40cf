//! Programs of others that tests use: found, or installed from their registry into the target
//! directory. Without them a test says so and passes, except in CI, where nothing is skipped.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// One installation at a time: two at once would share npm's cache and the machine's two cores.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A folder into which npm has installed packages; none where that is not possible here.
pub(crate) fn npm(name: &str, installs: &[&[&str]]) -> Option<PathBuf> {
    let _one = INSTALLING.lock().unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../tools").join(name);
    let done = folder.join("installed");
    if done.exists() {
        return Some(folder);
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("package.json"), "{\"private\":true}").unwrap();
    for packages in installs {
        // What one step installed, such as a newer node, the next one runs with.
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = folder.join("node_modules/.bin");
        let output = Command::new("npm")
            .arg("install")
            .args(["--no-audit", "--no-fund", "--omit=optional"])
            .args(*packages)
            .env("PATH", format!("{}:{path}", bin.display()))
            .current_dir(&folder)
            .output();
        match output {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let log = String::from_utf8_lossy(&output.stderr).into_owned();
                skip(&format!("npm could not install {packages:?}: {log}"));
                return None;
            }
            Err(error) => {
                skip(&format!("npm is not here ({error}), so {packages:?} is not either"));
                return None;
            }
        }
    }
    fs::write(done, "").unwrap();
    Some(folder)
}

/// A program on the path.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').map(|folder| Path::new(folder).join(name)).find(|p| p.is_file());
    if found.is_none() {
        skip(&format!("{name} is not here"));
    }
    found
}

/// Says why a test is skipped. In CI that is a failure.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must not skip: {reason}");
    // Past the test runner, which keeps what a passing test prints to itself.
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: {reason}");
}
