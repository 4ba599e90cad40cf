//! What is not there or cannot be read, as findings of the host itself.

use super::{
    documents::{Document, Documents},
    file,
};
use crate::{
    config::Deployment,
    model::{Fault, FileId, LocationId, LocationKind, Presence, Severity, Snapshot},
};

/// One finding for each document that is not there: nothing is wrong with that, unless it should be.
pub(super) fn absent(deployment: &Deployment, snapshot: &mut Snapshot, documents: &Documents) {
    for (spec, document) in deployment.documents.iter().zip(documents.all()) {
        if spec.optional && document.is_none_or(Document::is_absent) {
            continue;
        }
        let looked = spec.path.as_written();
        let Some(document) = document else {
            let message = format!("the document `{}` has no path here", spec.name);
            let remedy = format!("set a variable of {looked}");
            snapshot.find(Severity::Error, "document-absent", message, Some(remedy), Vec::new());
            continue;
        };
        if let Some(file) = snapshot.file(document.id).filter(|_| document.is_absent()) {
            let message = format!("{} does not exist, and is not made", file.path.display());
            let remedy = format!("if it is elsewhere: it is looked for at {looked}");
            snapshot.find(Severity::Info, "document-absent", message, Some(remedy), Vec::new());
        }
    }
}

/// One finding for each document that could not be used, whatever the number of locations in it,
/// and one for each other location.
pub(super) fn unreadable(snapshot: &mut Snapshot, documents: &Documents) {
    let mut told = Vec::new();
    for document in documents.iter() {
        let Some(problem) = document.problem() else {
            continue;
        };
        let path = snapshot.file(problem.file).map(|file| file.path.display().to_string());
        let at = problem.at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        let locations: Vec<LocationId> = (0..snapshot.locations.len())
            .map(LocationId::from_index)
            .filter(|id| {
                snapshot.location(*id).is_some_and(|l| l.place.file() == Some(document.id))
            })
            .collect();
        told.extend(locations.iter().copied());
        snapshot.find(
            Severity::Error,
            problem.code,
            format!(
                "{}{at}: {}; the file is left as it is",
                path.unwrap_or_default(),
                problem.message
            ),
            Some(problem.remedy.to_owned()),
            locations,
        );
    }
    let untold: Vec<(LocationId, Fault)> = (0..)
        .map(LocationId)
        .zip(&snapshot.locations)
        .filter(|(id, _)| !told.contains(id))
        // A document without a path has its own finding.
        .filter(|(_, l)| l.kind == LocationKind::Environment || l.place.file().is_some())
        .filter_map(|(id, location)| match location.presence {
            Presence::Unreadable(fault) => Some((id, fault)),
            _ => None,
        })
        .collect();
    for (id, fault) in untold {
        let Some(location) = snapshot.location(id) else {
            continue;
        };
        let place = snapshot
            .path_of(location)
            .map_or_else(String::new, |path| format!(" in {}", path.display()));
        let message = match documents.type_at(&location.place) {
            Some((at, is)) => format!("{at}{place} is {is}; the file is left as it is"),
            None => format!("{}{place} cannot be read: {}", location.label, file::in_words(fault)),
        };
        snapshot.find(
            Severity::Error,
            "location-unreadable",
            message,
            Some(file::remedy(fault).to_owned()),
            vec![id],
        );
    }
}

/// One finding for each command that could not be used, whatever the number of places that it tells of.
pub(super) fn commands(snapshot: &mut Snapshot, problems: Vec<(LocationId, String)>) {
    let mut told: Vec<(String, Vec<LocationId>)> = Vec::new();
    for (id, problem) in problems {
        match told.iter_mut().find(|(known, _)| *known == problem) {
            Some((_, locations)) => locations.push(id),
            None => told.push((problem, vec![id])),
        }
    }
    for (problem, locations) in told {
        let labels: Vec<String> = locations.iter().map(|id| snapshot.label_of(*id)).collect();
        let message = format!("{} cannot be read: {problem}; the rest goes on", labels.join(", "));
        // What it says of itself may hold a secret.
        let remedy =
            "run it by hand to see what it says: that is not shown here, for it may hold a secret";
        snapshot.find(
            Severity::Error,
            "command-failed",
            message,
            Some(remedy.to_owned()),
            locations,
        );
    }
}

/// Files that are read by two grammars, and for that are not edited.
pub(super) fn mixed(snapshot: &mut Snapshot, files: &[FileId]) {
    for id in files {
        let Some(path) = snapshot.file(*id).map(|file| file.path.display().to_string()) else {
            continue;
        };
        let locations = (0..snapshot.locations.len()).map(LocationId::from_index);
        let in_it = |at: &LocationId| {
            snapshot.location(*at).is_some_and(|location| location.place.file() == Some(*id))
        };
        let locations: Vec<LocationId> = locations.filter(in_it).collect();
        let message = format!(
            "{path} is read in two ways, which do not agree on quotes and comments; it is left as it is"
        );
        let remedy =
            "give the unit a file of its own, or none: the gateway reads its .env by itself";
        snapshot.find(
            Severity::Info,
            "file-read-in-two-ways",
            message,
            Some(remedy.to_owned()),
            locations,
        );
    }
}
