//! From a policy's name or file to a policy that can decide.
//!
//! A shipped policy is compiled ahead of time in a release. Whatever is compiled here is kept, in
//! the cache folder, under a keyed hash: a compiled policy is machine code, so nothing is mapped
//! that this host did not write itself.
//!
//! | module | what |
//! |---|---|
//! | `compiler` | from a component to machine code, within its time |
//! | `kept` | a compiled policy in the cache folder: looked for, refused, replaced |

#[cfg(feature = "compiler")]
mod compiler;
#[cfg(feature = "compiler")]
mod kept;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::{
    config::PathTemplate,
    decide::{DecideError, Engine, Limits, Policy},
    observe::World,
    secret::{Key, hex},
};

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// A policy that the host carries.
struct Shipped {
    name: &'static str,
    digest: &'static str,
    component: Option<&'static [u8]>,
    compiled: Option<&'static [u8]>,
}

/// Which policy decides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyRef {
    /// One that the host carries.
    Shipped(String),
    /// A component in a file.
    File(PathTemplate),
    /// A component in memory.
    Bytes(PolicyBytes),
}

/// The policy where nobody names one; a build without it takes the one that it has.
const DEFAULT: &str = "binary";

impl Default for PolicyRef {
    fn default() -> Self {
        let shipped = shipped();
        let default = shipped.iter().find(|name| **name == DEFAULT).or(shipped.first());
        Self::Shipped(default.copied().unwrap_or(DEFAULT).to_owned())
    }
}

impl PolicyRef {
    /// Reads what a person gives as `--policy`: a shipped policy's name, or a path.
    #[must_use]
    pub fn from_argument(text: &str) -> Self {
        if text.contains('/') || text.ends_with(".wasm") {
            Self::File(PathTemplate::One(text.to_owned()))
        } else {
            Self::Shipped(text.to_owned())
        }
    }

    /// The same, where a relative path is relative to where this process is, not to a manifest.
    ///
    /// # Errors
    ///
    /// Where that cannot be told.
    pub fn from_here(self) -> Result<Self, ArtifactError> {
        let Self::File(PathTemplate::One(path)) = self else { return Ok(self) };
        let absolute = std::path::absolute(&path).map_err(|error| ArtifactError::Read {
            path: PathBuf::from(&path),
            reason: format!("cannot tell where this process is: {error}"),
        })?;
        Ok(Self::File(PathTemplate::One(absolute.display().to_string())))
    }

    /// Where it is, if it is in a file. A relative path is relative to `base`.
    #[must_use]
    pub fn path(&self, base: &Path, world: &dyn World) -> Option<PathBuf> {
        let Self::File(template) = self else { return None };
        template.resolve(base, &|name| world.variable(name), &|path| world.exists(path))
    }
}

impl From<&str> for PolicyRef {
    fn from(text: &str) -> Self {
        Self::from_argument(text)
    }
}

impl From<&Path> for PolicyRef {
    fn from(path: &Path) -> Self {
        Self::File(PathTemplate::One(path.display().to_string()))
    }
}

impl From<PathBuf> for PolicyRef {
    fn from(path: PathBuf) -> Self {
        Self::from(path.as_path())
    }
}

impl From<&[u8]> for PolicyRef {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(PolicyBytes(bytes.into()))
    }
}

impl<const N: usize> From<&[u8; N]> for PolicyRef {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

/// A component's bytes. Its `Debug` says how many.
#[derive(Clone, PartialEq, Eq)]
pub struct PolicyBytes(Arc<[u8]>);

impl fmt::Debug for PolicyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyBytes({})", self.0.len())
    }
}

/// Names of the shipped policies.
#[must_use]
pub fn shipped() -> Vec<&'static str> {
    SHIPPED.iter().map(|policy| policy.name).collect()
}

