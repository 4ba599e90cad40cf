//! Precedent: the policy is a component, and each decision has a fresh instance within its limits.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, anyhow, bail};
use precedent::{
    artifact::{self, Cache, PolicyRef},
    decide::{Answer, DecideError, Engine, Limits, Policy, Warm as Ready},
    model::{Deed, Standing},
    secret::Key,
};
use precedent_bench_extism::request::{Decision, Finding, Verdict, Write};

use crate::{
    contestant::{Asking, Contestant, With},
    request::Asked,
};
use precedent_bench::tables::OURS;

/// What the policy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    JavaScript,
    Python,
}

impl Language {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => OURS,
            Self::JavaScript => "precedent, JavaScript",
            Self::Python => "precedent, Python",
        }
    }

    /// Where its component is.
    pub(crate) fn component(self) -> PathBuf {
        let built = |name| crate::target().join("policies").join(name).join("policy.wasm");
        match self {
            Self::Rust => PathBuf::from(env!("REFERENCE_COMPONENT")),
            Self::JavaScript => built("javascript"),
            Self::Python => built("python"),
        }
    }

    /// What builds it.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::Rust => "cargo",
            Self::JavaScript => "componentize-qjs (npm)",
            Self::Python => "componentize-py (PyPI)",
        }
    }

    /// The default limits, and what ten thousand places or an interpreter want beyond them.
    fn limits(self) -> Limits {
        let limits = Limits { memory_bytes: 16 << 20, output_bytes: 4 << 20, ..Limits::default() };
        match self {
            Self::Rust => limits,
            Self::JavaScript | Self::Python => Limits {
                deadline: Duration::from_secs(60),
                memory_bytes: 256 << 20,
                instances: 64,
                compile: Duration::from_secs(600),
                ..limits
            },
        }
    }

    /// Loads it; none where it was not built. What was compiled is kept, for an interpreter takes long.
    fn load(self, room: Room) -> Result<Option<Policy>> {
        let path = self.component();
        if !path.is_file() {
            return Ok(None);
        }
        let limits = self.limits();
        let folder = crate::target().join("compiled");
        let key = Key::new([7; 32]);
        let cache = Cache { folder: &folder, key: &key };
        let reference = PolicyRef::from_argument(&path.to_string_lossy());
        let engine = match room {
            Room::Ready => Engine::pooling(&limits)?,
            Room::OnDemand => Engine::with(&limits)?,
        };
        let policy = artifact::load(&engine, &reference, Some(&path), limits, Some(cache))?;
        Ok(Some(policy))
    }
}

/// Where the room for an instance comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It is kept ready, as a host has it that runs on.
    Ready,
    /// It is mapped for the decision, as a command has it that decides once.
    OnDemand,
}

/// A fresh instance for each decision, with deadline, memory and output limits.
pub(crate) struct Isolated {
    policy: Policy,
    name: &'static str,
}

impl Isolated {
    pub(crate) fn rust() -> Result<Self> {
        Self::with(Language::Rust, Room::Ready, OURS)?.ok_or_else(not_built)
    }

    /// The same without room that is kept ready.
    pub(crate) fn on_demand() -> Result<Self> {
        let name = "precedent, room on demand";
        Self::with(Language::Rust, Room::OnDemand, name)?.ok_or_else(not_built)
    }

    /// None where it was not built.
    pub(crate) fn of(language: Language) -> Result<Option<Self>> {
        // An interpreter wants more memory than is kept ready for anybody.
        Self::with(language, Room::OnDemand, language.name())
    }

    fn with(language: Language, room: Room, name: &'static str) -> Result<Option<Self>> {
        Ok(language.load(room)?.map(|policy| Self { policy, name }))
    }
}

impl Contestant for Isolated {
    fn name(&self) -> &'static str {
        self.name
    }

    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>> {
        let ask = |()| Ok(self.policy.decide(&asked.snapshot)?);
        Ok(Box::new(With { make: || (), ask, plain }))
    }
}

fn not_built() -> anyhow::Error {
    anyhow!("the build script built no component")
}

/// An instance that is ready before the clock starts: what isolation costs is the difference. Precedent
/// decides nothing so.
pub(crate) struct Warm {
    policy: Policy,
}

impl Warm {
    pub(crate) fn rust() -> Result<Self> {
        let Isolated { policy, .. } = Isolated::on_demand()?;
        Ok(Self { policy })
    }
}

impl Contestant for Warm {
    fn name(&self) -> &'static str {
        "precedent, instance ready"
    }

    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>> {
        // A guest gives no memory back, so each decision has an instance that was made before.
        let make = || self.policy.warm();
        let ask = |warm: Result<Ready<'c>, DecideError>| {
            let mut warm = warm?;
            Ok((warm.decide(&asked.snapshot)?, warm))
        };
        Ok(Box::new(With { make, ask, plain: |(answer, _)| plain(answer) }))
    }
}

/// An answer in the words that all share.
pub(crate) fn plain(answer: Answer) -> Result<Decision> {
    let decision = answer.map_err(|refusal| anyhow!("refused: {}", refusal.reason))?;
    let mut plain = Decision::default();
    for verdict in decision.verdicts {
        plain.verdicts.push(Verdict {
            consumer: verdict.consumer.0,
            today: match verdict.today {
                Standing::Copy(id) => Some(id.0),
                Standing::Nothing => None,
                other => bail!("a standing that the reference policy does not know: {other:?}"),
            },
            wanted: verdict.wanted.map(|id| id.0),
            next: verdict.next.map(|id| id.0),
            reason: verdict.reason,
        });
    }
    for action in decision.actions {
        let Deed::Write { from, to } = action.deed else {
            bail!("a deed that the reference policy does not know: {:?}", action.deed);
        };
        plain.actions.push(Write { from: from.0, to: to.0, reason: action.reason });
    }
    for finding in decision.findings {
        let [location] = finding.locations.as_slice() else {
            bail!("a finding of {} places", finding.locations.len());
        };
        let (code, message) = (finding.code, finding.message);
        plain.findings.push(Finding { code, message, location: location.0 });
    }
    Ok(plain)
}
