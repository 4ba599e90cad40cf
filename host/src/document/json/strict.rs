//! What the parser takes and the languages do not have. A document that other readers refuse must not
//! be edited as if all was well with it.

use jsonc_parser::{
    ast::{ObjectPropName, Value},
    common::Ranged,
};

use super::{DocumentError, Syntax, line_and_column};
use crate::model::Fault;

/// Checks a parsed text.
///
/// # Errors
///
/// The first thing that the language does not have.
pub(super) fn check(
    text: &str,
    syntax: Syntax,
    value: Option<&Value<'_>>,
) -> Result<(), DocumentError> {
    let fault = |offset: usize, message: &str| DocumentError {
        fault: Fault::Syntax,
        message: message.to_owned(),
        at: Some(line_and_column(text, offset)),
    };
    let mut strings = Vec::new();
    if let Some(value) = value {
        walk(text, value, &mut strings).map_err(|(offset, message)| fault(offset, message))?;
    }
    if syntax == Syntax::Json
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
        && value.is_some()
    {
        let at = Some((error.line(), error.column()));
        return Err(DocumentError { fault: Fault::Syntax, message: "this is no JSON".into(), at });
    }
    // These end a line in JSON5, and with it a comment, but not for the parser.
    let ends_line = |c: char| matches!(c, '\u{2028}' | '\u{2029}');
    let outside =
        |offset: &usize| !strings.iter().any(|(start, end)| (*start..*end).contains(offset));
    match text.match_indices(ends_line).map(|(offset, _)| offset).find(outside) {
        Some(offset) => Err(fault(offset, "a line separator (U+2028 or U+2029) outside a string")),
        None => Ok(()),
    }
}

type Found = (usize, &'static str);

/// Looks at every string and key, and collects where the strings are.
fn walk(text: &str, value: &Value<'_>, strings: &mut Vec<(usize, usize)>) -> Result<(), Found> {
    match value {
        Value::StringLit(literal) => {
            string(text, literal.range().start, literal.range().end, strings)
        }
        Value::Array(array) => array.elements.iter().try_for_each(|one| walk(text, one, strings)),
        Value::Object(object) => object.properties.iter().try_for_each(|property| {
            let range = property.name.range();
            match &property.name {
                ObjectPropName::String(_) => string(text, range.start, range.end, strings)?,
                ObjectPropName::Word(word) if is_identifier(word.value) => {}
                ObjectPropName::Word(_) => {
                    return Err((range.start, "a key that is no identifier needs quotes"));
                }
            }
            walk(text, &property.value, strings)
        }),
        Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => Ok(()),
    }
}

/// A line break inside a string must have a backslash before it.
fn string(
    text: &str,
    start: usize,
    end: usize,
    strings: &mut Vec<(usize, usize)>,
) -> Result<(), Found> {
    strings.push((start, end));
    let mut escaped = false;
    for (offset, c) in text.get(start..end).unwrap_or_default().char_indices() {
        match c {
            '\n' | '\r' if !escaped => {
                return Err((start + offset, "a string goes over the end of the line"));
            }
            // The two characters of one line end.
            '\r' => {}
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Ok(())
}

/// The identifiers of ECMAScript, as far as they are letters, digits, `$` and `_`.
fn is_identifier(word: &str) -> bool {
    let start = |c: char| c.is_alphabetic() || c == '$' || c == '_';
    let mut chars = word.chars();
    chars.next().is_some_and(start) && chars.all(|c| start(c) || c.is_numeric())
}
