//! A parsed document, and what stands at a pointer.

use std::collections::HashSet;

use super::{DocumentError, Syntax, Text, line_and_column, strict};
use crate::model::Fault;
use jsonc_parser::{
    CollectOptions,
    ast::{Object, Value},
    common::Ranged,
    errors::ParseErrorKind,
    parse_to_ast,
};

/// A parsed document: an object in which no key stands twice.
pub(crate) struct Tree<'t> {
    root: Object<'t>,
}

impl<'t> Tree<'t> {
    /// Parses.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, and where.
    pub(crate) fn parse(text: &'t Text, syntax: Syntax) -> Result<Self, DocumentError> {
        let text = text.as_str();
        let parsed =
            parse_to_ast(text, &CollectOptions::default(), &syntax.options()).map_err(|error| {
                DocumentError {
                    fault: Fault::Syntax,
                    message: match error.kind() {
                        // Its own words quote the text, which may be a secret's.
                        ParseErrorKind::String(_) => "a string cannot be read".to_owned(),
                        kind => lower_first(&kind.to_string()),
                    },
                    at: Some((error.line_display(), error.column_display())),
                }
            })?;
        strict::check(text, syntax, parsed.value.as_ref())?;
        let root = match parsed.value {
            Some(Value::Object(root)) => root,
            Some(_) => {
                return Err(DocumentError {
                    fault: Fault::WrongType,
                    message: "expected an object".to_owned(),
                    at: Some((1, 1)),
                });
            }
            None => {
                return Err(DocumentError {
                    fault: Fault::Syntax,
                    message: "the file is empty".to_owned(),
                    at: None,
                });
            }
        };
        if let Some((name, offset)) = first_duplicate(&root) {
            return Err(DocumentError {
                fault: Fault::DuplicateKey,
                message: format!("the key `{name}` stands twice in one object"),
                at: Some(line_and_column(text, offset)),
            });
        }
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Object<'t> {
        &self.root
    }
}

/// The text of a property that is a string.
pub(crate) fn text_of<'o>(object: &'o Object<'_>, name: &str) -> Option<&'o str> {
    match object.properties.iter().find(|p| p.name.as_str() == name)?.value {
        Value::StringLit(ref text) => Some(&text.value),
        _ => None,
    }
}

pub(super) fn type_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a boolean",
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::NullKeyword(_) => "null",
    }
}

fn first_duplicate(object: &Object<'_>) -> Option<(String, usize)> {
    let mut seen = HashSet::new();
    object.properties.iter().find_map(|property| {
        let name = property.name.as_str();
        if seen.insert(name) {
            duplicate_in(&property.value)
        } else {
            Some((name.to_owned(), property.range().start))
        }
    })
}

fn duplicate_in(value: &Value<'_>) -> Option<(String, usize)> {
    match value {
        Value::Object(object) => first_duplicate(object),
        Value::Array(array) => array.elements.iter().find_map(duplicate_in),
        _ => None,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
