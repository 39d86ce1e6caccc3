//! Descriptors 0, 1 and 2.

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::{duplicate_above, is_ours, replace};

/// Whether standard error was closed and is what [`reserve_stderr`] made of it.
static RESERVED: AtomicBool = AtomicBool::new(false);

/// Descriptor 0, borrowed for the life of the process.
pub fn stdin() -> BorrowedFd<'static> {
    // SAFETY: it is only borrowed; if it is closed, calls on it fail. No
    // program closes it while it holds this.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// Descriptor 1, borrowed for the life of the process.
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: as in `stdin`.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// Keeps the number of a closed standard error busy, so that no descriptor of
/// ours lands where messages are written. The next program finds it closed all
/// the same. Descriptors 0 and 1 do not matter.
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

/// Something to keep a number busy: what is written there is lost, or refused
/// in a root directory without devices.
fn nothing() -> Result<OwnedFd, Errno> {
    let null = open(
        c"/dev/null",
        OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    );
    null.or_else(|_| open(c"/", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()))
}

/// Opens the null device on each standard descriptor that is closed, for the
/// next program and so that no descriptor of ours lands there.
pub fn guard_standard() -> Result<(), Errno> {
    for number in 0..=2 {
        let reserved = number == 2 && RESERVED.swap(false, Ordering::Relaxed);
        if reserved || is_ours(number) == Err(Errno::EBADF) {
            let null = open(
                c"/dev/null",
                OFlag::O_RDWR | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?;
            // SAFETY: the number is free, or `null` has it, or its owner is
            // the reservation, which ends here.
            unsafe { replace(&null, number) }?;
            if null.as_raw_fd() == number {
                let _ = null.into_raw_fd();
            }
        }
    }
    Ok(())
}

/// Writes one line of a message to standard error, in one call. A closed,
/// full or broken standard error changes nothing: no signal, no error.
pub fn message(line: &[u8]) {
    let quiet = crate::signal::ignore_sigpipe();
    // SAFETY: descriptor 2 is only borrowed; if it is closed, write fails.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    while nix::unistd::write(stderr, line) == Err(Errno::EINTR) {}
    drop(quiet);
}
