//! The command line: one file a verb.
//!
//! | module | what |
//! |---|---|
//! | `args` | the words of the command line |
//! | `session` | manifest, policy and journal of one call |
//! | `selection` | which deployment and policy the words select |
//! | `key` | the installation's key, and what it is good for |
//! | `writing` | the right to write: the lock, and what a run that was killed left |
//! | `memory` | keeps secrets out of what outlives the process |
//! | `exit` | exit codes, in one place |
//! | `compare` | one installation under two versions |
//! | `text`, `json` | what people and scripts are shown |
//! | `explain`, `plan`, `apply`, `check`, `rotate`, `rollback`, `test`, `policy` | a verb each |

mod apply;
mod args;
mod check;
mod compare;
mod exit;
mod explain;
mod json;
mod key;
mod memory;
mod plan;
mod policy;
mod rollback;
mod rotate;
mod selection;
mod session;
#[cfg(feature = "cases")]
mod test;
mod text;
mod writing;

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
        #[cfg(feature = "cases")]
        Verb::Test(options) => test::run(options),
        Verb::Policy(options) => policy::run(options),
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
