//! An input taken apart.

use crate::{document::Syntax, model::Pointer};

/// What ends the line of the pointer and the value: an editor's corpus is real files with a line of
/// their own before them, or just as they are.
const SEPARATOR: u8 = 0x1e;

/// A document, and what is to stand where in it.
pub(super) struct Input<'b> {
    pub(super) pointer: Pointer,
    pub(super) value: String,
    pub(super) document: &'b [u8],
}

impl<'b> Input<'b> {
    /// Reads `POINTER`, a line feed, `VALUE`, the separator, `DOCUMENT`; the document alone where there
    /// is no separator.
    pub(super) fn of(bytes: &'b [u8], syntax: Syntax) -> Self {
        let usual = match syntax {
            Syntax::Json | Syntax::Json5 => "/gateway/remote/token",
            Syntax::Unit => "/Service/Environment/OPENCLAW_GATEWAY_TOKEN",
            Syntax::Plist => "/EnvironmentVariables/OPENCLAW_GATEWAY_TOKEN",
            Syntax::Dotenv | Syntax::EnvironmentFile => "/OPENCLAW_GATEWAY_TOKEN",
        };
        let at = bytes.iter().position(|byte| *byte == SEPARATOR);
        let (head, document) = match at {
            Some(at) => (String::from_utf8_lossy(&bytes[..at]), &bytes[at + 1..]),
            None => (usual.into(), bytes),
        };
        let (pointer, value) = head.split_once('\n').unwrap_or((&head, "canary-value"));
        let pointer = Pointer::parse(pointer)
            .or_else(|_| Pointer::parse(usual))
            .expect("the usual pointer is one");
        let again = Pointer::parse(&pointer.to_string());
        assert_eq!(again.as_ref(), Ok(&pointer), "a pointer does not read back");
        Self { pointer, value: value.to_owned(), document }
    }

    /// Checks that a message tells nothing of the document or the value.
    pub(super) fn keeps_secret(&self, message: &str) {
        // A key's name is told, and so is the pointer: neither is a secret.
        let told = without_key(message);
        let pointer = self.pointer.dotted();
        let document = String::from_utf8_lossy(self.document);
        for text in [&*document, &self.value] {
            for (at, _) in text.match_indices("canary-") {
                let rest = &text[at..];
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
                let secret = &rest[..end.unwrap_or(rest.len())];
                let known = secret.len() < 9 || pointer.contains(secret);
                assert!(known || !told.contains(secret), "`{secret}` is told: {message}");
            }
        }
    }
}

/// A message without the name of a key in it.
fn without_key(message: &str) -> String {
    let key = "key `";
    match (message.find(key), message.rfind('`')) {
        (Some(start), Some(end)) if start + key.len() <= end => {
            [&message[..start], &message[end..]].concat()
        }
        _ => message.to_owned(),
    }
}
