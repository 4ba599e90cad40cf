//! What must hold of an edit.

use super::{
    input::Input,
    leaves::{self, Leaf},
};
use crate::{
    document::{self, Edit, NewValue, Specifiers, Syntax, Text, Unit, json},
    model::Pointer,
};

/// Reads a document, and edits it in every way.
pub(super) fn edits(bytes: &[u8], syntax: Syntax) {
    let input = Input::of(bytes, syntax);
    let before = leaves::of(input.document, syntax);
    let readable = read(&input, syntax);
    let reference = serde_json::json!({"source": "env", "provider": "default", "id": "X"});
    let number = serde_json::json!(18789);
    for value in [
        NewValue::Text(&input.value),
        NewValue::Nothing,
        NewValue::Json(&reference),
        NewValue::Json(&number),
    ] {
        let Some(new) = edited(&input, input.document, syntax, &value) else { continue };
        assert!(readable, "a document was edited that cannot be read");
        let before = before.as_ref().expect("what is edited can be read by others");
        let after = leaves::of(&new, syntax).expect("what was edited can be read by others");
        says_what_was_asked(&input, syntax, &value, before, &after);
        says_the_same_elsewhere(&input, syntax, &value, before, &after);
        if syntax.is_json()
            && let Some(before) = leaves::by_another_reader(input.document)
            && let Some(after) = leaves::by_another_reader(&new)
        {
            says_the_same_elsewhere(&input, Syntax::Json, &value, &before, &after);
        }
        let again = edited(&input, &new, syntax, &value).expect("an edit can be made again");
        assert!(again == new, "the same edit again changes something");
        if let NewValue::Text(text) = value {
            let written =
                if syntax == Syntax::Unit { text.replace('%', "%%") } else { text.to_owned() };
            assert_eq!(
                at_pointer(&new, syntax, &input.pointer),
                Ok(Some(written)),
                "not read back"
            );
            keeps_the_rest_of_the_text(&input, syntax, &new);
            let gone = edited(&input, &new, syntax, &NewValue::Nothing);
            if let Some(gone) = gone {
                assert_eq!(at_pointer(&gone, syntax, &input.pointer), Ok(None), "it is not gone");
            }
        }
    }
}

fn edited(
    input: &Input<'_>,
    bytes: &[u8],
    syntax: Syntax,
    value: &NewValue<'_>,
) -> Option<Vec<u8>> {
    let value = match value {
        NewValue::Text(text) => NewValue::Text(text),
        NewValue::Json(json) => NewValue::Json(json),
        NewValue::Nothing => NewValue::Nothing,
    };
    match document::edited(bytes, syntax, &[Edit { pointer: &input.pointer, value }]) {
        Ok(new) => Some(new.to_vec()),
        Err(error) => {
            input.keeps_secret(&error.to_string());
            None
        }
    }
}

/// Reads everything that can be read of a document. Whether it can be.
fn read(input: &Input<'_>, syntax: Syntax) -> bool {
    let _ = document::command(input.document, syntax);
    if syntax.is_json() {
        let text = Text::decode(input.document);
        let tree = text.as_ref().map(|text| json::Tree::parse(text, syntax));
        return match tree {
            Ok(Ok(tree)) => {
                if let Err(message) = json::includes(&tree, "$include") {
                    input.keeps_secret(&message);
                }
                true
            }
            Ok(Err(error)) => {
                input.keeps_secret(&error.message);
                false
            }
            Err(error) => {
                input.keeps_secret(&error.message);
                false
            }
        };
    }
    if syntax == Syntax::Unit
        && let Ok(text) = std::str::from_utf8(input.document)
        && let Ok(unit) = Unit::parse(text)
    {
        let _ = unit.steps();
    }
    match at_pointer(input.document, syntax, &input.pointer) {
        Ok(_) => true,
        Err(message) => {
            input.keeps_secret(&message);
            false
        }
    }
}

/// The text at a pointer, as observing reads it.
fn at_pointer(bytes: &[u8], syntax: Syntax, pointer: &Pointer) -> Result<Option<String>, String> {
    if !syntax.is_json() {
        let found = document::texts(bytes, syntax, std::iter::once(pointer));
        let found = found.map_err(|error| error.message)?.into_iter().next();
        return Ok(found.and_then(|(_, value)| value.map(|value| value.to_string())));
    }
    let text = Text::decode(bytes).map_err(|error| error.message)?;
    let tree = json::Tree::parse(&text, syntax).map_err(|error| error.message)?;
    let parts = [json::Part { tree, includes: std::collections::HashMap::new() }];
    match json::find(&parts, None, pointer).found {
        json::Found::Text(text) => Ok(Some(text.to_owned())),
        json::Found::Scalar(scalar) => Ok(Some(scalar)),
        json::Found::Nothing => Ok(None),
        json::Found::Object(_) => Err("an object".to_owned()),
        json::Found::Unusable { .. } => Err("unusable".to_owned()),
    }
}

