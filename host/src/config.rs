//! What a deployment is: its manifest, on top of a preset.
//!
//! | module | what |
//! |---|---|
//! | `absent` | what a small build makes of tables that are for the full one |
//! | `alert` | whom `check` tells of what it finds |
//! | `command` | places that a program reads and writes; the shipped platforms |
//! | `declare` | the shape of manifests and presets: documents, locations, consumers, facts |
//! | `manifest` | `precedent.toml`: reading it, and errors that point at line and column |
//! | `preset` | the presets that the host ships, as data |
//! | `deployment` | both put together and checked |
//! | `merge` | declarations on top of others |
//! | `spec` | what is declared, with every name looked up |
//! | `path` | paths with variables |
//! | `profiles` | files of the logins of agents, here and on other nodes |
//! | `fleet` | the fleet that this node is one of: its store, its leaders, what may be sent |
//! | `peer` | other nodes, and the keys that they are known by |
//! | `settings` | where in a manifest a setting stands |

#[cfg(not(feature = "platforms"))]
mod absent;
mod alert;
mod command;
mod declare;
mod deployment;
mod fleet;
mod manifest;
mod merge;
mod path;
mod peer;
mod preset;
mod profiles;
#[cfg(feature = "workbench")]
mod settings;
mod spec;

pub use alert::{AlertSpec, Channel, SecretPlace};
pub use command::{CommandSpec, DigestForm, Encoding, Input, Selector, WriteSpec};
pub use declare::{ReferenceForm, Scope, Trim};
pub use deployment::Deployment;
pub use fleet::FleetSpec;
#[cfg(feature = "fleet")]
pub(crate) use fleet::path_of;
#[cfg(feature = "schema")]
pub use manifest::schema;
pub use manifest::{Manifest, ManifestError, Mode, read_text};
pub use path::{Candidate, PathTemplate};
pub use peer::PeerSpec;
#[cfg(feature = "handover")]
pub(crate) use peer::public_key;
pub use preset::PRESETS;
pub(crate) use profiles::is_for;
pub use profiles::{ProfilesPlace, ProfilesSpec};
#[cfg(feature = "workbench")]
pub use settings::settings_error;
pub use spec::{
    CallSpec, ConsumerSpec, DocumentSpec, FactSource, FactSpec, Grants, LocationSpec, PlaceSpec,
};

pub use crate::document::Syntax;
