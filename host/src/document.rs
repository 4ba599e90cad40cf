//! JSON and JSON5 documents: read by pointer, edited in place.
//!
//! A document keeps its comments, order, quotes, numbers, line ends and byte-order mark. One that
//! does not parse, or in which a key stands twice, is never edited: readers would not agree on what
//! it says.

mod edit;
mod strict;
mod tree;

#[cfg(test)]
pub(crate) use edit::EditError;
pub(crate) use edit::{Edit, NewValue, edit};
pub use tree::Syntax;
pub(crate) use tree::{Found, Tree, text_of};

use zeroize::Zeroizing;

use crate::model::Fault;

const BOM: &str = "\u{feff}";

/// Why a document cannot be used, and where. Holds nothing of the document's text but a key's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentError {
    pub(crate) fault: Fault,
    pub(crate) message: String,
    /// Line and column, from 1.
    pub(crate) at: Option<(usize, usize)>,
}

/// A document's text without its byte-order mark. Zeroized on drop.
pub(crate) struct Text {
    bom: bool,
    text: Zeroizing<String>,
}

impl Text {
    /// Decodes a file's bytes.
    ///
    /// # Errors
    ///
    /// Where they are no UTF-8.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DocumentError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            DocumentError {
                fault: Fault::Syntax,
                message: "not UTF-8".to_owned(),
                at: Some(line_and_column(&String::from_utf8_lossy(before), usize::MAX)),
            }
        })?;
        let (bom, text) = match text.strip_prefix(BOM) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Ok(Self { bom, text: Zeroizing::new(text.to_owned()) })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The bytes of the file, with the byte-order mark that it had.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let bom = if self.bom { BOM } else { "" };
        let mut bytes = Zeroizing::new(Vec::with_capacity(bom.len() + self.text.len()));
        bytes.extend_from_slice(bom.as_bytes());
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }
}

/// Line and column of a byte offset, from 1; columns count characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
