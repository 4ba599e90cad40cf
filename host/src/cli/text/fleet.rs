//! A fleet: how its nodes stand, what is decided for them, and what happens on one.

use std::{collections::BTreeMap, io::Write};

use precedent::fleet::{
    Board, Decided, Direction, FleetStatus, Happening, NodeState, NodeStatus, Roster, Terms, Told,
};

use super::super::session::now;
use super::{
    table::Table,
    time,
    words::{BOLD, CYAN, DIM, GREEN, RED, Written, YELLOW, harmless, paint, section},
};

/// How every node stands.
pub(crate) fn status(
    out: &mut impl Write,
    roster: &Roster,
    status: &FleetStatus,
    now: u64,
) -> Written {
    let leader = match &status.leader {
        Some(leader) => format!("{} decides", paint(BOLD, &harmless(leader))),
        None => paint(RED, "nobody is elected: no agent that may lead runs"),
    };
    writeln!(out, "{}: {leader}\n", paint(BOLD, &harmless(roster.fleet())))?;
    let mut table = Table::new(&["NODE", "AGENT", "SEEN", "GENERATION", "STATE"]);
    for node in &status.nodes {
        let agent = if node.is_alive { paint(GREEN, "runs") } else { paint(RED, "gone") };
        let seen = node.at.map_or_else(|| "never".to_owned(), |at| ago(now, at));
        let mut state = vec![state(&node.state)];
        state.extend(node.problems.iter().map(|why| paint(YELLOW, &harmless(why))));
        table.add_row([
            paint(BOLD, &harmless(&node.node)),
            agent,
            seen,
            generation(node),
            state.join("\n"),
        ]);
    }
    writeln!(out, "{table}")?;
    for (node, why) in &status.unbelieved {
        let node = paint(BOLD, &harmless(node));
        writeln!(out, "{} {node}: {}", paint(RED, "not believed:"), harmless(why))?;
    }
    for guard in &status.guards {
        let (what, node) = (harmless(&guard.what), harmless(&guard.node));
        writeln!(out, "{} is at {what} since {}", paint(BOLD, &node), time(guard.since))?;
    }
    for rotation in status.rotations.iter().filter(|rotation| !rotation.is_over()) {
        section(out, &format!("Rotation of {}", harmless(&rotation.credential)))?;
        let way = match rotation.direction {
            Direction::Back => "going back, at",
            _ => "at",
        };
        let since = time(rotation.begun);
        writeln!(
            out,
            "  {way} `{}`, since {since}, from {}",
            rotation.stage,
            harmless(&rotation.driver)
        )?;
        if let Some(why) = &rotation.stopped {
            let words =
                format!("precedent fleet rotate --credential {}", harmless(&rotation.credential));
            writeln!(out, "  {} {}", paint(RED, "stopped:"), harmless(why))?;
            writeln!(out, "  → {words} --resume, or --undo")?;
        }
    }
    Ok(())
}

fn generation(node: &NodeStatus) -> String {
    match (node.assigned, node.follows) {
        (0, 0) => paint(DIM, "none"),
        (assigned, follows) if assigned == follows => assigned.to_string(),
        (assigned, follows) => paint(YELLOW, &format!("{follows}, not yet {assigned}")),
    }
}

fn state(state: &NodeState) -> String {
    let colour = match state {
        NodeState::InOrder => GREEN,
        NodeState::Unassigned => DIM,
        NodeState::Waiting(_) | NodeState::Drift(_) => YELLOW,
        _ => RED,
    };
    paint(colour, &harmless(&state.to_string()))
}

fn ago(now: u64, at: u64) -> String {
    match now.checked_sub(at) {
        None => "in the future".to_owned(),
        Some(seconds) if seconds < 120 => format!("{seconds} s ago"),
        Some(seconds) if seconds < 7200 => format!("{} min ago", seconds / 60),
        Some(_) => time(at),
    }
}

