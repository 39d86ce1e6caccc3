//! Waiting for a descriptor, at most until a deadline.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

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
        match poll(&mut fds, left(deadline)) {
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

/// Rounded up, so that a wait never ends just before the deadline. A limit
/// that poll cannot express is waited for in several rounds.
fn left(deadline: Option<Instant>) -> PollTimeout {
    let Some(end) = deadline else {
        return PollTimeout::NONE;
    };
    let left = end.saturating_duration_since(Instant::now());
    let milliseconds = left.as_micros().div_ceil(1000).min(i32::MAX as u128);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}
