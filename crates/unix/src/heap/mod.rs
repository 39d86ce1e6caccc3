//! The heap of a program: it is zeroed on free, and out of memory prints one line
//! and exits 111.
//!
//! - Freed memory is zeroed at once, also that of libraries: no copy of a key stays in
//!   it.
//! - A program that gets no more memory prints `PROG: fatal: out of memory` and exits
//!   111. This needs no memory, and no signal, which the sandbox would refuse.
//! - Freed memory is kept until [`trim`] is called: while data flow, the same pieces
//!   are allocated and freed again and again.
//!
//! `--cfg system_allocator` builds the programs with the system's allocator instead of
//! our own: for sanitizers and valgrind (`make sanitize`).

#[cfg(not(system_allocator))]
mod areas;
#[cfg(not(system_allocator))]
mod blocks;
#[cfg(any(system_allocator, test))]
mod system;

#[cfg(not(system_allocator))]
pub use areas::{Allocator, reserve, trim};
#[cfg(system_allocator)]
pub use system::{Allocator, reserve, trim};

/// Ends the program `prog` for lack of memory. Not inlined, so that an allocation takes
/// little of the stack.
#[cold]
#[inline(never)]
fn fail(prog: &str) -> ! {
    let mut line = [0; 80];
    let parts = [prog, ": fatal: out of memory\n"];
    let bytes = parts.iter().flat_map(|part| part.bytes());
    let len = line
        .iter_mut()
        .zip(bytes)
        .map(|(to, byte)| *to = byte)
        .count();
    crate::fd::message(&line[..len]);
    crate::entry::exit(111)
}
