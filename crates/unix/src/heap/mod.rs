//! The heap of a program: it is zeroed on free, and out of memory prints one line
//! and exits 111.
//!
//! - What is freed is zero at once, whoever used it: no copy of a key stays
//!   behind in free memory, be it one of the TLS library's.
//! - A program that gets no more memory says `PROG: fatal: out of memory` and
//!   exits 111. That takes no memory, and no signal, which the sandbox would
//!   refuse.
//! - Memory that was taken from the system is kept until [`trim`] is called:
//!   data that flow take and give the same pieces again and again.
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

/// Ends the process `prog` for lack of memory. Not inlined, for an allocation
/// should take little of the stack.
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
