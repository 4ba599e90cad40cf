//! One decision by each contestant, side by side, in one run: `cargo bench`.
//!
//! | module | what |
//! |---|---|
//! | `request` | what is asked, at every size |
//! | `contestant`, `contestants` | who is asked |
//! | `agreement` | that all who are compared decide the same |
//! | `speed`, `memory` | what it takes |

mod agreement;
mod contestant;
mod contestants;
mod memory;
mod request;
mod speed;

use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use precedent_bench::{
    Figures,
    rounds::Rounds,
    tables::{self, TIME},
};

use contestants::Field;
use request::Asked;

/// Places in a request.
const SIZES: [usize; 4] = [12, 100, 1_000, 10_000];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|given| given != "--bench").collect();
    let quick = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--quick"] => true,
        ["--profile", name] => return profile(name),
        other => bail!(
            "unknown arguments {other:?}; expected none, --quick for few rounds, or --profile NAME \
             for one contestant over and over, to be looked at by a profiler"
        ),
    };
    let rounds = |most, seconds| Rounds {
        least: if quick { 3 } else { 5 },
        most: if quick { 5 } else { most },
        within: Duration::from_secs(if quick { 2 } else { seconds }),
    };
    let Field { contestants, missing } = Field::load()?;
    let mut figures = Figures::default();
    missing.into_iter().for_each(|why| figures.note(TIME, why));
    let requests = agreement::on_many(&contestants)?;
    println!("{} contestants decide the same on {requests} requests\n", contestants.len());
    for places in SIZES {
        speed::of_one(places, &contestants, rounds(201, 30), &mut figures)?;
    }
    print!("{}", tables::times(&figures));
    print!("\n{}", tables::ratios(&figures));
    speed::of_many(&contestants, rounds(9, 60), &mut figures)?;
    print!("\n{}", tables::rates(&figures));
    memory::of_one(&contestants, &mut figures)?;
    print!("\n{}", tables::memory(&figures));
    for note in figures.notes(TIME) {
        println!("\n{note}");
    }
    figures.save(&target().join("figures").join("decisions.json"))
}

/// Has one contestant decide on the reference request for ten seconds.
fn profile(name: &str) -> Result<()> {
    let Field { contestants, .. } = Field::load()?;
    let names: Vec<_> = contestants.iter().map(|contestant| contestant.name()).collect();
    let Some(contestant) = contestants.iter().find(|contestant| contestant.name() == name) else {
        bail!("no contestant is called {name:?}; expected one of {names:?}");
    };
    let asked = Asked::of_size(SIZES[0]);
    let (mut asking, begun) = (contestant.ready(&asked)?, Instant::now());
    while begun.elapsed() < Duration::from_secs(10) {
        asking.time(1000)?;
    }
    Ok(())
}

/// Where what was built and measured is kept.
fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target")
}
