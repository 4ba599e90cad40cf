//! The policy of `tests/compat/policy.rs` for version 1.0.0 of the contract. It takes its types from
//! the contract and not from the SDK, so that it can be built when the SDK has gone on.

#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]

#[path = "../policy.rs"]
mod policy;

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v1", world: "token-policy" });
}

use bindings::exports::precedent::policy::policy as contract;

fn read<'s>(snapshot: &'s contract::Snapshot, span: &contract::Span) -> &'s str {
    let start = span.offset as usize;
    let text = snapshot.text.get(start..start + span.length as usize);
    text.expect("a span keeps within the text")
}

fn fact_change(key: &str, value: &str) -> contract::FactChange {
    contract::FactChange { key: key.to_owned(), value: value.to_owned() }
}

struct Compat;

impl contract::Guest for Compat {
    fn describe() -> contract::About {
        contract::About {
            name: "compat".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings_schema: policy::SETTINGS.to_owned(),
        }
    }

    fn validate_settings(settings: String) -> Result<(), Vec<String>> {
        policy::check(&settings)
    }

    fn decide(snapshot: contract::Snapshot) -> Result<contract::Decision, contract::Refusal> {
        policy::decide(&snapshot)
    }
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Compat with_types_in bindings);
