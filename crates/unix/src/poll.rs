//! poll(2) with a deadline.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until one of `fds` is ready or has failed. False if none is when
/// `deadline` has passed; None waits forever.
pub fn until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<bool, Errno> {
    loop {
        match poll(fds, timeout(deadline, Instant::now())) {
            // A timeout may be shorter than the time to the deadline.
            Ok(0) if deadline.is_some_and(|end| Instant::now() >= end) => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits until `fd` is ready for `events`, or has failed, which the next call on
/// it reports. ETIMEDOUT if it is not when `deadline` has passed; None waits
/// forever.
pub fn ready(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    deadline: Option<Instant>,
) -> Result<(), Errno> {
    if until(&mut [PollFd::new(fd, events)], deadline)? {
        Ok(())
    } else {
        Err(Errno::ETIMEDOUT)
    }
}

/// The time from `now` to `deadline` as poll(2) takes it: rounded up to a whole
/// millisecond, and no more than poll(2) can express. None waits forever.
pub fn timeout(deadline: Option<Instant>, now: Instant) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let nanos = deadline.saturating_duration_since(now).as_nanos();
    PollTimeout::try_from(nanos.div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;
    use crate::fd;

    #[test]
    fn timeout_is_rounded_up_and_limited() {
        let now = Instant::now();
        let millis = |nanos| timeout(Some(now + Duration::from_nanos(nanos)), now);
        for (nanos, expected) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            assert_eq!(millis(nanos), PollTimeout::from(expected as u16));
        }
        assert_eq!(millis(u64::MAX / 2), PollTimeout::MAX);
        assert_eq!(timeout(None, now), PollTimeout::NONE);
        assert_eq!(
            timeout(Some(now), now + Duration::from_secs(1)),
            PollTimeout::ZERO
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no poll")]
    fn ready_descriptor_counts_even_after_the_deadline() {
        let (reader, writer) = fd::pipe().unwrap();
        let wait = |deadline| ready(reader.as_fd(), PollFlags::POLLIN, deadline);
        let now = Instant::now();
        assert_eq!(wait(Some(now)), Err(Errno::ETIMEDOUT));
        let soon = now + Duration::from_millis(2);
        assert_eq!(wait(Some(soon)), Err(Errno::ETIMEDOUT));
        assert!(Instant::now() >= soon);
        fd::write_all(&writer, b"x").unwrap();
        assert_eq!(wait(Some(now)), Ok(()));
        assert_eq!(wait(None), Ok(()));
    }
}
