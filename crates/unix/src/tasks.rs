//! Several conversations of one program at the same time, in one poll(2) loop.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};

use crate::poll;

/// A conversation over non-blocking descriptors, with time limits.
pub trait Task {
    /// Whether the conversation has ended.
    fn is_finished(&self) -> bool;

    /// Adds the events that let the task go on to `waits`.
    fn wait<'a>(&'a self, waits: &mut Waits<'a>);

    /// Goes on as far as possible without waiting. It may be called when none of
    /// the events has happened.
    fn step(&mut self, now: Instant);

    /// Whether its result makes those of the tasks beside it useless.
    fn ends_all(&self) -> bool {
        false
    }
}

/// The events that tasks wait for, any one of them.
#[derive(Default)]
pub struct Waits<'a> {
    descriptors: Vec<PollFd<'a>>,
    until: Option<Instant>,
}

impl<'a> Waits<'a> {
    /// `fd` has something to read, or has ended.
    pub fn readable(&mut self, fd: BorrowedFd<'a>) {
        self.descriptors.push(PollFd::new(fd, PollFlags::POLLIN));
    }

    /// `fd` has room to write, or its connect has ended.
    pub fn writable(&mut self, fd: BorrowedFd<'a>) {
        self.descriptors.push(PollFd::new(fd, PollFlags::POLLOUT));
    }

    /// `moment` has come.
    pub fn until(&mut self, moment: Instant) {
        self.until = earlier(self.until, Some(moment));
    }
}

/// Waits until one of `tasks` can go on, and steps all that are not finished.
/// The caller repeats this until it returns false: all tasks are finished, one of
/// them ends all, or `deadline` has passed.
pub fn turn(tasks: &mut [&mut dyn Task], deadline: Option<Instant>) -> Result<bool, Errno> {
    let over = deadline.is_some_and(|end| end <= Instant::now());
    let ended = tasks.iter().any(|task| task.ends_all());
    if over || ended || tasks.iter().all(|task| task.is_finished()) {
        return Ok(false);
    }
    let mut waits = Waits::default();
    for task in tasks.iter().filter(|task| !task.is_finished()) {
        task.wait(&mut waits);
    }
    let Waits { descriptors, until } = &mut waits;
    poll::until(descriptors, earlier(*until, deadline))?;
    let now = Instant::now();
    for task in tasks.iter_mut().filter(|task| !task.is_finished()) {
        task.step(now);
    }
    Ok(true)
}

/// The earlier of two deadlines; None is no deadline.
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
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

    /// It ends all tasks once it has read this many bytes.
    const LAST: usize = 5;

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

        fn ends_all(&self) -> bool {
            self.read == Some(LAST)
        }
    }

    fn reader(until: Option<Duration>) -> (Reader, OwnedFd) {
        let (from, to) = fd::pipe().unwrap();
        fd::nonblocking(&from).unwrap();
        let until = until.map(|after| Instant::now() + after);
        let read = None;
        (Reader { from, until, read }, to)
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no poll")]
    fn task_is_stepped_when_its_descriptor_is_ready_or_its_moment_comes() {
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
    #[cfg_attr(miri, ignore = "miri has no poll")]
    fn waits_end_when_there_is_room_to_write() {
        let (_from, to) = fd::pipe().unwrap();
        let mut waits = Waits::default();
        waits.writable(to.as_fd());
        let late = Instant::now() + Duration::from_secs(20);
        assert_eq!(poll::until(&mut waits.descriptors, Some(late)), Ok(true));
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no poll")]
    fn task_that_ends_all_ends_tasks_that_are_not_finished() {
        let ((mut one, to), (mut other, _to)) = (reader(None), reader(None));
        fd::write_all(&to, &[0; LAST]).unwrap();
        assert_eq!(turn(&mut [&mut one, &mut other], None), Ok(true));
        assert_eq!(turn(&mut [&mut one, &mut other], None), Ok(false));
        assert_eq!(other.read, None);
    }

    #[test]
    fn task_past_the_deadline_is_not_stepped() {
        let (mut one, _to) = reader(None);
        assert_eq!(turn(&mut [&mut one], Some(Instant::now())), Ok(false));
        assert_eq!(one.read, None);
    }
}
