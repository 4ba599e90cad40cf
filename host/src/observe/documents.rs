//! The documents of a deployment, each read once.

use zeroize::Zeroizing;

use super::{Files, ReadError, file, reference};
use crate::{
    config::{Deployment, ReferenceForm, Syntax},
    document::{Found, Text, Tree},
    model::{Fault, FileId, Location, Place, Pointer},
};

/// The documents of a pass, by their position in the deployment.
pub(super) struct Documents(Vec<Option<Document>>);

/// A document of a pass.
pub(super) struct Document {
    pub(super) id: FileId,
    pub(super) modified: Option<u64>,
    writable: bool,
    syntax: Syntax,
    forms: Vec<ReferenceForm>,
    include_key: Option<String>,
    state: State,
}

enum State {
    Absent,
    Parsed(Text),
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

/// What was seen at a pointer.
pub(super) enum Seen {
    Nothing,
    Value(Zeroizing<String>),
    Reference(reference::Followed),
    Unreadable(Fault),
}

impl Documents {
    pub(super) fn read(deployment: &Deployment, files: &mut Files<'_>) -> Self {
        let read = |spec: &crate::config::DocumentSpec| {
            let path = files.resolve(&spec.path)?;
            let opened = files.open(&path);
            files.is_document(opened.id, spec);
            let (modified, writable, state) = match opened.contents {
                Ok(contents) => {
                    let state = parse(&contents.bytes, spec.syntax);
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
            Some(Document {
                id: opened.id,
                modified,
                writable,
                syntax: spec.syntax,
                forms: spec.references.clone(),
                include_key: spec.include_key.clone(),
                state,
            })
        };
        Self(deployment.documents.iter().map(read).collect())
    }

    pub(super) fn take(&mut self, index: usize) -> Option<Document> {
        self.0.get_mut(index)?.take()
    }

    pub(super) fn put(&mut self, index: usize, document: Document) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(document);
        }
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
        document.with_tree(|tree| match document.find(tree, pointer) {
            Found::Unusable { at, is } => Some((at, is)),
            Found::Scalar(_) => Some((pointer.dotted(), "no string")),
            Found::Object(_) => Some((pointer.dotted(), "an object")),
            Found::Nothing | Found::Text(_) => None,
        })?
    }
}

fn parse(bytes: &[u8], syntax: Syntax) -> State {
    let parsed =
        Text::decode(bytes).and_then(|text| Tree::parse(&text, syntax).map(|_| ()).map(|()| text));
    match parsed {
        Ok(text) => State::Parsed(text),
        Err(error) => State::Broken(Problem {
            fault: error.fault,
            code: match error.fault {
                Fault::DuplicateKey => "document-duplicate-key",
                _ => "document-invalid",
            },
            message: error.message,
            at: error.at,
            remedy: file::remedy(error.fault),
        }),
    }
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

    pub(super) fn at(&self, pointer: &Pointer, variable: &dyn Fn(&str) -> Option<String>) -> Seen {
        match &self.state {
            State::Absent => Seen::Nothing,
            State::Broken(problem) => Seen::Unreadable(problem.fault),
            State::Parsed(_) => self
                .with_tree(|tree| match self.find(tree, pointer) {
                    Found::Nothing => Seen::Nothing,
                    Found::Text(text) => match reference::in_text(text, &self.forms, variable) {
                        Some(reference) => Seen::Reference(reference),
                        None => Seen::Value(Zeroizing::new(text.to_owned())),
                    },
                    Found::Object(object) => {
                        match reference::in_object(object, &self.forms, variable) {
                            Some(reference) => Seen::Reference(reference),
                            None => Seen::Unreadable(Fault::WrongType),
                        }
                    }
                    Found::Scalar(_) | Found::Unusable { .. } => Seen::Unreadable(Fault::WrongType),
                })
                .unwrap_or(Seen::Unreadable(Fault::Syntax)),
        }
    }

    /// A string, number or boolean that is no secret.
    pub(super) fn scalar(&self, pointer: &Pointer) -> Option<String> {
        self.with_tree(|tree| match self.find(tree, pointer) {
            Found::Text(text) => Some(text.to_owned()),
            Found::Scalar(text) => Some(text),
            _ => None,
        })?
    }

    /// Whether nothing stands at a pointer, and an object could be made on the way to it.
    pub(super) fn is_free(&self, pointer: &Pointer) -> bool {
        self.with_tree(|tree| matches!(self.find(tree, pointer), Found::Nothing)).unwrap_or(false)
    }

    fn find<'d, 't>(&self, tree: &'d Tree<'t>, pointer: &Pointer) -> Found<'d, 't> {
        tree.find(pointer, self.include_key.as_deref())
    }

    /// Parses again for every look: the tree borrows the text, and a look costs microseconds.
    fn with_tree<T>(&self, look: impl FnOnce(&Tree<'_>) -> T) -> Option<T> {
        let State::Parsed(text) = &self.state else {
            return None;
        };
        Tree::parse(text, self.syntax).ok().map(|tree| look(&tree))
    }
}
