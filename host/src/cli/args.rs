//! The words of the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use precedent::{apply::RunId, model::Phase};

#[cfg(feature = "exec")]
use super::exec::ExecArgs;
use super::policy::PolicyArgs;
#[cfg(feature = "provide")]
use super::provide::ProvideArgs;
#[cfg(feature = "watch")]
use super::watch::WatchArgs;
#[cfg(feature = "etcd")]
use super::{agent::AgentArgs, fleet::FleetArgs};
#[cfg(feature = "workbench")]
use super::{
    capture::CaptureArgs, log::LogArgs, replay::ReplayArgs, test::TestArgs, what_if::WhatIfArgs,
};
#[cfg(feature = "handover")]
use super::{export::ExportArgs, identity::IdentityArgs, import::ImportArgs};

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
    /// Show the public keys that other nodes know this one by
    #[cfg(feature = "handover")]
    Identity(IdentityArgs),
    /// Write one credential to standard output, sealed to another node and signed
    #[cfg(feature = "handover")]
    Export(ExportArgs),
    /// Take a credential that another node exported from standard input
    #[cfg(feature = "handover")]
    Import(ImportArgs),
    /// Run one node of a fleet: publish what is seen, follow what is decided, and decide where elected
    #[cfg(feature = "etcd")]
    Agent(AgentArgs),
    /// Look at a fleet, and rotate and renew across it
    #[cfg(feature = "etcd")]
    Fleet(FleetArgs),
    /// Answer OpenClaw, which asks for its secrets by the protocol of its exec SecretRefs
    #[cfg(feature = "provide")]
    Provide(ProvideArgs),
    /// Start a program in the place of this one, with its credentials in its environment
    #[cfg(feature = "exec")]
    Exec(ExecArgs),
    /// Follow changes: report them, or apply, and keep a program in step
    #[cfg(feature = "watch")]
    Watch(WatchArgs),
    /// Run policy cases
    #[cfg(feature = "workbench")]
    Test(TestArgs),
    /// Make a policy case of this installation, with stand-ins for its secrets
    #[cfg(feature = "workbench")]
    Capture(CaptureArgs),
    /// Work on policies
    Policy(PolicyArgs),
    /// Show what runs saw and decided: the journal
    #[cfg(feature = "workbench")]
    Log(LogArgs),
    /// Put the journal through another policy, and show what it would have decided otherwise
    #[cfg(feature = "workbench")]
    Replay(ReplayArgs),
    /// Show what several policies would do with the installation as it is
    #[cfg(feature = "workbench")]
    WhatIf(WhatIfArgs),
}

/// Which deployment to look at, and how; what every such verb takes.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Selection<F = Format>
where
    F: ValueEnum + Clone + Default + Send + Sync + 'static,
{
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// A shipped policy (binary, helm, nodes, paas), or the path of a component [default: the manifest's, else binary]
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
    pub(crate) format: F,
}

impl Selection<PlanFormat> {
    /// The same for whoever asks only which deployment is meant.
    pub(crate) fn plain(&self) -> Selection {
        Selection {
            manifest: self.manifest.clone(),
            policy: self.policy.clone(),
            phase: self.phase,
            set: self.set.clone(),
            attribute: self.attribute.clone(),
            run_commands: self.run_commands,
            format: Format::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences
    #[default]
    Text,
    /// One document on standard output
    Json,
}

/// How a plan is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// A diff and sentences
    #[default]
    Text,
    /// One document on standard output
    Json,
    /// A plan for `openclaw secrets apply --from`
    #[cfg(feature = "provide")]
    OpenclawSecrets,
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
    pub(crate) selection: Selection<PlanFormat>,
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
    /// Only look: send none of the manifest's alerts
    #[arg(long)]
    pub(crate) no_alerts: bool,
    /// Write what was found into a file for Prometheus' textfile collector
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
    /// Send what was found to a collector of OpenTelemetry, such as http://localhost:4318
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<String>,
}

/// Which policy is worked on, and for which deployment.
#[cfg(feature = "workbench")]
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SubjectArgs {
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// A shipped policy (binary, helm, nodes, paas), or the path of a component [default: the manifest's, else binary]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) policy: Option<String>,
}

/// The same, where the policy may also stand by itself.
#[cfg(feature = "workbench")]
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PolicySubject {
    /// The same as --policy
    #[arg(id = "positional", value_name = "POLICY", conflicts_with = "policy")]
    positional: Option<String>,
    #[command(flatten)]
    subject: SubjectArgs,
}

#[cfg(feature = "workbench")]
impl PolicySubject {
    /// The subject, however the policy was named.
    pub(crate) fn named(&self) -> SubjectArgs {
        let mut subject = self.subject.clone();
        subject.policy = self.positional.clone().or(subject.policy);
        subject
    }
}