/// A policy that could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// No policy of that name is shipped.
    #[error(
        "unknown policy `{name}`, expected one of {}, or the path of a component",
        list(shipped())
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// The file could not be read.
    #[error("cannot read the policy {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is larger than the limit.
    #[error("the policy {} has {size} bytes, {most} are allowed (limits.component-bytes)", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        most: usize,
    },
    /// The bytes are no component.
    #[error("{policy} is no WebAssembly component: {reason}")]
    NotAComponent {
        /// The policy.
        policy: String,
        /// What is wrong with it.
        reason: String,
    },
    /// This build cannot compile.
    #[error(
        "{policy} is not compiled ahead of time, and this build of precedent has no compiler; use the full build, or one of {}",
        list(shipped())
    )]
    NoCompiler {
        /// The policy.
        policy: String,
    },
    /// Fuel is to be counted, and the policy was compiled ahead of time without.
    #[error(
        "{policy} was compiled ahead of time and counts no fuel (limits.fuel), and this build of precedent has no compiler; leave the limit out, or use the full build"
    )]
    NoFuel {
        /// The policy.
        policy: String,
    },
    /// Compiling took too long.
    #[error("{policy} was not compiled within {} ms (limits.compile-ms)", most.as_millis())]
    CompileTime {
        /// The policy.
        policy: String,
        /// The limit.
        most: Duration,
    },
    /// The compiler did not get to an answer.
    #[error("{policy} cannot be compiled: {reason}")]
    Compiler {
        /// The policy.
        policy: String,
        /// What happened to the compiler.
        reason: String,
    },
    /// The component is not a policy, or crashes when asked what it is.
    #[error("{policy} cannot be used")]
    Policy {
        /// The policy.
        policy: String,
        /// Why.
        #[source]
        source: DecideError,
    },
}

impl ArtifactError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::CompileTime { .. } | Self::Compiler { .. } => true,
            Self::Policy { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}

fn list(names: Vec<&str>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Where compiled policies are kept, and the key that says they are ours.
#[derive(Debug, Clone, Copy)]
pub struct Cache<'c> {
    /// The folder.
    pub folder: &'c Path,
    /// The key.
    pub key: &'c Key,
}

/// Loads a policy. `path` is where a [`PolicyRef::File`] leads. What was kept of it and could not be
/// trusted is compiled anew, and [`Policy::warnings`] says so.
///
/// # Errors
///
/// Why it cannot be used.
pub fn load(
    engine: &Engine,
    reference: &PolicyRef,
    path: Option<&Path>,
    limits: Limits,
    cache: Option<Cache<'_>>,
) -> Result<Policy, ArtifactError> {
    let (policy, digest, (component, warnings)) = match reference {
        PolicyRef::Shipped(name) => {
            let shipped = SHIPPED
                .iter()
                .find(|policy| policy.name == name)
                .ok_or_else(|| ArtifactError::Unknown { name: name.clone() })?;
            let policy = format!("the policy `{name}`");
            let loaded = match (shipped.compiled, shipped.component) {
                // What was compiled ahead of time does not count fuel.
                (Some(compiled), _) if !engine.counts_fuel() => {
                    (map(engine, compiled, &policy)?, Vec::new())
                }
                (_, Some(bytes)) => compile(engine, bytes, shipped.digest, &policy, limits, cache)?,
                (Some(_), None) => return Err(ArtifactError::NoFuel { policy }),
                (None, None) => return Err(ArtifactError::NoCompiler { policy }),
            };
            (policy, shipped.digest.to_owned(), loaded)
        }
        PolicyRef::File(template) => {
            let path = path.map_or_else(|| PathBuf::from(template.as_written()), Path::to_owned);
            let policy = format!("the policy {}", path.display());
            let bytes = read(&path, limits)?;
            let digest = digest_of(&bytes);
            let loaded = compile(engine, &bytes, &digest, &policy, limits, cache)?;
            (policy, digest, loaded)
        }
        PolicyRef::Bytes(PolicyBytes(bytes)) => {
            let digest = digest_of(bytes);
            let policy = format!("the policy {digest}");
            let loaded = compile(engine, bytes, &digest, &policy, limits, cache)?;
            (policy, digest, loaded)
        }
    };
    Policy::new(engine, &component, digest, limits)
        .map(|policy| policy.with_warnings(warnings))
        .map_err(|source| ArtifactError::Policy { policy, source })
}

