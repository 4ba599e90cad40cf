//! The words of the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use precedent::{apply::RunId, model::Phase};

/// Keeps every copy of a gateway's credentials in agreement.
#[derive(Debug, Parser)]
#[command(name = "precedent", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 in sync or done; 1 refusal, violation or failed case; 2 usage, manifest or settings; 3 fault, a retry may help; 4 drift."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the copy that each program uses today, the one that should win, and why
    Explain(ExplainArgs),
    /// Show the changes, as a diff with fingerprints
    Plan(PlanArgs),
    /// Plan and write, or write a kept plan if nothing moved
    Apply(ApplyArgs),
    /// Look for drift, for cron and before a restart
    Check(CheckArgs),
    /// Put a new secret in the place of the old one, in the order that locks nobody out
    Rotate(RotateArgs),
    /// Put back what a run changed
    Rollback(RollbackArgs),
    /// Run policy cases
    #[cfg(feature = "cases")]
    Test(TestArgs),
    /// Work on policies
    Policy(PolicyArgs),
}

/// Which deployment to look at, and how; what every such verb takes.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Selection {
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// A shipped policy (binary, helm), or the path of a component [default: the manifest's, else binary]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) policy: Option<String>,
    /// Why you ask
    #[arg(long, value_enum)]
    pub(crate) phase: Option<PhaseArg>,
    /// Override one setting of the policy; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Say what the policy cannot see, such as openclaw-version=2026.9.6; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) attribute: Vec<String>,
    /// Follow references of the kind exec: run the commands that the gateway's configuration names
    #[arg(long)]
    pub(crate) run_commands: bool,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences
    #[default]
    Text,
    /// One document on standard output
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PhaseArg {
    /// The gateway is about to start
    Start,
    /// The gateway is about to restart
    Restart,
    /// Somebody looks
    Check,
    /// Somebody asked for repairs
    Repair,
    /// A new secret takes the place of the old one
    Rotate,
}

impl From<PhaseArg> for Phase {
    fn from(phase: PhaseArg) -> Self {
        match phase {
            PhaseArg::Start => Self::Start,
            PhaseArg::Restart => Self::Restart,
            PhaseArg::Check => Self::Check,
            PhaseArg::Repair => Self::Repair,
            PhaseArg::Rotate => Self::Rotate,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Show what would change with another version of the gateway
    #[arg(long, value_name = "VERSION")]
    pub(crate) as_of: Option<String>,
    /// Show, for each program, the copies that would win in turn if today's vanished
    #[arg(long)]
    pub(crate) shadows: bool,
}

/// What every verb that writes takes.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Writing {
    /// How many seconds to wait while another run has the deployment
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub(crate) wait: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RollbackArgs {
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Which run [default: the last that is not taken back]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<RunId>,
    /// Show the runs that are kept
    #[arg(long)]
    pub(crate) list: bool,
    /// Show what would be put back, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Which credential
    #[arg(long, value_name = "NAME", default_value = "gateway-token")]
    pub(crate) credential: String,
    /// Take the new secret from standard input; without it, a new one is made
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Show the order of changes, restarts and checks, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Exit 4 where something would change or drifts
    #[arg(long)]
    pub(crate) check: bool,
    /// Keep the plan, for `precedent apply FILE`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Show the plan and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// A kept plan: written only if it is still what would be planned
    #[arg(value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Say nothing where all is well
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[cfg(feature = "cases")]
#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    /// Files (.json, .jsonl) or folders of them
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A shipped policy (binary, helm), or the path of a component
    #[arg(long, value_name = "NAME|FILE", default_value = "binary")]
    pub(crate) policy: String,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub(crate) verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Compile the shipped policies ahead of time, for a release
    #[cfg(feature = "compiler")]
    Compile {
        /// The folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// List the shipped policies
    List,
}
