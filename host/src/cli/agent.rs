//! `precedent agent`

use std::{
    io::Write,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result};
use clap::Args;
use precedent::{
    fleet::{Agent, Happening},
    model::Phase,
};
use serde_json::json;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use super::{
    args::{Format, Selection},
    exit::Exit,
    fleet::Member,
    session::now,
    text,
};

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(args: &AgentArgs) -> Result<Exit> {
    let member = Member::open("agent", &args.selection, Phase::Repair)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // The second one ends it at once, whatever it is at.
        flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .context("cannot listen to signals")?;
    }
    let tell = |happening: &Happening<'_>| {
        let mut out = anstream::stdout().lock();
        // Whether anybody reads of it changes nothing.
        let _ = match args.selection.format {
            Format::Json => writeln!(out, "{}", document(happening)),
            Format::Text => text::fleet::happening(&mut out, happening),
        };
        let _ = out.flush();
    };
    let phase = member.session.phase;
    let mut agent = Agent::new(member.session.host.clone(), &member.store, phase, &tell)?;
    agent.run(&stop);
    Ok(Exit::Done)
}

/// `precedent.agent/1`, a line each.
fn document(happening: &Happening<'_>) -> serde_json::Value {
    json!({
        "schema": "precedent.agent/1",
        "at": now(),
        "event": happening.word(),
        "warning": happening.is_warning(),
        "message": happening.to_string(),
    })
}
