//! Edits to a document that leave everything else as it was.

use jsonc_parser::{
    ast::{Object, ObjectProp, Value},
    common::Ranged,
    cst::{CstInputValue, CstNode, CstRootNode},
};
use zeroize::Zeroizing;

use super::{Edit, EditError, NewValue, Syntax, Text, Tree};
use crate::model::Pointer;

/// Edits a text.
///
/// # Errors
///
/// Where the text does not parse, where something on the way to the pointer is no object, and where
/// the result would differ from the text anywhere but at the pointers.
pub(crate) fn edit(text: &Text, syntax: Syntax, edits: &[Edit<'_>]) -> Result<Text, EditError> {
    let mut edited = Text { bom: text.bom, text: text.text.clone() };
    for edit in edits {
        let next = apply(&edited, syntax, edit)?;
        verify(&edited, &next, syntax, edit)?;
        edited = next;
    }
    Ok(edited)
}

fn apply(text: &Text, syntax: Syntax, edit: &Edit<'_>) -> Result<Text, EditError> {
    // Written anew, it would be laid out anew.
    let tree = Tree::parse(text, syntax).map_err(EditError::Document)?;
    if says_already(tree.root(), edit) {
        return Ok(copy_of(text));
    }
    if let Some(spliced) = edit_in_one_line(text, syntax, edit)? {
        return Ok(spliced);
    }
    let root =
        CstRootNode::parse(text.as_str(), &syntax.options()).map_err(|_| EditError::ChangesMore)?;
    let mut object = root.object_value().ok_or(EditError::ChangesMore)?;
    let (last, parents) = split(edit.pointer);
    for (depth, step) in parents.iter().enumerate() {
        object = match object.get(step) {
            Some(property) => {
                property.object_value().ok_or_else(|| not_an_object(parents, depth))?
            }
            None if matches!(edit.value, NewValue::Nothing) => return Ok(copy_of(text)),
            None => {
                // All that is missing at once: one in the other, the editor would double what it
                // takes for the indentation with each.
                let missing = edit.pointer.steps().get(depth + 1..).unwrap_or_default();
                if let Some(value) = nested(missing, &edit.value) {
                    object.append(step, value);
                }
                return Ok(Text { bom: text.bom, text: Zeroizing::new(root.to_string()) });
            }
        };
    }
    match (&edit.value, object.get(last)) {
        (NewValue::Nothing, None) => {}
        (NewValue::Nothing, Some(property)) => property.remove(),
        (NewValue::Text(value), Some(property)) => {
            match property.value().and_then(|value| CstNode::as_string_lit(&value)) {
                Some(literal) => literal.set_raw_value(quote_like(&literal.raw_value(), value)),
                None => property.set_value(CstInputValue::from(*value)),
            }
        }
        (NewValue::Text(value), None) => {
            object.append(last, CstInputValue::from(*value));
        }
        (NewValue::Json(value), Some(property)) => property.set_value(input(value)),
        (NewValue::Json(value), None) => {
            object.append(last, input(value));
        }
    }
    Ok(Text { bom: text.bom, text: Zeroizing::new(root.to_string()) })
}

fn says_already(root: &Object<'_>, edit: &Edit<'_>) -> bool {
    let (last, parents) = split(edit.pointer);
    let parent = parents.iter().try_fold(root, |object, step| value_of(object, step)?.as_object());
    match (&edit.value, parent.and_then(|parent| value_of(parent, last))) {
        (NewValue::Text(text), Some(Value::StringLit(found))) => found.value == *text,
        (NewValue::Json(json), Some(found)) => says(found, json),
        _ => false,
    }
}

/// Edits an object that stands on one line, and keeps it there: the editor would break it into
/// lines. None where there is no such object, or the editor does it as well.
fn edit_in_one_line(
    text: &Text,
    syntax: Syntax,
    edit: &Edit<'_>,
) -> Result<Option<Text>, EditError> {
    let value = match &edit.value {
        NewValue::Text(value) => Zeroizing::new(json_string(value)),
        NewValue::Json(value) => Zeroizing::new(value.to_string()),
        NewValue::Nothing => return Ok(None),
    };
    let tree = Tree::parse(text, syntax).map_err(EditError::Document)?;
    let source = text.as_str();
    let steps = edit.pointer.steps();
    let mut object: &Object<'_> = tree.root();
    let mut depth = 0;
    let mut replaced = None;
    while let Some(step) = steps.get(depth) {
        match object.properties.iter().find(|p| p.name.as_str() == step).map(|p| &p.value) {
            Some(Value::Object(inner)) if depth + 1 < steps.len() => object = inner,
            Some(value) if depth + 1 == steps.len() => {
                replaced = Some(value.range());
                break;
            }
            Some(_) => return Ok(None),
            None => break,
        }
        depth += 1;
    }
    let range = object.range();
    let body = source.get(range.start..range.end).unwrap_or_default();
    // A string in the place of a string keeps its quotes with the editor.
    let keeps_quotes = replaced.is_some() && matches!(edit.value, NewValue::Text(_));
    if body.contains(['\n', '\r']) || keeps_quotes {
        return Ok(None);
    }
    let (cut, new) = match (replaced, object.properties.last()) {
        (Some(value_range), _) => ((value_range.start, value_range.end), value),
        (None, last) => {
            let missing = steps.get(depth..).unwrap_or_default();
            let style = if object.properties.is_empty() { source } else { body };
            let property = one_line_property(missing, &value, style, object.properties.len());
            match last {
                Some(last) => ((last.range().end, last.range().end), property),
                // A comment in it is the editor's to keep.
                None if body.contains('/') => return Ok(None),
                None => {
                    let braced = ["{", property.trim_start_matches([',', ' ']), "}"].concat();
                    ((range.start, range.end), Zeroizing::new(braced))
                }
            }
        }
    };
    let before = source.get(..cut.0).unwrap_or_default();
    let after = source.get(cut.1..).unwrap_or_default();
    Ok(Some(Text { bom: text.bom, text: Zeroizing::new([before, new.as_str(), after].concat()) }))
}

/// `,"a":{"b":VALUE}` for the steps `a` and `b`, spaced as the text around it is.
fn one_line_property(
    steps: &[String],
    value: &str,
    style: &str,
    siblings: usize,
) -> Zeroizing<String> {
    let spaced = |sign: char| style.contains(&format!("{sign} "));
    let comma = if spaced(',') || (siblings == 1 && spaced(':')) { ", " } else { "," };
    let colon = if spaced(':') { ": " } else { ":" };
    let mut property = Zeroizing::new(comma.to_owned());
    for (index, step) in steps.iter().enumerate() {
        if index > 0 {
            property.push('{');
        }
        property.push_str(&json_string(step));
        property.push_str(colon);
    }
    property.push_str(value);
    property.extend(std::iter::repeat_n('}', steps.len().saturating_sub(1)));
    property
}

/// Objects, one in the other, with a value in the last; none where there is none.
fn nested(steps: &[String], value: &NewValue<'_>) -> Option<CstInputValue> {
    let value = match value {
        NewValue::Text(text) => CstInputValue::from(*text),
        NewValue::Json(json) => input(json),
        NewValue::Nothing => return None,
    };
    let object = |value, step: &String| CstInputValue::Object(vec![(step.clone(), value)]);
    Some(steps.iter().rev().fold(value, object))
}

fn split(pointer: &Pointer) -> (&str, &[String]) {
    pointer.steps().split_last().map_or(("", &[]), |(last, parents)| (last, parents))
}

fn not_an_object(parents: &[String], depth: usize) -> EditError {
    EditError::NotAnObject(parents.get(..=depth).unwrap_or_default().join("."))
}

fn copy_of(text: &Text) -> Text {
    Text { bom: text.bom, text: text.text.clone() }
}

/// A JSON string; in single quotes where the one it replaces was.
fn quote_like(old: &str, value: &str) -> String {
    let double = json_string(value);
    if !old.starts_with('\'') {
        return double;
    }
    let inner = double.trim_matches('"').replace("\\\"", "\"").replace('\'', "\\'");
    // A value that ends in a quote would lose it to the trimming.
    if value.ends_with('"') || value.starts_with('"') { double } else { format!("'{inner}'") }
}

/// A string as JSON. U+2028 and U+2029 are escaped too: they end a line in older JSON5 readers.
fn json_string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn input(value: &serde_json::Value) -> CstInputValue {
    match value {
        serde_json::Value::Null => CstInputValue::Null,
        serde_json::Value::Bool(value) => CstInputValue::Bool(*value),
        serde_json::Value::Number(number) => CstInputValue::Number(number.to_string()),
        serde_json::Value::String(text) => CstInputValue::String(text.clone()),
        serde_json::Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        serde_json::Value::Object(map) => CstInputValue::Object(
            map.iter().map(|(key, value)| (key.clone(), input(value))).collect(),
        ),
    }
}

/// Checks that the new text parses, says what was asked at the pointer, and the same as before
/// everywhere else. The editor is a library; this is what makes it safe to trust with a file that
/// exists once.
fn verify(old: &Text, new: &Text, syntax: Syntax, edit: &Edit<'_>) -> Result<(), EditError> {
    let old = Tree::parse(old, syntax).map_err(EditError::Document)?;
    let new = Tree::parse(new, syntax).map_err(|_| EditError::ChangesMore)?;
    if same_but(Some(old.root()), new.root(), edit.pointer.steps(), &edit.value) {
        Ok(())
    } else {
        Err(EditError::ChangesMore)
    }
}

/// Whether two objects say the same but at the steps, where the new one says what was asked.
fn same_but(
    old: Option<&Object<'_>>,
    new: &Object<'_>,
    steps: &[String],
    asked: &NewValue<'_>,
) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return false;
    };
    let others = |property: &&ObjectProp<'_>| property.name.as_str() != step;
    let old_others = old.into_iter().flat_map(|old| &old.properties).filter(others);
    if !same_properties(old_others, new.properties.iter().filter(others)) {
        return false;
    }
    let old_inner = old.and_then(|old| value_of(old, step));
    match (value_of(new, step), asked) {
        (None, NewValue::Nothing) => rest.is_empty() || old_inner.is_none(),
        (Some(value), asked) if rest.is_empty() => match asked {
            NewValue::Text(text) => {
                matches!(value, Value::StringLit(found) if found.value == *text)
            }
            NewValue::Json(json) => says(value, json),
            NewValue::Nothing => false,
        },
        (Some(Value::Object(inner)), asked) => {
            same_but(old_inner.and_then(Value::as_object), inner, rest, asked)
        }
        _ => false,
    }
}

