//! Sends and receives whole messages over the socket pair.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::PollFlags;
use unix::poll;

use super::message::{HEADER, header};

/// Why a message is not sent or received.
#[derive(Debug, Eq, PartialEq)]
pub enum ChannelError {
    /// The other side is gone, or sent something that is no message.
    Closed,
    /// The deadline has passed.
    TimedOut,
}

/// Sends a whole message, until `deadline` if the socket does not block.
pub fn send(
    socket: &OwnedFd,
    mut message: &[u8],
    deadline: Option<Instant>,
) -> Result<(), ChannelError> {
    while !message.is_empty() {
        match nix::unistd::write(socket, message) {
            Ok(count) => message = &message[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait(socket, PollFlags::POLLOUT, deadline)?,
            Err(_) => return Err(ChannelError::Closed),
        }
    }
    Ok(())
}

/// Receives a message of at most `limit` bytes of content, until `deadline`.
/// Returns its kind and content.
pub fn receive(
    socket: &OwnedFd,
    limit: usize,
    deadline: Option<Instant>,
) -> Result<(u8, Vec<u8>), ChannelError> {
    let mut head = [0; HEADER];
    fill(socket, &mut head, deadline)?;
    let (kind, length) = header(&head, limit).ok_or(ChannelError::Closed)?;
    let mut content = vec![0; length];
    fill(socket, &mut content, deadline)?;
    Ok((kind, content))
}

fn fill(
    socket: &OwnedFd,
    mut buf: &mut [u8],
    deadline: Option<Instant>,
) -> Result<(), ChannelError> {
    while !buf.is_empty() {
        wait(socket, PollFlags::POLLIN, deadline)?;
        match unix::fd::read(socket, buf) {
            Ok(0) | Err(_) => return Err(ChannelError::Closed),
            Ok(count) => buf = &mut buf[count..],
        }
    }
    Ok(())
}

/// Waits until `socket` is ready for `events`. Without a deadline the socket
/// blocks, and the next call waits.
fn wait(
    socket: &OwnedFd,
    events: PollFlags,
    deadline: Option<Instant>,
) -> Result<(), ChannelError> {
    if deadline.is_none() {
        return Ok(());
    }
    poll::ready(socket.as_fd(), events, deadline).map_err(|errno| match errno {
        Errno::ETIMEDOUT => ChannelError::TimedOut,
        _ => ChannelError::Closed,
    })
}
