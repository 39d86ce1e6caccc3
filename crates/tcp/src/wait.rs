//! Waiting for a descriptor, at most until a deadline.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use unix::tasks::timeout;

/// The deadline `milliseconds` from now; None for 0, which is no limit.
pub fn deadline(milliseconds: u32) -> Option<Instant> {
    match milliseconds {
        0 => None,
        limit => Instant::now().checked_add(Duration::from_millis(limit.into())),
    }
}

/// Waits until `fd` is ready for `events` or has failed, which the next call
/// on it will tell. ETIMEDOUT once `deadline` has passed.
pub fn ready(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    deadline: Option<Instant>,
) -> Result<(), Errno> {
    loop {
        let mut fds = [PollFd::new(fd, events)];
        match poll(&mut fds, timeout(deadline, Instant::now())) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(0) if deadline.is_some_and(|end| Instant::now() >= end) => {
                return Err(Errno::ETIMEDOUT);
            }
            Ok(0) => {}
            Ok(_) => return Ok(()),
        }
    }
}
