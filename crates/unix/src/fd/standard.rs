//! Standard input, output and error.

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::{duplicate_above, is_ours, replace};

/// Whether [`reserve_stderr`] occupies the number of standard error.
static RESERVED: AtomicBool = AtomicBool::new(false);

/// Descriptor 0, borrowed for the life of the process.
pub fn stdin() -> BorrowedFd<'static> {
    // SAFETY: no program closes the descriptor while it holds this. If it was
    // closed before, calls on it fail.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// Descriptor 1, borrowed for the life of the process.
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: as in `stdin`.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// If standard error is closed, occupies its number, so that no descriptor of ours
/// gets it and receives messages. The next program finds it closed as before.
pub fn reserve_stderr() -> Result<(), Errno> {
    if is_ours(2) != Err(Errno::EBADF) {
        return Ok(());
    }
    let nothing = nothing()?;
    RESERVED.store(true, Ordering::Relaxed);
    if nothing.as_raw_fd() == 2 {
        let _ = nothing.into_raw_fd();
    } else {
        // The lowest free number from 2 on is 2.
        let _ = duplicate_above(&nothing, 2)?.into_raw_fd();
    }
    Ok(())
}

/// A descriptor that occupies a number. Writes to it are discarded, or fail if the
/// root directory has no devices.
fn nothing() -> Result<OwnedFd, Errno> {
    let null = open(
        c"/dev/null",
        OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    );
    null.or_else(|_| open(c"/", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()))
}

/// Opens the null device on each closed standard descriptor: for the next program,
/// and so that no descriptor of ours gets its number.
pub fn guard_standard() -> Result<(), Errno> {
    for number in 0..=2 {
        let reserved = number == 2 && RESERVED.swap(false, Ordering::Relaxed);
        if reserved || is_ours(number) == Err(Errno::EBADF) {
            let null = open(
                c"/dev/null",
                OFlag::O_RDWR | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?;
            // SAFETY: the number is free, or is that of `null`, or was occupied by
            // `reserve_stderr`, which gives it up here.
            unsafe { replace(&null, number) }?;
            if null.as_raw_fd() == number {
                let _ = null.into_raw_fd();
            }
        }
    }
    Ok(())
}

/// Writes one line to standard error, in one call. Errors are ignored, and raise no
/// signal.
pub fn message(line: &[u8]) {
    let _quiet = crate::signal::ignore_sigpipe();
    // SAFETY: the descriptor is borrowed for the call. If it is closed, write fails.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    while nix::unistd::write(stderr, line) == Err(Errno::EINTR) {}
}
