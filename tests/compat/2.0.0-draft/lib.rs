//! The policy of `tests/compat/policy.rs` for version 2.0.0-draft of the contract. It takes its types from
//! the contract and not from the SDK, so that it can be built when the SDK has gone on.

#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]

#[path = "../policy.rs"]
mod policy;

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/draft", world: "token-policy" });
}

use bindings::exports::precedent::policy::policy as wit;

/// The types that the policy writes its answer in, with a string for each text: the contract has
/// spans there.
mod contract {
    pub(crate) use super::wit::{
        Attribute, Consumer, Fault, Location, LocationId, LocationKind, Mint, Phase, Presence,
        Reference, ReferenceKind, Severity, Snapshot, Standing, Transfer,
    };

    pub(crate) struct Verdict {
        pub(crate) consumer: u32,
        pub(crate) today: Standing,
        pub(crate) wanted: Option<LocationId>,
        pub(crate) reason: String,
        pub(crate) next: Option<LocationId>,
    }

    pub(crate) struct Alert {
        pub(crate) severity: Severity,
        pub(crate) message: String,
    }

    pub(crate) struct FactChange {
        pub(crate) key: String,
        pub(crate) value: String,
    }

    pub(crate) enum Deed {
        Write(Transfer),
        Refer(Transfer),
        Remove(LocationId),
        Mint(Mint),
        Refresh(LocationId),
        SetFact(FactChange),
        Restart(u32),
        Alert(Alert),
    }

    pub(crate) struct Action {
        pub(crate) deed: Deed,
        pub(crate) reason: String,
    }

    pub(crate) struct Finding {
        pub(crate) code: String,
        pub(crate) severity: Severity,
        pub(crate) message: String,
        pub(crate) remedy: Option<String>,
        pub(crate) locations: Vec<LocationId>,
    }

    pub(crate) struct Decision {
        pub(crate) verdicts: Vec<Verdict>,
        pub(crate) actions: Vec<Action>,
        pub(crate) findings: Vec<Finding>,
    }

    pub(crate) struct Refusal {
        pub(crate) code: String,
        pub(crate) reason: String,
        pub(crate) remedy: Option<String>,
        pub(crate) locations: Vec<LocationId>,
    }
}

/// The text of an answer, as far as it is.
#[derive(Default)]
struct Text(String);

impl Text {
    /// What is the same as the end of the text stands in it already.
    fn put(&mut self, text: &str) -> wit::Span {
        if !self.0.ends_with(text) {
            self.0.push_str(text);
        }
        wit::Span { offset: (self.0.len() - text.len()) as u32, length: text.len() as u32 }
    }

    fn deed(&mut self, deed: contract::Deed) -> wit::Deed {
        match deed {
            contract::Deed::Write(transfer) => wit::Deed::Write(transfer),
            contract::Deed::Refer(transfer) => wit::Deed::Refer(transfer),
            contract::Deed::Remove(id) => wit::Deed::Remove(id),
            contract::Deed::Mint(mint) => wit::Deed::Mint(mint),
            contract::Deed::Refresh(id) => wit::Deed::Refresh(id),
            contract::Deed::SetFact(fact) => wit::Deed::SetFact(wit::FactChange {
                key: self.put(&fact.key),
                value: self.put(&fact.value),
            }),
            contract::Deed::Restart(id) => wit::Deed::Restart(id),
            contract::Deed::Alert(alert) => wit::Deed::Alert(wit::Alert {
                severity: alert.severity,
                message: self.put(&alert.message),
            }),
        }
    }

    fn decision(mut self, decision: contract::Decision) -> wit::Decision {
        let verdict = |verdict: contract::Verdict| wit::Verdict {
            consumer: verdict.consumer,
            today: verdict.today,
            wanted: verdict.wanted,
            reason: self.put(&verdict.reason),
            next: verdict.next,
        };
        let verdicts = decision.verdicts.into_iter().map(verdict).collect();
        let action = |action: contract::Action| wit::Action {
            deed: self.deed(action.deed),
            reason: self.put(&action.reason),
        };
        let actions = decision.actions.into_iter().map(action).collect();
        let finding = |finding: contract::Finding| wit::Finding {
            code: self.put(&finding.code),
            severity: finding.severity,
            message: self.put(&finding.message),
            remedy: finding.remedy.map(|remedy| self.put(&remedy)),
            locations: finding.locations,
        };
        let findings = decision.findings.into_iter().map(finding).collect();
        wit::Decision { verdicts, actions, findings, text: self.0 }
    }

    fn refusal(mut self, refusal: contract::Refusal) -> wit::Refusal {
        wit::Refusal {
            code: self.put(&refusal.code),
            reason: self.put(&refusal.reason),
            remedy: refusal.remedy.map(|remedy| self.put(&remedy)),
            locations: refusal.locations,
            text: self.0,
        }
    }
}

fn read<'s>(snapshot: &'s contract::Snapshot, span: &wit::Span) -> &'s str {
    let start = span.offset as usize;
    let text = snapshot.text.get(start..start + span.length as usize);
    text.expect("a span keeps within the text")
}

fn fact_change(key: &str, value: &str) -> contract::FactChange {
    contract::FactChange { key: key.to_owned(), value: value.to_owned() }
}

struct Compat;

impl wit::Guest for Compat {
    fn describe() -> wit::About {
        wit::About {
            name: "compat".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings_schema: policy::SETTINGS.to_owned(),
        }
    }

    fn validate_settings(settings: String) -> Result<(), Vec<String>> {
        policy::check(&settings)
    }

    fn decide(snapshot: wit::Snapshot) -> Result<wit::Decision, wit::Refusal> {
        match policy::decide(&snapshot) {
            Ok(decision) => Ok(Text::default().decision(decision)),
            Err(refusal) => Err(Text::default().refusal(refusal)),
        }
    }
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Compat with_types_in bindings);
