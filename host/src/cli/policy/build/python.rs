//! A policy in Python: CPython with the policy in it, by `componentize-py`.

use std::{path::Path, process::Command};

use super::{
    guest::Failure,
    tool::{self, Pinned},
};

const REMEDY: &str = "install Python 3.10 or newer: https://www.python.org/downloads";

/// Makes the project's environment and installs what it pins, where that is not done.
pub(super) fn prepare(folder: &Path) -> Result<(), Failure> {
    let (by, venv) = (folder.join("requirements.txt"), folder.join(".venv"));
    Pinned { by: &by, into: &venv }.install(|| {
        let mut python = Command::new("python3");
        python.args(["-m", "venv"]).arg(&venv).current_dir(folder);
        tool::run(&mut python, "`python3 -m venv .venv` failed", REMEDY)?;
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]);
        let what = "`pip install -r requirements.txt` failed";
        tool::run(pip.current_dir(folder), what, REMEDY)
    })
}

pub(super) fn build(folder: &Path, out: &Path) -> Result<(), Failure> {
    let venv = folder.join(".venv");
    let mut componentize = Command::new(venv.join("bin/componentize-py"));
    componentize
        .args(["--wit-path", "wit/v1", "--world", "token-policy", "componentize", "--stub-wasi"])
        .args(["policy", "--output"])
        .arg(out)
        // What the policy imports comes from the project's own environment.
        .env("VIRTUAL_ENV", &venv)
        .current_dir(folder);
    let remedy = "add componentize-py==0.25.1 to requirements.txt";
    tool::run(&mut componentize, "policy.py does not build", remedy)
}
