//! Buffers in pages of their own, which take memory only while they are used.

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

/// A buffer of fixed length, in pages of its own, zero at first. Pages that were
/// never touched take no memory; [`Pages::release`] returns the others to the
/// system.
pub struct Pages {
    start: NonNull<u8>,
    len: NonZeroUsize,
}

/// Untouched pages do not count against the system's commit limit. FreeBSD always
/// overcommits and has no flag for this, and miri does not know it.
#[cfg(not(any(target_os = "freebsd", miri)))]
const NO_RESERVE: MapFlags = MapFlags::MAP_NORESERVE;
#[cfg(any(target_os = "freebsd", miri))]
const NO_RESERVE: MapFlags = MapFlags::empty();

impl Pages {
    /// Reserves `len` bytes.
    pub fn new(len: NonZeroUsize) -> Result<Self, Errno> {
        // SAFETY: the kernel chooses the address, so the new mapping overlaps
        // nothing.
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

    /// Returns the memory to the system. The content is lost: on Linux all bytes
    /// are zero afterwards, elsewhere they may also keep their values.
    pub fn release(&mut self) {
        // SAFETY: the range is exactly this mapping. It is borrowed mutably, so
        // nobody holds a reference into it. Private anonymous pages read as zero
        // after MADV_DONTNEED, so the bytes stay initialised.
        let _ = unsafe { madvise(self.start.cast(), self.len.get(), MmapAdvise::MADV_DONTNEED) };
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is readable and lives as long as self. Anonymous
        // pages are zero at first, so it is initialised.
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
        // SAFETY: self owns the mapping, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.start.cast(), self.len.get()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "miri has no madvise")]
    fn pages_are_zero_at_first_and_after_release() {
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
