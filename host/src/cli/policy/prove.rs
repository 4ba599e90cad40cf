//! `precedent policy prove`

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use precedent::{
    Error,
    cases::Case,
    prove::{Covered, Extent, Proof, Property, States},
};
use serde_json::{Value, json};

use super::super::{
    args::{Format, PolicySubject},
    exit::{Exit, UsageError},
    json, progress,
    subject::Subject,
    text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    subject: PolicySubject,
    #[command(flatten)]
    extent: ExtentArgs,
    /// Write each failure there, as a case for `precedent test`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which states of a deployment are looked at.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ExtentArgs {
    /// How many states to look at; where there are more, the rest is taken by chance
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = count)]
    states: usize,
    /// Look at every state, however many there are
    #[arg(long, conflicts_with = "states")]
    all: bool,
    /// Seed of the states that are taken by chance
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Vary only these locations; may be repeated
    #[arg(long, value_name = "LOCATION", value_delimiter = ',')]
    only: Vec<String>,
}

fn count(text: &str) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(0) => Err("no state shows nothing; 1 or more".to_owned()),
        Ok(count) if count > MOST => Err(format!("{MOST} at most")),
        Ok(count) => Ok(count),
        Err(_) => Err("not a number".to_owned()),
    }
}

/// More points than that do not fit into memory.
const MOST: usize = 5_000_000;

impl ExtentArgs {
    /// The states of the subject's deployment.
    pub(crate) fn states<'s>(&self, subject: &'s Subject) -> Result<States<'s>> {
        let locations = &subject.deployment.locations;
        let known = |name: &&String| !locations.iter().any(|spec| spec.name == **name);
        if let Some(unknown) = self.only.iter().find(known) {
            let names: Vec<&str> = locations.iter().map(|spec| spec.name.as_str()).collect();
            let names = names.join("`, `");
            let message = format!("unknown location `{unknown}`, expected one of `{names}`");
            return Err(UsageError(message).into());
        }
        let mut extent = Extent::default();
        extent.most = if self.all { MOST } else { self.states };
        extent.seed = self.seed;
        extent.only.clone_from(&self.only);
        subject.policy.validate_settings(&subject.deployment.settings).map_err(Error::from)?;
        let schema = &subject.policy.about().settings_schema;
        let whole = States::whole(&subject.deployment, schema, &extent);
        if self.all && whole > MOST as f64 {
            let message = format!(
                "there are about {whole:.0e} states, more than can be looked at; name the locations that matter with --only, or leave out --all"
            );
            return Err(UsageError(message).into());
        }
        let states = States::of(&subject.deployment, schema, &extent);
        Ok(states)
    }
}

pub(crate) fn run(args: &ProveArgs) -> Result<Exit> {
    let subject = Subject::open_metered(&args.subject.named())?;
    let states = args.extent.states(&subject)?;
    let bar = progress::of(states.covered().states, "states");
    let proof = states.prove(&subject.policy, &|count| bar.inc(count as u64));
    bar.finish_and_clear();
    if let Some(folder) = &args.out {
        let name = |property: &Property| json!(property).as_str().unwrap_or_default().to_owned();
        write(folder, proof.broken.iter().map(|(of, broken)| (name(of), &broken.case)))?;
    }
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => json::print(&mut out, &document(&subject, &proof))?,
        Format::Text => text::proof(&mut out, &subject, &proof, &args.extent.only)?,
    }
    out.flush()?;
    Ok(if proof.is_proven() { Exit::Done } else { Exit::Refused })
}

/// Writes cases into a folder, each by its name.
#[allow(clippy::disallowed_methods, reason = "the user names the folder to write to")]
pub(super) fn write<'c>(
    folder: &Path,
    cases: impl Iterator<Item = (String, &'c Case)>,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, case) in cases {
        let path = folder.join(format!("{name}.json"));
        let text = format!("{:#}\n", json!(case));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// `precedent.policy.prove/1`
fn document(subject: &Subject, proof: &Proof) -> Value {
    let looked = |property: &Property| proof.counts.looked.get(property).copied().unwrap_or(0);
    let of = |property: &Property| {
        let broken = proof.broken.get(property);
        json!({
            "property": property,
            "looked-at": looked(property),
            // Where it was never looked at, nobody knows.
            "holds": (broken.is_some() || looked(property) > 0).then_some(broken.is_none()),
            "states": broken.map(|broken| broken.states),
            "message": broken.map(|broken| &broken.failure.message),
            "case": broken.map(|broken| &broken.case),
        })
    };
    json!({
        "schema": "precedent.policy.prove/1",
        "deployment": subject.deployment.name,
        "policy": json::policy(&subject.policy),
        "states": covered(&proof.covered),
        "proven": proof.is_proven(),
        "asked": proof.counts.asked,
        "refused": proof.counts.refused,
        "acted": proof.counts.acted,
        "properties": Property::ALL.iter().map(of).collect::<Vec<_>>(),
    })
}

/// Which states were looked at, for scripts.
pub(crate) fn covered(covered: &Covered) -> Value {
    json!({
        "covered": covered.states,
        "whole": covered.up_to.is_none(),
        "up-to": covered.up_to,
        "sampled": covered.sampled,
        "seed": covered.seed,
    })
}
