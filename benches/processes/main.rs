//! Whole processes, one after the other: time and memory of a start, beside what a user would pick
//! instead, and what many state directories cost. Wants what `deploy/release` builds.
//!
//! | module | what |
//! |---|---|
//! | `contestants` | who is run |
//! | `home` | on what: a recorded state directory |
//! | `run` | one process, measured |
//! | `cases` | recorded cases in one go |
//! | `directories` | many state directories, and the disk |

mod cases;
mod contestants;
mod directories;
mod home;
mod run;

use std::{
    cell::RefCell,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use precedent_bench::{
    Figures,
    rounds::{Rounds, Turn, median, ratio},
    tables::{self, CASES, DIRECTORIES, NODE, PROCESS, SIZE, TRUE},
    words,
};

use contestants::Builds;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let quick = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--quick"] => true,
        other => bail!("unknown arguments {other:?}; expected none, or --quick for few rounds"),
    };
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let builds = Builds::find(&here.join(".."))?;
    let scene = here.join("target").join("processes");
    let mut figures = Figures::default();

    compare(&scene, &builds, quick, &mut figures)?;
    print!("{}\n{}", tables::processes(&figures), tables::sizes(&figures));
    let rate = cases::a_second(&builds.full, &scene, if quick { 1 } else { 5 })?;
    println!("\n{} recorded cases a second", words::count(rate));
    figures.add(CASES, "precedent test", "cases a second", rate);
    let counts: &[usize] = if quick { &[10, 100] } else { &[10, 100, 1_000, 10_000] };
    for count in counts {
        directories::of_many(&builds.full, &scene, *count, &mut figures)?;
    }
    match directories::on_disk(&builds.full, &scene, &mut figures) {
        Ok(()) => (),
        Err(error) => figures.note(DIRECTORIES, format!("not traced: {error:#}")),
    }
    print!("\n{}\n{}", tables::directories(&figures), tables::disk(&figures));
    fs::remove_dir_all(&scene).with_context(|| format!("cannot remove {}", scene.display()))?;
    figures.save(&here.join("target").join("figures").join("processes.json"))
}

/// Everybody in turn.
fn compare(scene: &Path, builds: &Builds, quick: bool, figures: &mut Figures) -> Result<()> {
    let contestants = contestants::all(scene, builds)?;
    // What is made once: keys, and what was compiled.
    for contestant in &contestants {
        contestant.run().with_context(|| contestant.name)?;
    }
    let memory = vec![RefCell::new(Vec::new()); contestants.len()];
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (contestant, memory) in contestants.iter().zip(&memory) {
        turns.push(Box::new(move || {
            let taken = contestant.run().with_context(|| contestant.name)?;
            memory.borrow_mut().push(taken.memory);
            Ok(taken.nanos)
        }));
    }
    let most = if quick { 10 } else { 101 };
    let rounds = Rounds { least: 5, most, within: Duration::from_secs(120) };
    let all = rounds.run(&mut turns)?;
    let of = |name: &str| {
        let index = contestants.iter().position(|known| known.name == name);
        index.and_then(|index| all.get(index)).with_context(|| format!("{name} took no part"))
    };
    let (native, node) = (of(TRUE)?, of(NODE)?);
    for ((contestant, taken), memory) in contestants.iter().zip(&all).zip(&memory) {
        let mut add = |table, column, value: Option<f64>| {
            value.into_iter().for_each(|value| figures.add(table, contestant.name, column, value));
        };
        add(PROCESS, "time", median(taken));
        add(PROCESS, "memory", median(&memory.borrow()));
        add(PROCESS, "to true", ratio(taken, native));
        add(PROCESS, "to node", ratio(taken, node));
    }
    for (name, file) in [("precedent", &builds.full), ("precedent-init", &builds.init)] {
        figures.add(SIZE, name, "size", fs::metadata(file)?.len() as f64);
    }
    Ok(())
}
