//! The bounds of one decision.

use std::{fmt, time::Duration};

use wasmtime::ResourceLimiter;

use super::DecideError;

/// The bounds of one decision. Each has a name that its error says, and a key in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for one call into the policy. 1 s by default, a thousand times what a decision takes:
    /// room for a machine that is busy with starting.
    pub deadline: Duration,
    /// Instructions of one call, about one unit each; none counts them. None by default: the
    /// deadline is enough, but for whoever wants a bound that is the same on every machine.
    pub fuel: Option<u64>,
    /// Memory of the instance, all its memories together, in bytes. 8 MiB by default.
    pub memory_bytes: usize,
    /// Elements of its tables, all together. 10,000 by default.
    pub table_elements: usize,
    /// Core instances in one component, and memories and tables of them. 16 by default: a component
    /// of one policy has one to three.
    pub instances: usize,
    /// Stack of the instance, in bytes. 512 KiB by default, [`Limits::MOST_STACK`] at most. The
    /// engine's: what counts is what [`Engine::with`](super::Engine::with) was given.
    pub stack_bytes: usize,
    /// What one call may hand to the host, in bytes. 1 MiB by default.
    pub output_bytes: usize,
    /// Elements of each list of an answer. 16,384 by default.
    pub list_items: usize,
    /// Size of the component, in bytes. 32 MiB by default.
    pub component_bytes: usize,
    /// Time for compiling the component. 60 s by default.
    pub compile: Duration,
}

impl Limits {
    /// The largest stack. The policy runs on the stack of the host's thread, and a thread of Rust
    /// has 2 MiB.
    pub const MOST_STACK: usize = 1 << 20;

    /// Refuses a list that is too long.
    pub(super) fn list(&self, what: &str, items: usize) -> Result<(), DecideError> {
        if items <= self.list_items {
            return Ok(());
        }
        let detail = format!("{items} {what}, {} allowed", self.list_items);
        Err(DecideError::Limit { limit: Limit::List, detail })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(1),
            fuel: None,
            memory_bytes: 8 << 20,
            table_elements: 10_000,
            instances: 16,
            stack_bytes: 512 << 10,
            output_bytes: 1 << 20,
            list_items: 16_384,
            component_bytes: 32 << 20,
            compile: Duration::from_secs(60),
        }
    }
}

/// Which bound was hit while the policy ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::deadline`]
    Deadline,
    /// [`Limits::fuel`]
    Fuel,
    /// [`Limits::memory_bytes`]
    Memory,
    /// [`Limits::table_elements`]
    Tables,
    /// [`Limits::instances`]
    Instances,
    /// [`Limits::stack_bytes`]
    Stack,
    /// [`Limits::output_bytes`]
    Output,
    /// [`Limits::list_items`]
    List,
}

impl Limit {
    /// Where it stands in the manifest.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Deadline => "limits.deadline-ms",
            Self::Fuel => "limits.fuel",
            Self::Memory => "limits.memory-bytes",
            Self::Tables => "limits.table-elements",
            Self::Instances => "limits.instances",
            Self::Stack => "limits.stack-bytes",
            Self::Output => "limits.output-bytes",
            Self::List => "limits.list-items",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "deadline",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Tables => "tables",
            Self::Instances => "instances",
            Self::Stack => "stack",
            Self::Output => "output",
            Self::List => "list",
        })
    }
}

/// Watches what an instance takes, and remembers what it was denied.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    pub(super) memory: usize,
    pub(super) elements: usize,
    pub(super) denied: Option<(Limit, String)>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, memory: 0, elements: 0, denied: None }
    }

    /// Remembers the no. An error, not a mere no: a policy that cannot allocate would trap with
    /// less to say.
    fn deny(&mut self, limit: Limit, desired: usize, most: usize, unit: &str) -> wasmtime::Error {
        self.denied = Some((limit, format!("{desired} {unit} asked for, {most} allowed")));
        wasmtime::Error::msg("denied by a limit of the host")
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // More than the policy itself declared: it will not get it, and is told so.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let (all, most) = (sum(self.memory, current, desired), self.limits.memory_bytes);
        if all > most {
            return Err(self.deny(Limit::Memory, all, most, "bytes"));
        }
        self.memory = all;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let (all, most) = (sum(self.elements, current, desired), self.limits.table_elements);
        if all > most {
            return Err(self.deny(Limit::Tables, all, most, "elements"));
        }
        self.elements = all;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.instances
    }

    fn memories(&self) -> usize {
        self.limits.instances
    }
}

/// What all have together once one of them has grown: sixteen memories below the limit would be
/// sixteen times the limit.
fn sum(all: usize, current: usize, desired: usize) -> usize {
    all.saturating_sub(current).saturating_add(desired)
}
