//! How long a decision takes, by size; and how many there are in a second, by threads.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use precedent_bench::{
    Figures,
    rounds::{Rounds, Turn, median, ratio},
    tables::{NATIVE, OURS, RATE, TIME, TO_NATIVE, TO_OURS},
};

use crate::{agreement, contestant::Contestant, request::Asked};

/// A turn takes about so long.
const TURN: Duration = Duration::from_millis(3);
/// Who takes longer for one decision is left out at that size.
const LONGEST: Duration = Duration::from_secs(3);
/// How long a turn of many threads takes.
const BURST: Duration = Duration::from_millis(200);

/// Times everybody on one request.
pub(crate) fn of_one(
    places: usize,
    contestants: &[Box<dyn Contestant>],
    rounds: Rounds,
    figures: &mut Figures,
) -> Result<()> {
    let asked = Asked::of_size(places);
    agreement::on(&asked, contestants)?;
    let mut names = Vec::new();
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for contestant in contestants {
        let mut asking = contestant.ready(&asked)?;
        let once = asking.time(1)?.min(asking.time(1)?);
        if once > LONGEST {
            let took = precedent_bench::words::time(once.as_nanos() as f64);
            figures.note(TIME, format!("{} takes {took} at {places} places", contestant.name()));
            continue;
        }
        let times = (TURN.as_nanos() / once.as_nanos().max(1)).clamp(1, 1000) as usize;
        names.push(contestant.name());
        turns.push(Box::new(move || Ok(asking.time(times)?.as_nanos() as f64 / times as f64)));
    }
    let taken = rounds.run(&mut turns)?;
    let of = |name: &str| {
        let index = names.iter().position(|known| *known == name);
        index.and_then(|index| taken.get(index)).with_context(|| format!("{name} took no part"))
    };
    let (native, ours) = (of(NATIVE)?, of(OURS)?);
    for (name, taken) in names.iter().zip(&taken) {
        let mut add = |table, value: Option<f64>| {
            value.into_iter().for_each(|value| figures.add(table, name, places, value));
        };
        add(TIME, median(taken));
        add(TO_NATIVE, ratio(taken, native));
        add(TO_OURS, ratio(taken, ours));
    }
    Ok(())
}

/// Counts decisions on the reference request in a second, by one thread and by two.
pub(crate) fn of_many(
    contestants: &[Box<dyn Contestant>],
    rounds: Rounds,
    figures: &mut Figures,
) -> Result<()> {
    let asked = Asked::of_size(12);
    let all = contestants.iter().flat_map(|contestant| [1, 2].map(|threads| (contestant, threads)));
    let all: Vec<_> = all.collect();
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (contestant, threads) in &all {
        let asked = &asked;
        turns.push(Box::new(move || rate(contestant.as_ref(), asked, *threads)));
    }
    let taken = rounds.run(&mut turns)?;
    for ((contestant, threads), taken) in all.iter().zip(&taken) {
        let rate = median(taken).unwrap_or_default();
        figures.add(RATE, contestant.name(), format!("{threads}"), rate);
    }
    Ok(())
}

/// Decisions a second of so many threads that share what was loaded.
fn rate(contestant: &dyn Contestant, asked: &Asked, threads: usize) -> Result<f64> {
    let one = || -> Result<f64> {
        let mut asking = contestant.ready(asked)?;
        asking.time(1)?;
        let (begun, mut count) = (Instant::now(), 0.0);
        while begun.elapsed() < BURST {
            asking.time(16)?;
            count += 16.0;
        }
        Ok(count / begun.elapsed().as_secs_f64())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let rates = running.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow!("{} panicked", contestant.name())))
        });
        rates.sum()
    })
}