fn says_what_was_asked(
    input: &Input<'_>,
    syntax: Syntax,
    value: &NewValue<'_>,
    before: &[Leaf],
    after: &[Leaf],
) {
    let at = |leaves: &[Leaf]| -> Vec<Leaf> {
        let below = |leaf: &&Leaf| leaf.path.starts_with(input.pointer.steps());
        leaves.iter().filter(below).cloned().collect()
    };
    let (was, is) = (at(before), at(after));
    match value {
        NewValue::Nothing => assert_eq!(is, [], "it is not gone; before: {was:?}"),
        NewValue::Text(text) => {
            let text =
                if syntax == Syntax::Unit { text.replace('%', "%%") } else { (*text).to_owned() };
            let written = serde_json::Value::from(text.as_str()).to_string();
            // A name that no crude reader finds is found by our own, which was asked before.
            if !is.is_empty() || matches!(syntax, Syntax::Json | Syntax::Json5 | Syntax::Plist) {
                assert_eq!(is.len(), 1, "{is:?}");
                assert_eq!(is[0].value, written);
            }
            if syntax == Syntax::Unit {
                let specifiers =
                    Specifiers { unit: "a@b.service", user: true, variable: &|_| None };
                let expanded = specifiers.expand(&text).map(|text| text.to_string());
                assert_eq!(expanded.as_deref(), Some(input.value.as_str()));
            }
        }
        NewValue::Json(serde_json::Value::Object(map)) => {
            let told: Vec<&str> = is.iter().skip(1).map(|leaf| leaf.value.as_str()).collect();
            let asked: Vec<String> = map.values().map(ToString::to_string).collect();
            assert_eq!(told, asked, "the reference reads back as another");
        }
        NewValue::Json(json) => {
            assert_eq!(is.len(), 1, "{is:?}");
            assert_eq!(is[0].value, json.to_string());
        }
    }
}

fn says_the_same_elsewhere(
    input: &Input<'_>,
    syntax: Syntax,
    value: &NewValue<'_>,
    before: &[Leaf],
    after: &[Leaf],
) {
    let steps = input.pointer.steps();
    let elsewhere = |leaves: &[Leaf]| -> Vec<Leaf> {
        let apart = |leaf: &&Leaf| {
            // What was made on the way is no leaf of the old one.
            let on_the_way = !matches!(value, NewValue::Nothing) && steps.starts_with(&leaf.path);
            !leaf.path.starts_with(steps) && !on_the_way
        };
        leaves.iter().filter(apart).cloned().collect()
    };
    let (was, is) = (elsewhere(before), elsewhere(after));
    if matches!(syntax, Syntax::Json | Syntax::Json5 | Syntax::Plist) {
        assert_eq!(was, is, "something else changed");
        return;
    }
    // The new value may look as if it set something, which its reader finds or does not.
    let lost = was.iter().find(|leaf| !is.contains(leaf));
    let come = is.iter().find(|leaf| !was.contains(leaf));
    assert_eq!((lost, come), (None, None), "something else changed");
}

/// A string that takes the place of one changes nothing before and after it.
fn keeps_the_rest_of_the_text(input: &Input<'_>, syntax: Syntax, new: &[u8]) {
    let mark = "\u{feff}".as_bytes();
    assert_eq!(input.document.starts_with(mark), new.starts_with(mark), "the byte-order mark");
    let (Ok(old), Ok(new)) = (std::str::from_utf8(input.document), std::str::from_utf8(new)) else {
        return;
    };
    if syntax == Syntax::Plist {
        let comments = |text: &str| text.matches("<!--").count();
        assert_eq!(comments(old), comments(new), "a comment was lost, or came");
    }
    if !syntax.is_json() {
        return;
    }
    let text = old.strip_prefix('\u{feff}').unwrap_or(old);
    if let Some(at) = leaves::string_at(text, &input.pointer) {
        let mark = old.len() - text.len();
        let (start, end) = (mark + at.start, mark + at.end);
        assert!(new.starts_with(&old[..start]), "the text before the value changed");
        assert!(new.ends_with(&old[end..]), "the text after the value changed");
    }
    assert_eq!(comments(old), comments(new), "a comment was lost, or came");
}

/// The comments of a JSON5 text, in order.
fn comments(text: &str) -> Vec<&str> {
    let mut comments = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let token = &rest[at..];
        let length = match token.as_bytes() {
            [b'/', b'/', ..] => {
                let end = token.find(['\n', '\r']).unwrap_or(token.len());
                comments.push(token[..end].trim_end());
                end
            }
            [b'/', b'*', ..] => {
                let end = token[2..].find("*/").map_or(token.len(), |end| end + 4);
                comments.push(&token[..end]);
                end
            }
            [b'/', ..] => 1,
            [quote, inner @ ..] => {
                let mut escaped = false;
                let end = inner.iter().position(|byte| {
                    let ends = byte == quote && !escaped;
                    escaped = *byte == b'\\' && !escaped;
                    ends
                });
                end.map_or(token.len(), |end| end + 2)
            }
            [] => break,
        };
        rest = &token[length..];
    }
    comments
}
