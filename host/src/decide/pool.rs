//! Room for instances that is kept ready.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig};

use super::{Engine, Limits};

/// A page of WebAssembly.
const PAGE: usize = 1 << 16;

/// What stays in memory of each instance that is gone: as much as a decision touches. It is set to
/// zero in place, which costs less than to hand pages back and take them again.
const KEPT: usize = 128 << 10;

/// How the engine keeps room: for [`Engine::AT_ONCE`] instances, each within the limits.
pub(super) fn strategy(limits: &Limits) -> InstanceAllocationStrategy {
    let parts = u32::try_from(limits.instances).unwrap_or(u32::MAX);
    let all = Engine::AT_ONCE.saturating_mul(parts.min(MOST_PARTS));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(Engine::AT_ONCE)
        .total_core_instances(all)
        .total_memories(all)
        .total_tables(all)
        .max_memory_size(memory_bytes(limits))
        .table_elements(limits.table_elements)
        .max_memories_per_module(parts)
        .max_tables_per_module(parts)
        // The room of decisions past is taken first: it is warm.
        .max_unused_warm_slots(Engine::AT_ONCE)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Memories, tables and core instances that a component has at most in all, on average, where all
/// decide at once. Policies have one to three.
const MOST_PARTS: u32 = 16;

fn memory_bytes(limits: &Limits) -> usize {
    limits.memory_bytes.div_ceil(PAGE).saturating_mul(PAGE).clamp(PAGE, 1 << 32)
}

/// Counts who is in.
#[derive(Debug)]
pub(super) struct Pool {
    queue: Mutex<Queue>,
    freed: Condvar,
    memory_bytes: usize,
}

#[derive(Debug)]
struct Queue {
    left: u32,
    waiting: u32,
}

/// Room for one instance, given back when it is dropped. To be dropped after the instance.
#[derive(Debug)]
pub(super) struct Room(Arc<Pool>);

impl Pool {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            queue: Mutex::new(Queue { left: Engine::AT_ONCE, waiting: 0 }),
            freed: Condvar::new(),
            memory_bytes: memory_bytes(limits),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Waits until there is room. Who decides is out within the deadline; who keeps an instance to measure it,
    /// when that is dropped.
    pub(super) fn enter(pool: &Arc<Self>) -> Room {
        let mut queue = pool.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.left == 0 {
            queue.waiting += 1;
            queue = pool.freed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.waiting -= 1;
        }
        queue.left -= 1;
        drop(queue);
        Room(Arc::clone(pool))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.left += 1;
        let is_awaited = queue.waiting > 0;
        drop(queue);
        // To wake nobody is a system call all the same.
        if is_awaited {
            self.0.freed.notify_one();
        }
    }
}
