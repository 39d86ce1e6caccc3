//! Memory that the process no longer needs: returned to the system, or
//! overwritten.

#[cfg(target_os = "linux")]
use std::ptr::{NonNull, with_exposed_provenance_mut};

#[cfg(target_os = "linux")]
use nix::sys::mman::{MmapAdvise, madvise};
use nix::sys::resource::{Resource, getrlimit};

/// How many bytes of the stack below the running function are reserved or returned: as
/// deep as a handshake goes.
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
    // This function and the call below use less than 1024 bytes of the stack.
    let end = (&raw const local).addr().saturating_sub(1024) & !(page_size - 1);
    let len = STACK.next_multiple_of(page_size);
    let start = with_exposed_provenance_mut(end.saturating_sub(len));
    if let Some(start) = NonNull::new(start) {
        // SAFETY: the stack grows downwards here, and the kernel keeps other
        // mappings further away than `len`: the range holds only frames of
        // functions that have returned.
        let _ = unsafe { madvise(start, len, MmapAdvise::MADV_DONTNEED) };
    }
}

/// Lets the stack grow by 64 KiB now, while there is memory: SIGSEGV kills a process that
/// has none later, when its stack must grow. Linux maps 128 KiB at first, but the lists of
/// arguments and environment use part of them. Does nothing if the limit of the stack is
/// less than 1 MiB, which may have no room for it.
pub fn reserve_stack() {
    if getrlimit(Resource::RLIMIT_STACK).is_ok_and(|(limit, _)| limit < 1 << 20) {
        return;
    }
    touch_stack();
    #[cfg(target_os = "linux")]
    trim_stack(crate::page::page_size());
}

#[inline(never)]
fn touch_stack() {
    let mut zeros = [0u8; STACK];
    std::hint::black_box(&mut zeros);
}

/// Overwrites what returned functions left on the stack, as deep as functions
/// that handle a private key go.
#[inline(never)]
pub fn wipe_stack() {
    let mut zeros = [0u8; 16 << 10];
    std::hint::black_box(&mut zeros);
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::hint::black_box;
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Leaves `LEN` bytes of a secret on the stack, and returns where.
    #[inline(never)]
    fn leave<const LEN: usize>(secret: u8) -> u64 {
        let mut local = [secret; LEN];
        black_box(&mut local);
        (&raw const local).addr() as u64
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no stack in /proc")]
    fn a_wiped_stack_holds_nothing_of_functions_that_have_returned() {
        let memory = File::open("/proc/self/mem").unwrap();
        // The functions that read it overwrite the first part themselves.
        let mut found = [0; 1024];
        let place = leave::<4096>(0x5a);
        memory.read_exact_at(&mut found, place).unwrap();
        assert_eq!(found, [0x5a; 1024], "the search finds nothing");
        let place = leave::<4096>(0x5a);
        wipe_stack();
        memory.read_exact_at(&mut found, place).unwrap();
        assert_eq!(found, [0; 1024]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no stack in /proc")]
    fn a_trimmed_stack_keeps_nothing_below_the_running_function() {
        let memory = File::open("/proc/self/mem").unwrap();
        let page_size = crate::page::page_size();
        // In the lower half there are whole pages, which nothing else uses before they are read.
        const LEN: usize = 48 << 10;
        if page_size > LEN / 3 {
            return;
        }
        let mut found = vec![0; LEN / 2];
        let place = leave::<LEN>(0x5a);
        memory.read_exact_at(&mut found, place).unwrap();
        assert!(found.contains(&0x5a), "the search finds nothing");
        let place = leave::<LEN>(0x5a);
        trim_stack(page_size);
        memory.read_exact_at(&mut found, place).unwrap();
        assert!(found.iter().all(|byte| *byte == 0));
    }
}
