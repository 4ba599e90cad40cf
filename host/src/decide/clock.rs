//! The clock that ends what takes too long.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use wasmtime::EngineWeak;

/// How fine deadlines are.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// For how many ticks the clock goes on where nothing runs: whoever decides all the time does not
/// wake it for every decision.
const IDLE: u32 = 50;

/// A thread that moves the engine's epoch while decisions run, and sleeps otherwise.
#[derive(Default)]
pub(super) struct Clock {
    running: AtomicUsize,
    /// Whether the thread is there and awake.
    awake: AtomicBool,
    /// Whether the thread was started.
    started: Mutex<bool>,
    wake: Condvar,
}

/// A decision that is being timed.
pub(super) struct Running(Arc<Clock>);

impl Clock {
    pub(super) fn start(clock: &Arc<Self>, engine: &wasmtime::Engine) -> std::io::Result<Running> {
        // INVARIANT: one order over all threads of this and of what the thread does before it sleeps, so
        // either it sees that something runs, or this sees that it sleeps.
        clock.running.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(clock));
        if !clock.awake.load(Ordering::SeqCst) {
            clock.rouse(clock, engine)?;
        }
        Ok(running)
    }

    #[cold]
    fn rouse(&self, clock: &Arc<Self>, engine: &wasmtime::Engine) -> std::io::Result<()> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if !*started {
            let (clock, engine) = (Arc::downgrade(clock), engine.weak());
            let name = "precedent-clock".to_owned();
            thread::Builder::new().name(name).spawn(move || tick(&clock, &engine))?;
            *started = true;
        }
        self.awake.store(true, Ordering::SeqCst);
        drop(started);
        self.wake.notify_one();
        Ok(())
    }

    /// Sleeps until something runs; a second at most, to see whether the engine is gone.
    fn sleep(&self) {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        self.awake.store(false, Ordering::SeqCst);
        if self.running.load(Ordering::SeqCst) > 0 {
            self.awake.store(true, Ordering::SeqCst);
            return;
        }
        drop(self.wake.wait_timeout(started, Duration::from_secs(1)));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(clock: &Weak<Clock>, engine: &EngineWeak) {
    let mut idle = 0;
    while let (Some(clock), Some(engine)) = (clock.upgrade(), engine.upgrade()) {
        idle = if clock.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > IDLE {
            clock.sleep();
            continue;
        }
        drop(clock);
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}
