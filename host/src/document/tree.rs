//! A parsed document, and what stands at a pointer.

use std::collections::HashSet;

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{Object, Value},
    common::Ranged,
    errors::ParseErrorKind,
    parse_to_ast,
};
use serde::{Deserialize, Serialize};

use super::{DocumentError, Text, line_and_column, strict};
use crate::model::{Fault, Pointer};

/// What a document may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// JSON, by RFC 8259.
    Json,
    /// JSON5: comments, trailing commas, single quotes, bare keys.
    #[default]
    Json5,
}

impl Syntax {
    pub(super) fn options(self) -> ParseOptions {
        let json5 = self == Self::Json5;
        ParseOptions {
            allow_comments: json5,
            allow_loose_object_property_names: json5,
            allow_trailing_commas: json5,
            // Neither language has them, although the parser does.
            allow_missing_commas: false,
            allow_single_quoted_strings: json5,
            allow_hexadecimal_numbers: json5,
            allow_unary_plus_numbers: json5,
            allow_bare_decimal_point_numbers: json5,
            allow_non_finite_numbers: json5,
            allow_extended_string_escapes: json5,
        }
    }
}

/// A parsed document: an object in which no key stands twice.
pub(crate) struct Tree<'t> {
    root: Object<'t>,
}

/// What stands at a pointer.
pub(crate) enum Found<'d, 't> {
    Nothing,
    Text(&'d str),
    /// A number, or `true` or `false`, as it is written.
    Scalar(String),
    Object(&'d Object<'t>),
    /// Another type than can be used, at this part of the pointer.
    Unusable {
        at: String,
        is: &'static str,
    },
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

    /// What stands at a pointer. An object with the key `elsewhere` goes on in another file, so
    /// that nothing can be said of what is below it.
    pub(crate) fn find(&self, pointer: &Pointer, elsewhere: Option<&str>) -> Found<'_, 't> {
        let mut object = &self.root;
        let mut walked: Vec<&str> = Vec::new();
        let mut steps = pointer.steps().iter().peekable();
        while let Some(step) = steps.next() {
            if let Some(elsewhere) = elsewhere
                && object.properties.iter().any(|p| p.name.as_str() == elsewhere)
            {
                let at =
                    if walked.is_empty() { "the document".to_owned() } else { walked.join(".") };
                return Found::Unusable {
                    at,
                    is: "continued in another file, which is not followed",
                };
            }
            walked.push(step);
            let Some(property) = object.properties.iter().find(|p| p.name.as_str() == step) else {
                return Found::Nothing;
            };
            let last = steps.peek().is_none();
            match &property.value {
                Value::Object(inner) if last => return Found::Object(inner),
                Value::Object(inner) => object = inner,
                Value::StringLit(text) if last => return Found::Text(&text.value),
                Value::NumberLit(number) if last => return Found::Scalar(number.value.to_owned()),
                Value::BooleanLit(boolean) if last => {
                    return Found::Scalar(boolean.value.to_string());
                }
                other => {
                    return Found::Unusable { at: walked.join("."), is: type_of(other) };
                }
            }
        }
        Found::Nothing
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

fn type_of(value: &Value<'_>) -> &'static str {
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
