//! OpenClaw's protocol for a command that gives out secrets, version 1: one request, one answer.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// Bytes of the longest request that OpenClaw makes, unless its configuration says otherwise.
pub(super) const LONGEST: u64 = 256 * 1024;

/// How many ids OpenClaw asks for at once, unless its configuration says otherwise.
const MOST_IDS: usize = 512;

/// Characters of the longest id.
const LONGEST_ID: usize = 256;

/// Who asks for what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The provider as which the configuration knows us.
    pub(super) provider: String,
    /// What it asks for: each the name of a credential, or `CONSUMER/CREDENTIAL`.
    pub(super) ids: Vec<String>,
}

/// Why a request is none. Says nothing of what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error("the request has more than {LONGEST} bytes; ask for fewer ids at once")]
    TooLong,
    #[error("the request asks for more than {MOST_IDS} ids; ask for fewer at once")]
    TooMany,
    #[error("no request came on standard input; {EXPECTED}")]
    Nothing,
    #[error("the request is no JSON (line {0}, column {1}); {EXPECTED}")]
    NoJson(usize, usize),
    #[error("the request is no object; {EXPECTED}")]
    NoObject,
    #[error(
        "the request speaks another version of the protocol, and this is {VERSION}; {EXPECTED}"
    )]
    Version,
    #[error("the request has no {0}; {EXPECTED}")]
    Lacks(&'static str),
}

const EXPECTED: &str = r#"expected {"protocolVersion":1,"provider":"NAME","ids":["gateway-token"]}, as OpenClaw sends it"#;

impl Request {
    /// Reads a request. What else stands in it is for later versions of OpenClaw.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() as u64 > LONGEST {
            return Err(RequestError::TooLong);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(RequestError::Nothing);
        }
        let document: Value = serde_json::from_slice(bytes)
            .map_err(|error| RequestError::NoJson(error.line(), error.column()))?;
        let request = document.as_object().ok_or(RequestError::NoObject)?;
        if request.get("protocolVersion").and_then(Value::as_f64) != Some(VERSION.into()) {
            return Err(RequestError::Version);
        }
        let provider = request.get("provider").and_then(Value::as_str);
        let provider = provider.filter(|name| !name.is_empty());
        let ids = request.get("ids").and_then(Value::as_array);
        let ids = ids.filter(|ids| !ids.is_empty()).and_then(|ids| {
            ids.iter().map(|id| id.as_str().map(ToOwned::to_owned)).collect::<Option<Vec<_>>>()
        });
        let request = Self {
            provider: provider.ok_or(RequestError::Lacks("`provider`, a name"))?.to_owned(),
            ids: ids.ok_or(RequestError::Lacks("`ids`, a list of at least one text"))?,
        };
        if request.ids.len() > MOST_IDS { Err(RequestError::TooMany) } else { Ok(request) }
    }
}

/// What an id asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted<'i> {
    pub(super) consumer: &'i str,
    pub(super) credential: &'i str,
}

impl<'i> Wanted<'i> {
    /// What an id asks for, of the credentials that there are; none where OpenClaw would not take it for
    /// an id. The name of a credential may hold a `/` of its own.
    pub(super) fn of(id: &'i str, consumer: &'i str, credentials: &[String]) -> Option<Self> {
        if !is_id(id) {
            return None;
        }
        let whole = (consumer, id);
        let is_known = credentials.iter().any(|name| name == id);
        let parts = id.split_once('/').filter(|_| !is_known);
        let (consumer, credential) = parts.unwrap_or(whole);
        Some(Self { consumer, credential })
    }

    /// An id for messages: as it is, or that it is none.
    pub(super) fn shown(id: &str) -> &str {
        if is_id(id) { id } else { "an id" }
    }
}

fn is_id(id: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "._:/#-".contains(c);
    id.len() <= LONGEST_ID
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(inner)
}

/// Why there is no value for an id.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    /// The fault of an id that is none.
    pub(super) fn of_id() -> Self {
        let message = "not an id, expected the name of a credential, such as gateway-token, or CONSUMER/CREDENTIAL";
        Self { code: "INVALID_ID", message: message.to_owned() }
    }
}

/// What each id comes to. Holds secrets, and so shows nothing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    protocol_version: u8,
    values: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<&'a str, Fault>,
}

