//! The documents of a deployment, each read once.

use std::{collections::HashMap, path::Path, rc::Rc};

use zeroize::Zeroizing;

use super::{
    FileContents, ReadError, file,
    files::Files,
    includes,
    reference::{Followed, Follower},
    units::Services,
    variables::Variables,
};
use crate::{
    config::{Deployment, DocumentSpec, FactSource, PlaceSpec, Scope},
    document::{DocumentError, Specifiers, Syntax, Text, json, texts},
    model::{Fault, FileId, Place, Pointer},
};

/// The documents of a pass, by their position in the deployment.
pub(super) struct Documents(Vec<Option<Document>>);

/// A document of a pass: parsed once, looked at wherever the deployment points, and let go.
pub(super) struct Document {
    pub(super) id: FileId,
    state: State,
}

enum State {
    Absent,
    Parsed(HashMap<Pointer, Sight>),
    Broken(Problem),
}

/// Why a document cannot be used.
pub(super) struct Problem {
    /// The file: the document's own, or one in which it goes on.
    pub(super) file: FileId,
    pub(super) fault: Fault,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) at: Option<(usize, usize)>,
    pub(super) remedy: &'static str,
}

/// What stands at a pointer, and in which file.
pub(super) struct Sight {
    look: Look,
    pub(super) file: FileId,
    pub(super) pointer: Pointer,
    pub(super) modified: Option<u64>,
    pub(super) writable: bool,
}

/// What stands at a pointer.
enum Look {
    Nothing,
    Text(Zeroizing<String>),
    /// Who asks this process for a secret.
    Asker,
    /// A reference; and its text, where it is written as one.
    Reference(Followed, Option<String>),
    Scalar(String),
    Unusable {
        at: String,
        is: &'static str,
    },
}

/// What was seen at a location.
pub(super) enum Seen {
    Nothing,
    /// Who asks this process for a secret, and so has none of its own.
    Asker,
    Value(Zeroizing<String>),
    Reference(Followed),
    Unreadable(Fault),
}

/// What a document says, as the deployment wants to know it.
struct Question<'q> {
    spec: &'q DocumentSpec,
    pointers: Vec<&'q Pointer>,
    run_commands: bool,
    asked_as: Option<&'q str>,
    services: &'q Services,
}

