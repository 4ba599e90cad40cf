//! The documents of a deployment, each read once.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::{Files, ReadError, file, reference};
use crate::{
    config::{Deployment, DocumentSpec, FactSource, PlaceSpec},
    document::{Found, Text, Tree},
    model::{Fault, FileId, Location, Place, Pointer},
};

/// The documents of a pass, by their position in the deployment.
pub(super) struct Documents(Vec<Option<Document>>);

/// A document of a pass: parsed once, looked at wherever the deployment points, and let go.
pub(super) struct Document {
    pub(super) id: FileId,
    pub(super) modified: Option<u64>,
    writable: bool,
    state: State,
}

enum State {
    Absent,
    Parsed(HashMap<Pointer, Look>),
    Broken(Problem),
}

/// Why a document cannot be used.
pub(super) struct Problem {
    pub(super) fault: Fault,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) at: Option<(usize, usize)>,
    pub(super) remedy: &'static str,
}

/// What stands at a pointer.
#[derive(Clone)]
enum Look {
    Nothing,
    Text(Zeroizing<String>),
    /// A reference; and its text, where it is written as one.
    Reference(reference::Followed, Option<String>),
    Scalar(String),
    Unusable {
        at: String,
        is: &'static str,
    },
}

/// What was seen at a location.
pub(super) enum Seen {
    Nothing,
    Value(Zeroizing<String>),
    Reference(reference::Followed),
    Unreadable(Fault),
}

impl Documents {
    pub(super) fn read(deployment: &Deployment, files: &mut Files<'_>) -> Self {
        let world = files.world;
        let mut read = |(index, spec): (usize, &DocumentSpec)| {
            let path = files.resolve(&spec.path)?;
            let opened = files.open(&path);
            files.is_document(opened.id, spec);
            let (modified, writable, state) = match opened.contents {
                Ok(contents) => {
                    let pointers = pointers(deployment, index);
                    let variable = |name: &str| world.variable(name);
                    let state = match look(&contents.bytes, spec, pointers, &variable) {
                        Ok(looks) => State::Parsed(looks),
                        Err(problem) => State::Broken(problem),
                    };
                    (contents.modified, contents.writable, state)
                }
                Err(ReadError::Absent) => (None, false, State::Absent),
                Err(error) => {
                    let fault = error.fault();
                    let problem = Problem {
                        fault,
                        code: "document-unreadable",
                        message: file::in_words(fault).to_owned(),
                        at: None,
                        remedy: file::remedy(fault),
                    };
                    (None, false, State::Broken(problem))
                }
            };
            Some(Document { id: opened.id, modified, writable, state })
        };
        Self(deployment.documents.iter().enumerate().map(&mut read).collect())
    }

    pub(super) fn get(&self, index: usize) -> Option<&Document> {
        self.0.get(index)?.as_ref()
    }

    /// Each document by its position; none for one whose path needs a variable that is not set.
    pub(super) fn all(&self) -> impl Iterator<Item = Option<&Document>> {
        self.0.iter().map(Option::as_ref)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Document> {
        self.0.iter().flatten()
    }

    /// What stands in the way at a location, where that is another type than a string.
    pub(super) fn type_at(&self, location: &Location) -> Option<(String, &'static str)> {
        let Place::Pointer { file, pointer } = &location.place else {
            return None;
        };
        let document = self.iter().find(|document| document.id == *file)?;
        match document.look(pointer)? {
            Look::Unusable { at, is } => Some((at.clone(), is)),
            Look::Scalar(_) => Some((pointer.dotted(), "no string")),
            Look::Nothing | Look::Text(_) | Look::Reference(..) => None,
        }
    }
}

/// Where the deployment points into one of its documents.
fn pointers(deployment: &Deployment, index: usize) -> impl Iterator<Item = &Pointer> {
    let locations = deployment.locations.iter().filter_map(move |spec| match &spec.place {
        PlaceSpec::Pointer(document, pointer) if *document == index => Some(pointer),
        _ => None,
    });
    let facts = deployment.facts.iter().filter_map(move |spec| match &spec.source {
        FactSource::Pointer(document, pointer) if *document == index => Some(pointer),
        _ => None,
    });
    locations.chain(facts)
}

/// Parses a document and looks at every pointer.
fn look<'p>(
    bytes: &[u8],
    spec: &DocumentSpec,
    pointers: impl Iterator<Item = &'p Pointer>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<HashMap<Pointer, Look>, Problem> {
    let problem = |error: crate::document::DocumentError| Problem {
        fault: error.fault,
        code: match error.fault {
            Fault::DuplicateKey => "document-duplicate-key",
            _ => "document-invalid",
        },
        message: error.message,
        at: error.at,
        remedy: file::remedy(error.fault),
    };
    let text = Text::decode(bytes).map_err(problem)?;
    let tree = Tree::parse(&text, spec.syntax).map_err(problem)?;
    let look = |pointer: &Pointer| match tree.find(pointer, spec.include_key.as_deref()) {
        Found::Nothing => Look::Nothing,
        Found::Text(text) => match reference::in_text(text, &spec.references, variable) {
            Some(reference) => Look::Reference(reference, Some(text.to_owned())),
            None => Look::Text(Zeroizing::new(text.to_owned())),
        },
        Found::Object(object) => match reference::in_object(object, &spec.references, variable) {
            Some(reference) => Look::Reference(reference, None),
            None => Look::Unusable { at: pointer.dotted(), is: "an object" },
        },
        Found::Scalar(text) => Look::Scalar(text),
        Found::Unusable { at, is } => Look::Unusable { at, is },
    };
    Ok(pointers.map(|pointer| (pointer.clone(), look(pointer))).collect())
}

impl Document {
    pub(super) fn writable(&self) -> bool {
        self.writable && matches!(self.state, State::Parsed(_))
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent)
    }

    pub(super) fn problem(&self) -> Option<&Problem> {
        match &self.state {
            State::Broken(problem) => Some(problem),
            _ => None,
        }
    }

    /// What was seen at a location.
    pub(super) fn at(&self, pointer: &Pointer) -> Seen {
        let look = match &self.state {
            State::Absent => return Seen::Nothing,
            State::Broken(problem) => return Seen::Unreadable(problem.fault),
            State::Parsed(looks) => looks.get(pointer),
        };
        match look {
            None | Some(Look::Nothing) => Seen::Nothing,
            Some(Look::Text(text)) => Seen::Value(text.clone()),
            Some(Look::Reference(reference, _)) => Seen::Reference(reference.clone()),
            Some(Look::Scalar(_) | Look::Unusable { .. }) => Seen::Unreadable(Fault::WrongType),
        }
    }

    /// A string, number or boolean that is no secret.
    pub(super) fn scalar(&self, pointer: &Pointer) -> Option<String> {
        match self.look(pointer)? {
            Look::Text(text) => Some(text.to_string()),
            Look::Scalar(text) => Some(text.clone()),
            Look::Reference(_, text) => text.clone(),
            Look::Nothing | Look::Unusable { .. } => None,
        }
    }

    /// Whether nothing stands at a pointer, and an object could be made on the way to it.
    pub(super) fn is_free(&self, pointer: &Pointer) -> bool {
        matches!(self.look(pointer), Some(Look::Nothing))
    }

    fn look(&self, pointer: &Pointer) -> Option<&Look> {
        match &self.state {
            State::Parsed(looks) => looks.get(pointer),
            State::Absent | State::Broken(_) => None,
        }
    }
}
