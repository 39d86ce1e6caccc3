//! Descriptors: inherited by number, handed to the next program by number, read
//! and written.
//!
//! The flag close-on-exec says who owns a descriptor. Everything that this process
//! opens has the flag, and loses it only when its owner gives it up. A descriptor
//! without the flag was inherited and has no owner in this process, or is left to
//! the next program. [`take_inherited`] and [`close_inherited`] rely on that.

mod inherited;
mod io;
mod place;
mod standard;

use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

pub use inherited::close_inherited;
pub use io::{pipe, read, try_write, write_all, write_first};
pub(crate) use place::replace;
pub use place::{copy_to, inherit, move_to};
pub use standard::{guard_standard, message, reserve_stderr, stdin, stdout};

/// Takes ownership of the inherited descriptor `number`. EBADF if it is not open, or
/// if this process owns it already.
pub fn take_inherited(number: RawFd) -> Result<OwnedFd, Errno> {
    check(number)?;
    // SAFETY: the descriptor is open without close-on-exec, so nobody in this
    // process owns it. Setting the flag below makes it ours.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    close_on_exec(&fd)?;
    Ok(fd)
}

/// Checks that descriptor `number` is open and has no owner in this process. EBADF
/// if not.
pub fn check(number: RawFd) -> Result<(), Errno> {
    if is_ours(number)? {
        return Err(Errno::EBADF);
    }
    Ok(())
}

/// A duplicate of `fd` with a number not below `lowest`.
pub fn duplicate_above(fd: impl AsFd, lowest: RawFd) -> Result<OwnedFd, Errno> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: fcntl just made this descriptor, so nobody else owns it.
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

/// Closes the inherited descriptor `number`. Does nothing if it is not open, or if
/// this process owns it.
pub fn close(number: RawFd) {
    if is_ours(number) == Ok(false) {
        // SAFETY: as in `take_inherited`.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}

/// Sets close-on-exec.
pub(crate) fn close_on_exec(fd: impl AsFd) -> Result<(), Errno> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}

/// Makes `fd` non-blocking, and with it all descriptors of the same open file.
pub fn nonblocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// Makes `fd` blocking, and with it all descriptors of the same open file.
pub fn blocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    /// A descriptor that is open for the next program.
    fn left_open() -> RawFd {
        inherit(pipe().unwrap().0).unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no F_GETFD")]
    fn descriptor_0_may_be_open_as_any_other() {
        let open = std::io::stdin().as_fd().try_clone_to_owned();
        assert_eq!(is_ours(0).is_ok(), open.is_ok());
        assert_eq!(is_ours(-1), Err(Errno::EBADF));
    }

    #[test]
    fn closed_descriptor_cannot_be_taken() {
        assert_eq!(take_inherited(1 << 20).err(), Some(Errno::EBADF));
        assert_eq!(take_inherited(-1).err(), Some(Errno::EBADF));
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no F_SETFD")]
    fn descriptor_is_taken_only_once() {
        let number = left_open();
        let fd = take_inherited(number).unwrap();
        assert_eq!(fd.as_raw_fd(), number);
        assert_eq!(take_inherited(number).err(), Some(Errno::EBADF));
        assert!(duplicate_above(&fd, 3).is_ok_and(|copy| copy.as_raw_fd() > 2));
        let number = inherit(fd).unwrap();
        drop(take_inherited(number).unwrap());
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no F_SETFD")]
    fn owned_descriptor_is_not_replaced() {
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

    #[test]
    #[cfg_attr(miri, ignore = "miri has no F_SETFD")]
    fn a_moved_descriptor_is_open_for_the_next_program_under_its_number_alone() {
        for stays in [false, true] {
            let (reader, writer) = pipe().unwrap();
            let former = writer.as_raw_fd();
            let number = if stays { former } else { left_open() };
            move_to(writer, number).unwrap();
            assert_eq!(is_ours(number), Ok(false));
            write_all(take_inherited(number).unwrap(), b"a").unwrap();
            let mut buf = [0; 2];
            assert_eq!(read(&reader, &mut buf), Ok(1));
            assert_eq!(read(&reader, &mut buf), Ok(0), "no other writer is left");
        }
    }
}
