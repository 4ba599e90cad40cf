//! The bounds of one decision.

use std::{fmt, time::Duration};

use wasmtime::ResourceLimiter;

/// The bounds of one decision. Each has a name that its error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for one call into the policy. 1 s by default, a thousand times what a decision takes:
    /// room for a machine that is busy with starting.
    pub deadline: Duration,
    /// Memory of the instance, in bytes. 8 MiB by default.
    pub memory_bytes: usize,
    /// Elements of its tables. 10,000 by default.
    pub table_elements: usize,
    /// What one call may hand to the host, in bytes. 1 MiB by default.
    pub output_bytes: usize,
    /// Size of the component, in bytes. 32 MiB by default.
    pub component_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(1),
            memory_bytes: 8 << 20,
            table_elements: 10_000,
            output_bytes: 1 << 20,
            component_bytes: 32 << 20,
        }
    }
}

/// Which bound was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::deadline`]
    Deadline,
    /// [`Limits::memory_bytes`]
    Memory,
    /// [`Limits::table_elements`]
    Tables,
    /// More instances, tables or memories than a policy needs.
    Instances,
    /// [`Limits::output_bytes`]
    Output,
    /// The stack of the instance: 512 KiB.
    Stack,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Tables => "tables",
            Self::Instances => "instances",
            Self::Output => "output",
            Self::Stack => "stack",
        })
    }
}

/// Stack of one instance, in bytes. wasmtime's own default.
pub(super) const STACK_BYTES: usize = 512 << 10;

/// Core instances in one component, memories and tables of each: a component of one policy has
/// one to three.
const MOST_INSTANCES: usize = 16;

/// Watches what an instance takes, and remembers what it was denied.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    pub(super) denied: Option<(Limit, String)>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, denied: None }
    }

    fn allow(
        &mut self,
        limit: Limit,
        desired: usize,
        most: usize,
        unit: &str,
    ) -> wasmtime::Result<bool> {
        if desired <= most {
            return Ok(true);
        }
        self.denied = Some((limit, format!("{desired} {unit} asked for, {most} allowed")));
        // An error, not a mere no: a policy that cannot allocate would trap with less to say.
        Err(wasmtime::Error::msg("denied by a limit of the host"))
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.allow(Limit::Memory, desired, self.limits.memory_bytes, "bytes")
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.allow(Limit::Tables, desired, self.limits.table_elements, "elements")
    }

    fn instances(&self) -> usize {
        MOST_INSTANCES
    }

    fn tables(&self) -> usize {
        MOST_INSTANCES
    }

    fn memories(&self) -> usize {
        MOST_INSTANCES
    }
}
