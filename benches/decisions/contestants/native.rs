//! The policy of the component, called as any function of Rust: no isolation, no limits.

use anyhow::{Result, anyhow};
use precedent::decide::json;
use precedent_bench_reference::Reference;
use precedent_guest::{contract, policy};

use precedent_bench::tables::NATIVE;

use super::isolated;
use crate::{
    contestant::{Asking, Contestant, With},
    request::Asked,
};

/// What the policy does to its input: it takes it, so each decision wants one.
pub(crate) struct Native {
    name: &'static str,
    copies: bool,
}

impl Native {
    /// Handed its input ready made, which is nobody's time.
    pub(crate) fn given() -> Self {
        Self { name: NATIVE, copies: false }
    }

    /// Handed a copy of the host's, which is its time: about what calling it from a host would cost.
    pub(crate) fn copying() -> Self {
        Self { name: "native, input copied", copies: true }
    }
}

impl Contestant for Native {
    fn name(&self) -> &'static str {
        self.name
    }

    fn ready<'c>(&'c self, asked: &'c Asked) -> Result<Box<dyn Asking + 'c>> {
        let shown: contract::Snapshot = serde_json::from_value(json::shown(&asked.snapshot))?;
        let plain = |answer: Answer| {
            let decision = answer.map_err(|refusal| anyhow!("refused: {}", refusal.reason))?;
            let answer = json::decision(serde_json::to_value(decision)?)?;
            isolated::plain(answer)
        };
        let decide = |snapshot| Ok(policy::decide::<Reference>(snapshot));
        Ok(if self.copies {
            let make = || ();
            Box::new(With { make, ask: move |()| decide(shown.clone()), plain })
        } else {
            Box::new(With { make: move || shown.clone(), ask: decide, plain })
        })
    }
}

type Answer = Result<contract::Decision, contract::Refusal>;
