//! Many state directories, one after the other: whether the time for each stays the same, and what of
//! it goes into bringing bytes to the disk.

use std::{fs, path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, ensure};
use precedent_bench::{
    Figures,
    tables::{DIRECTORIES, DISK},
};

use crate::{
    home::Home,
    run::{command, run},
};

/// Plans and applies in so many directories, each with a state of its own, as pods have it.
pub(crate) fn of_many(
    program: &Path,
    scene: &Path,
    count: usize,
    figures: &mut Figures,
) -> Result<()> {
    let homes = (0..count).map(|index| {
        let home = Home::new(scene.join("many").join(index.to_string()))?;
        home.make_stale()?;
        Ok(home)
    });
    let homes: Vec<Home> = homes.collect::<Result<_>>()?;
    for verb in ["plan", "apply"] {
        let begun = Instant::now();
        for home in &homes {
            run(command(program, home).args([verb, "--policy", "helm", "--phase", "start"]))?;
        }
        let each = begun.elapsed().as_nanos() as f64 / count as f64;
        figures.add(DIRECTORIES, &format!("{verb}, each"), count, each);
    }
    homes.iter().try_for_each(Home::is_repaired)?;
    Ok(fs::remove_dir_all(scene.join("many"))?)
}

/// System calls that wait for the disk.
const SYNCS: &str = "fsync,fdatasync,sync_file_range,syncfs";

/// Runs `apply` under strace, which stops it at these calls only.
pub(crate) fn on_disk(program: &Path, scene: &Path, figures: &mut Figures) -> Result<()> {
    let home = Home::new(scene.join("disk"))?;
    let summary = home.path().join("strace.txt");
    let apply = ["apply", "--policy", "helm", "--phase", "start"];
    let (mut all, mut synced, mut calls) = (0.0, 0.0, 0.0);
    const TIMES: usize = 20;
    for _ in 0..TIMES {
        home.make_stale()?;
        all += run(command(program, &home).args(apply))?.nanos;
        home.make_stale()?;
        let mut traced: Command = command(Path::new("/usr/bin/strace"), &home);
        traced.args(["-f", "--seccomp-bpf", "-c", "-w", "-U", "calls,total-time", "-e"]);
        traced.arg(format!("trace={SYNCS}")).arg("-o").arg(&summary).arg("--").arg(program);
        run(traced.args(apply)).context("strace counts what waits for the disk")?;
        home.is_repaired()?;
        let (count, seconds) = total(&fs::read_to_string(&summary)?)?;
        (calls, synced) = (calls + count, synced + seconds * 1e9);
    }
    let each = |sum: f64| sum / TIMES as f64;
    figures.add(DISK, "whole process", "apply, stale", each(all));
    figures.add(DISK, "of it waiting for the disk", "apply, stale", each(synced));
    figures.add(DISK, "calls that wait", "apply, stale", each(calls));
    Ok(())
}

/// Calls and seconds, from the last line of a summary.
fn total(summary: &str) -> Result<(f64, f64)> {
    let line = summary.lines().rfind(|line| line.trim_end().ends_with("total"));
    let words: Vec<&str> = line.context("strace gave no total")?.split_whitespace().collect();
    ensure!(words.len() >= 2, "the total of strace has {} columns", words.len());
    Ok((words[0].parse()?, words[1].parse()?))
}
