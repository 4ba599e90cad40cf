//! The files in which a document goes on, each read and parsed once.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
    rc::Rc,
};

use super::{FileContents, documents::Problem, files::Files};
use crate::{
    config::DocumentSpec,
    document::{
        DocumentError, Text,
        json::{self, Part, Tree},
    },
    model::{Fault, FileId},
};

/// More than anybody nests.
const DEEPEST: usize = 10;

/// A file of a document, as text.
pub(super) struct Source {
    pub(super) id: FileId,
    pub(super) modified: Option<u64>,
    pub(super) writable: bool,
    text: Text,
    path: PathBuf,
    includes: HashMap<String, usize>,
}

/// Reads a document and the files that it names, and those that they name.
pub(super) fn load(
    id: FileId,
    contents: &Rc<FileContents>,
    spec: &DocumentSpec,
    files: &mut Files<'_>,
) -> Result<Vec<Source>, Problem> {
    let path = files.path(id).to_owned();
    let mut loader = Loader { spec, sources: Vec::new(), chain: Vec::new() };
    loader.file(id, &path, contents, files)?;
    Ok(loader.sources)
}

/// Parses what was read.
pub(super) fn parse<'s>(
    sources: &'s [Source],
    spec: &DocumentSpec,
) -> Result<Vec<Part<'s>>, Problem> {
    let part = |source: &'s Source| {
        let tree = Tree::parse(&source.text, spec.syntax)
            .map_err(|error| Problem::of(source.id, error))?;
        Ok(Part { tree, includes: source.includes.clone() })
    };
    sources.iter().map(part).collect()
}

struct Loader<'l> {
    spec: &'l DocumentSpec,
    sources: Vec<Source>,
    /// The files on the way to the one that is read, by their position.
    chain: Vec<usize>,
}

impl Loader<'_> {
    /// Reads one file and what it names; gives back its position.
    fn file(
        &mut self,
        id: FileId,
        path: &Path,
        contents: &Rc<FileContents>,
        files: &mut Files<'_>,
    ) -> Result<usize, Problem> {
        let text = Text::decode(&contents.bytes).map_err(|error| Problem::of(id, error))?;
        let names = self.names(id, &text)?;
        let index = self.sources.len();
        self.sources.push(Source {
            id,
            modified: contents.modified,
            writable: contents.writable,
            text,
            path: path.to_owned(),
            includes: HashMap::new(),
        });
        self.chain.push(index);
        for name in names {
            let included = self.included(id, path, &name, files)?;
            if let Some(source) = self.sources.get_mut(index) {
                source.includes.insert(name, included);
            }
        }
        self.chain.pop();
        Ok(index)
    }

    fn names(&self, id: FileId, text: &Text) -> Result<Vec<String>, Problem> {
        let Some(key) = &self.spec.include_key else {
            return Ok(Vec::new());
        };
        // Most documents go on nowhere, and need not be parsed for that.
        if !text.as_str().contains(key.as_str()) {
            return Ok(Vec::new());
        }
        let tree = Tree::parse(text, self.spec.syntax).map_err(|error| Problem::of(id, error))?;
        json::includes(&tree, key).map_err(|message| problem(id, Fault::WrongType, message))
    }

    fn included(
        &mut self,
        from: FileId,
        path: &Path,
        name: &str,
        files: &mut Files<'_>,
    ) -> Result<usize, Problem> {
        let target = plain(&path.parent().unwrap_or(Path::new("")).join(name));
        let root =
            self.sources.first().and_then(|main| main.path.parent()).unwrap_or(Path::new(""));
        if !target.starts_with(plain(root)) {
            let message = format!("it goes on in {name}, which is outside its own folder");
            return Err(problem(from, Fault::NotPermitted, message));
        }
        let opened = files.open(&target);
        let known = self.sources.iter().position(|source| source.id == opened.id);
        if let Some(known) = known {
            return if self.chain.contains(&known) {
                let message = format!("it goes on in {name}, which leads back to it");
                Err(problem(from, Fault::Syntax, message))
            } else {
                Ok(known)
            };
        }
        if self.chain.len() > DEEPEST {
            let message = format!("it goes on in other files more than {DEEPEST} deep");
            return Err(problem(from, Fault::Syntax, message));
        }
        let contents = opened.contents.map_err(|error| {
            let fault = error.fault();
            problem(from, fault, format!("it goes on in {name}, which cannot be read"))
        })?;
        files.is_document(opened.id, self.spec);
        self.file(opened.id, &target, &contents, files)
    }
}

fn problem(file: FileId, fault: Fault, message: String) -> Problem {
    let error = DocumentError { fault, message, at: None };
    Problem { code: "include-broken", ..Problem::of(file, error) }
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
        plain
    })
}
