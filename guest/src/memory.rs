//! The memory of a component: handed out from one end to the other, and never taken back.
//!
//! An instance lives for one decision, so what it frees need not be found again, and the accounts
//! that a general allocator keeps would cost more than the decision. The first page that is there
//! from the start is used to its end before another is asked for: asking costs more than all else.

#![allow(unsafe_code, reason = "an allocator hands out raw memory")]

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size},
    cell::UnsafeCell,
    ptr,
};

const PAGE: usize = 1 << 16;

unsafe extern "C" {
    /// Where the linker's own data ends.
    static __heap_base: u8;
}

/// Hands out memory upwards from where the linker's data ends.
struct Upwards(UnsafeCell<Bounds>);

#[derive(Clone, Copy)]
struct Bounds {
    /// The next free byte; 0 before the first call.
    next: usize,
    /// Where the memory that there is ends.
    end: usize,
}

#[global_allocator]
static MEMORY: Upwards = Upwards(UnsafeCell::new(Bounds { next: 0, end: 0 }));

// SAFETY: a component of this kind has one thread.
unsafe impl Sync for Upwards {}

impl Upwards {
    /// Finds `size` bytes from the next free one on; none where the memory cannot grow that far.
    fn place(&self, align: usize, size: usize) -> Option<usize> {
        let bounds = self.bounds();
        loop {
            let from = bounds.next.checked_next_multiple_of(align)?;
            let next = from.checked_add(size)?;
            if next <= bounds.end {
                bounds.next = next;
                return Some(from);
            }
            grow(bounds, next)?;
        }
    }

    fn bounds(&self) -> &mut Bounds {
        // SAFETY: there is one thread, and no caller keeps the reference over another call.
        let bounds = unsafe { &mut *self.0.get() };
        if bounds.next == 0 {
            bounds.next = (&raw const __heap_base).addr();
            bounds.end = there_is().unwrap_or(usize::MAX);
        }
        bounds
    }
}

/// How many bytes of memory there are; none where they are more than an address can say.
fn there_is() -> Option<usize> {
    memory_size(0).checked_mul(PAGE)
}

/// Asks for memory up to `wanted`. Parts of the standard library have an allocator of their own, which grows
/// the memory too: what it took is passed over, and so is what was left before it.
fn grow(bounds: &mut Bounds, wanted: usize) -> Option<()> {
    let end = there_is()?;
    if end != bounds.end {
        *bounds = Bounds { next: end, end };
        return Some(());
    }
    let pages = (wanted - end).div_ceil(PAGE);
    let grown = memory_grow(0, pages) != usize::MAX;
    bounds.end = there_is()?;
    grown.then_some(())
}

// SAFETY: what is handed out is aligned, within the memory, and beyond all that was handed out before.
unsafe impl GlobalAlloc for Upwards {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = self.place(layout.align(), layout.size());
        taken.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // What was taken back may be handed out again.
        // SAFETY: as the caller's.
        let taken = unsafe { self.alloc(layout) };
        if !taken.is_null() {
            // SAFETY: it was just handed out, with this size.
            unsafe { ptr::write_bytes(taken, 0, layout.size()) };
        }
        taken
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let bounds = self.bounds();
        // The last block alone: a text that is put together and dropped leaves nothing.
        if block.addr() + layout.size() == bounds.next {
            bounds.next = block.addr();
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let bounds = self.bounds();
        // The last block grows where it is, as far as there is room.
        if block.addr() + layout.size() == bounds.next && size <= bounds.end - block.addr() {
            bounds.next = block.addr() + size;
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: alignment and size are the caller's, and fit as they did.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: the new block lies beyond the old one, and both are as long as that.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size()) };
        }
        moved
    }
}