fn value_of<'o, 't>(object: &'o Object<'t>, step: &str) -> Option<&'o Value<'t>> {
    object.properties.iter().find(|p| p.name.as_str() == step).map(|p| &p.value)
}

fn same_properties<'o, 't: 'o>(
    old: impl Iterator<Item = &'o ObjectProp<'t>>,
    mut new: impl Iterator<Item = &'o ObjectProp<'t>>,
) -> bool {
    let mut old = old;
    let same_so_far = old.by_ref().all(|old| {
        new.next().is_some_and(|new| {
            old.name.as_str() == new.name.as_str() && same(&old.value, &new.value)
        })
    });
    same_so_far && new.next().is_none()
}

/// Whether two values say the same, numbers as they are written.
fn same(old: &Value<'_>, new: &Value<'_>) -> bool {
    match (old, new) {
        (Value::StringLit(old), Value::StringLit(new)) => old.value == new.value,
        (Value::NumberLit(old), Value::NumberLit(new)) => old.value == new.value,
        (Value::BooleanLit(old), Value::BooleanLit(new)) => old.value == new.value,
        (Value::NullKeyword(_), Value::NullKeyword(_)) => true,
        (Value::Array(old), Value::Array(new)) => {
            old.elements.len() == new.elements.len()
                && old.elements.iter().zip(&new.elements).all(|(old, new)| same(old, new))
        }
        (Value::Object(old), Value::Object(new)) => {
            same_properties(old.properties.iter(), new.properties.iter())
        }
        _ => false,
    }
}

/// Whether a value says what a JSON value says.
fn says(value: &Value<'_>, json: &serde_json::Value) -> bool {
    match (value, json) {
        (Value::StringLit(value), serde_json::Value::String(json)) => value.value == *json,
        (Value::NumberLit(value), serde_json::Value::Number(json)) => {
            value.value == json.to_string()
        }
        (Value::BooleanLit(value), serde_json::Value::Bool(json)) => value.value == *json,
        (Value::NullKeyword(_), serde_json::Value::Null) => true,
        (Value::Array(value), serde_json::Value::Array(json)) => {
            value.elements.len() == json.len()
                && value.elements.iter().zip(json).all(|(value, json)| says(value, json))
        }
        (Value::Object(value), serde_json::Value::Object(json)) => {
            value.properties.len() == json.len()
                && value.properties.iter().zip(json).all(|(property, (key, json))| {
                    property.name.as_str() == key && says(&property.value, json)
                })
        }
        _ => false,
    }
}
