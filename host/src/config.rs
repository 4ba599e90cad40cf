//! What a deployment is: its manifest, on top of a preset.
//!
//! | module | what |
//! |---|---|
//! | `declare` | the shape of manifests and presets: documents, locations, consumers, facts |
//! | `manifest` | `precedent.toml`: reading it, and errors that point at line and column |
//! | `preset` | the presets that the host ships, as data |
//! | `deployment` | both put together and checked |
//! | `path` | paths with variables |

mod declare;
mod deployment;
mod manifest;
mod path;
mod preset;

pub use declare::ReferenceForm;
pub use deployment::{
    ConsumerSpec, Deployment, DocumentSpec, FactSource, FactSpec, Grants, LocationSpec, PlaceSpec,
    Trim,
};
#[cfg(feature = "schema")]
pub use manifest::schema;
pub use manifest::{Manifest, ManifestError};
pub use path::PathTemplate;
pub use preset::PRESETS;

pub use crate::document::Syntax;
