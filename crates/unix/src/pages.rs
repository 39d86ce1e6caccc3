//! Buffers that cost memory only while they hold something.

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

/// A fixed number of bytes in pages of their own, zero at first. Pages that
/// were never touched take no memory, and [`Pages::release`] gives back those
/// that were.
pub struct Pages {
    start: NonNull<u8>,
    len: NonZeroUsize,
}

/// Pages that are never touched do not count against a limit on memory. FreeBSD
/// overcommits by itself and has no flag for it.
#[cfg(not(target_os = "freebsd"))]
const NO_RESERVE: MapFlags = MapFlags::MAP_NORESERVE;
#[cfg(target_os = "freebsd")]
const NO_RESERVE: MapFlags = MapFlags::empty();

impl Pages {
    /// Reserves `len` bytes.
    pub fn new(len: NonZeroUsize) -> Result<Self, Errno> {
        // SAFETY: a new private anonymous mapping at an address of the
        // kernel's choice overlaps nothing.
        let start = unsafe {
            mmap_anonymous(
                None,
                len,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE | NO_RESERVE,
            )?
        };
        Ok(Self {
            start: start.cast(),
            len,
        })
    }

    /// Gives the memory back to the system. The content is lost: where this
    /// works the bytes read as zero afterwards, elsewhere they may stay.
    pub fn release(&mut self) {
        // SAFETY: the range is exactly this mapping, which is borrowed
        // mutably, so nobody holds a reference into it; private anonymous
        // pages read as zero after MADV_DONTNEED, so it stays initialised.
        let _ = unsafe { madvise(self.start.cast(), self.len.get(), MmapAdvise::MADV_DONTNEED) };
    }
}

/// How much of the stack below a running function may hold what functions
/// that have returned left there.
#[cfg(target_os = "linux")]
const STACK: usize = 64 << 10;

/// The smallest page that a system of ours has.
pub(crate) const PAGE: usize = 4096;

/// The size of a page.
pub(crate) fn page_size() -> usize {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    let size = size
        .ok()
        .flatten()
        .and_then(|size| usize::try_from(size).ok());
    size.unwrap_or(PAGE).max(PAGE)
}

/// Gives back what the heap and the stack do not use any more.
pub fn trim() {
    crate::heap::trim();
    #[cfg(target_os = "linux")]
    trim_stack();
}

#[cfg(target_os = "linux")]
#[inline(never)]
fn trim_stack() {
    let here = 0u8;
    let here = (&raw const here).addr();
    // What this function and the call below need fits into this.
    let end = here.saturating_sub(2048) & !(PAGE - 1);
    let start = std::ptr::with_exposed_provenance_mut::<u8>(end.saturating_sub(STACK));
    if let Some(start) = NonNull::new(start.cast()) {
        // SAFETY: a stack grows downwards here, and the kernel keeps more than
        // STACK bytes below one free of other mappings: the range holds only
        // frames of functions that have returned.
        let _ = unsafe { madvise(start, STACK, MmapAdvise::MADV_DONTNEED) };
    }
}

/// Overwrites what functions that have returned left on the stack, as deep as
/// the handling of a private key goes.
#[inline(never)]
pub fn wipe_stack() {
    let mut left = [0u8; 16 << 10];
    std::hint::black_box(&mut left);
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is readable, initialised (anonymous pages are
        // zero) and lives as long as self.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len.get()) }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and self is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len.get()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone and nothing borrows from it now.
        let _ = unsafe { munmap(self.start.cast(), self.len.get()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_start_as_zero_keep_what_is_written_and_forget_it_on_release() {
        let mut pages = Pages::new(NonZeroUsize::new(10_000).unwrap()).unwrap();
        assert_eq!(pages.len(), 10_000);
        assert!(pages.iter().all(|byte| *byte == 0));
        pages.fill(7);
        assert!(pages.iter().all(|byte| *byte == 7));
        pages.release();
        #[cfg(target_os = "linux")]
        assert!(pages.iter().all(|byte| *byte == 0));
    }
}
