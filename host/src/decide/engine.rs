//! wasmtime, set up once.

use std::{fmt, sync::Arc, time::Duration};

use wasmtime::Config;

#[cfg(feature = "pooling")]
use super::pool;
use super::{
    Limits,
    clock::{Clock, Running, TICK},
};

/// Runs policies. Make one and keep it; clones share it.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    clock: Arc<Clock>,
    stack_bytes: usize,
    counts_fuel: bool,
    #[cfg(feature = "pooling")]
    pool: Option<Arc<pool::Pool>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

/// The engine could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The machine lacks what the engine needs.
    #[error("the WebAssembly engine does not run on this machine: {0}")]
    Machine(String),
    /// No policy can have such a stack.
    #[error(
        "a stack of {asked} bytes is asked for, 1 to {} are allowed (limits.stack-bytes)",
        Limits::MOST_STACK
    )]
    Stack {
        /// What was asked for.
        asked: usize,
    },
}

impl Engine {
    /// Sets up the engine for this machine, with the limits that are nobody's own.
    ///
    /// # Errors
    ///
    /// Where the machine lacks what the engine needs.
    pub fn new() -> Result<Self, EngineError> {
        Self::with(&Limits::default())
    }

    /// Sets up the engine for this machine. Of the limits it takes those that all its policies
    /// share: the size of the stack, and whether fuel is counted, for code that counts is other code.
    ///
    /// # Errors
    ///
    /// Where the machine lacks what the engine needs, or the stack is none or too large.
    pub fn with(limits: &Limits) -> Result<Self, EngineError> {
        Self::set_up(config(limits)?, limits)
    }

    /// The same for who decides all the time: keeps room for instances ready, so that a decision takes a
    /// third of the time. It costs a fraction of a millisecond at once, terabytes of addresses with nothing
    /// behind them, and up to 128 KiB for each decision at the same time. More than
    /// [`Engine::AT_ONCE`] wait for one another.
    ///
    /// The memory of one instance is bounded by these limits too, beside those of its policy.
    ///
    /// # Errors
    ///
    /// The same, and where the machine does not give that many addresses.
    #[cfg(feature = "pooling")]
    pub fn pooling(limits: &Limits) -> Result<Self, EngineError> {
        let mut config = config(limits)?;
        config.allocation_strategy(pool::strategy(limits));
        let mut engine = Self::set_up(config, limits)?;
        engine.pool = Some(Arc::new(pool::Pool::new(limits)));
        Ok(engine)
    }

    /// How many decisions of one pooling engine are made at the same time.
    #[cfg(feature = "pooling")]
    pub const AT_ONCE: u32 = 64;

    fn set_up(config: Config, limits: &Limits) -> Result<Self, EngineError> {
        let inner = wasmtime::Engine::new(&config)
            .map_err(|error| EngineError::Machine(format!("{error:#}")))?;
        Ok(Self {
            clock: Arc::new(Clock::default()),
            inner,
            stack_bytes: limits.stack_bytes,
            counts_fuel: limits.fuel.is_some(),
            #[cfg(feature = "pooling")]
            pool: None,
        })
    }

    /// Room for one instance; waits for it where the engine has no more.
    #[cfg(feature = "pooling")]
    pub(super) fn room(&self) -> Option<pool::Room> {
        self.pool.as_ref().map(pool::Pool::enter)
    }

    /// The memory that an instance can have at most; none where only its policy's limits say.
    #[cfg(feature = "pooling")]
    pub(super) fn most_memory(&self) -> Option<usize> {
        self.pool.as_ref().map(|pool| pool.memory_bytes())
    }

    /// Whether policies compiled for it count fuel.
    #[must_use]
    pub fn counts_fuel(&self) -> bool {
        self.counts_fuel
    }

    pub(super) fn stack_bytes(&self) -> usize {
        self.stack_bytes
    }

    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }

    /// Ticks for as long as the guard lives. Returns it and the deadline in ticks.
    ///
    /// # Errors
    ///
    /// Where the operating system gives no thread for the clock: without one there is no deadline.
    pub(super) fn time(&self, deadline: Duration) -> std::io::Result<(Running, u64)> {
        // A year at most, far from where the engine's own sum would overflow; and one tick more,
        // for the first may come at once.
        let most = Duration::from_secs(365 * 24 * 3600);
        let ticks = deadline.min(most).as_millis().div_ceil(TICK.as_millis());
        let running = Clock::start(&self.clock, &self.inner)?;
        // No time is no time, not the first tick's.
        if ticks == 0 {
            return Ok((running, 0));
        }
        Ok((running, u64::try_from(ticks).unwrap_or(u64::MAX / 2).saturating_add(1)))
    }
}

/// What both the compiler and the run time must agree on.
fn config(limits: &Limits) -> Result<Config, EngineError> {
    let (stack_bytes, counts_fuel) = (limits.stack_bytes, limits.fuel.is_some());
    if stack_bytes == 0 || stack_bytes > Limits::MOST_STACK {
        return Err(EngineError::Stack { asked: stack_bytes });
    }
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(counts_fuel)
        .max_wasm_stack(stack_bytes)
        .concurrency_support(false)
        .wasm_backtrace_max_frames(None)
        // A trap is told by its kind; where in the guest it was nobody is shown, and the maps for it
        // are half of what is kept and shipped.
        .generate_address_map(false)
        .native_unwind_info(false);
    // Code for any machine of this architecture, so that what is compiled ahead of time for a
    // release is the same as what is compiled here.
    #[cfg(feature = "compiler")]
    {
        // A target that the compiler does not know leaves it at the machine's own.
        let _ = config.target(env!("PRECEDENT_TARGET"));
    }
    Ok(config)
}
