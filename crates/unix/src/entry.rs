//! A program's entry point, without the start-up code of Rust's standard
//! library.
//!
//! That code opens the null device on closed standard descriptors and ignores
//! SIGPIPE. The next program of a chain would inherit both, but has to start as
//! this one did.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// Defines the C `main` and the allocator of the program `$name`. `$run` is a
/// `fn(Vec<OsString>) -> u8`: it takes the arguments, including the program's
/// name, and returns the exit code. The program starts no threads.
#[macro_export]
macro_rules! entry {
    ($name:expr, $run:expr) => {
        /// The allocator of the program.
        #[global_allocator]
        static ALLOCATOR: $crate::heap::Allocator =
            // SAFETY: the programs of this project have one thread.
            unsafe { $crate::heap::Allocator::new($name) };

        /// The C entry point.
        ///
        /// # Safety
        ///
        /// The C runtime calls it.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            argc: ::std::ffi::c_int,
            argv: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            // SAFETY: these are the arguments from the C runtime.
            unsafe { $crate::entry::start(argc, argv, $run) }
        }
    };
}

/// Runs `run` with the arguments of the C `main`, and exits with its result
/// without running exit handlers.
///
/// # Safety
///
/// `argc` and `argv` are the arguments that the C runtime passed to `main`.
#[doc(hidden)]
pub unsafe fn start(
    argc: c_int,
    argv: *const *const c_char,
    run: fn(Vec<OsString>) -> u8,
) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    let args = (0..count).map(|i| {
        // SAFETY: `argv` has `argc` valid pointers to strings that end with NUL
        // and live as long as the process.
        let arg = unsafe { CStr::from_ptr(*argv.add(i)) };
        OsStr::from_bytes(arg.to_bytes()).to_owned()
    });
    exit(run(args.collect()))
}

/// Exits with `code` without running exit handlers.
pub fn exit(code: u8) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(c_int::from(code)) }
}
