//! What an edit keeps.

use std::collections::HashMap;

use super::*;
use crate::model::Pointer;

fn set(text: &str, pointer: &str, value: &str) -> Result<String, EditError> {
    run(text, pointer, NewValue::Text(value))
}

fn run(text: &str, pointer: &str, value: NewValue<'_>) -> Result<String, EditError> {
    let pointer = Pointer::parse(pointer).map_err(|_| EditError::ChangesMore)?;
    let text = Text::decode(text.as_bytes()).map_err(EditError::Document)?;
    let edited = edit(&text, Syntax::Json5, &[Edit { pointer: &pointer, value }])?;
    Ok(String::from_utf8_lossy(&edited.encode()).into_owned())
}

const TOKEN: &str = "/gateway/remote/token";

#[test]
fn an_edit_changes_nothing_else() {
    let cases = [
        // comments, order, hexadecimal and big numbers, trailing commas
        (
            "{\n  // mine\n  \"big\": 9007199254740993, hex: 0xFF,\n  gateway: { /* r */ remote: { token: 'old', }, },\n}\n",
            "{\n  // mine\n  \"big\": 9007199254740993, hex: 0xFF,\n  gateway: { /* r */ remote: { token: 'new', }, },\n}\n",
        ),
        // CRLF
        (
            "{\r\n  \"gateway\": {\r\n    \"remote\": {\r\n      \"url\": \"ws://x\"\r\n    }\r\n  }\r\n}\r\n",
            "{\r\n  \"gateway\": {\r\n    \"remote\": {\r\n      \"url\": \"ws://x\",\r\n      \"token\": \"new\"\r\n    }\r\n  }\r\n}\r\n",
        ),
        // a byte-order mark
        (
            "\u{feff}{\"gateway\":{\"remote\":{\"token\":\"old\"}}}",
            "\u{feff}{\"gateway\":{\"remote\":{\"token\":\"new\"}}}",
        ),
        // one line stays one line
        (
            "{\"gateway\":{\"port\":1}}\n",
            "{\"gateway\":{\"port\":1,\"remote\":{\"token\":\"new\"}}}\n",
        ),
        (
            "{ \"gateway\": { \"port\": 1 }, \"a\": 1 }",
            "{ \"gateway\": { \"port\": 1, \"remote\": {\"token\": \"new\"} }, \"a\": 1 }",
        ),
        ("{\"a\":1.50}", "{\"a\":1.50,\"gateway\":{\"remote\":{\"token\":\"new\"}}}"),
        ("{\"a\":1,\"gateway\":{}}", "{\"a\":1,\"gateway\":{\"remote\":{\"token\":\"new\"}}}"),
        (
            "{ \"gateway\": { \"remote\": {} } }",
            "{ \"gateway\": { \"remote\": {\"token\": \"new\"} } }",
        ),
        ("{}", "{\"gateway\":{\"remote\":{\"token\":\"new\"}}}"),
        // tabs
        (
            "{\n\t\"a\": 1\n}",
            "{\n\t\"a\": 1,\n\t\"gateway\": {\n\t\t\"remote\": {\n\t\t\t\"token\": \"new\"\n\t\t}\n\t}\n}",
        ),
    ];
    for (before, after) in cases {
        assert_eq!(set(before, TOKEN, "new").as_deref().ok(), Some(after), "{before:?}");
    }
}

#[test]
fn a_removal_takes_the_comma_along() {
    let cases = [
        (
            "{\"gateway\":{\"remote\":{\"url\":\"x\",\"token\":\"old\"}}}",
            "{\"gateway\":{\"remote\":{\"url\":\"x\"}}}",
        ),
        (
            "{\"gateway\":{\"remote\":{\"token\":\"old\",\"url\":\"x\"}}}",
            "{\"gateway\":{\"remote\":{\"url\":\"x\"}}}",
        ),
        ("{\"gateway\":{\"remote\":{\"token\":\"old\"}}}", "{\"gateway\":{\"remote\":{}}}"),
        ("{\"gateway\":{}}", "{\"gateway\":{}}"),
        (
            "{\n  \"gateway\": {\n    \"remote\": {\n      \"url\": \"x\",\n      \"token\": \"old\"\n    }\n  }\n}\n",
            "{\n  \"gateway\": {\n    \"remote\": {\n      \"url\": \"x\"\n    }\n  }\n}\n",
        ),
    ];
    for (before, after) in cases {
        let removed = run(before, TOKEN, NewValue::Nothing);
        assert_eq!(removed.as_deref().ok(), Some(after), "{before:?}");
    }
}

