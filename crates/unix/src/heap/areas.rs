//! The program's own allocator: blocks in areas of memory from the system, and pages
//! of their own for large pieces.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::ptr::{NonNull, null_mut, with_exposed_provenance_mut};

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

use super::blocks::Blocks;
use super::fail;
use crate::page::{SMALLEST_PAGE, page_size};

/// Pieces from this size on have pages of their own, and go back to the
/// system when they are freed.
const LARGE: usize = 128 << 10;

/// How many bytes the heap takes from the system at once, at least.
const AREA: usize = 2 * LARGE;

/// The heap of a program.
struct State(UnsafeCell<Blocks>);

static STATE: State = State(UnsafeCell::new(Blocks::new()));

// SAFETY: only an `Allocator` uses it, whose maker has promised that there is
// one thread, and `reserve` and `trim`, which do nothing without one.
unsafe impl Sync for State {}

/// The allocator of a program, which `entry!` makes the global one.
pub struct Allocator {
    prog: &'static str,
}

impl Allocator {
    /// The allocator of the program `prog`.
    ///
    /// # Safety
    ///
    /// The process has one thread, always.
    pub const unsafe fn new(prog: &'static str) -> Self {
        Self { prog }
    }

    fn alloc_block(&self, layout: Layout) -> *mut u8 {
        // SAFETY: there is one thread, and nothing below calls us again.
        let blocks = unsafe { &mut *STATE.0.get() };
        let alloc = |blocks: &mut Blocks| blocks.alloc_aligned(layout.size(), layout.align());
        if let Some(ptr) = alloc(blocks) {
            return with_exposed_provenance_mut(ptr);
        }
        if grow(blocks, layout.size() + layout.align()).is_err() {
            fail(self.prog);
        }
        alloc(blocks).map_or(null_mut(), with_exposed_provenance_mut)
    }
}

// SAFETY: a piece is either pages of its own or a content of `Blocks`: its size tells which; nobody
// else has it until it comes back. No alignment of more than a page exists.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > SMALLEST_PAGE {
            return null_mut();
        }
        if is_large(layout.size()) {
            let area = map(layout.size()).unwrap_or_else(|_| fail(self.prog));
            return area.as_ptr().cast();
        }
        self.alloc_block(layout)
    }

    /// Memory that is not in use is always zero.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for the caller.
        unsafe { self.alloc(layout) }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: the caller does not use it any more, and it came from
        // `alloc`; there is one thread.
        unsafe {
            if is_large(layout.size()) {
                unmap(piece, layout.size());
            } else {
                (*STATE.0.get()).free(piece.expose_provenance());
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let ptr = piece.expose_provenance();
        // SAFETY: as above. Pages can be moved as a whole.
        unsafe {
            match (is_large(layout.size()), is_large(size)) {
                #[cfg(target_os = "linux")]
                (true, true) => {
                    return remap(piece, layout.size(), size).unwrap_or_else(|_| fail(self.prog));
                }
                (false, false) if size <= layout.size() => {
                    (*STATE.0.get()).shrink(ptr, size);
                    return piece;
                }
                (false, false) if (*STATE.0.get()).grow(ptr, size) => return piece,
                _ => {}
            }
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(piece, size.min(layout.size()));
                self.dealloc(piece, layout);
            }
            new
        }
    }
}

/// Reserves memory for pieces of `len` bytes in all: allocating them then needs no
/// system call. It only checks that there is memory for pieces of 128 KiB and more:
/// other processes may use that before this one does. ENOMEM if there is not enough.
/// Does nothing in a program without an [`Allocator`].
pub fn reserve(len: usize) -> Result<(), Errno> {
    // SAFETY: as for the allocator.
    let blocks = unsafe { &mut *STATE.0.get() };
    if !blocks.has_memory() {
        return Ok(());
    }
    // Pieces are taken from the beginning of a free block that is large
    // enough, and one that is twice as large as all of them always is.
    if !blocks.has(2 * len) {
        grow(blocks, 2 * len)?;
    }
    if is_large(len) {
        // Large pieces take whole pages: together less than twice `len`.
        let piece = map(2 * len)?;
        // SAFETY: it is new, and nobody has it.
        unsafe { unmap(piece.as_ptr().cast(), 2 * len) };
    }
    Ok(())
}

/// Returns unused memory to the system.
pub fn trim() {
    // SAFETY: as for the allocator.
    let blocks = unsafe { &mut *STATE.0.get() };
    blocks.free_pages(page_size(), |pages| {
        let start = NonNull::new(with_exposed_provenance_mut(pages.start));
        // SAFETY: whole pages of a private mapping in which nothing is in
        // use and all is zero, as it will be if they come back.
        let _ = start.map(|s| unsafe { madvise(s, pages.len(), MmapAdvise::MADV_DONTNEED) });
    });
}

/// Takes one more area from the system, for `len` bytes at least.
#[cold]
fn grow(blocks: &mut Blocks, len: usize) -> Result<(), Errno> {
    let size = whole_pages((len + SMALLEST_PAGE).max(AREA))
        .ok_or(Errno::ENOMEM)?
        .get();
    let start = map(size)?.as_ptr().expose_provenance();
    let area: Range<usize> = start..start + size;
    // SAFETY: a new mapping, which is zero and stays.
    unsafe { blocks.add(area) };
    Ok(())
}

fn is_large(len: usize) -> bool {
    len >= LARGE
}

fn whole_pages(len: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(len.checked_next_multiple_of(page_size())?)
}

fn map(len: usize) -> Result<NonNull<std::ffi::c_void>, Errno> {
    let len = whole_pages(len).ok_or(Errno::ENOMEM)?;
    let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new private mapping overlaps nothing.
    unsafe { mmap_anonymous(None, len, prot, MapFlags::MAP_PRIVATE) }
}

/// # Safety
///
/// `piece` came from `map` with this length, and is not used any more.
unsafe fn unmap(piece: *mut u8, len: usize) {
    if let (Some(start), Some(len)) = (NonNull::new(piece.cast()), whole_pages(len)) {
        // SAFETY: the caller guarantees it.
        let _ = unsafe { munmap(start, len.get()) };
    }
}

/// Changes the length of a mapping, which may move.
///
/// # Safety
///
/// `piece` came from `map` with the length `from`.
#[cfg(target_os = "linux")]
unsafe fn remap(piece: *mut u8, from: usize, to: usize) -> Result<*mut u8, Errno> {
    use nix::sys::mman::{MRemapFlags, mremap};
    let all = (
        NonNull::new(piece.cast()),
        whole_pages(from),
        whole_pages(to),
    );
    let (Some(start), Some(from), Some(to)) = all else {
        return Err(Errno::ENOMEM);
    };
    // SAFETY: the caller guarantees it.
    let moved = unsafe {
        mremap(
            start,
            from.get(),
            to.get(),
            MRemapFlags::MREMAP_MAYMOVE,
            None,
        )
    };
    moved.map(|start| start.as_ptr().cast())
}
