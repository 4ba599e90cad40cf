//! `precedent policy`
//!
//! | module | what |
//! |---|---|
//! | `new`, `build`, `inspect`, `validate`, `bench`, `prove`, `diff` | a verb each |
//! | `project` | what a new policy is made of |

#[cfg(feature = "workbench")]
pub(crate) mod bench;
#[cfg(feature = "workbench")]
mod build;
#[cfg(feature = "workbench")]
mod diff;
#[cfg(feature = "workbench")]
mod inspect;
#[cfg(feature = "workbench")]
mod new;
#[cfg(feature = "workbench")]
mod project;
#[cfg(feature = "workbench")]
mod prove;
#[cfg(feature = "workbench")]
mod validate;

#[cfg(feature = "workbench")]
pub(crate) use diff::Differing;

use std::io::Write;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use precedent::artifact;

use super::exit::Exit;

#[derive(Debug, ClapArgs)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Compile the shipped policies ahead of time, for a release
    #[cfg(feature = "compiler")]
    Compile {
        /// The folder to write to
        #[arg(long, value_name = "DIR")]
        out: std::path::PathBuf,
    },
    /// List the shipped policies
    List,
    /// Make a project: a policy that works, its cases and its deployment
    #[cfg(feature = "workbench")]
    New(new::NewArgs),
    /// Make a component of a policy, whatever it is written in
    #[cfg(feature = "workbench")]
    Build(build::BuildArgs),
    /// Show what a policy is made of, its settings, and what it takes
    #[cfg(feature = "workbench")]
    Inspect(inspect::InspectArgs),
    /// Hold the settings of a manifest against the policy's schema and the policy itself
    #[cfg(feature = "workbench")]
    Validate(validate::ValidateArgs),
    /// Measure what a decision costs
    #[cfg(feature = "workbench")]
    Bench(bench::BenchArgs),
    /// Show the states in which two policies decide differently, smallest first
    #[cfg(feature = "workbench")]
    Diff(diff::DiffArgs),
    /// Show over the states of a deployment that a policy keeps its word
    #[cfg(feature = "workbench")]
    Prove(prove::ProveArgs),
}

#[allow(clippy::disallowed_methods, reason = "the user names the folder to write to")]
pub(crate) fn run(args: &PolicyArgs) -> Result<Exit> {
    match &args.verb {
        #[cfg(feature = "compiler")]
        PolicyVerb::Compile { out: folder } => {
            use anyhow::Context;
            use precedent::{Error, decide::Engine};

            let engine = Engine::new().map_err(Error::from)?;
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            let mut out = anstream::stdout().lock();
            for (name, bytes) in artifact::compile_shipped(&engine).map_err(Error::from)? {
                let path = folder.join(name);
                std::fs::write(&path, &bytes)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                writeln!(out, "{} ({} bytes)", path.display(), bytes.len())?;
            }
        }
        PolicyVerb::List => {
            let mut out = anstream::stdout().lock();
            for name in artifact::shipped() {
                writeln!(out, "{name}")?;
            }
        }
        #[cfg(feature = "workbench")]
        PolicyVerb::New(args) => return new::run(args),
        #[cfg(feature = "workbench")]
        PolicyVerb::Build(args) => return build::run(args),
        #[cfg(feature = "workbench")]
        PolicyVerb::Inspect(args) => return inspect::run(args),
        #[cfg(feature = "workbench")]
        PolicyVerb::Validate(args) => return validate::run(args),
        #[cfg(feature = "workbench")]
        PolicyVerb::Bench(args) => return bench::run(args),
        #[cfg(feature = "workbench")]
        PolicyVerb::Diff(args) => return diff::run(args),
        #[cfg(feature = "workbench")]
        PolicyVerb::Prove(args) => return prove::run(args),
    }
    Ok(Exit::Done)
}
