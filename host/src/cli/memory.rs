//! Keeps the secrets of this process out of what outlives it.

#[cfg(feature = "exec")]
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use zeroizing_alloc::ZeroAlloc;

// What memory is taken from. musl's own goes to the kernel for every few blocks and back, which was a third
// of a start that lives for milliseconds.
#[cfg(target_env = "musl")]
use dlmalloc::GlobalDlmalloc as Source;
#[cfg(not(target_env = "musl"))]
use std::alloc::System as Source;

/// Overwrites everything that is freed: not every library that a secret passes through does.
#[global_allocator]
static ZEROIZING: ZeroAlloc<Source> = ZeroAlloc(Source);

/// The limit on images of the memory that we were started with.
#[cfg(feature = "exec")]
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Sees to it that a crash leaves no image of the memory, and that no other process of the user can
/// read it.
pub(crate) fn seal() {
    // Where the kernel does not know how, it is as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let limit = getrlimit(Resource::Core);
    #[cfg(feature = "exec")]
    let limit = *GIVEN.get_or_init(|| limit);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit });
}

/// Starts a program with the limit that it would have had without us. What the kernel was told of this
/// process ends with `exec` by itself, and until then it keeps an image from being made.
#[cfg(feature = "exec")]
pub(crate) fn unsealed<T>(start: impl FnOnce() -> T) -> T {
    if let Some(limit) = GIVEN.get() {
        let _ = setrlimit(Resource::Core, *limit);
    }
    let started = start();
    seal();
    started
}
