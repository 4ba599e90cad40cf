//! `precedent exec`

use std::{ffi::OsString, io::Write, os::unix::process::CommandExt};

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{Proposal, Ruling, model::Phase};

use super::{
    args::{Format, Selection, Writing},
    exit::{Audited, Exit},
    json,
    launch::{Given, Held, LaunchArgs, Unstarted, check, command, given},
    memory,
    session::{Session, warn},
    text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    launch: LaunchArgs,
    /// Plan and apply first, so that no stale copy wins over what CMD is given
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    writing: Writing,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(crate) fn run(args: &ExecArgs) -> Result<Exit> {
    let opened = Session::open("exec", &args.selection, Phase::Start);
    let prepared = opened.and_then(|session| {
        let prepared = prepare(&session, args).map_err(|error| session.judged(error));
        prepared.map(|(proposal, given)| (session, proposal, given))
    });
    match prepared {
        // Audited, a program starts as it would without us, whatever we think of it.
        Err(error) if error.is::<Audited>() => {
            warn(&format!("audit: {}; it starts as it is", text::in_one_line(&error)));
            Err(replace(args, None))
        }
        Err(error) => Err(error),
        Ok((session, _, Err(held))) if session.is_audit() => {
            warn(&format!("audit: {}; it starts as it is", held.message));
            Err(replace(args, None))
        }
        Ok((session, _, Ok(_))) if session.is_audit() => Err(replace(args, None)),
        Ok((_, _, Ok(given))) => Err(replace(args, Some(&given))),
        Ok((session, proposal, Err(held))) => {
            match args.selection.format {
                Format::Json => {
                    let document = json::exec(&session, &proposal, &held);
                    json::print(&mut anstream::stdout().lock(), &document)?;
                }
                Format::Text => {
                    let mut stderr = anstream::stderr().lock();
                    text::held(&mut stderr, &args.command, &held)?;
                    stderr.flush()?;
                }
            }
            Ok(held.exit)
        }
    }
}

/// What was seen at last, and what the program is given. The lock is let go by then.
fn prepare(
    session: &Session,
    args: &ExecArgs,
) -> Result<(Proposal, std::result::Result<Given, Held>)> {
    if !args.apply || session.is_audit() {
        let proposal = session.propose()?;
        session.record(&proposal, None);
        let given = judge(session, &proposal, args)?;
        return Ok((proposal, given));
    }
    let turn = session.write(args.writing.wait)?;
    // What the caller got wrong is said before anything is written.
    let is_meant = |proposal: &Proposal| check(session, proposal, &args.launch);
    let done = session.host.reconcile_in(&turn, session.phase, is_meant)?;
    text::backup(&done.outcome);
    // Whether anybody reads of it does not decide over the program.
    let _ = text::written(&mut anstream::stderr().lock(), &done.outcome);
    if let Some(error) = done.unseen {
        return Err(error.into());
    }
    let now = done.after.unwrap_or(done.proposal);
    let given = judge(session, &now, args)?;
    Ok((now, given))
}

/// What the program is given; where it must not start, the journal has why.
fn judge(
    session: &Session,
    proposal: &Proposal,
    args: &ExecArgs,
) -> Result<std::result::Result<Given, Held>> {
    let given = given(session, proposal, &args.launch)?;
    if let Err(held) = &given
        && matches!(proposal.ruling, Ruling::Decided(..))
    {
        session.record_error(&held.message);
    }
    Ok(given)
}

/// Replaces this process. What comes back is why it could not.
fn replace(args: &ExecArgs, given: Option<&Given>) -> anyhow::Error {
    let mut command = command(&args.command, given);
    let error = memory::unsealed(|| command.exec());
    Unstarted::new(&command, &error).into()
}
