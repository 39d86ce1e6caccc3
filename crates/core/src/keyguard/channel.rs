//! Sends and receives whole messages over the socket pair.

use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::PollFlags;
use unix::poll;

use super::message::{HEADER, header};

/// Why a message is not sent or received.
#[derive(Debug, Eq, PartialEq)]
pub enum ChannelError {
    /// The other side has gone, or has sent an invalid message.
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
/// Returns its kind and content. Nothing may follow it: the sides take turns.
pub fn receive(
    socket: &OwnedFd,
    limit: usize,
    deadline: Option<Instant>,
) -> Result<(u8, Vec<u8>), ChannelError> {
    let mut message = vec![0; USUAL];
    let received = fill(socket, &mut message, 0..HEADER, deadline)?;
    let head = message.first_chunk().ok_or(ChannelError::Closed)?;
    let (kind, length) = header(head, limit).ok_or(ChannelError::Closed)?;
    let end = HEADER + length;
    if received > end {
        return Err(ChannelError::Closed);
    }
    message.resize(end, 0);
    fill(socket, &mut message, received..end, deadline)?;
    message.drain(..HEADER);
    Ok((kind, message))
}

/// Nearly all messages are shorter than this, and come with one read.
const USUAL: usize = 1024;

/// Reads into `buf` until all of `wanted` is filled, or more. Returns how much of
/// `buf` is filled then.
fn fill(
    socket: &OwnedFd,
    buf: &mut [u8],
    wanted: Range<usize>,
    deadline: Option<Instant>,
) -> Result<usize, ChannelError> {
    let Range {
        start: mut filled,
        end,
    } = wanted;
    while filled < end {
        wait(socket, PollFlags::POLLIN, deadline)?;
        match unix::fd::read(socket, &mut buf[filled..]) {
            Ok(0) | Err(_) => return Err(ChannelError::Closed),
            Ok(count) => filled += count,
        }
    }
    Ok(filled)
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