#[test]
fn a_reference_takes_the_place_of_a_string() {
    let reference = serde_json::json!({"source": "env", "provider": "default", "id": "X"});
    let text = "{\"gateway\":{\"remote\":{\"token\":\"old\"}}}";
    let edited = run(text, TOKEN, NewValue::Json(&reference));
    assert_eq!(
        edited.as_deref().ok(),
        Some(r#"{"gateway":{"remote":{"token":{"source":"env","provider":"default","id":"X"}}}}"#)
    );
    let text = "{\n  \"gateway\": {\n    \"remote\": {\n      \"token\": \"old\"\n    }\n  }\n}\n";
    let edited = run(text, TOKEN, NewValue::Json(&reference)).unwrap_or_default();
    assert!(edited.contains("\"token\": {\n        \"source\": \"env\""), "{edited}");
    assert!(!edited.contains("old"), "{edited}");
}

/// Found by fuzzing: what was there already was laid out anew, and another digest with it.
#[test]
fn the_same_edit_again_changes_nothing() {
    let reference = serde_json::json!({"source": "env", "provider": "default", "id": "X"});
    let number = serde_json::json!(18789);
    for text in [
        "{\n  \"gateway\": {\n  \"e r mote\" :{\n      \"token\": \"old\"\n    }\n  }\n}\n",
        "{\r\n  \"gateway\": {  \n \r \"remote\": {\r\r\n    }\r\n  }\r\n}\r\n",
        "{gateway: {remote: {token: 'old'}}}",
    ] {
        for value in [NewValue::Text("new"), NewValue::Json(&reference), NewValue::Json(&number)] {
            let again = match &value {
                NewValue::Text(text) => NewValue::Text(text),
                NewValue::Json(json) => NewValue::Json(json),
                NewValue::Nothing => NewValue::Nothing,
            };
            let once = run(text, TOKEN, value).unwrap_or_default();
            assert!(!once.is_empty());
            assert_eq!(run(&once, TOKEN, again).ok().as_deref(), Some(once.as_str()), "{text:?}");
        }
    }
}

/// Found by fuzzing: a pointer of forty steps made a file of gigabytes.
#[test]
fn many_steps_at_once_make_no_large_file() {
    let text = "{\n //, , \n}";
    let pointer: String = (0..40).map(|step| format!("/{step}")).collect();
    let edited = set(text, &pointer, "new").unwrap_or_default();
    assert!(edited.contains("\"39\": \"new\"") && edited.contains("//, , "), "{edited}");
    assert!(edited.len() < 8000, "{} bytes", edited.len());
}

#[test]
fn every_token_comes_back_as_it_was() {
    let awkward = [
        "a\"b'c$HOME\\n`id`",
        "\"quoted\"",
        "tab\tnewline\n",
        "ünï\u{2028}\u{1f980}",
        "\\",
        "'",
        "\u{0}\u{7f}",
    ];
    for quote in ["\"", "'"] {
        for token in awkward {
            let text = format!("{{gateway: {{remote: {{token: {quote}old{quote}}}}}}}");
            let edited = set(&text, TOKEN, token).unwrap_or_default();
            let decoded = Text::decode(edited.as_bytes()).ok();
            let found = decoded
                .as_ref()
                .and_then(|text| Tree::parse(text, Syntax::Json5).ok())
                .map(|tree| {
                    let pointer = Pointer::parse(TOKEN).unwrap_or_else(|_| unreachable!());
                    let parts = [Part { tree, includes: HashMap::new() }];
                    match find(&parts, None, &pointer).found {
                        Found::Text(text) => text.to_owned(),
                        _ => String::new(),
                    }
                });
            assert_eq!(found.as_deref(), Some(token), "{edited:?}");
        }
    }
}

#[test]
fn what_cannot_be_edited_says_why() {
    let says = |text: &str| set(text, TOKEN, "new").err().map(|error| error.to_string());
    assert_eq!(says("{\"gateway\":\"x\"}").as_deref(), Some("`gateway` is not an object"));
    assert_eq!(says("").as_deref(), Some("the file is empty"));
    assert_eq!(says("[]").as_deref(), Some("expected an object"));
    assert_eq!(says("{\"a\":1 \"b\":2}").as_deref(), Some("expected comma"));
    assert_eq!(
        says("{\"gateway\":{},\"gateway\":{}}").as_deref(),
        Some("the key `gateway` stands twice in one object")
    );
}

#[test]
fn what_the_languages_do_not_have_is_refused() {
    let says = |text: &str, syntax| {
        let text = Text::decode(text.as_bytes()).ok()?;
        Tree::parse(&text, syntax).err().map(|error| error.message)
    };
    let json5 = |text| says(text, Syntax::Json5);
    assert_eq!(json5("{a: 'one\ntwo'}").as_deref(), Some("a string goes over the end of the line"));
    assert_eq!(json5("{a: 'one\\\ntwo', b: \"x\\\r\ny\"}"), None);
    assert_eq!(json5("{foo-bar: 1}").as_deref(), Some("a key that is no identifier needs quotes"));
    assert_eq!(json5("{1: 2}").as_deref(), Some("a key that is no identifier needs quotes"));
    assert_eq!(json5("{$a_1: 2, \u{fc}b: 3, 'x-y': 4}"), None);
    let separator = "a line separator (U+2028 or U+2029) outside a string";
    assert_eq!(json5("{a: 1, // x\u{2028} b: 2\n}").as_deref(), Some(separator));
    assert_eq!(json5("{a: 'x\u{2028}y'}"), None);
    // What a parser says of a string may hold a part of it.
    assert_eq!(json5(r#"{"a": "\ud83e"}"#).as_deref(), Some("a string cannot be read"));
    assert_eq!(says("{\"a\": \"x\ty\"}", Syntax::Json).as_deref(), Some("this is no JSON"));
    assert!(says("{\"a\": 01}", Syntax::Json).is_some());
    assert_eq!(says("{\"a\": 1.50e3}", Syntax::Json), None);
}

#[test]
fn errors_say_where() {
    let error = |text: &[u8]| {
        let text = Text::decode(text)?;
        Tree::parse(&text, Syntax::Json5).map(|_| ())
    };
    assert_eq!(error(b"{\n \"a\": }").err().and_then(|e| e.at), Some((2, 7)));
    assert_eq!(error(b"{\"a\":1,\n\"a\":2}").err().and_then(|e| e.at), Some((2, 1)));
    assert_eq!(error(b"{\n\"\xff\"").err().and_then(|e| e.at), Some((2, 2)));
}
