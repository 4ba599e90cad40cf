//! What a JSON Schema says of a value: the keywords that settings need. What it does not know it
//! lets pass, for the policy has the last word.

use serde_json::Value;

/// What is wrong, and at which JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) pointer: String,
    pub(super) message: String,
}

/// Everything in the value that the schema forbids.
pub(super) fn faults(schema: &Value, value: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    look(schema, value, "", &mut found);
    found
}

/// The pointer one step further.
pub(super) fn step(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn look(schema: &Value, value: &Value, pointer: &str, found: &mut Vec<Fault>) {
    let mut fault = |pointer: &str, message: String| {
        found.push(Fault { pointer: pointer.to_owned(), message });
    };
    let kinds = listed(schema.get("type"));
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(value, kind)) {
        let kinds: Vec<String> = kinds.iter().map(|kind| plain(kind)).collect();
        fault(pointer, format!("{value} is no {}", kinds.join(" or ")));
        return;
    }
    let allowed = match schema.get("const") {
        Some(only) => vec![only],
        None => schema.get("enum").map(|values| listed(Some(values))).unwrap_or_default(),
    };
    if !allowed.is_empty() && !allowed.contains(&value) {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        fault(pointer, format!("{value} is not allowed, expected {}", allowed.join(" or ")));
    }
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64).zip(value.as_f64());
    if let Some((least, _)) = bound("minimum").filter(|(least, given)| given < least) {
        fault(pointer, format!("{value} is too small, {least} is the least"));
    }
    if let Some((most, _)) = bound("maximum").filter(|(most, given)| given > most) {
        fault(pointer, format!("{value} is too large, {most} is the most"));
    }
    if let Some(given) = value.as_object() {
        let known = schema.get("properties").and_then(Value::as_object);
        for key in listed(schema.get("required")).into_iter().filter_map(Value::as_str) {
            if !given.contains_key(key) {
                fault(pointer, format!("`{key}` is missing"));
            }
        }
        for (key, value) in given {
            match known.and_then(|known| known.get(key)) {
                Some(schema) => look(schema, value, &step(pointer, key), found),
                None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                    let known: Vec<&str> =
                        known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                    let expected = match known.as_slice() {
                        [] => "there are none".to_owned(),
                        known => format!("expected `{}`", known.join("` or `")),
                    };
                    let message = format!("unknown setting `{key}`, {expected}");
                    found.push(Fault { pointer: step(pointer, key), message });
                }
                None => {}
            }
        }
    }
    if let (Some(schema), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            look(schema, value, &step(pointer, &index.to_string()), found);
        }
    }
}

/// One or several, as `type` may be either.
fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn plain(kind: &Value) -> String {
    kind.as_str().map_or_else(|| kind.to_string(), ToOwned::to_owned)
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("null") => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_keyword_has_its_place() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "mode": {"enum": ["a", "b"]},
                "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 30},
                "hosts": {"type": "array", "items": {"type": "string"}},
            },
        });
        let found = |settings: Value| -> Vec<(String, String)> {
            let faults = faults(&schema, &settings).into_iter();
            faults.map(|fault| (fault.pointer, fault.message)).collect()
        };
        for (settings, pointer, says) in [
            (json!({}), "", "`name` is missing"),
            (json!({"name": 1}), "/name", "1 is no string"),
            (json!({"name": "x", "mode": "c"}), "/mode", "expected \"a\" or \"b\""),
            (json!({"name": "x", "days": 0}), "/days", "1 is the least"),
            (json!({"name": "x", "days": 31}), "/days", "30 is the most"),
            (json!({"name": "x", "days": 1.5}), "/days", "1.5 is no integer or null"),
            (json!({"name": "x", "hosts": ["a", 2]}), "/hosts/1", "2 is no string"),
            (json!({"name": "x", "a/b": 1}), "/a~1b", "unknown setting `a/b`"),
        ] {
            let found = found(settings);
            let fits = |(at, message): &(String, String)| at == pointer && message.contains(says);
            assert!(found.len() == 1 && found.iter().all(fits), "{pointer}: {found:?}");
        }
        assert_eq!(found(json!({"name": "x", "mode": "a", "days": null, "hosts": []})), []);
    }
}
