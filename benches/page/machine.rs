//! On what it was measured, and with what.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

/// A list of it.
pub(crate) fn words(here: &Path) -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let threads = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
    let gib = memory.unwrap_or_default() / 1024.0 / 1024.0;
    let kernel = said("uname", &["-r"], here)?;
    let commit = said("git", &["describe", "--always", "--dirty"], here)?;
    let versions: Vec<String> = ["wasmtime", "regorus", "extism", "cedar-policy"]
        .into_iter()
        .map(|name| Ok(format!("{name} {}", version(here, name)?)))
        .collect::<Result<_>>()?;
    Ok(format!(
        "- {}, commit {commit}\n- {threads} threads of {model}, {gib:.0} GiB, Linux {kernel}\n- {}, Node.js {}\n- {}\n",
        said("date", &["-u", "+%F"], here)?,
        said("rustc", &["--version"], here)?,
        said("node", &["--version"], here)?,
        versions.join(", "),
    ))
}

/// What a program says of itself.
fn said(program: &str, arguments: &[&str], here: &Path) -> Result<String> {
    let asked = Command::new(program).args(arguments).current_dir(here).output();
    let said = asked.with_context(|| format!("cannot run {program}"))?;
    Ok(String::from_utf8(said.stdout)?.trim().to_owned())
}

/// The versions of a package that the benches were built with.
fn version(here: &Path, name: &str) -> Result<String> {
    let lock = fs::read_to_string(here.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let heading = format!("name = \"{name}\"\nversion = \"");
    let versions: Vec<&str> =
        lock.split(heading.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    // Extism brings an engine of its own.
    Ok(versions.last().context("Cargo.lock has no such package")?.to_string())
}
