//! Which mutant is on. The number is in the program file, behind a mark by which it is found:
//! engines run without environment and without files.
#![allow(unsafe_code, missing_docs)]

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

#[repr(C)]
struct Switch {
    mark: [u8; 28],
    number: u32,
    /// Ends with a zero.
    notes: [u8; 224],
}

/// Zero: none is on.
#[used]
static SWITCH: Switch = Switch {
    mark: *b"the mutant that is on here: ",
    number: 0,
    notes: [0; 224],
};

/// With this number no mutant is on, and those whose code runs are noted in the file `notes`,
/// which has a byte for each.
const NOTING: u32 = u32::MAX;

/// The file `notes` in memory. It is shared: what a child of fork notes is there as well.
static NOTES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
const SIZE: usize = 1 << 20;

// Those of Linux.
const READ_AND_WRITE: c_int = 2;
const READ: c_int = 1;
const WRITE: c_int = 2;
const SHARED: c_int = 1;
const PRIVATE: c_int = 2;
const ANONYMOUS: c_int = 32;

/// Whether this mutant is on.
#[inline(always)]
pub fn on(number: u32) -> bool {
    // SAFETY: it is there, and initialized. The compiler must not know the number.
    let set = unsafe { (&raw const SWITCH.number).read_volatile() };
    if set == NOTING {
        note(number);
    }
    set == number
}

#[cold]
fn note(number: u32) {
    let mut notes = NOTES.load(Ordering::Relaxed);
    if notes.is_null() {
        notes = map();
        NOTES.store(notes, Ordering::Relaxed);
    }
    // SAFETY: the map has a byte for each number.
    unsafe { notes.add(number as usize).write_volatile(1) };
}

/// Maps the file, or memory alone where it cannot be opened. It allocates nothing: the
/// allocator has mutants as well.
fn map() -> *mut u8 {
    unsafe extern "C" {
        fn open(path: *const c_char, flags: c_int, ...) -> c_int;
        fn close(file: c_int) -> c_int;
        fn mmap(
            at: *mut c_void,
            size: usize,
            protection: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void;
    }
    // SAFETY: the path ends with a zero. Without a map the next write ends the program.
    unsafe {
        let path = (&raw const SWITCH.notes).read_volatile();
        let file = open(path.as_ptr().cast(), READ_AND_WRITE);
        let flags = if file < 0 { PRIVATE | ANONYMOUS } else { SHARED };
        let map = mmap(ptr::null_mut(), SIZE, READ | WRITE, flags, file, 0);
        close(file);
        map.cast()
    }
}
