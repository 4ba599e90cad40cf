//! `precedent capture`

use std::{io::Write, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use precedent::{
    Error,
    cases::{Runner, capture},
    model::{
        Phase,
        named::{self, Words},
    },
    observe::{Machine, World},
};

use super::{
    args::{Selection, SubjectArgs},
    exit::Exit,
    session,
    session::Session,
    text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct CaptureArgs {
    #[command(flatten)]
    selection: Selection,
    /// A sentence that says what the case shows
    #[arg(long, value_name = "SENTENCE")]
    name: Option<String>,
    /// The file to write to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &CaptureArgs) -> Result<Exit> {
    let session = Session::open("capture", &args.selection, Phase::Check)?;
    let host = &session.host;
    let observed = host.observe(session.phase);
    let snapshot = &observed.snapshot;
    let home = Machine::default().variable("HOME").unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| {
        format!("{} as it was at {}", snapshot.deployment, text::time(snapshot.now))
    });
    let mut case = capture(&name, host.deployment(), snapshot, &home);
    let mut runner = Runner::new(host.policy(), host.deployment().policy.clone());
    runner = runner.on(host.deployment().clone());
    let answer = host.policy().decide(snapshot).map_err(Error::from)?;
    // A fact may hold what somebody wrote into a file: one that changes nothing is left out.
    let whole = runner.recorded(&case)?.parts(Words::Count);
    let facts: Vec<String> = case.facts().map(ToOwned::to_owned).collect();
    for fact in facts {
        let without = case.without_fact(&fact);
        if runner.recorded(&without)?.parts(Words::Count) == whole {
            case = without;
        }
    }
    let recorded = runner.recorded(&case)?;
    // What is told of both by names must be the same, or the case shows something else.
    let differs = named::parts(snapshot, &answer, Words::Aside) != recorded.parts(Words::Aside);
    if differs {
        session::warn(
            "the policy decides differently on the case than on the installation, for something that it goes by is no part of a case; look at it before you rely on it",
        );
    }
    case.expect_of(&recorded);
    let text = format!("{:#}\n", serde_json::json!(case));
    match &args.out {
        Some(path) => {
            write(path, &text)?;
            let Selection { manifest, policy, .. } = args.selection.clone();
            let flags = session::subject_words(&SubjectArgs { manifest, policy });
            let mut out = anstream::stderr().lock();
            text::captured(&mut out, path, &flags, snapshot, &case)?;
        }
        None => anstream::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(Exit::Done)
}

#[allow(clippy::disallowed_methods, reason = "the user names the file to write to")]
fn write(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
