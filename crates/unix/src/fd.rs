//! Descriptors that were inherited by number, and descriptors that have to
//! stand at a number for the next program.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::stat::Mode;

/// Takes over descriptor `number`, which a parent or a command line promised
/// to be open. EBADF if it is not.
///
/// Each number is claimed at most once in a program: the caller parses it
/// from the command line and owns it from then on.
pub fn claim(number: RawFd) -> Result<OwnedFd, Errno> {
    check(number)?;
    // SAFETY: the descriptor is open, and nothing else in this process owns
    // it: it was inherited, and descriptors of our own are never named by
    // numbers that come from outside.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A duplicate of descriptor `number`, closed by exec. EBADF if it is not
/// open. For numbers that may be named twice.
pub fn duplicate(number: RawFd) -> Result<OwnedFd, Errno> {
    check(number)?;
    // SAFETY: the descriptor was just seen open and is only borrowed for the
    // call.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: fcntl just made this descriptor, nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Whether descriptor `number` is open: EBADF if not.
pub fn check(number: RawFd) -> Result<(), Errno> {
    if number < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: F_GETFD only inspects the number, open or not.
    Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) }).map(drop)
}

/// Opens the null device on each standard descriptor that is closed, so that
/// no descriptor of ours lands there.
pub fn guard_standard() -> Result<(), Errno> {
    for number in 0..=2 {
        if check(number) == Err(Errno::EBADF) {
            let null = nix::fcntl::open(c"/dev/null", OFlag::O_RDWR, Mode::empty())?;
            settle(null, number)?;
        }
    }
    Ok(())
}

/// Moves `fd` to `number`, replacing what was there, and leaves it open for
/// the next program.
pub fn settle(fd: OwnedFd, number: RawFd) -> Result<(), Errno> {
    if fd.as_raw_fd() == number {
        inherit(&fd)?;
        let _ = fd.into_raw_fd();
        return Ok(());
    }
    copy_to(&fd, number)
}

/// Makes `number` a copy of `fd`, open for the next program. `fd` itself
/// stays as it is.
pub fn copy_to(fd: impl AsFd, number: RawFd) -> Result<(), Errno> {
    if fd.as_fd().as_raw_fd() == number {
        return inherit(fd);
    }
    // SAFETY: dup2 replaces `number` in one step. The numbers that callers
    // pass are the fixed ones of the UCSPI interface or those of the command
    // line, which no owned descriptor of this process has.
    Errno::result(unsafe { libc::dup2(fd.as_fd().as_raw_fd(), number) }).map(drop)
}

/// Leaves `fd` open for the next program.
pub fn inherit(fd: impl AsFd) -> Result<(), Errno> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)
}

/// Closes descriptor `number`, which was inherited and is in nobody's hands.
/// Not an error if it is not open.
pub fn close(number: RawFd) {
    if let Ok(fd) = claim(number) {
        drop(fd);
    }
}

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

/// Makes exec close `fd`.
pub fn close_on_exec(fd: impl AsFd) -> Result<(), Errno> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}

/// Makes `fd`, and all that share its open file, non-blocking.
pub fn nonblocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// If standard error is closed, keeps its number busy, so that no descriptor
/// of ours lands where messages are written. The next program finds it
/// closed all the same. Descriptors 0 and 1 do not matter.
pub fn reserve_stderr() -> Result<(), Errno> {
    if check(2) == Err(Errno::EBADF) {
        let null = nix::fcntl::open(
            c"/dev/null",
            OFlag::O_RDWR | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        if null.as_raw_fd() == 2 {
            let _ = null.into_raw_fd();
        } else {
            fcntl(&null, FcntlArg::F_DUPFD_CLOEXEC(2))?;
        }
    }
    Ok(())
}

/// Writes `bytes` to a descriptor if it takes some of them at once; whether
/// it did, nobody learns.
pub fn offer(fd: impl AsFd, bytes: &[u8]) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        let _ = nix::unistd::write(fd.as_fd(), bytes);
    }
}

/// Reads until `buf` holds something or the end: EINTR is not seen.
pub fn read(fd: impl AsFd, buf: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match nix::unistd::read(fd.as_fd(), buf) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Writes all of `bytes` to a blocking descriptor.
pub fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match nix::unistd::write(fd.as_fd(), bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A pipe, reading end first, whose ends exec closes.
///
/// `pipe2` is not everywhere; where it is missing the flag is set afterwards,
/// which is the same in a process of one thread.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    #[cfg(any(
        target_os = "linux",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd"
    ))]
    return nix::unistd::pipe2(OFlag::O_CLOEXEC);
    #[cfg(not(any(
        target_os = "linux",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    {
        let ends = nix::unistd::pipe()?;
        fcntl(&ends.0, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        fcntl(&ends.1, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        Ok(ends)
    }
}

/// Writes one line of a message to standard error, in one call. A closed,
/// full or broken standard error changes nothing: no signal, no error.
pub fn message(line: &[u8]) {
    let quiet = crate::signal::Temporarily::ignoring_pipe();
    // SAFETY: descriptor 2 is only borrowed; if it is closed, write fails.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    while nix::unistd::write(stderr, line) == Err(Errno::EINTR) {}
    drop(quiet);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claiming_what_is_not_open_is_an_error() {
        assert_eq!(claim(1 << 20).err(), Some(Errno::EBADF));
        assert_eq!(claim(-1).err(), Some(Errno::EBADF));
        assert_eq!(duplicate(1 << 20).err(), Some(Errno::EBADF));
    }

    #[test]
    fn a_pipe_carries_what_is_written_and_exec_closes_it() {
        let (reader, writer) = pipe().unwrap();
        for end in [&reader, &writer] {
            assert_eq!(fcntl(end, FcntlArg::F_GETFD), Ok(FdFlag::FD_CLOEXEC.bits()));
        }
        write_all(&writer, b"abc").unwrap();
        drop(writer);
        let mut buf = [0; 8];
        assert_eq!(read(&reader, &mut buf), Ok(3));
        assert_eq!(read(&reader, &mut buf), Ok(0));
        inherit(&reader).unwrap();
        assert_eq!(fcntl(&reader, FcntlArg::F_GETFD), Ok(0));
    }
}
