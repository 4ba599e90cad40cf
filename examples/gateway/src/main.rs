//! A gateway that embeds Precedent.
//!
//! | module | what |
//! |---|---|
//! | `admission` | who is let in: one policy and one token at a time, and what open connections keep |
//! | `follow` | the policy file and the copies of the token, looked at while requests are served |
//! | `serve` | the endpoints |
//!
//! It is told in `docs/embedding.md`.

mod admission;
mod follow;
mod serve;

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use precedent::{Error, Event, Host, Reloading, ResolveError};
use tokio::{net::TcpListener, task::spawn_blocking};

use follow::Gateway;

/// An example gateway, whose token Precedent resolves.
#[derive(Debug, Parser)]
struct Args {
    /// The deployment's manifest
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The policy, a component; followed while the gateway runs [default: the manifest's]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the key, the journal and the backups are kept
    #[arg(long, value_name = "FOLDER")]
    state: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
    /// How often to look at the policy and at the copies of the token
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..))]
    every: u64,
    /// How long the token before this one still opens new connections
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    grace: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            exit_code(&error)
        }
    }
}

/// 1 for a refusal: not to be started again as things stand. 2 for the manifest. 3 for all else, where
/// trying again may help.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<ResolveError>() {
        return ExitCode::from(1);
    }
    match error.downcast_ref::<Error>().map(Error::stage) {
        Some(precedent::Stage::Configure) => ExitCode::from(2),
        _ => ExitCode::from(3),
    }
}

#[tokio::main]
async fn run(args: &Args) -> anyhow::Result<()> {
    let mut builder = Host::builder()
        .manifest(&args.manifest)
        .journal(&args.state)
        .cache(args.state.join("compiled"))
        .verb("gateway")
        .observer(|event: &Event<'_>| {
            if event.is_warning() {
                say(&format!("warning: {event}"));
            }
        });
    if let Some(policy) = &args.policy {
        builder = builder.policy(policy.as_path());
    }
    let grace = Duration::from_secs(args.grace);
    // Reading, compiling and writing block.
    let gateway = spawn_blocking(move || {
        let reloading = Reloading::new(builder.build()?);
        Gateway::start(reloading, grace)
    });
    let gateway = Arc::new(gateway.await??);
    // Not before the token is known: who connects is served.
    let listener = TcpListener::bind(&args.listen).await?;
    say(&format!("listening on {}", listener.local_addr()?));
    let every = Duration::from_millis(args.every);
    let following = tokio::spawn(follow::follow(Arc::clone(&gateway), every));
    let served = serve::serve(listener, gateway).await;
    following.abort();
    Ok(served?)
}

/// To standard error, which may be closed.
fn say(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "gateway: {message}");
}
