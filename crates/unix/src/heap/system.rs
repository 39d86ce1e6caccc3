//! The system's allocator, for sanitizers and valgrind: they know its blocks, but not
//! those of an allocator of ours. It keeps what the heap promises: freed memory is
//! zeroed, and lack of memory ends the program.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{Ordering, compiler_fence};

use nix::errno::Errno;

use super::fail;

/// The allocator of a program, which `entry!` makes the global one.
pub struct Allocator {
    prog: &'static str,
}

impl Allocator {
    /// The allocator of the program `prog`.
    ///
    /// # Safety
    ///
    /// There is no condition here. The function is unsafe because that of the other
    /// allocator is, which needs a process with one thread.
    pub const unsafe fn new(prog: &'static str) -> Self {
        Self { prog }
    }

    fn or_fail(&self, ptr: *mut u8) -> *mut u8 {
        if ptr.is_null() {
            fail(self.prog);
        }
        ptr
    }
}

// SAFETY: all memory comes from `System`, and goes back to it with the same layout.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees it.
        self.or_fail(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees it.
        self.or_fail(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller guarantees it; the block is in use until it is freed here.
        unsafe {
            wipe(ptr, layout.size());
            System.dealloc(ptr, layout);
        }
    }

    /// Always moves: the system would not zero what it leaves behind.
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees it. A new block overlaps no block in use.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            new.copy_from_nonoverlapping(ptr, size.min(layout.size()));
            self.dealloc(ptr, layout);
            new
        }
    }
}

/// Writes zeros that the compiler does not leave out, though nothing reads them.
///
/// # Safety
///
/// The `len` bytes at `ptr` may be written.
unsafe fn wipe(ptr: *mut u8, len: usize) {
    // SAFETY: the caller guarantees it.
    unsafe { ptr.write_bytes(0, len) };
    black_box(ptr);
    compiler_fence(Ordering::SeqCst);
}

/// Checks that `len` bytes can be allocated: ENOMEM if not. Other processes may use the
/// memory before this one does.
pub fn reserve(len: usize) -> Result<(), Errno> {
    let layout = Layout::from_size_align(len.max(1), 1).map_err(|_| Errno::ENOMEM)?;
    // SAFETY: the layout is not empty, and the block is freed with it.
    unsafe {
        let ptr = black_box(System.alloc(layout));
        if ptr.is_null() {
            return Err(Errno::ENOMEM);
        }
        System.dealloc(ptr, layout);
    }
    Ok(())
}

/// Returns unused memory to the system, where the C library can.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn wiped_block_is_zero() {
        let mut block = [7; 100];
        // SAFETY: it has 100 bytes.
        unsafe { wipe(block.as_mut_ptr(), 99) };
        assert!(block[..99] == [0; 99] && block[99] == 7);
    }

    #[test]
    fn resized_block_moves_and_keeps_its_content() {
        // SAFETY: the block is used with its layout.
        unsafe {
            let allocator = Allocator::new("p");
            let mut ptr = allocator.alloc_zeroed(layout(10));
            assert_eq!(*ptr, 0);
            ptr.write(7);
            for (from, to) in [(10, 9), (9, 5000)] {
                let new = allocator.realloc(ptr, layout(from), to);
                assert!(new != ptr && *new == 7);
                ptr = new;
            }
            allocator.dealloc(ptr, layout(5000));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri ends for lack of memory")]
    fn more_memory_than_there_is_cannot_be_reserved() {
        assert_eq!(reserve(40_000), Ok(()));
        // With 32 bits there may be as much.
        if cfg!(target_pointer_width = "64") {
            assert_eq!(reserve(usize::MAX / 4), Err(Errno::ENOMEM));
        }
        assert_eq!(reserve(usize::MAX), Err(Errno::ENOMEM));
        trim();
    }
}
