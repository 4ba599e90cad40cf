//! What the fuzzers run, and what must hold whatever they are given.
//!
//! A target takes bytes and panics where a promise is broken. The same functions run under libFuzzer
//! (`fuzz/`), on the corpora that are kept, and under the property tests.
//!
//! | module | what |
//! |---|---|
//! | `input` | an input taken apart: a pointer, a value, a document |
//! | `leaves` | everything that a document says, read by others than the editor |
//! | `documents` | what must hold of an edit |
//! | `texts` | manifests, cases, journals, answers |
//! | `sight` | a deployment of any files, as a pass sees it |
//! | `scene` | any snapshot, grants and decision |
//! | `promises` | what must hold of a decision that passes the host's rules |

#![allow(
    missing_docs,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a promise that is broken is to be loud, and nothing that runs outside tests is in here"
)]

mod documents;
mod input;
mod leaves;
mod promises;
mod scene;
mod sight;
mod texts;

use crate::document::Syntax;

/// Takes any bytes, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("answer", texts::answer),
    ("case", texts::case),
    ("check", promises::check),
    ("dotenv", |bytes| documents::edits(bytes, Syntax::Dotenv)),
    ("environment-file", |bytes| documents::edits(bytes, Syntax::EnvironmentFile)),
    ("intent", crate::apply::fuzz::decode),
    ("journal", texts::journal),
    ("json", |bytes| documents::edits(bytes, Syntax::Json)),
    ("json5", |bytes| documents::edits(bytes, Syntax::Json5)),
    ("manifest", texts::manifest),
    ("plist", |bytes| documents::edits(bytes, Syntax::Plist)),
    ("sight", sight::observe),
    ("unit", |bytes| documents::edits(bytes, Syntax::Unit)),
];

/// Runs a target on an input.
///
/// # Panics
///
/// Where a promise is broken, and where there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target `{name}`")).1(bytes);
}

/// How many decisions of arbitrary ones pass the host's rules, and how many of those change something:
/// a check that is never passed shows nothing.
#[must_use]
pub fn outcome_of_check(bytes: &[u8]) -> (bool, bool) {
    promises::outcome(bytes)
}
