//! Pipes, reading and writing.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A pipe, reading end first. Both ends have close-on-exec.
#[cfg(not(target_vendor = "apple"))]
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
}

/// A pipe, reading end first. Both ends have close-on-exec. macOS sets the flag in a
/// second call. No other thread can exec in between: the programs have one thread.
#[cfg(target_vendor = "apple")]
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = nix::unistd::pipe()?;
    super::close_on_exec(&reader)?;
    super::close_on_exec(&writer)?;
    Ok((reader, writer))
}

/// Reads into `buf`, and repeats a read that a signal interrupted. 0 at the end.
pub fn read(fd: impl AsFd, buf: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match nix::unistd::read(fd.as_fd(), buf) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Writes all of `bytes`. Waits while the descriptor takes none, even if it has O_NONBLOCK, which
/// other processes may share.
pub fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match nix::unistd::write(fd.as_fd(), bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => crate::poll::ready(fd.as_fd(), PollFlags::POLLOUT, None)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A pipe with any room has room for this many bytes (_POSIX_PIPE_BUF).
const PIECE: usize = 512;

/// Writes the first of `bytes` to a descriptor that poll(2) says is ready. It does not
/// wait for more room, even if the descriptor is blocking.
pub fn write_first(fd: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    match crate::net::send_at_once(&fd, bytes) {
        Err(Errno::ENOTSOCK) => {
            let piece = bytes.get(..PIECE).unwrap_or(bytes);
            nix::unistd::write(fd.as_fd(), piece)
        }
        sent => sent,
    }
}

/// Writes `bytes` if the descriptor takes some of them without waiting. Errors are
/// ignored.
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
    fn all_is_written_even_if_the_descriptor_does_not_block() {
        let (reader, writer) = pipe().unwrap();
        crate::fd::nonblocking(&writer).unwrap();
        let sent: Vec<u8> = (0..300_000).map(|i| i as u8).collect();
        let writing = {
            let sent = sent.clone();
            std::thread::spawn(move || write_all(writer, &sent))
        };
        let mut received = Vec::new();
        std::io::Read::read_to_end(&mut std::fs::File::from(reader), &mut received).unwrap();
        assert_eq!(writing.join().unwrap(), Ok(()));
        assert!(received == sent, "{}", received.len());
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no send")]
    fn first_write_to_a_pipe_waits_for_no_more_room_though_it_blocks() {
        let long = [0; 1 << 20];
        let (reader, writer) = pipe().unwrap();
        crate::fd::nonblocking(&writer).unwrap();
        while nix::unistd::write(&writer, &long).is_ok() {}
        crate::fd::blocking(&writer).unwrap();
        // Now there is room, but less than for all.
        read(&reader, &mut [0; 8192]).unwrap();
        assert_eq!(write_first(&writer, &long), Ok(PIECE));
        assert_eq!(write_first(&writer, b"abc"), Ok(3));
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no signals")]
    fn try_write_waits_for_no_room_though_the_descriptor_blocks() {
        let (reader, writer) = pipe().unwrap();
        crate::fd::nonblocking(&writer).unwrap();
        let mut full = 0;
        while let Ok(count) = nix::unistd::write(&writer, &[0; 4096]) {
            full += count;
        }
        crate::fd::blocking(&writer).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            try_write(&writer, b"lost");
            sender.send(writer)
        });
        let writer = receiver.recv_timeout(std::time::Duration::from_secs(60));
        read(&reader, &mut vec![0; full]).unwrap();
        try_write(writer.unwrap(), b"written");
        let mut buf = [0; 16];
        assert_eq!(read(&reader, &mut buf), Ok(7));
        assert_eq!(&buf[..7], b"written");
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no send")]
    fn first_write_to_a_socket_waits_for_no_more_room_though_it_blocks() {
        let long = [0; 1 << 20];
        let (socket, _peer) = crate::net::socket_pair().unwrap();
        let sent = write_first(&socket, &long).unwrap();
        assert!((PIECE + 1..long.len()).contains(&sent), "{sent}");
        assert_eq!(write_first(&socket, &long), Err(Errno::EAGAIN));
    }

    #[test]
    fn pipe_carries_data_and_has_close_on_exec() {
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
