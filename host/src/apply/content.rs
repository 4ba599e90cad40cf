//! The new bytes of a file.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::ApplyFault;
use crate::{
    config::ReferenceForm,
    document::{self, Edit, NewValue},
    model::{Place, Pointer},
    observe::{reads_as_reference, reference_to},
    plan::{Change, NewContent, Target},
    secret::{self, Vault},
};

/// What a change puts in place.
enum Value<'v> {
    Secret(&'v str),
    Minted(SecretString),
    Json(serde_json::Value),
    Nothing,
}

/// The bytes of a file after its changes.
pub(super) fn edited(
    old: &[u8],
    changes: &[&Change],
    target: &Target,
    vault: &Vault,
) -> Result<Zeroizing<Vec<u8>>, ApplyFault> {
    let fault = |reason: String| ApplyFault::Edit { path: target.path.clone(), reason };
    let values: Vec<(&Place, Value<'_>)> = changes
        .iter()
        .map(|change| {
            let value = value(change, target, vault).map_err(fault)?;
            Ok((&change.edit.place, value))
        })
        .collect::<Result<_, ApplyFault>>()?;
    if let [(Place::File(_), value)] = values.as_slice() {
        return whole(old, value).map_err(fault);
    }
    let syntax = target.syntax.unwrap_or_default();
    let times: Vec<(&Pointer, Option<serde_json::Value>)> =
        changes.iter().filter_map(|change| time(change)).collect();
    let mut edits: Vec<Edit<'_>> = values
        .iter()
        .filter_map(|(place, value)| match place {
            Place::Pointer { pointer, .. } => Some(Edit {
                pointer,
                value: match value {
                    Value::Secret(secret) => NewValue::Text(secret),
                    Value::Minted(secret) => NewValue::Text(secret.expose_secret()),
                    Value::Json(json) => NewValue::Json(json),
                    Value::Nothing => NewValue::Nothing,
                },
            }),
            _ => None,
        })
        .collect();
    edits.extend(times.iter().map(|(pointer, time)| Edit {
        pointer,
        value: time.as_ref().map_or(NewValue::Nothing, NewValue::Json),
    }));
    document::edited(old, syntax, &edits).map_err(|error| fault(error.to_string()))
}

/// The time that a secret takes along, in milliseconds.
fn time(change: &Change) -> Option<(&Pointer, Option<serde_json::Value>)> {
    let expiry = change.edit.expiry.as_ref()?;
    let at = expiry.at.map(|at| serde_json::Value::from(at.saturating_mul(1000)));
    Some((&expiry.pointer, at))
}

fn value<'v>(change: &Change, target: &Target, vault: &'v Vault) -> Result<Value<'v>, String> {
    match &change.edit.new {
        NewContent::SecretOf(from) => {
            let secret = vault.expose(*from).ok_or("the secret is gone")?;
            let interprets = target.reference.is_some() && target.syntax.is_some();
            if interprets && reads_as_reference(secret) {
                return Err("the secret holds `${`, which the readers of this file would take for a reference; make one without it".to_owned());
            }
            Ok(Value::Secret(secret))
        }
        NewContent::Minted => secret::mint()
            .map(Value::Minted)
            .map_err(|error| format!("no randomness for a new secret: {error}")),
        NewContent::ReferenceTo(variable) => {
            let json = |form: ReferenceForm| Value::Json(reference_to(form, variable));
            target
                .reference
                .map(json)
                .ok_or_else(|| "its readers know no form of reference".to_owned())
        }
        // A number or a boolean stays one; anything else is a string.
        NewContent::Value(text) => Ok(Value::Json(match serde_json::from_str(text) {
            Ok(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => value,
            _ => serde_json::Value::from(text.clone()),
        })),
        NewContent::Nothing => Ok(Value::Nothing),
    }
}

/// A file that is one secret: the new one, with the newline that the old one ended in.
fn whole(old: &[u8], value: &Value<'_>) -> Result<Zeroizing<Vec<u8>>, String> {
    let secret = match value {
        Value::Secret(secret) => *secret,
        Value::Minted(secret) => secret.expose_secret(),
        Value::Json(_) => return Err("a file that is one secret holds no reference".to_owned()),
        Value::Nothing => "",
    };
    let end = match old {
        [.., b'\r', b'\n'] => "\r\n",
        [.., b'\n'] => "\n",
        _ => "",
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(secret.len() + end.len()));
    bytes.extend_from_slice(secret.as_bytes());
    if !secret.is_empty() {
        bytes.extend_from_slice(end.as_bytes());
    }
    Ok(bytes)
}
