//! Keeps the secrets of this process out of what outlives it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use zeroizing_alloc::ZeroAlloc;

/// Overwrites everything that is freed: not every library that a secret passes through does.
#[global_allocator]
static ZEROIZING: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

/// Sees to it that a crash leaves no image of the memory, and that no other process of the user can
/// read it.
pub(crate) fn seal() {
    // Where the kernel does not know how, it is as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let limit = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit });
}
