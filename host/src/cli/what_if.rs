//! `precedent what-if`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{
    Error, Ruling,
    apply::Runs,
    artifact::ArtifactError,
    config::Deployment,
    decide::Policy,
    model::{
        ConsumerId, Phase, Snapshot,
        named::{self, Words},
    },
    observe::{Machine, observe},
    record::OwnKey,
    rule,
};
use serde_json::{Value, json};

use super::{
    args::{Format, PhaseArg, Selection},
    candidate, exit,
    exit::Exit,
    json,
    key::key,
    selection, session, text,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct WhatIfArgs {
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// A shipped policy (binary, helm, nodes, paas), or the path of a component; once for each
    #[arg(long = "policy", value_name = "NAME|FILE", required = true)]
    policies: Vec<String>,
    /// Why you ask
    #[arg(long, value_enum)]
    phase: Option<PhaseArg>,
    /// Override one setting of the policies; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Say what the policies cannot see, such as openclaw-version=2026.9.6; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    attribute: Vec<String>,
    /// Follow references of the kind exec: run the commands that the gateway's configuration names
    #[arg(long)]
    run_commands: bool,
    /// Exit 4 where the policies differ
    #[arg(long)]
    check: bool,
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What one policy makes of the installation.
pub(crate) struct Column {
    /// As the user names it.
    pub(crate) named: String,
    pub(crate) policy: Option<Policy>,
    pub(crate) ruling: Result<Ruling>,
}

pub(crate) fn run(args: &WhatIfArgs) -> Result<Exit> {
    let mut snapshot = None;
    let mut columns = Vec::new();
    let state = session::state();
    let key = key(state.as_ref())?;
    for named in &args.policies {
        let deployment = args.deployment(named)?;
        // One look, that all of them decide on: a policy changes nothing of what is seen.
        let snapshot = snapshot.get_or_insert_with(|| args.look(&deployment, &key));
        columns.push(column(args, named, deployment, &key, snapshot)?);
    }
    let Some(snapshot) = snapshot else { return Ok(Exit::Usage) };
    let differ = differ(&snapshot, &columns);
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => json::print(&mut out, &document(&snapshot, &columns, differ))?,
        Format::Text => text::columns(&mut out, &snapshot, &columns, differ)?,
    }
    let failed = columns.iter().find_map(|column| column.ruling.as_ref().err());
    Ok(match failed {
        Some(error) => exit::of(error),
        None if args.check && differ => Exit::Drift,
        None => Exit::Done,
    })
}

impl WhatIfArgs {
    fn deployment(&self, named: &str) -> Result<Deployment> {
        let policy = Some(selection::policy_from(named)?);
        let mut deployment = selection::read_deployment(self.manifest.as_deref(), policy)?;
        let selection = Selection {
            manifest: None,
            policy: None,
            phase: None,
            set: self.set.clone(),
            attribute: self.attribute.clone(),
            run_commands: self.run_commands,
            format: self.format,
        };
        selection::set_all(&mut deployment, &selection)?;
        Ok(deployment)
    }

    fn look(&self, deployment: &Deployment, key: &OwnKey) -> Snapshot {
        let phase = self.phase.map_or(Phase::Check, Phase::from);
        let seen = observe(deployment, &Machine::default(), &key.key, phase, session::now());
        let mut snapshot = seen.snapshot;
        let state = session::state();
        snapshot
            .findings
            .extend(state.and_then(|state| Runs::interruption(&state, &snapshot.deployment)));
        snapshot
    }
}

/// What keeps a policy from answering is in its column; a name that nobody knows is a mistake.
fn column(
    args: &WhatIfArgs,
    named: &str,
    deployment: Deployment,
    key: &OwnKey,
    snapshot: &Snapshot,
) -> Result<Column> {
    let Deployment { policy, base, limits, .. } = &deployment;
    let policy = match session::load_policy(policy, base, *limits, key) {
        Ok(policy) => policy,
        Err(error) => {
            let is_unknown =
                |error: &Error| matches!(error, Error::Artifact(ArtifactError::Unknown { .. }));
            if error.downcast_ref::<Error>().is_some_and(is_unknown) {
                return Err(error);
            }
            return Ok(Column { named: named.to_owned(), policy: None, ruling: Err(error) });
        }
    };
    let grants = candidate::grants(args.manifest.as_deref(), &deployment).unwrap_or_default();
    let ruling = policy
        .validate_settings(&deployment.settings)
        .map_err(Error::from)
        .and_then(|()| rule(&policy, &grants, snapshot));
    let ruling = ruling.map_err(anyhow::Error::from);
    Ok(Column { named: named.to_owned(), policy: Some(policy), ruling })
}

impl Column {
    /// What the policy calls itself, or what the user does.
    pub(crate) fn name(&self) -> &str {
        self.policy.as_ref().map_or(&self.named, |policy| &policy.about().name)
    }

    pub(crate) fn decision(&self) -> Option<&precedent::model::Decision> {
        match self.ruling.as_ref().ok()? {
            Ruling::Decided(decision, _) | Ruling::Violated(decision, _) => Some(decision),
            _ => None,
        }
    }

    /// What a program is to get; none where the policy did not say.
    pub(crate) fn verdict(&self, consumer: ConsumerId) -> Option<&precedent::model::Verdict> {
        self.decision()?.verdicts.iter().find(|verdict| verdict.consumer == consumer)
    }

    pub(crate) fn changes(&self) -> &[precedent::plan::Change] {
        match &self.ruling {
            Ok(Ruling::Decided(_, plan)) => plan.changes(),
            _ => &[],
        }
    }

    /// The codes of what it finds, each once.
    pub(crate) fn codes(&self) -> Vec<&str> {
        let findings = self.decision().into_iter().flat_map(|decision| &decision.findings);
        let mut codes: Vec<&str> = findings.map(|finding| finding.code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// Everything that counts: the answer by names, and the rules that it breaks.
    fn essence(&self, snapshot: &Snapshot) -> Value {
        let parts = |answer: &_| Value::Object(named::parts(snapshot, answer, Words::Aside));
        match &self.ruling {
            Ok(Ruling::Decided(decision, _)) => parts(&Ok(decision.clone())),
            Ok(Ruling::Refused(refusal)) => parts(&Err(refusal.clone())),
            Ok(Ruling::Violated(decision, violations)) => {
                let rules = violations.0.iter().map(|violation| &violation.rule);
                json!([parts(&Ok(decision.clone())), rules.collect::<Vec<_>>()])
            }
            Ok(_) => Value::Null,
            Err(error) => json!(error.to_string()),
        }
    }
}

fn differ(snapshot: &Snapshot, columns: &[Column]) -> bool {
    let mut all = columns.iter().map(|column| column.essence(snapshot));
    let first = all.next();
    all.any(|other| Some(other) != first)
}

/// `precedent.what-if/1`
fn document(snapshot: &Snapshot, columns: &[Column], differ: bool) -> Value {
    let policies = columns.iter().map(|column| {
        let mut shown = json!({
            "named": column.named,
            "policy": column.policy.as_ref().map(json::policy),
            "ruling": match &column.ruling {
                Ok(Ruling::Decided(..)) => "decided",
                Ok(Ruling::Refused(_)) => "refused",
                Ok(_) => "violated",
                Err(_) => "failed",
            },
            "changes": column.changes(),
            "findings": column.codes(),
        });
        let told = match &column.ruling {
            Ok(Ruling::Refused(refusal)) => Some(("refusal", json::refusal(snapshot, refusal))),
            Ok(Ruling::Violated(_, violations)) => Some(("violations", json!(violations.0))),
            Err(error) => Some(("error", json!(text::in_one_line(error)))),
            Ok(_) => None,
        };
        if let (Some(shown), Some((key, value))) = (shown.as_object_mut(), told) {
            shown.insert(key.to_owned(), value);
        }
        shown
    });
    let consumers = snapshot.consumers.iter().enumerate().map(|(index, consumer)| {
        let id = ConsumerId::from_index(index);
        let verdicts: Vec<_> = columns.iter().map(|column| column.verdict(id)).collect();
        let today = verdicts.iter().find_map(|verdict| verdict.as_ref());
        let wanted: Vec<Value> = verdicts
            .iter()
            .map(|verdict| {
                json!(verdict.and_then(|verdict| verdict.wanted).map(|id| snapshot.name_of(id)))
            })
            .collect();
        json!({
            "consumer": consumer.name,
            "credential": snapshot.credential(consumer.credential),
            "today": today.map(|verdict| named::standing(snapshot, verdict.today)),
            "wanted": wanted,
            "differ": wanted.iter().any(|one| Some(one) != wanted.first()),
        })
    });
    json!({
        "schema": "precedent.what-if/1",
        "deployment": snapshot.deployment,
        "phase": snapshot.phase,
        "differ": differ,
        "policies": policies.collect::<Vec<_>>(),
        "consumers": consumers.collect::<Vec<_>>(),
    })
}