impl Documents {
    pub(super) fn read(
        deployment: &Deployment,
        files: &mut Files<'_>,
        variables: &Variables<'_>,
        services: &Services,
    ) -> Self {
        let mut read = |(index, spec): (usize, &DocumentSpec)| {
            let path = files.path_of(index, spec)?;
            let opened = files.open(&path);
            files.is_document(opened.id, spec);
            let state = match opened.contents {
                Ok(contents) => {
                    let question = Question {
                        spec,
                        pointers: pointers(deployment, index).collect(),
                        run_commands: deployment.run_commands,
                        asked_as: deployment.asked_as.as_deref(),
                        services,
                    };
                    let looks = question.ask(opened.id, &contents, files, variables);
                    looks.map_or_else(State::Broken, State::Parsed)
                }
                Err(ReadError::Absent) => State::Absent,
                Err(error) => State::Broken(Problem::unreadable(opened.id, error.fault())),
            };
            Some(Document { id: opened.id, state })
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

    /// What stands in the way at a place, where that is another type than a string.
    pub(super) fn type_at(&self, place: &Place) -> Option<(String, &'static str)> {
        let Place::Pointer { file, pointer } = place else {
            return None;
        };
        let is_it = |sight: &&Sight| sight.file == *file && sight.pointer == *pointer;
        match &self.iter().find_map(|document| document.sights().find(is_it))?.look {
            Look::Unusable { at, is } => Some((at.clone(), is)),
            Look::Scalar(_) => Some((pointer.dotted(), "no string")),
            Look::Nothing | Look::Asker | Look::Text(_) | Look::Reference(..) => None,
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

impl Problem {
    fn unreadable(file: FileId, fault: Fault) -> Self {
        Self {
            file,
            fault,
            code: "document-unreadable",
            message: file::in_words(fault).to_owned(),
            at: None,
            remedy: file::remedy(fault),
        }
    }

    pub(super) fn of(file: FileId, error: DocumentError) -> Self {
        Self {
            file,
            fault: error.fault,
            code: match error.fault {
                Fault::DuplicateKey => "document-duplicate-key",
                _ => "document-invalid",
            },
            message: error.message,
            at: error.at,
            remedy: file::remedy(error.fault),
        }
    }
}

impl Question<'_> {
    fn ask(
        &self,
        id: FileId,
        contents: &Rc<FileContents>,
        files: &mut Files<'_>,
        variables: &Variables<'_>,
    ) -> Result<HashMap<Pointer, Sight>, Problem> {
        if self.spec.syntax.is_json() {
            self.of_tree(id, contents, files, variables)
        } else {
            self.of_texts(id, contents, files)
        }
    }

    /// Parses a document, and those in which it goes on, and looks at every pointer.
    fn of_tree(
        &self,
        id: FileId,
        contents: &Rc<FileContents>,
        files: &mut Files<'_>,
        variables: &Variables<'_>,
    ) -> Result<HashMap<Pointer, Sight>, Problem> {
        let spec = self.spec;
        let sources = includes::load(id, contents, spec, files)?;
        let parts = includes::parse(&sources, spec)?;
        let follower = Follower {
            spec,
            parts: &parts,
            variables,
            world: files.world,
            run_commands: self.run_commands,
            asked_as: self.asked_as,
            services: self.services,
        };
        let look = |pointer: &&Pointer| {
            let sighting = json::find(&parts, spec.include_key.as_deref(), pointer);
            let source = sources.get(sighting.part);
            let look = match sighting.found {
                json::Found::Nothing => Look::Nothing,
                json::Found::Text(text) => match follower.in_text(text) {
                    Some(reference) => Look::Reference(reference, Some(text.to_owned())),
                    None => Look::Text(Zeroizing::new(text.to_owned())),
                },
                json::Found::Object(object) if follower.is_asker(object) => Look::Asker,
                json::Found::Object(object) => match follower.in_object(object) {
                    Some(reference) => Look::Reference(reference, None),
                    None => Look::Unusable { at: pointer.dotted(), is: "an object" },
                },
                json::Found::Scalar(text) => Look::Scalar(text),
                json::Found::Unusable { at, is } => Look::Unusable { at, is },
            };
            let sight = Sight {
                look,
                file: source.map_or(id, |source| source.id),
                pointer: sighting.pointer,
                modified: source.and_then(|source| source.modified),
                writable: source.is_some_and(|source| source.writable),
            };
            ((*pointer).clone(), sight)
        };
        Ok(self.pointers.iter().map(look).collect())
    }

    /// Reads a document whose values are all texts.
    fn of_texts(
        &self,
        id: FileId,
        contents: &FileContents,
        files: &Files<'_>,
    ) -> Result<HashMap<Pointer, Sight>, Problem> {
        let found = texts(&contents.bytes, self.spec.syntax, self.pointers.iter().copied())
            .map_err(|error| Problem::of(id, error))?;
        let sight = |(pointer, text): (&Pointer, Option<Zeroizing<String>>)| {
            let look = match text {
                None => Look::Nothing,
                Some(text) if self.spec.syntax == Syntax::Unit => {
                    self.expanded(&text, pointer, files)
                }
                Some(text) => Look::Text(text),
            };
            let sight = Sight {
                look,
                file: id,
                pointer: pointer.clone(),
                modified: contents.modified,
                // An installer's file has whatever mode that left it; a person's is taken at its word.
                writable: match self.spec.syntax {
                    Syntax::Unit | Syntax::Plist => contents.replaceable,
                    _ => contents.writable,
                },
            };
            (pointer.clone(), sight)
        };
        Ok(found.into_iter().map(sight).collect())
    }

    fn expanded(&self, text: &str, pointer: &Pointer, files: &Files<'_>) -> Look {
        let path = files.resolve(&self.spec.path).unwrap_or_default();
        let variable = |name: &str| files.world.variable(name);
        let specifiers = Specifiers {
            unit: &unit_name(&path),
            user: self.spec.scope == Scope::User,
            variable: &variable,
        };
        match specifiers.expand(text) {
            Some(text) => Look::Text(text),
            None => Look::Unusable {
                at: pointer.dotted(),
                is: "a text with a specifier (%) that is not known here",
            },
        }
    }
}

/// Name of the unit that a file belongs to: its own, or that of the folder of a drop-in.
fn unit_name(path: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let folder = path.parent().and_then(name);
    folder
        .and_then(|folder| folder.strip_suffix(".d").map(ToOwned::to_owned))
        .or_else(|| name(path))
        .unwrap_or_default()
}

impl Document {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent)
    }

    pub(super) fn problem(&self) -> Option<&Problem> {
        match &self.state {
            State::Broken(problem) => Some(problem),
            _ => None,
        }
    }

    /// Where a pointer leads; none where the document could not be read.
    pub(super) fn sight(&self, pointer: &Pointer) -> Option<&Sight> {
        match &self.state {
            State::Parsed(looks) => looks.get(pointer),
            State::Absent | State::Broken(_) => None,
        }
    }

    fn sights(&self) -> impl Iterator<Item = &Sight> {
        let looks = match &self.state {
            State::Parsed(looks) => Some(looks),
            State::Absent | State::Broken(_) => None,
        };
        looks.into_iter().flat_map(HashMap::values)
    }

    /// What was seen at a location.
    pub(super) fn at(&self, pointer: &Pointer) -> Seen {
        let sight = match &self.state {
            State::Absent => return Seen::Nothing,
            State::Broken(problem) => return Seen::Unreadable(problem.fault),
            State::Parsed(looks) => looks.get(pointer),
        };
        match sight.map(|sight| &sight.look) {
            None | Some(Look::Nothing) => Seen::Nothing,
            Some(Look::Asker) => Seen::Asker,
            Some(Look::Text(text)) => Seen::Value(text.clone()),
            Some(Look::Reference(reference, _)) => Seen::Reference(reference.clone()),
            Some(Look::Scalar(_) | Look::Unusable { .. }) => Seen::Unreadable(Fault::WrongType),
        }
    }
}

impl Sight {
    /// A string, number or boolean that is no secret.
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.look {
            Look::Text(text) => Some(text.to_string()),
            Look::Scalar(text) => Some(text.clone()),
            Look::Reference(_, text) => text.clone(),
            Look::Nothing | Look::Asker | Look::Unusable { .. } => None,
        }
    }

    /// Whether nothing stands there, and an object could be made on the way to it.
    pub(super) fn is_free(&self) -> bool {
        matches!(self.look, Look::Nothing)
    }
}

/// The text of a file that is read as variables.
pub(super) fn text_of(contents: &FileContents) -> Option<Text> {
    Text::decode(&contents.bytes).ok()
}
