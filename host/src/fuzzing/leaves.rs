//! Everything that a document says.
//!
//! Read by others than the editor where there are any: `serde_json`, the parser without our rules, the
//! crate `plist`. What has no other reader is read variable by variable, for every name that the text
//! could be setting.

use std::{collections::BTreeSet, ops::Range};

use jsonc_parser::{CollectOptions, ParseOptions, ast::Value, common::Ranged, parse_to_ast};

use crate::{
    document::{self, Syntax},
    model::Pointer,
};

/// A value that is no object, and the steps to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    pub(super) value: String,
}

/// All leaves in order; none where the document cannot be read.
pub(super) fn of(bytes: &[u8], syntax: Syntax) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    match syntax {
        Syntax::Json | Syntax::Json5 => {
            let text = std::str::from_utf8(bytes).ok()?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            json5(&parse(text)?, &mut Vec::new(), &mut leaves);
        }
        Syntax::Plist => {
            // By what it starts with, the crate would take no list without its outermost element.
            let value = match bytes.starts_with(b"bplist") {
                true => plist::Value::from_reader(std::io::Cursor::new(bytes)),
                false => plist::Value::from_reader_xml(std::io::Cursor::new(bytes)),
            };
            let value = value.ok()?;
            property_list(&value, &mut Vec::new(), &mut leaves);
        }
        Syntax::Dotenv | Syntax::EnvironmentFile | Syntax::Unit => {
            variables(bytes, syntax, &mut leaves)?;
        }
    }
    Some(leaves)
}

/// All leaves of a JSON document as `serde_json` reads it, which takes no number that is too large.
pub(super) fn by_another_reader(bytes: &[u8]) -> Option<Vec<Leaf>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value = serde_json::from_slice(bytes).ok()?;
    let mut leaves = Vec::new();
    json(&value, &mut Vec::new(), &mut leaves);
    Some(leaves)
}

/// Where the string at a pointer stands in a JSON5 text.
pub(super) fn string_at(text: &str, pointer: &Pointer) -> Option<Range<usize>> {
    let root = parse(text)?;
    let mut value = &root;
    for step in pointer.steps() {
        let Value::Object(object) = value else { return None };
        value = &object.properties.iter().find(|p| p.name.as_str() == step)?.value;
    }
    matches!(value, Value::StringLit(_)).then(|| value.range().start..value.range().end)
}

fn parse(text: &str) -> Option<Value<'_>> {
    parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok()?.value
}

fn leaf(path: &[String], value: String) -> Leaf {
    Leaf { path: path.to_vec(), value }
}

fn json(value: &serde_json::Value, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    match value {
        serde_json::Value::Object(map) => {
            leaves.push(leaf(path, "{}".to_owned()));
            for (key, value) in map {
                path.push(key.clone());
                json(value, path, leaves);
                path.pop();
            }
        }
        other => leaves.push(leaf(path, other.to_string())),
    }
}

fn json5(value: &Value<'_>, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    match value {
        Value::Object(object) => {
            leaves.push(leaf(path, "{}".to_owned()));
            for property in &object.properties {
                path.push(property.name.as_str().to_owned());
                json5(&property.value, path, leaves);
                path.pop();
            }
        }
        Value::Array(array) => {
            leaves.push(leaf(path, format!("[{}]", array.elements.len())));
            for (index, element) in array.elements.iter().enumerate() {
                // No pointer has an empty step, so that none leads into an array.
                path.extend([String::new(), index.to_string()]);
                json5(element, path, leaves);
                path.truncate(path.len() - 2);
            }
        }
        // As `serde_json` writes it, so that both are read back alike.
        Value::StringLit(text) => {
            leaves.push(leaf(path, serde_json::Value::from(&*text.value).to_string()));
        }
        Value::NumberLit(number) => leaves.push(leaf(path, number.value.to_owned())),
        Value::BooleanLit(boolean) => leaves.push(leaf(path, boolean.value.to_string())),
        Value::NullKeyword(_) => leaves.push(leaf(path, "null".to_owned())),
    }
}

fn property_list(value: &plist::Value, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    match value {
        plist::Value::Dictionary(entries) => {
            leaves.push(leaf(path, "{}".to_owned()));
            for (key, value) in entries {
                path.push(key.clone());
                property_list(value, path, leaves);
                path.pop();
            }
        }
        plist::Value::Array(items) => {
            leaves.push(leaf(path, format!("[{}]", items.len())));
            for (index, item) in items.iter().enumerate() {
                path.extend([String::new(), index.to_string()]);
                property_list(item, path, leaves);
                path.truncate(path.len() - 2);
            }
        }
        plist::Value::String(text) => {
            leaves.push(leaf(path, serde_json::Value::from(text.as_str()).to_string()));
        }
        plist::Value::Real(real) => leaves.push(leaf(path, format!("real {:x}", real.to_bits()))),
        other => leaves.push(leaf(path, format!("{other:?}"))),
    }
}

/// Every variable that a text may be setting, and every key of a unit. None where the text cannot be
/// read at all; a single name that cannot be read is a leaf that says so.
fn variables(bytes: &[u8], syntax: Syntax, leaves: &mut Vec<Leaf>) -> Option<()> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    // A name stands before a sign, perhaps with space between.
    let names: BTreeSet<&str> = text
        .match_indices(['=', ':'])
        .filter_map(|(at, _)| {
            let before = text[..at].trim_end();
            let start = before
                .rfind(|c| !is_name(c))
                .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
            (start < before.len()).then(|| &before[start..])
        })
        .collect();
    let sections: BTreeSet<&str> = text
        .match_indices('[')
        .filter_map(|(at, _)| text[at + 1..].split(']').next())
        .filter(|name| !name.is_empty() && !name.contains('\n'))
        .collect();
    let mut paths: Vec<Vec<String>> = Vec::new();
    if syntax == Syntax::Unit {
        for section in sections {
            for name in &names {
                paths.push(vec![section.to_owned(), (*name).to_owned()]);
                let variable = ["Environment", name].map(ToOwned::to_owned);
                paths.push([vec![section.to_owned()], variable.to_vec()].concat());
            }
        }
        // All of a line is no leaf of its own: its variables are.
        paths.retain(|path| path.len() == 3 || path[1] != "Environment");
    } else {
        paths.extend(names.into_iter().map(|name| vec![name.to_owned()]));
    }
    let pointers: Option<Vec<Pointer>> = paths.iter().map(|path| pointer(path)).collect();
    let pointers = pointers?;
    let value = |value: &str| serde_json::Value::from(value).to_string();
    if let Ok(all) = document::texts(bytes, syntax, pointers.iter()) {
        leaves.extend(
            paths.iter().zip(all).filter_map(|(path, (_, found))| Some(leaf(path, value(&found?)))),
        );
        return Some(());
    }
    // One that cannot be read keeps none from being read.
    for (path, pointer) in paths.iter().zip(&pointers) {
        match document::texts(bytes, syntax, std::iter::once(pointer)) {
            Ok(found) => {
                let found = found.into_iter().next().and_then(|(_, value)| value);
                leaves.extend(found.map(|found| leaf(path, value(&found))));
            }
            Err(error) => leaves.push(leaf(path, format!("unreadable: {}", error.message))),
        }
    }
    Some(())
}

fn pointer(path: &[String]) -> Option<Pointer> {
    let steps: Vec<String> =
        path.iter().map(|step| step.replace('~', "~0").replace('/', "~1")).collect();
    Pointer::parse(&format!("/{}", steps.join("/"))).ok()
}
