//! Reading and writing.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A pipe, reading end first, whose ends exec closes.
#[cfg(not(target_vendor = "apple"))]
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
}

/// A pipe, reading end first, whose ends exec closes. macOS sets flags by calls
/// of their own; no other thread can execute a program in between, since the
/// programs have one thread.
#[cfg(target_vendor = "apple")]
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = nix::unistd::pipe()?;
    super::close_on_exec(&reader)?;
    super::close_on_exec(&writer)?;
    Ok((reader, writer))
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

/// Writes `bytes` to a descriptor if it takes some of them at once; whether
/// it did, nobody learns.
pub fn try_write(fd: impl AsFd, bytes: &[u8]) {
    let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        let _quiet = crate::signal::ignore_sigpipe();
        let _ = nix::unistd::write(fd.as_fd(), bytes);
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

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
    }
}
