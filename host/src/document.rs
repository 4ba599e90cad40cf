//! The files that hold copies: read by pointer, edited in place.
//!
//! A file keeps its comments, order, quotes, numbers, line ends and byte-order mark. One that does
//! not parse, or in which a key stands twice where that is no way to write it, is never edited:
//! readers would not agree on what it says. Every edit is read back, and refused if the new text
//! says more or less than was asked.
//!
//! | module | what |
//! |---|---|
//! | `json` | JSON and JSON5 |
//! | `dotenv` | `.env` files, as the package `dotenv` reads them |
//! | `envfile` | `EnvironmentFile=` of a unit, as systemd reads it |
//! | `plist` | property lists of launchd |
//! | `unit` | units of systemd |

pub(crate) mod dotenv;
pub(crate) mod envfile;
pub(crate) mod json;
#[cfg(feature = "launchd")]
pub(crate) mod plist;
mod unit;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{Fault, LocationKind, Pointer};

pub(crate) use unit::{Specifiers, Step, Unit};

const BOM: &str = "\u{feff}";

/// What a document may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Syntax {
    /// JSON, by RFC 8259.
    Json,
    /// JSON5: comments, trailing commas, single quotes, bare keys.
    #[default]
    Json5,
    /// A `.env` file, as the package `dotenv` reads it; a pointer is `/NAME`.
    Dotenv,
    /// A file that a unit names by `EnvironmentFile=`; a pointer is `/NAME`.
    EnvironmentFile,
    /// A unit of systemd; a pointer is `/Section/Key`, or `/Service/Environment/NAME`.
    Unit,
    /// A property list of launchd, XML or binary.
    Plist,
}

impl Syntax {
    /// What sort of place a value in it is.
    #[must_use]
    pub fn kind(self) -> LocationKind {
        match self {
            Self::Json | Self::Json5 => LocationKind::Document,
            Self::Dotenv | Self::EnvironmentFile => LocationKind::Dotenv,
            Self::Unit => LocationKind::Unit,
            Self::Plist => LocationKind::Plist,
        }
    }

    /// Whether it is a tree that can hold references and go on in other files.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Json5)
    }
}

/// Why a document cannot be used, and where. Holds nothing of the document's text but a key's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentError {
    pub(crate) fault: Fault,
    pub(crate) message: String,
    /// Line and column, from 1.
    pub(crate) at: Option<(usize, usize)>,
}

/// Why a text cannot be read or edited. Holds nothing of the text but names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Broken {
    pub(crate) message: String,
    /// Where, in bytes.
    pub(crate) offset: Option<usize>,
}

impl Broken {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), offset: None }
    }

    pub(crate) fn at(offset: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), offset: Some(offset) }
    }

    fn in_text(self, text: &str) -> DocumentError {
        DocumentError {
            fault: Fault::Syntax,
            message: self.message,
            at: self.offset.map(|offset| line_and_column(text, offset)),
        }
    }
}

/// Why a document was not edited.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    #[error("{}", .0.message)]
    Document(DocumentError),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("`{0}` is not an object")]
    NotAnObject(String),
    #[error("the edited text would not say the same everywhere else")]
    ChangesMore,
}

/// One edit.
pub(crate) struct Edit<'e> {
    pub(crate) pointer: &'e Pointer,
    pub(crate) value: NewValue<'e>,
}

/// What is to stand at the pointer.
pub(crate) enum NewValue<'e> {
    Text(&'e str),
    /// Any JSON value that is no secret: a reference, a number.
    Json(&'e serde_json::Value),
    Nothing,
}

/// What stands at a pointer of a document that is no tree.
type TextAt<'p> = (&'p Pointer, Option<Zeroizing<String>>);

/// The texts at some pointers of a document that is no tree; none where nothing stands.
///
/// # Errors
///
/// The first thing that is wrong, and where.
pub(crate) fn texts<'p>(
    bytes: &[u8],
    syntax: Syntax,
    pointers: impl Iterator<Item = &'p Pointer>,
) -> Result<Vec<TextAt<'p>>, DocumentError> {
    if syntax == Syntax::Plist {
        let find = |pointer: &'p Pointer| Ok((pointer, plist_text(bytes, pointer)?));
        return pointers.map(find).collect();
    }
    let text = Text::decode(bytes)?;
    let text = text.as_str();
    if syntax == Syntax::Unit {
        let unit = Unit::parse(text)?;
        return Ok(pointers.map(|pointer| (pointer, unit.find(pointer))).collect());
    }
    let find = |pointer: &'p Pointer| {
        let name = name_of(pointer).map_err(|broken| broken.in_text(text))?;
        let found = match syntax {
            Syntax::EnvironmentFile => envfile::find(text, name),
            _ => dotenv::find(text, name),
        };
        Ok((pointer, found.map_err(|broken| broken.in_text(text))?))
    };
    pointers.map(find).collect()
}

