//! What a decision takes of memory: the heap at its peak, and pages that the operating system had to
//! find for it.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed},
};

use anyhow::Result;
use precedent_bench::{
    Figures,
    tables::{HEAP, MEMORY, PAGES},
};

use crate::{contestant::Contestant, request::Asked};

/// Counts while it is told to; a look at one flag otherwise.
struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static HELD: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn count(bytes: isize) {
        if ON.load(Relaxed) {
            let held = HELD.fetch_add(bytes, Relaxed) + bytes;
            PEAK.fetch_max(held, Relaxed);
        }
    }
}

// SAFETY: all is done by the allocator of the system; a count changes nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::count(-layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Decisions over which pages are counted.
const COUNT: usize = 20;

/// Looks at everybody on the reference request.
pub(crate) fn of_one(contestants: &[Box<dyn Contestant>], figures: &mut Figures) -> Result<()> {
    let asked = Asked::of_size(12);
    for contestant in contestants {
        let mut asking = contestant.ready(&asked)?;
        asking.time(COUNT)?;
        HELD.store(0, Relaxed);
        PEAK.store(0, Relaxed);
        ON.store(true, Relaxed);
        let done = asking.time(1);
        ON.store(false, Relaxed);
        done?;
        let before = faults()?;
        asking.time(COUNT)?;
        let pages = (faults()? - before) / COUNT as f64;
        figures.add(MEMORY, contestant.name(), HEAP, PEAK.load(Relaxed) as f64);
        figures.add(MEMORY, contestant.name(), PAGES, pages * rustix::param::page_size() as f64);
    }
    Ok(())
}

/// Pages that this process had to be given so far, without a disk.
fn faults() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold spaces.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let faults = after.split_whitespace().nth(7).unwrap_or_default();
    Ok(faults.parse()?)
}
