//! `precedent provide`: a gateway that asks for its secrets is answered.
//!
//! This is the one verb that prints secrets: on standard output, to the program that runs it. Who asks
//! is a reference in the very configuration that is looked at; what stands there is therefore no copy,
//! and no reference is followed by running a command (docs/decisions/0023).
//!
//! | module | what |
//! |---|---|
//! | `protocol` | one request, one answer |

mod protocol;

use std::{
    fs::File,
    io::{IsTerminal, Read, Write},
    os::fd::AsFd,
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use precedent::{Proposal, ResolveError, Ruling, model::Phase, plan::Plan};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{
    args::{Format, PhaseArg, Selection},
    exit::{Exit, UsageError},
    session::{Session, warn},
    text,
};
use protocol::{Answer, Fault, LONGEST, Request, Wanted};

/// How long a request may take to come, as long as OpenClaw waits for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What OpenClaw may be told to start us with.
#[derive(Debug, Args)]
pub(crate) struct ProvideArgs {
    /// The deployment's manifest; absolute, for OpenClaw starts this where the program is [default:
    /// the preset openclaw]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// A shipped policy (binary, helm, nodes, paas), or the path of a component [default: the manifest's, else binary]
    #[arg(long, value_name = "NAME|FILE")]
    policy: Option<String>,
    /// The program for which an id asks that is the name of a credential alone
    #[arg(long, value_name = "NAME", default_value = "gateway")]
    consumer: String,
    /// Why the gateway asks
    #[arg(long, value_enum, default_value = "start")]
    phase: PhaseArg,
    /// Override one setting of the policy; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Say what the policy cannot see, such as openclaw-version=2026.9.6; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    attribute: Vec<String>,
}

impl ProvideArgs {
    fn selection(&self) -> Selection {
        Selection {
            manifest: self.manifest.clone(),
            policy: self.policy.clone(),
            phase: Some(self.phase),
            set: self.set.clone(),
            attribute: self.attribute.clone(),
            run_commands: false,
            format: Format::Json,
        }
    }
}

pub(crate) fn run(args: &ProvideArgs) -> Result<Exit> {
    if std::io::stdout().is_terminal() {
        let message = "provide prints secrets, for OpenClaw to read, and not on a terminal; precedent explain says who gets which copy";
        return Err(UsageError(message.to_owned()).into());
    }
    let request = request()?;
    let session = Session::open_with("provide", &args.selection(), Phase::Start, |deployment| {
        // One of them may be us.
        deployment.run_commands = false;
        deployment.asked_as = Some(request.provider.clone());
    })?;
    let mut proposal = session.propose()?;
    // What the policy would write where nothing seems to stand is not to be.
    if let Ruling::Decided(_, plan) = &mut proposal.ruling {
        *plan = Plan::default();
    }
    session.record(&proposal, None);
    let mut answer = Answer::default();
    for id in &request.ids {
        let wanted = Wanted::of(id, &args.consumer, &proposal.snapshot.credentials);
        match resolve(&proposal, wanted) {
            Ok(secret) => answer.give(id, secret),
            Err(fault) => {
                warn(&format!("{}: {}", Wanted::shown(id), fault.message));
                answer.refuse(id, fault);
            }
        }
    }
    say(&answer.into_bytes()?)?;
    Ok(Exit::Done)
}

/// The one request on standard input. Who never ends it does not keep us.
fn request() -> Result<Request> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = std::io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes);
        send.send(read.map(|_| bytes))
    });
    let late = |_| {
        let seconds = PATIENCE.as_secs();
        anyhow!(
            "no whole request came on standard input within {seconds} s; OpenClaw sends one and closes it"
        )
    };
    let bytes = receive.recv_timeout(PATIENCE).map_err(late)?;
    let bytes = bytes.context("cannot read the request on standard input")?;
    Ok(Request::read(&bytes).map_err(|error| UsageError(error.to_string()))?)
}

/// The secret that a program is to be given, or why there is none.
fn resolve<'p>(proposal: &'p Proposal, wanted: Option<Wanted<'_>>) -> Result<&'p str, Fault> {
    let wanted = wanted.ok_or_else(Fault::of_id)?;
    match proposal.resolve(wanted.consumer, wanted.credential) {
        Ok(resolved) => Ok(resolved.secret.expose_secret()),
        Err(error) => Err(fault(&error)),
    }
}

/// What OpenClaw is told. Of the codes it knows `NOT_FOUND`; the message is for whoever looks.
fn fault(error: &ResolveError) -> Fault {
    let (code, way_out) = match error {
        ResolveError::Refused(refusal) => ("REFUSED", refusal.remedy.as_deref()),
        ResolveError::Violated(_) => ("VIOLATION", Some("precedent plan says more")),
        ResolveError::Nothing { .. } => (
            "NOT_FOUND",
            Some(
                "a reference that asks Precedent is no copy, commands are not run, and of the variables only those count that the provider's passEnv names",
            ),
        ),
        _ => ("NOT_FOUND", None),
    };
    let message = match way_out {
        Some(way_out) => anyhow!("{error}; {way_out}"),
        None => anyhow!("{error}"),
    };
    // A policy's words may come to a terminal by way of OpenClaw.
    Fault { code, message: text::in_one_line(&message) }
}

/// Prints the answer without a buffer that would keep it.
fn say(answer: &[u8]) -> std::io::Result<()> {
    let mut out = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    out.write_all(answer)
}
