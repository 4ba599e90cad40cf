//! The `precedent` command. Parses, runs, and turns what happened into an exit code.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::main()
}
