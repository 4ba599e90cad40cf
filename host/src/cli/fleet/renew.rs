//! `precedent fleet renew`

use std::{ffi::OsString, io::Write, process::Command, time::Duration};

use anyhow::Result;
use clap::Args;
use precedent::{
    fleet::{Renewal, Renewer, renew},
    model::Phase,
    record::moment,
};

use super::{
    super::{
        args::{Format, Selection},
        exit::{Exit, UsageError},
        text,
    },
    Member,
};

#[derive(Debug, Args)]
pub(super) struct RenewArgs {
    #[command(flatten)]
    selection: Selection<Format>,
    /// Which credential
    #[arg(long, value_name = "NAME")]
    credential: String,
    /// How many seconds to wait while another node is at it
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: u64,
    /// Also where a node began and nobody knows what came of it
    #[arg(long)]
    anyway: bool,
    /// What renews it
    #[arg(last = true, value_name = "CMD", required = true)]
    command: Vec<OsString>,
}

pub(super) fn run(args: &RenewArgs) -> Result<Exit> {
    let member = Member::open("fleet renew", &args.selection, Phase::Check)?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(UsageError("say what renews it: -- CMD".to_owned()).into());
    };
    is_known(&member, &args.credential)?;
    let now = || member.now();
    let renewer = Renewer {
        store: &member.store,
        space: &member.space,
        roster: &member.roster,
        identity: &member.identity,
        now: &now,
    };
    let mut ended = None;
    let run = || {
        let ran = Command::new(program).args(arguments).status();
        let is_done = ran.as_ref().is_ok_and(std::process::ExitStatus::success);
        ended = Some(ran);
        is_done
    };
    let wait = Duration::from_secs(args.wait);
    let came = renew(renewer, &args.credential, (wait, args.anyway), run)?;
    let mut stderr = anstream::stderr().lock();
    match came {
        Renewal::Already { node, at } => {
            writeln!(
                stderr,
                "{} was renewed by {} at {}; nothing was run here",
                text::harmless(&args.credential),
                text::harmless(&node),
                moment(at)
            )?;
            Ok(Exit::Done)
        }
        Renewal::Done => Ok(Exit::Done),
        _ => {
            let program = text::harmless(&program.to_string_lossy());
            match ended {
                Some(Err(error)) => writeln!(stderr, "`{program}` could not be started: {error}")?,
                Some(Ok(status)) => writeln!(stderr, "`{program}` failed: {status}")?,
                None => {}
            }
            Ok(Exit::Fault)
        }
    }
}

/// A credential that nobody here has is a slip of the pen, and would guard nothing.
fn is_known(member: &Member, credential: &str) -> Result<()> {
    let seen = member.session.host.observe(Phase::Check).snapshot;
    if seen.credentials.iter().any(|known| known == credential) {
        return Ok(());
    }
    let known = seen.credentials.join("`, `");
    Err(UsageError(format!("unknown credential `{credential}`, expected one of `{known}`")).into())
}