/// Size of the component, in bytes; none where the host carries only what was compiled of it.
#[cfg(feature = "workbench")]
#[must_use]
pub fn component_size(reference: &PolicyRef, path: Option<&Path>) -> Option<u64> {
    match reference {
        PolicyRef::Shipped(name) => {
            let shipped = SHIPPED.iter().find(|policy| policy.name == name)?;
            u64::try_from(shipped.component?.len()).ok()
        }
        PolicyRef::File(_) => Some(fs::metadata(path?).ok()?.len()),
        PolicyRef::Bytes(PolicyBytes(bytes)) => u64::try_from(bytes.len()).ok(),
    }
}

pub(crate) fn read(path: &Path, limits: Limits) -> Result<Vec<u8>, ArtifactError> {
    let failed = |error: std::io::Error| ArtifactError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other("it is no regular file")));
    }
    if metadata.len() > limits.component_bytes as u64 {
        return Err(ArtifactError::TooLarge {
            path: path.to_owned(),
            size: metadata.len(),
            most: limits.component_bytes,
        });
    }
    fs::read(path).map_err(failed)
}

/// `sha256:` and 64 hexadecimal digits.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

#[cfg(feature = "compiler")]
fn compile(
    engine: &Engine,
    bytes: &[u8],
    digest: &str,
    policy: &str,
    limits: Limits,
    cache: Option<Cache<'_>>,
) -> Result<(Component, Vec<String>), ArtifactError> {
    use kept::{Found, Kept};

    let kept = cache.map(|cache| Kept::new(cache, engine, digest, bytes.len()));
    let refused = match kept.as_ref().map_or(Found::Nothing, |kept| kept.find(engine, policy)) {
        Found::Ours(component) => return Ok((component, Vec::new())),
        Found::Refused(why) => Some(why),
        Found::Nothing => None,
    };
    let compiled = compiler::within(limits.compile, engine, bytes, policy)?;
    let warnings = kept.and_then(|kept| kept.replace(&compiled, refused)).into_iter().collect();
    Ok((map(engine, &compiled, policy)?, warnings))
}

#[cfg(not(feature = "compiler"))]
fn compile(
    _: &Engine,
    _: &[u8],
    _: &str,
    policy: &str,
    _: Limits,
    _: Option<Cache<'_>>,
) -> Result<(Component, Vec<String>), ArtifactError> {
    Err(ArtifactError::NoCompiler { policy: policy.to_owned() })
}

/// Compiles the shipped policies for a release: file names and bytes for `build.rs`.
///
/// # Errors
///
/// Where one does not compile, or this host does not carry the components.
#[cfg(feature = "compiler")]
pub fn compile_shipped(engine: &Engine) -> Result<Vec<(String, Vec<u8>)>, ArtifactError> {
    let compiled = |policy: &Shipped| {
        let name = format!("the policy `{}`", policy.name);
        let bytes =
            policy.component.ok_or_else(|| ArtifactError::NoCompiler { policy: name.clone() })?;
        let digest = policy.digest.trim_start_matches("sha256:");
        let file = format!("{}.{digest}.cwasm", policy.name);
        Ok((file, compiler::compile(engine, bytes, &name)?))
    };
    SHIPPED.iter().map(compiled).collect()
}

#[allow(unsafe_code, reason = "the one place where compiled code is mapped")]
fn map(engine: &Engine, compiled: &[u8], policy: &str) -> Result<Component, ArtifactError> {
    // SAFETY: the bytes are part of this binary, were made by this process, or carry this
    // installation's keyed hash, see `Kept::find`.
    unsafe { Component::deserialize(engine.inner(), compiled) }.map_err(|error| {
        ArtifactError::NotAComponent {
            policy: policy.to_owned(),
            reason: format!("it was compiled for another build of precedent: {error:#}"),
        }
    })
}
