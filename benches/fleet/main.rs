//! A fleet of many nodes on one etcd: how long the elected one takes to decide for all, and how much is written.
//!
//! The elected node is the agent itself; of the others there is what they publish, signed by keys of their own.
//!
//! | module | what |
//! |---|---|
//! | `engine` | etcd on this machine |
//! | `nodes` | what so many nodes see and publish |

mod engine;
mod nodes;

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use precedent::{
    fleet::{Agent, Board, Space, Store},
    model::Phase,
};
use precedent_bench::{
    Figures,
    tables::{self, FLEET, FLEET_BYTES},
};

use engine::Engine;
use nodes::Nodes;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let counts: &[usize] = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
    {
        [] => &[100, 1_000, 10_000],
        ["--quick"] => &[10, 100],
        other => bail!("unknown arguments {other:?}; expected none, or --quick for few nodes"),
    };
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let scene = here.join("target").join("fleet");
    let mut figures = Figures::default();
    for count in counts {
        of_many(&scene, *count, &mut figures)?;
    }
    print!("{}\n{}", tables::fleet(&figures), tables::fleet_bytes(&figures));
    figures.save(&here.join("target").join("figures").join("fleet.json"))
}

/// A fleet of so many, from nothing.
fn of_many(scene: &std::path::Path, count: usize, figures: &mut Figures) -> Result<()> {
    let engine = Engine::start(scene)?;
    let store = engine.store()?;
    let nodes = Nodes::new(scene, count)?;
    let space = Space::new(nodes::FLEET);

    let begun = Instant::now();
    for index in 1..count {
        nodes.publish(index, &store)?;
    }
    let published = begun.elapsed();

    let host = nodes.host()?;
    let tell = |_: &precedent::fleet::Happening<'_>| {};
    let mut agent = Agent::new(host, &store, Phase::Repair, &tell)?;
    let roster = agent.roster().clone();

    let begun = Instant::now();
    let board = Board::read(&store, &space, &roster)?;
    let read = begun.elapsed();
    ensure!(board.reports.len() == count - 1, "{:?}", board.unbelieved);
    drop(board);

    // Reads, waits a moment for the others, decides for all, and hands out.
    let begun = Instant::now();
    agent.beat(Duration::ZERO);
    let all = begun.elapsed();
    let handed = store.list(&space.assignment(""))?.entries;
    ensure!(handed.len() == count, "{} of {count} got an assignment", handed.len());

    // One node's login ends: until what is decided of it stands in the store.
    let mut takes = Vec::new();
    for round in 0..5 {
        let index = 1 + round % (count - 1);
        let key = space.assignment(&nodes::name(index));
        let before = store.get(&key)?.map(|entry| entry.changed);
        nodes.publish_ended(index, round, &store)?;
        let begun = Instant::now();
        while store.get(&key)?.map(|entry| entry.changed) == before {
            agent.beat(Duration::from_secs(1));
            ensure!(begun.elapsed() < Duration::from_secs(120), "nothing came of it");
        }
        takes.push(begun.elapsed().as_nanos() as f64);
    }
    takes.sort_by(f64::total_cmp);

    let mut add = |row: &str, value: f64| figures.add(FLEET, row, count, value);
    let nanos = |time: Duration| time.as_nanos() as f64;
    add("published, each", nanos(published) / (count - 1) as f64);
    add("all reports read and their signatures verified", nanos(read));
    add("elected, decided for all, handed out", nanos(all));
    add("the same, for each node", nanos(all) / count as f64);
    add("one node changed, decided and handed out", takes[takes.len() / 2]);

    let mut bytes: BTreeMap<&str, f64> = BTreeMap::new();
    for entry in store.list(space.root())?.entries {
        let kind = entry.key.trim_start_matches(space.root()).split('/').next().unwrap_or("");
        let kind = match kind {
            "reports" => "reports",
            "assignments" => "assignments",
            _ => "the rest",
        };
        *bytes.entry(kind).or_default() += entry.value.len() as f64;
    }
    for (kind, size) in bytes {
        figures.add(FLEET_BYTES, kind, count, size);
    }
    let locations = nodes.locations() as f64;
    figures.note(FLEET_BYTES, format!("{locations} locations each; one in ten has a login that ended, and the copy of another node that mends it."));
    Ok(())
}
