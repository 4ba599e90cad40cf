//! The trait that a policy implements, and the macro that makes a component of it.

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Decision, Refusal, Snapshot,
    contract::{self, About},
};

/// A decision, or the policy's no.
pub type Answer = Result<Decision, Refusal>;

/// A policy: a pure function from a snapshot and settings to a decision.
pub trait Policy {
    /// The deployment's parameters, read from the settings' JSON before every decision.
    /// Deny unknown fields, so that a typing error is found before it matters.
    type Settings: DeserializeOwned;

    /// JSON Schema of the settings, for editors and for `precedent policy inspect`.
    const SETTINGS_SCHEMA: &'static str = r#"{"type":"object"}"#;

    /// Decides. The same snapshot and settings must always give the same answer.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] says: do not start, do not restart.
    fn decide(snapshot: &Snapshot, settings: Self::Settings) -> Answer;

    /// Checks what the type of the settings cannot say. The strings are shown to the operator.
    ///
    /// # Errors
    ///
    /// One string for each thing that is wrong.
    fn check_settings(_settings: &Self::Settings) -> Result<(), Vec<String>> {
        Ok(())
    }
}

/// Settings of a policy that has none: `{}`, and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Reads a policy's settings and checks them.
///
/// # Errors
///
/// What is wrong, in words for the operator.
pub fn read_settings<P: Policy>(settings: &str) -> Result<P::Settings, Vec<String>> {
    let settings = if settings.trim().is_empty() { "{}" } else { settings };
    let read: P::Settings = serde_json::from_str(settings).map_err(|error| {
        let message = error.to_string();
        // The place is one in the host's JSON, which nobody wrote.
        let end = message.find(" at line ").unwrap_or(message.len());
        vec![message.get(..end).unwrap_or_default().to_owned()]
    })?;
    P::check_settings(&read)?;
    Ok(read)
}

/// Runs one decision as the component does: reads the settings, then decides.
///
/// # Errors
///
/// The policy's refusal, or one with the code `settings` where they are not the policy's own. The
/// host validates settings first, so that one is seen only when it is skipped.
pub fn decide<P: Policy>(
    snapshot: contract::Snapshot,
) -> Result<contract::Decision, contract::Refusal> {
    let snapshot = Snapshot::new(snapshot);
    let settings = read_settings::<P>(snapshot.settings()).map_err(|faults| contract::Refusal {
        code: "settings".to_owned(),
        reason: faults.join("; "),
        remedy: None,
        locations: Vec::new(),
    })?;
    P::decide(&snapshot, settings).map(Decision::into_contract)
}

/// Makes the component's exports of a type that implements [`Policy`]. Name and version are the
/// crate's own; an example's name is the example's. Once in a crate.
#[macro_export]
macro_rules! export {
    ($policy:ty) => {
        /// What this policy says of itself.
        pub fn about() -> $crate::About {
            $crate::policy::about::<$policy>(
                ::core::env!("CARGO_CRATE_NAME"),
                ::core::env!("CARGO_PKG_VERSION"),
            )
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the exports of a component have C names")]
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::precedent::policy::policy::Guest for Component {
                fn describe() -> $crate::contract::About {
                    about()
                }

                fn validate_settings(
                    settings: ::std::string::String,
                ) -> ::core::result::Result<(), ::std::vec::Vec<::std::string::String>> {
                    $crate::policy::read_settings::<$policy>(&settings).map(|_| ())
                }

                fn decide(
                    snapshot: $crate::contract::Snapshot,
                ) -> ::core::result::Result<$crate::contract::Decision, $crate::contract::Refusal>
                {
                    $crate::policy::decide::<$policy>(snapshot)
                }
            }

    $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        };
    };
}

/// Says what a policy is, with the crate's name shortened to the policy's.
#[must_use]
pub fn about<P: Policy>(crate_name: &str, version: &str) -> About {
    let name = crate_name.replace('_', "-");
    About {
        name: name.strip_prefix("precedent-policy-").unwrap_or(&name).to_owned(),
        version: version.to_owned(),
        settings_schema: P::SETTINGS_SCHEMA.to_owned(),
    }
}
