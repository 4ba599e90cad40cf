//! Writes what came out into the text of a case.

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstRootNode},
};
use serde_json::Value;

use super::{CaseError, Recording, Source};

/// The text of a case's file with what came out in the place of `"expect": "record"`; everything else
/// stays as it is written.
///
/// # Errors
///
/// Where the file is no longer the one that was read.
pub fn record(source: &Source, text: &str, recording: &Recording) -> Result<String, CaseError> {
    let error = |message: &str| CaseError::new(&source.path, source.line, message.to_owned());
    let expect = serde_json::to_value(&recording.expect).unwrap_or_default();
    let set = |document: &str| {
        let root = CstRootNode::parse(document, &ParseOptions::default())
            .map_err(|error| error.to_string())?;
        let property = root.object_value().and_then(|object| object.get("expect"));
        let property = property.ok_or_else(|| "it has no `expect` any more".to_owned())?;
        property.set_value(input(&expect));
        Ok::<_, String>(root.to_string())
    };
    let Some(line) = source.line else {
        return set(text).map_err(|message| error(&message));
    };
    let mut lines: Vec<String> = text.split('\n').map(ToOwned::to_owned).collect();
    let at = lines.get_mut(line - 1).ok_or_else(|| error("the line is gone"))?;
    let mut document: Value =
        serde_json::from_str(at).map_err(|reason| error(&reason.to_string()))?;
    let Some(old) = document.get_mut("expect") else {
        return Err(error("it has no `expect` any more"));
    };
    *old = expect;
    *at = document.to_string();
    Ok(lines.join("\n"))
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(list) => CstInputValue::Array(list.iter().map(input).collect()),
        Value::Object(map) => CstInputValue::Object(
            map.iter().map(|(key, value)| (key.clone(), input(value))).collect(),
        ),
    }
}
