//! Several conversations of one program at the same time, in one poll(2)
//! loop.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A conversation over descriptors that do not block, and with a clock.
pub trait Task {
    /// Whether there is nothing left to be done.
    fn is_finished(&self) -> bool;

    /// Enters what has to happen before it can go on.
    fn wait<'a>(&'a self, waits: &mut Waits<'a>);

    /// Goes on as far as it can. It may be called when nothing has happened.
    fn step(&mut self, now: Instant);
}

/// What tasks wait for: any of these.
#[derive(Default)]
pub struct Waits<'a> {
    descriptors: Vec<PollFd<'a>>,
    until: Option<Instant>,
}

impl<'a> Waits<'a> {
    /// For something to read, or the end, on `fd`.
    pub fn readable(&mut self, fd: BorrowedFd<'a>) {
        self.descriptors.push(PollFd::new(fd, PollFlags::POLLIN));
    }

    /// For room to write on `fd`, or for the end of its connecting.
    pub fn writable(&mut self, fd: BorrowedFd<'a>) {
        self.descriptors.push(PollFd::new(fd, PollFlags::POLLOUT));
    }

    /// For this moment.
    pub fn until(&mut self, moment: Instant) {
        self.until = earlier(self.until, Some(moment));
    }
}

/// Waits until one of `tasks` can go on, and lets all of them. False, without
/// waiting, when all are finished or the deadline has passed: the caller calls
/// again until then.
pub fn turn(tasks: &mut [&mut dyn Task], deadline: Option<Instant>) -> Result<bool, Errno> {
    let now = Instant::now();
    if tasks.iter().all(|task| task.is_finished()) || deadline.is_some_and(|end| end <= now) {
        return Ok(false);
    }
    let mut waits = Waits::default();
    for task in tasks.iter().filter(|task| !task.is_finished()) {
        task.wait(&mut waits);
    }
    let timeout = timeout(earlier(waits.until, deadline), now);
    match poll(&mut waits.descriptors, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno),
    }
    drop(waits);
    let now = Instant::now();
    for task in tasks.iter_mut().filter(|task| !task.is_finished()) {
        task.step(now);
    }
    Ok(true)
}

/// The earlier of two moments, where None is never.
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The time from `now` to `end` as poll(2) takes it, rounded up so that the
/// moment has come when it is over; but what poll cannot express is over
/// before. None is never.
pub fn timeout(end: Option<Instant>, now: Instant) -> PollTimeout {
    let Some(end) = end else {
        return PollTimeout::NONE;
    };
    let nanos = end.saturating_duration_since(now).as_nanos();
    PollTimeout::try_from(nanos.div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};
    use std::time::Duration;

    use super::*;
    use crate::fd;

    struct Reader {
        from: OwnedFd,
        until: Option<Instant>,
        read: Option<usize>,
    }

    impl Task for Reader {
        fn is_finished(&self) -> bool {
            self.read.is_some()
        }

        fn wait<'a>(&'a self, waits: &mut Waits<'a>) {
            waits.readable(self.from.as_fd());
            if let Some(until) = self.until {
                waits.until(until);
            }
        }

        fn step(&mut self, now: Instant) {
            if self.until.is_some_and(|until| until <= now) {
                self.read = Some(0);
            } else {
                self.read = fd::read(&self.from, &mut [0; 8]).ok();
            }
        }
    }

    fn reader(until: Option<Duration>) -> (Reader, OwnedFd) {
        let (from, to) = fd::pipe().unwrap();
        let until = until.map(|after| Instant::now() + after);
        let read = None;
        (Reader { from, until, read }, to)
    }

    #[test]
    fn a_task_goes_on_when_its_descriptor_or_its_moment_says_so() {
        let (mut one, to) = reader(None);
        fd::write_all(&to, b"abc").unwrap();
        assert_eq!(turn(&mut [&mut one], None), Ok(true));
        assert_eq!(one.read, Some(3));
        assert_eq!(turn(&mut [&mut one], None), Ok(false));

        let (mut one, _to) = reader(Some(Duration::from_millis(2)));
        assert_eq!(turn(&mut [&mut one], None), Ok(true));
        assert_eq!(one.read, Some(0));
    }

    #[test]
    fn a_timeout_is_never_over_too_soon() {
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
    fn nothing_goes_on_past_the_deadline() {
        let (mut one, _to) = reader(None);
        assert_eq!(turn(&mut [&mut one], Some(Instant::now())), Ok(false));
        assert_eq!(one.read, None);
    }
}
