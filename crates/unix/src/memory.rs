//! Memory that the process no longer needs: returned to the system, or
//! overwritten.

#[cfg(target_os = "linux")]
use std::ptr::{NonNull, with_exposed_provenance_mut};

#[cfg(target_os = "linux")]
use nix::sys::mman::{MmapAdvise, madvise};

/// How many bytes of the stack below the running function are returned: as deep
/// as a handshake goes.
#[cfg(target_os = "linux")]
const STACK: usize = 64 << 10;

/// Returns unused memory of the heap and of the stack to the system.
pub fn trim() {
    crate::heap::trim();
    #[cfg(target_os = "linux")]
    trim_stack(crate::page::page_size());
}

#[cfg(target_os = "linux")]
#[inline(never)]
fn trim_stack(page_size: usize) {
    let local = 0u8;
    // This function and the call below use less than 2048 bytes of the stack.
    let end = (&raw const local).addr().saturating_sub(2048) & !(page_size - 1);
    let len = STACK.next_multiple_of(page_size);
    let start = with_exposed_provenance_mut(end.saturating_sub(len));
    if let Some(start) = NonNull::new(start) {
        // SAFETY: the stack grows downwards here, and the kernel keeps other
        // mappings further away than `len`: the range holds only frames of
        // functions that have returned.
        let _ = unsafe { madvise(start, len, MmapAdvise::MADV_DONTNEED) };
    }
}

/// Overwrites what returned functions left on the stack, as deep as functions
/// that handle a private key go.
#[inline(never)]
pub fn wipe_stack() {
    let mut zeros = [0u8; 16 << 10];
    std::hint::black_box(&mut zeros);
}
