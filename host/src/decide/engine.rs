//! wasmtime, set up once, and the clock that ends what takes too long.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use wasmtime::{Config, EngineWeak};

use super::Limits;

/// How fine deadlines are.
const TICK: Duration = Duration::from_millis(1);

/// Runs policies. Make one and keep it; clones share it.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    clock: Arc<Clock>,
    stack_bytes: usize,
    counts_fuel: bool,
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
        let (stack_bytes, counts_fuel) = (limits.stack_bytes, limits.fuel.is_some());
        if stack_bytes == 0 || stack_bytes > Limits::MOST_STACK {
            return Err(EngineError::Stack { asked: stack_bytes });
        }
        let inner = wasmtime::Engine::new(&config(stack_bytes, counts_fuel))
            .map_err(|error| EngineError::Machine(format!("{error:#}")))?;
        Ok(Self { clock: Arc::new(Clock::default()), inner, stack_bytes, counts_fuel })
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
fn config(stack_bytes: usize, counts_fuel: bool) -> Config {
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
    config
}

/// A thread that moves the engine's epoch while decisions run, and sleeps otherwise.
#[derive(Default)]
struct Clock {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    ticking: bool,
}

/// A decision that is being timed.
pub(super) struct Running(Arc<Clock>);

impl Clock {
    fn start(clock: &Arc<Self>, engine: &wasmtime::Engine) -> std::io::Result<Running> {
        let mut state = clock.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.ticking {
            let (clock, engine) = (Arc::downgrade(clock), engine.weak());
            let name = "precedent-clock".to_owned();
            thread::Builder::new().name(name).spawn(move || tick(&clock, &engine))?;
            state.ticking = true;
        }
        state.running += 1;
        drop(state);
        clock.wake.notify_one();
        Ok(Running(Arc::clone(clock)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
    }
}

fn tick(clock: &std::sync::Weak<Clock>, engine: &EngineWeak) {
    while let (Some(clock), Some(engine)) = (clock.upgrade(), engine.upgrade()) {
        let state = clock.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.running == 0 {
            // Wakes now and then to see whether the engine is gone.
            let waited = clock.wake.wait_timeout(state, Duration::from_secs(1));
            drop(waited);
            continue;
        }
        drop(state);
        drop(clock);
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}
