//! `precedent fleet key`

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use clap::Args;
use precedent::fleet::write_fleet_key;

use super::super::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// Where it is written, for this user alone; nothing may be there
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(args: &KeyArgs) -> Result<Exit> {
    write_fleet_key(&args.file)?;
    let mut stderr = anstream::stderr().lock();
    writeln!(
        stderr,
        "{} is the fleet's key for fingerprints. Copy it to every node, over a way that nobody reads along, and name it in [fleet] fingerprint-key.",
        args.file.display()
    )?;
    Ok(Exit::Done)
}
