//! The versions of the contract that this host serves. Each is a module with its bindings and its
//! conversion into the model; after that nothing knows the version, and one check holds for all.
//!
//! | module | what |
//! |---|---|
//! | `v0` | `precedent:policy@0.1.0`, of `wit/v0` |
//! | `v1` | `precedent:policy@1.0.0`, of `wit/v1` |
//! | `draft` | the draft of the next, of `wit/draft` (feature `contract-draft`) |
//! | `spans` | a snapshot of which all strings are one text; compiled for each version that has spans |
//! | `convert` | between a version's records and the model's; compiled for each version that has them |
//! | `calls` | a policy's three functions; compiled for each version that has them |
//! | `pick` | which version a component is served with |

#[cfg(feature = "contract-draft")]
mod draft;
mod pick;
#[cfg(feature = "compiler")]
mod v0;
pub(super) mod v1;

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use wasmtime::{Store, component::InstancePre};

use super::{About, Answer, limits::Meter};
use crate::{model::Snapshot, secret::Fingerprint};

pub(super) use pick::pick;

/// What every version is called, but for its number.
const INTERFACE: &str = "precedent:policy/policy";

/// The versions that this host serves, newest first: a component that speaks several is asked in the
/// newest.
pub(super) static SERVED: &[Served] = &[
    #[cfg(feature = "contract-draft")]
    Served { version: "2.0.0-draft", bind: draft::bind },
    Served { version: "1.0.0", bind: v1::bind },
    // A build without the compiler runs what was compiled with it, and that speaks the newest.
    #[cfg(feature = "compiler")]
    Served { version: "0.1.0", bind: v0::bind },
];

/// A version that is served.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) version: &'static str,
    bind: Bind,
}

type Bind = fn(InstancePre<Meter>, &str) -> wasmtime::Result<Box<dyn Contract>>;

impl Served {
    /// Finds the version's functions in a component.
    pub(super) fn bind(&self, pre: InstancePre<Meter>) -> wasmtime::Result<Box<dyn Contract>> {
        (self.bind)(pre, &format!("{INTERFACE}@{}", self.version))
    }
}

/// A call into a fresh instance.
pub(super) type Call<'c, T> = Box<dyn FnOnce(&mut Store<Meter>) -> wasmtime::Result<T> + 'c>;

/// A policy as one version of the contract has it asked. Each call makes an instance of its own.
pub(super) trait Contract: Send + Sync {
    fn describe(&self, store: &mut Store<Meter>) -> wasmtime::Result<About>;

    fn validate_settings(
        &self,
        store: &mut Store<Meter>,
        settings: &str,
    ) -> wasmtime::Result<Result<(), Vec<String>>>;

    /// Converts the snapshot at once, for that is not the policy's time; what it returns asks.
    fn decide(&self, snapshot: &Snapshot) -> Call<'_, Answer>;

    /// The component.
    #[cfg(feature = "workbench")]
    fn component(&self) -> &wasmtime::component::Component;

    /// Makes an instance that is kept.
    #[cfg(feature = "workbench")]
    fn instance(&self, store: &mut Store<Meter>) -> wasmtime::Result<Box<dyn Instance>>;
}

/// An instance that is kept.
#[cfg(feature = "workbench")]
pub(super) trait Instance: Send + Sync {
    /// Converts the snapshot at once; what it returns asks.
    fn decide(&self, snapshot: &Snapshot) -> Call<'_, Answer>;
}

/// An answer, in which a version's strings may be parts of one text.
trait Spoken {
    /// The text; empty where each string is its own.
    fn take_text(&mut self) -> String {
        String::new()
    }
}

/// Numbers for fingerprints, in order of first appearance.
///
/// The policy gets these equality classes instead of fingerprints: it can tell that two copies are
/// equal, and nothing else, so no decision can depend on a secret.
#[derive(Default)]
struct Classes(HashMap<Fingerprint, u32, BuildHasherDefault<AlreadyHashed>>);

impl Classes {
    fn of(&mut self, fingerprint: Fingerprint) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(fingerprint).or_insert(next)
    }
}

/// A fingerprint is a keyed hash: any part of it does for a table.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(part) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*part);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
