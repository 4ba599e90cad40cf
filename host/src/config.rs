//! What a deployment is: its manifest, on top of a preset.
//!
//! | module | what |
//! |---|---|
//! | `declare` | the shape of manifests and presets: documents, locations, consumers, facts |
//! | `manifest` | `precedent.toml`: reading it, and errors that point at line and column |
//! | `preset` | the presets that the host ships, as data |
//! | `deployment` | both put together and checked |
//! | `merge` | declarations on top of others |
//! | `spec` | what is declared, with every name looked up |
//! | `path` | paths with variables |
//! | `settings` | where in a manifest a setting stands |

mod declare;
mod deployment;
mod manifest;
mod merge;
mod path;
mod preset;
#[cfg(feature = "workbench")]
mod settings;
mod spec;

pub use declare::{ReferenceForm, Scope, Trim};
pub use deployment::Deployment;
#[cfg(feature = "schema")]
pub use manifest::schema;
pub use manifest::{Manifest, ManifestError, Mode, read_text};
pub use path::{Candidate, PathTemplate};
pub use preset::PRESETS;
#[cfg(feature = "workbench")]
pub use settings::settings_error;
pub use spec::{ConsumerSpec, DocumentSpec, FactSource, FactSpec, Grants, LocationSpec, PlaceSpec};

pub use crate::document::Syntax;
