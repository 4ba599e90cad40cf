//! The command line: one file a verb.
//!
//! | module | what |
//! |---|---|
//! | `args` | the words of the command line |
//! | `session` | manifest, policy and journal of one call |
//! | `alert` | who is told of what a check finds |
//! | `launch` | what a program is started with, and whether it would use it |
//! | `selection` | which deployment and policy the words select |
//! | `subject` | the policy that the workbench works on |
//! | `key` | the installation's key, and what it is good for |
//! | `progress` | how far something has come that takes long |
//! | `memory` | keeps secrets out of what outlives the process |
//! | `exit` | exit codes, in one place |
//! | `compare` | one installation under two versions |
//! | `candidate` | a policy that is tried, and what it may have done |
//! | `records` | which records of the journal are meant, and what cannot be read of it |
//! | `text`, `json` | what people and scripts are shown |
//! | `explain`, `plan`, `apply`, `check`, `rotate`, `rollback`, `identity`, `export`, `import`, `agent`, `fleet`, `provide`, `exec`, `watch`, `test`, `policy`, `log`, `replay`, `what_if` | a verb each |

#[cfg(feature = "etcd")]
mod agent;
#[cfg(feature = "alerts")]
mod alert;
#[cfg(not(feature = "alerts"))]
#[path = "cli/alert/unable.rs"]
mod alert;
mod apply;
mod args;
#[cfg(feature = "workbench")]
mod candidate;
#[cfg(feature = "workbench")]
mod capture;
mod check;
mod compare;
#[cfg(feature = "exec")]
mod exec;
mod exit;
mod explain;
#[cfg(feature = "handover")]
mod export;
#[cfg(feature = "etcd")]
mod fleet;
#[cfg(feature = "handover")]
mod identity;
#[cfg(feature = "handover")]
mod import;
mod json;
#[cfg(feature = "workbench")]
mod key;
#[cfg(feature = "exec")]
mod launch;
#[cfg(feature = "workbench")]
mod log;
mod memory;
#[cfg(feature = "metrics")]
mod metrics;
mod plan;
mod policy;
#[cfg(feature = "workbench")]
mod progress;
#[cfg(feature = "provide")]
mod provide;
#[cfg(feature = "workbench")]
mod records;
#[cfg(feature = "workbench")]
mod replay;
mod rollback;
mod rotate;
mod selection;
mod session;
#[cfg(feature = "workbench")]
mod subject;
#[cfg(feature = "workbench")]
mod test;
mod text;
#[cfg(feature = "watch")]
mod watch;
#[cfg(feature = "workbench")]
mod what_if;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use args::{Args, Verb};
use exit::Exit;

pub(crate) fn main() -> ExitCode {
    memory::seal();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            // Asking for help is no error.
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let result = match &args.verb {
        Verb::Explain(options) => explain::run(options),
        Verb::Plan(options) => plan::run(options),
        Verb::Apply(options) => apply::run(options),
        Verb::Check(options) => check::run(options),
        Verb::Rotate(options) => rotate::run(options),
        Verb::Rollback(options) => rollback::run(options),
        #[cfg(feature = "handover")]
        Verb::Identity(options) => identity::run(options),
        #[cfg(feature = "handover")]
        Verb::Export(options) => export::run(options),
        #[cfg(feature = "handover")]
        Verb::Import(options) => import::run(options),
        #[cfg(feature = "etcd")]
        Verb::Agent(options) => agent::run(options),
        #[cfg(feature = "etcd")]
        Verb::Fleet(options) => fleet::run(options),
        #[cfg(feature = "provide")]
        Verb::Provide(options) => provide::run(options),
        #[cfg(feature = "workbench")]
        Verb::Test(options) => test::run(options),
        #[cfg(feature = "workbench")]
        Verb::Capture(options) => capture::run(options),
        #[cfg(feature = "exec")]
        Verb::Exec(options) => exec::run(options),
        #[cfg(feature = "watch")]
        Verb::Watch(options) => watch::run(options),
        Verb::Policy(options) => policy::run(options),
        #[cfg(feature = "workbench")]
        Verb::Log(options) => log::run(options),
        #[cfg(feature = "workbench")]
        Verb::Replay(options) => replay::run(options),
        #[cfg(feature = "workbench")]
        Verb::WhatIf(options) => what_if::run(options),
    };
    match result {
        Ok(exit) => exit.into(),
        // Whoever read our output has seen enough.
        Err(error) if is_closed_pipe(&error) => Exit::Fault.into(),
        Err(error) => {
            let mut stderr = anstream::stderr().lock();
            let _ = text::error(&mut stderr, &error);
            let _ = stderr.flush();
            exit::of(&error).into()
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
