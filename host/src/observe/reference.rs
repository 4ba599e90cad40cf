//! References that stand where a secret could.

use jsonc_parser::ast::Object;
use zeroize::Zeroizing;

use crate::{
    config::ReferenceForm,
    document::text_of,
    model::{Reference, ReferenceKind},
    secret::Fingerprint,
};

/// A reference, and the value that it leads to today.
#[derive(Clone)]
pub(super) struct Followed {
    kind: ReferenceKind,
    target: String,
    pub(super) value: Option<Zeroizing<String>>,
}

impl Followed {
    pub(super) fn with(self, resolved: Option<Fingerprint>) -> Reference {
        Reference { kind: self.kind, target: self.target, resolved }
    }
}

type Variables<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Reads a string as a reference, where the document's readers know the form.
pub(super) fn in_text(
    text: &str,
    forms: &[ReferenceForm],
    variable: Variables<'_>,
) -> Option<Followed> {
    if !forms.contains(&ReferenceForm::Variable) {
        return None;
    }
    let whole = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match whole.filter(|name| is_name(name)) {
        Some(name) => Some(to_variable(name, variable)),
        // A text with a reference in it is put together by its readers; to replace it would destroy
        // what somebody meant.
        None => reads_as_reference(text).then(|| Followed {
            kind: ReferenceKind::Unknown,
            target: "a text with variables in it".to_owned(),
            value: None,
        }),
    }
}

/// Whether readers that substitute `${NAME}` would find one in the text.
pub(crate) fn reads_as_reference(text: &str) -> bool {
    text.split("${").skip(1).any(|rest| rest.split_once('}').is_some_and(|(name, _)| is_name(name)))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Reads an object as a reference, where the document's readers know the form. An object of
/// another shape is still one, of a kind that the host does not know: to take it for a value that
/// may be replaced would destroy it.
pub(super) fn in_object(
    object: &Object<'_>,
    forms: &[ReferenceForm],
    variable: Variables<'_>,
) -> Option<Followed> {
    if !forms.contains(&ReferenceForm::SecretRef) {
        return None;
    }
    let id = text_of(object, "id").unwrap_or_default();
    let kind = match text_of(object, "source") {
        Some("env") => return Some(to_variable(id, variable)),
        Some("file") => ReferenceKind::File,
        Some("exec") => ReferenceKind::Command,
        Some("store") => ReferenceKind::Store,
        _ => ReferenceKind::Unknown,
    };
    Some(Followed { kind, target: id.to_owned(), value: None })
}

fn to_variable(name: &str, variable: Variables<'_>) -> Followed {
    Followed {
        kind: ReferenceKind::Environment,
        target: name.to_owned(),
        value: variable(name).map(Zeroizing::new),
    }
}

/// The reference to a variable in a form that the document's readers know.
pub(crate) fn to_write(form: ReferenceForm, variable: &str) -> serde_json::Value {
    match form {
        ReferenceForm::SecretRef => serde_json::json!({
            "source": "env",
            "provider": "default",
            "id": variable,
        }),
        ReferenceForm::Variable => serde_json::Value::from(format!("${{{variable}}}")),
    }
}
