//! A file of logins: what its places and its readers are called, and where they are.

use std::{collections::BTreeMap, path::Path};

use crate::{
    config::{
        CommandSpec, ConsumerSpec, Deployment, DocumentSpec, LocationSpec, PathTemplate, PlaceSpec,
        ProfilesSpec, ReferenceForm, Scope, Selector,
    },
    document::Syntax,
    model::{FAMILY, Pointer},
};

/// A file of logins that was read.
pub(super) struct Store<'s> {
    pub(super) spec: &'s ProfilesSpec,
    pub(super) agent: &'s str,
    pub(super) within: Within<'s>,
    /// The file in words.
    pub(super) path: String,
}

/// What the logins of a file are in.
pub(super) enum Within<'s> {
    /// A document, by its position.
    Document(usize),
    /// What a program prints.
    Output(&'s CommandSpec),
}

impl Store<'_> {
    /// The name of the location of a profile, or of the whole file.
    pub(super) fn name(&self, profile: Option<&str>) -> String {
        self.named(&self.spec.name, profile)
    }

    /// The name of a location. Lists of names have spaces between them, so none is in a name.
    pub(super) fn named(&self, family: &str, profile: Option<&str>) -> String {
        let parts = [self.spec.node.as_deref(), Some(self.agent), profile];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        let found = parts.join("/").replace(|c: char| c.is_whitespace() || c.is_control(), "_");
        format!("{family}{FAMILY}{found}")
    }

    /// Whose logins they are, in words.
    pub(super) fn whose(&self) -> String {
        match &self.spec.node {
            Some(node) => format!("{} on {node}", self.agent),
            None => self.agent.to_owned(),
        }
    }

    /// A place in the file. `hidden` says why nothing can be known of what stands there.
    pub(super) fn place(&self, at: Pointer, hidden: Option<&'static str>) -> PlaceSpec {
        match &self.within {
            Within::Document(index) => PlaceSpec::Pointer(*index, at),
            Within::Output(call) => {
                // Below a reference there is no secret.
                let at = if hidden.is_some() { at.then("secret") } else { at };
                PlaceSpec::Command(Box::new(CommandSpec {
                    at: Selector { element: None, pointer: Some(at) },
                    hides: hidden.map(ToOwned::to_owned),
                    ..(*call).clone()
                }))
            }
        }
    }

    /// Adds a location, and gives back its position.
    pub(super) fn add(
        &self,
        deployment: &mut Deployment,
        credential: &str,
        name: &str,
        label: String,
        place: PlaceSpec,
        attributes: Vec<(&str, String)>,
    ) -> usize {
        let credential = deployment.credential_id(credential);
        deployment.locations.push(LocationSpec {
            name: name.to_owned(),
            credential,
            place,
            label,
            node: self.spec.node.clone(),
            attributes: attributes
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        });
        deployment.locations.len() - 1
    }

    /// Adds the agent, as one that reads a location. Those of other nodes are judged there.
    pub(super) fn read(
        &self,
        deployment: &mut Deployment,
        credential: &str,
        location: &str,
        attributes: Vec<(&str, String)>,
    ) {
        if self.spec.node.is_some() {
            return;
        }
        let credential = deployment.credential_id(credential);
        let mut attributes: BTreeMap<String, String> =
            attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        attributes.insert("reads".to_owned(), location.to_owned());
        deployment.consumers.push(ConsumerSpec {
            name: format!("agent:{}", self.agent),
            credential,
            node: None,
            attributes,
        });
    }
}

/// Where in a file its logins are.
pub(super) fn root() -> Option<Pointer> {
    Pointer::parse("/profiles").ok()
}

/// The file as a document.
pub(super) fn document(store: &Store<'_>, path: &Path) -> DocumentSpec {
    DocumentSpec {
        name: store.name(None),
        path: PathTemplate::One(path.display().to_string()),
        syntax: Syntax::Json,
        references: vec![ReferenceForm::SecretRef, ReferenceForm::Variable],
        include_key: None,
        optional: true,
        variables: Vec::new(),
        providers: None,
        services: Vec::new(),
        drop_ins: Vec::new(),
        scope: Scope::default(),
        lock_suffix: store.spec.lock_suffix.clone(),
    }
}
