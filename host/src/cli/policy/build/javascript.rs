//! A policy in JavaScript: QuickJS with the policy in it, by `componentize-qjs`.

use std::{path::Path, process::Command};

use super::{
    guest::Failure,
    tool::{self, Pinned},
};

const REMEDY: &str = "install Node.js 20 or newer, which brings npm: https://nodejs.org";

/// Installs what the project pins, where it is not.
pub(super) fn prepare(folder: &Path) -> Result<(), Failure> {
    let (by, into) = (folder.join("package.json"), folder.join("node_modules"));
    Pinned { by: &by, into: &into }.install(|| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund"]).current_dir(folder);
        tool::run(&mut npm, "`npm install` failed", REMEDY)
    })
}

pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    let mut componentize = Command::new(folder.join("node_modules/.bin/componentize-qjs"));
    componentize
        .args(["--sync", "--stub-wasi", "--wit", "wit/v1", "--world", "token-policy"])
        .args(["--js", "policy.js", "--output"])
        .arg(out)
        .current_dir(folder);
    let remedy = "add \"componentize-qjs\": \"0.4.5\" to the devDependencies of package.json";
    tool::run(&mut componentize, "policy.js does not build", remedy)
}
