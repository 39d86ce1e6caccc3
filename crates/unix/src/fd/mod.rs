//! Descriptors: those inherited by number, those that have to stand at a
//! number for the next program, and what is read and written.
//!
//! What this process owns, exec closes: everything that it opens has
//! close-on-exec, and gets rid of it only together with its owner. What has
//! no such flag was inherited and is in nobody's hands, or is left to the next
//! program. That is how [`take_inherited`] and [`close_inherited`] know.

mod inherited;
mod io;
mod place;
mod standard;

use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

pub use inherited::close_inherited;
pub use io::{pipe, read, try_write, write_all};
pub(crate) use place::replace;
pub use place::{copy_to, inherit, move_to};
pub use standard::{guard_standard, message, reserve_stderr, stdin, stdout};

/// Takes over descriptor `number`, which a parent or a command line promised
/// to be open. EBADF if it is not, or if it is ours already: each one is
/// claimed once.
pub fn take_inherited(number: RawFd) -> Result<OwnedFd, Errno> {
    check(number)?;
    // SAFETY: it is open without close-on-exec, so it was inherited and nobody
    // in this process owns it; setting the flag below makes it ours.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    close_on_exec(&fd)?;
    Ok(fd)
}

/// Whether descriptor `number` is open and nobody's: EBADF if not.
pub fn check(number: RawFd) -> Result<(), Errno> {
    if is_ours(number)? {
        return Err(Errno::EBADF);
    }
    Ok(())
}

/// A duplicate of `fd` with a number of at least `lowest`.
pub fn duplicate_above(fd: impl AsFd, lowest: RawFd) -> Result<OwnedFd, Errno> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: fcntl just made this descriptor, nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Whether this process owns descriptor `number`; EBADF if it is not open.
fn is_ours(number: RawFd) -> Result<bool, Errno> {
    if number < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: F_GETFD only inspects the number, open or not.
    let flags = Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    Ok(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC))
}

/// Closes descriptor `number`, which was inherited. Not an error if it is not
/// open.
pub fn close(number: RawFd) {
    if is_ours(number) == Ok(false) {
        // SAFETY: as in `take_inherited`.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}

/// Makes exec close `fd`.
pub(crate) fn close_on_exec(fd: impl AsFd) -> Result<(), Errno> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}

/// Makes `fd`, and all that share its open file, non-blocking.
pub fn nonblocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// Makes `fd`, and all that share its open file, blocking.
pub fn blocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    /// A descriptor that stands open for the next program.
    fn left_open() -> RawFd {
        inherit(pipe().unwrap().0).unwrap()
    }

    #[test]
    fn what_is_not_open_cannot_be_claimed() {
        assert_eq!(take_inherited(1 << 20).err(), Some(Errno::EBADF));
        assert_eq!(take_inherited(-1).err(), Some(Errno::EBADF));
    }

    #[test]
    fn each_descriptor_is_claimed_once() {
        let number = left_open();
        let fd = take_inherited(number).unwrap();
        assert_eq!(fd.as_raw_fd(), number);
        assert_eq!(take_inherited(number).err(), Some(Errno::EBADF));
        assert!(duplicate_above(&fd, 3).is_ok_and(|copy| copy.as_raw_fd() > 2));
        let number = inherit(fd).unwrap();
        drop(take_inherited(number).unwrap());
    }

    #[test]
    fn what_is_ours_is_not_replaced() {
        let (reader, writer) = pipe().unwrap();
        let number = reader.as_raw_fd();
        assert_eq!(copy_to(&writer, number), Err(Errno::EBUSY));
        let number = left_open();
        copy_to(&writer, number).unwrap();
        write_all(take_inherited(number).unwrap(), b"a").unwrap();
        let mut buf = [0; 2];
        assert_eq!(read(&reader, &mut buf), Ok(1));
        move_to(writer, left_open()).unwrap();
    }
}
