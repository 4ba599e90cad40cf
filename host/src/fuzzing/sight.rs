//! A deployment of any files, as a pass sees it.

use crate::{
    artifact::PolicyRef,
    config::Deployment,
    decide::json,
    model::{Decision, LocationId, Phase},
    observe::{Memory, observe as look},
    record,
    secret::Key,
};

/// What begins a file, on a line of its own.
const FILE: &str = "== ";
const HOME: &str = "/home/node";

/// Reads `NAME=VALUE` lines as variables, and after each `== PATH` a file; looks; and sees that nothing
/// that is shown or kept holds a secret.
pub(super) fn observe(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut sections = text.split(FILE);
    let mut world = Memory::default();
    for line in sections.next().unwrap_or_default().lines() {
        if let Some((name, value)) = line.split_once('=') {
            world.variables.insert(name.to_owned(), value.to_owned());
        }
    }
    world.variables.insert("HOME".to_owned(), HOME.to_owned());
    for section in sections {
        let (path, content) = section.split_once('\n').unwrap_or((section, ""));
        let path = match path.strip_prefix("~/") {
            Some(rest) => format!("{HOME}/{rest}"),
            None => path.to_owned(),
        };
        world.files.insert(path.into(), content.to_owned());
    }
    let policy = PolicyRef::Shipped("binary".to_owned());
    let deployment = Deployment::without_manifest(policy).expect("the preset is a deployment");
    let key = Key::new([7; 32]);
    let seen = look(&deployment, &world, &key, Phase::Check, 1_700_000_000);
    let snapshot = &seen.snapshot;
    let again = look(&deployment, &world, &key, Phase::Check, 1_700_000_000);
    assert_eq!(*snapshot, again.snapshot, "the same world looks different");

    record::fuzz::reads_back(snapshot, &Decision::default());
    let kept = serde_json::to_string(snapshot).expect("a snapshot is JSON");
    let shown = json::shown(snapshot).to_string();
    for index in 0..snapshot.locations.len() {
        let Some(secret) = seen.vault.expose(LocationId::from_index(index)) else { continue };
        // A short one is a part of anything, and one that stands elsewhere too is no secret.
        if secret.starts_with("canary-") && secret.len() > 12 && text.matches(secret).count() == 1 {
            assert!(!kept.contains(secret), "the record would hold a secret");
            assert!(!shown.contains(secret), "the policy would see a secret");
        }
    }
    for finding in &snapshot.findings {
        let known = |id: &LocationId| snapshot.location(*id).is_some();
        assert!(finding.locations.iter().all(known), "{finding:?}");
    }
    for location in &snapshot.locations {
        let file = location.place.file();
        assert!(file.is_none_or(|id| snapshot.file(id).is_some()), "{location:?}");
        assert!(!location.writable || file.is_some(), "{location:?} is in no file");
    }
}