impl Default for Answer<'_> {
    fn default() -> Self {
        Self { protocol_version: VERSION, values: BTreeMap::new(), errors: BTreeMap::new() }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn give(&mut self, id: &'a str, secret: &'a str) {
        self.values.insert(id, secret);
    }

    pub(super) fn refuse(&mut self, id: &'a str, fault: Fault) {
        self.errors.insert(id, fault);
    }

    /// The document, ended by a line feed.
    pub(super) fn into_bytes(self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        serde_json::to_writer(&mut *bytes, &self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_are_none() {
        let (provider, ids) = ("`provider`, a name", "`ids`, a list of at least one text");
        let long = " ".repeat(LONGEST as usize + 1);
        let many = vec!["\"a\""; MOST_IDS + 1].join(",");
        let many = format!(r#"{{"protocolVersion":1,"provider":"p","ids":[{many}]}}"#);
        let rows = [
            ("", RequestError::Nothing),
            (" \n", RequestError::Nothing),
            ("{", RequestError::NoJson(1, 1)),
            ("\n canary-token", RequestError::NoJson(2, 2)),
            (r#"{"protocolVersion":1} x"#, RequestError::NoJson(1, 23)),
            ("[1]", RequestError::NoObject),
            (r#""canary-token""#, RequestError::NoObject),
            ("{}", RequestError::Version),
            (r#"{"protocolVersion":"1","provider":"p","ids":["a"]}"#, RequestError::Version),
            (r#"{"protocolVersion":2,"provider":"p","ids":["a"]}"#, RequestError::Version),
            (r#"{"protocolVersion":1,"ids":["a"]}"#, RequestError::Lacks(provider)),
            (r#"{"protocolVersion":1,"provider":"","ids":["a"]}"#, RequestError::Lacks(provider)),
            (r#"{"protocolVersion":1,"provider":7,"ids":["a"]}"#, RequestError::Lacks(provider)),
            (r#"{"protocolVersion":1,"provider":"p"}"#, RequestError::Lacks(ids)),
            (r#"{"protocolVersion":1,"provider":"p","ids":[]}"#, RequestError::Lacks(ids)),
            (r#"{"protocolVersion":1,"provider":"p","ids":"a"}"#, RequestError::Lacks(ids)),
            (r#"{"protocolVersion":1,"provider":"p","ids":["a",1]}"#, RequestError::Lacks(ids)),
            (long.as_str(), RequestError::TooLong),
            (many.as_str(), RequestError::TooMany),
        ];
        for (text, error) in rows {
            assert_eq!(Request::read(text.as_bytes()), Err(error), "{text:.60}");
        }
        assert!(matches!(Request::read(&[0xff, 0xfe]), Err(RequestError::NoJson(..))));
    }

    #[test]
    fn what_a_later_openclaw_adds_is_no_fault() {
        let text = r#"{"protocolVersion":1.0,"provider":"p","ids":["a","b/c"],"more":{"x":1}}"#;
        let ids = vec!["a".to_owned(), "b/c".to_owned()];
        let request = Request { provider: "p".to_owned(), ids };
        assert_eq!(Request::read(text.as_bytes()), Ok(request));
    }

    #[test]
    fn ids_name_a_credential_and_maybe_a_program() {
        let known = ["gateway-token".to_owned(), "oauth:openai/work".to_owned()];
        let (longest, longer) = ("a".repeat(LONGEST_ID), "a".repeat(LONGEST_ID + 1));
        for (id, wanted) in [
            ("gateway-token", ("gateway", "gateway-token")),
            ("cli/gateway-token", ("cli", "gateway-token")),
            ("oauth:openai/work", ("gateway", "oauth:openai/work")),
            ("cli/oauth:openai/work", ("cli", "oauth:openai/work")),
            (longest.as_str(), ("gateway", longest.as_str())),
        ] {
            let found = Wanted::of(id, "gateway", &known).map(|of| (of.consumer, of.credential));
            assert_eq!(found, Some(wanted));
            assert_eq!(Wanted::shown(id), id);
        }
        for id in ["", "/", "-a", "a b", "a\u{1b}[2J", "ä", longer.as_str()] {
            assert_eq!(Wanted::of(id, "gateway", &known), None, "{id}");
            assert_eq!(Wanted::shown(id), "an id");
        }
    }

    #[test]
    fn an_answer_without_faults_has_no_place_for_them() {
        let text = |answer: Answer<'_>| {
            let bytes = answer.into_bytes().map(|bytes| bytes.to_vec());
            bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
        };
        let mut answer = Answer::default();
        answer.give("a", "canary-\"1");
        let given = r#"{"protocolVersion":1,"values":{"a":"canary-\"1"}}"#;
        assert_eq!(text(answer), format!("{given}\n"));

        let mut answer = Answer::default();
        answer.refuse("a", Fault { code: "NOT_FOUND", message: "why".to_owned() });
        let refused = r#"{"protocolVersion":1,"values":{},"errors":{"a":{"code":"NOT_FOUND","message":"why"}}}"#;
        assert_eq!(text(answer), format!("{refused}\n"));
    }
}