/// The bytes of a document after some edits.
///
/// # Errors
///
/// Where the document does not parse, cannot say what is asked, or would say something else
/// elsewhere.
pub(crate) fn edited(
    bytes: &[u8],
    syntax: Syntax,
    edits: &[Edit<'_>],
) -> Result<Zeroizing<Vec<u8>>, EditError> {
    if syntax == Syntax::Plist {
        return edits.iter().try_fold(Zeroizing::new(bytes.to_vec()), |bytes, edit| {
            Ok(plist_with(&bytes, edit.pointer, text_of_edit(edit)?)?)
        });
    }
    let text = Text::decode(bytes).map_err(EditError::Document)?;
    if syntax.is_json() {
        return Ok(json::edit(&text, syntax, edits)?.encode());
    }
    let edited = edits.iter().try_fold(text, |text, edit| -> Result<Text, EditError> {
        let value = text_of_edit(edit)?;
        let new = match syntax {
            Syntax::Unit => {
                let unit = Unit::parse(text.as_str()).map_err(EditError::Document)?;
                unit.set(edit.pointer, value)?
            }
            Syntax::EnvironmentFile => envfile::set(text.as_str(), name_of(edit.pointer)?, value)?,
            _ => dotenv::set(text.as_str(), name_of(edit.pointer)?, value)?,
        };
        Ok(Text { bom: text.bom, text: new })
    })?;
    Ok(edited.encode())
}

/// The words of the command that a service's definition starts.
pub(crate) fn command(bytes: &[u8], syntax: Syntax) -> Vec<String> {
    match syntax {
        Syntax::Unit => {
            let text = Text::decode(bytes).ok();
            let unit = text.as_ref().and_then(|text| Unit::parse(text.as_str()).ok());
            let start = Pointer::parse("/Service/ExecStart").ok();
            let command = unit.zip(start).and_then(|(unit, start)| unit.find(&start));
            let words = command.iter().flat_map(|command| command.split_ascii_whitespace());
            words.map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
        }
        #[cfg(feature = "launchd")]
        Syntax::Plist => plist::strings(bytes, &["ProgramArguments"]).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn text_of_edit<'e>(edit: &Edit<'e>) -> Result<Option<&'e str>, Broken> {
    match edit.value {
        NewValue::Text(text) => Ok(Some(text)),
        NewValue::Nothing => Ok(None),
        NewValue::Json(_) => Err(Broken::new("its readers know no reference and no number")),
    }
}

fn name_of(pointer: &Pointer) -> Result<&str, Broken> {
    match pointer.steps() {
        [name] => Ok(name),
        _ => Err(Broken::new("a pointer into a file of variables is `/NAME`")),
    }
}

#[cfg(feature = "launchd")]
fn plist_text(bytes: &[u8], pointer: &Pointer) -> Result<Option<Zeroizing<String>>, DocumentError> {
    let steps: Vec<&str> = pointer.steps().iter().map(String::as_str).collect();
    plist::find(bytes, &steps).map_err(|broken| broken.in_text(&String::from_utf8_lossy(bytes)))
}

#[cfg(feature = "launchd")]
fn plist_with(
    bytes: &[u8],
    pointer: &Pointer,
    value: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let steps: Vec<&str> = pointer.steps().iter().map(String::as_str).collect();
    plist::set(bytes, &steps, value)
}

#[cfg(not(feature = "launchd"))]
fn plist_text(_: &[u8], _: &Pointer) -> Result<Option<Zeroizing<String>>, DocumentError> {
    Err(Broken::new("this build reads no property lists (feature `launchd`)").in_text(""))
}

#[cfg(not(feature = "launchd"))]
fn plist_with(_: &[u8], _: &Pointer, _: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Broken> {
    Err(Broken::new("this build reads no property lists (feature `launchd`)"))
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