/// What would be decided for every node.
pub(crate) fn plan(
    out: &mut impl Write,
    roster: &Roster,
    policy: &str,
    board: &Board,
    decided: &BTreeMap<String, Terms>,
) -> Written {
    for node in roster.nodes() {
        write!(out, "{}: ", paint(BOLD, &harmless(node)))?;
        match (decided.get(node).map(|terms| &terms.decided), board.reports.get(node)) {
            (Some(Decided::Actions(actions)), _) if actions.is_empty() => {
                writeln!(out, "{}", paint(GREEN, "nothing to do"))?;
            }
            (Some(Decided::Actions(actions)), _) => {
                writeln!(out)?;
                for action in actions {
                    writeln!(out, "  {} {}", paint(YELLOW, "~"), harmless(action))?;
                }
            }
            (Some(Decided::Refused(why)), _) => {
                writeln!(out, "{} {}", paint(RED, "the policy refuses:"), harmless(why))?;
            }
            (Some(Decided::Failed(why)), _) => {
                writeln!(out, "{} {}", paint(RED, "the policy failed:"), harmless(why))?;
            }
            (None, Some(report)) if report.policy != policy => writeln!(
                out,
                "{}",
                paint(YELLOW, &format!("it has another policy: {}", harmless(&report.policy)))
            )?,
            (None, Some(_)) => {
                writeln!(out, "{}", paint(YELLOW, "it has another key for fingerprints"))?
            }
            _ => writeln!(out, "{}", paint(RED, "it published nothing that is believed"))?,
        }
        for send in decided.get(node).into_iter().flat_map(|terms| &terms.sends) {
            let fingerprint = paint(CYAN, &format!("#{}", send.fingerprint));
            let (location, to) = (harmless(&send.location), harmless(&send.to));
            writeln!(
                out,
                "  {} sends {location} {fingerprint}, sealed, to {to}",
                paint(CYAN, "→")
            )?;
        }
    }
    Ok(())
}

/// A line of an agent, with its time.
pub(crate) fn happening(out: &mut impl Write, happening: &Happening<'_>) -> Written {
    let words = harmless(&happening.to_string());
    let words = if happening.is_warning() { paint(YELLOW, &words) } else { words };
    writeln!(out, "{} {words}", paint(DIM, &time(now())))
}

/// The steps of a rotation, before it begins.
pub(crate) fn steps(
    out: &mut impl Write,
    credential: &str,
    nodes: &[String],
    at_once: u32,
) -> Written {
    let names: Vec<String> = nodes.iter().map(|node| harmless(node)).collect();
    let names = names.join(", ");
    writeln!(out, "{}", paint(BOLD, &format!("Rotation of {}", harmless(credential))))?;
    writeln!(out, "  1. accept   all at once: {names}")?;
    writeln!(out, "  2. use      {at_once} at a time: {names}")?;
    writeln!(out, "  3. retire   all at once: {names}")?;
    writeln!(out, "\nDry run: nothing was done.")
}

/// What happens in a rotation.
pub(crate) fn told(out: &mut impl Write, told: &Told<'_>) -> Written {
    match told {
        Told::Begins(rotation) if rotation.is_over() => {
            let (word, colour) = match rotation.direction {
                Direction::Back => ("went back: the old one is used everywhere", YELLOW),
                _ => ("done: the new one is used everywhere, and the old one nowhere", GREEN),
            };
            writeln!(out, "{} {}", harmless(&rotation.credential), paint(colour, word))
        }
        Told::Begins(rotation) => {
            let undo = match rotation.direction {
                Direction::Back => "undo ",
                _ => "",
            };
            writeln!(out, "{}", paint(BOLD, &format!("{undo}{}", rotation.stage)))
        }
        Told::Done(node) => writeln!(out, "  {} {}", paint(GREEN, "✓"), harmless(node)),
        _ => Ok(()),
    }
}
