//! When a direction needs large buffers. In a fast flow most time goes into waking
//! the other side; fewer and larger reads save that. At other times small buffers
//! save memory.

use std::time::{Duration, Instant};

/// After this time without activity, unused memory is freed: most connections are
/// idle most of the time. After this time without a flow, a direction is small
/// again.
pub const QUIET: Duration = Duration::from_secs(1);

/// The time in which full reads are added up.
const WINDOW: Duration = Duration::from_millis(100);

/// The size of the buffers and pipes of a direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// Ordinarily.
    Small,
    /// While data flow fast.
    Large,
}

impl Size {
    /// The most bytes of application data that one read or write moves: full
    /// records.
    pub const fn chunk(self) -> usize {
        match self {
            Self::Small => 4 * 16384,
            Self::Large => 32 * 16384,
        }
    }

    /// How long these records are in TLS 1.3: each has a header, a type and a tag.
    pub const fn records(self) -> usize {
        self.chunk() + self.chunk() / 16384 * (5 + 1 + 16)
    }

    /// The size of the pipe between program and engine. A large one stays large
    /// while it is full because its reader pauses, and counts against the user's
    /// limit for pipes: so it is no larger than this.
    pub const fn pipe(self) -> usize {
        match self {
            Self::Small => 4 * 16384,
            Self::Large => 16 * 16384,
        }
    }
}

/// The throughput of one direction.
pub struct Throughput {
    size: Size,
    /// When the first of the full reads in `brought` was.
    since: Instant,
    brought: usize,
    /// When data last flowed fast.
    last: Instant,
    /// When to try again to shrink a pipe that held too much.
    again: Option<Instant>,
}

impl Throughput {
    /// A small direction.
    pub fn new(now: Instant) -> Self {
        Self {
            size: Size::Small,
            since: now,
            brought: 0,
            last: now,
            again: None,
        }
    }

    /// A read has found `held` bytes. Only reads that fill a small buffer count: if
    /// they keep coming, the writer is always ahead. They must also come fast,
    /// because a large buffer does not help a slow reader.
    pub fn read(&mut self, held: usize, now: Instant) {
        if held < Size::Small.chunk() {
            return;
        }
        if now - self.since > WINDOW {
            self.since = now;
            self.brought = 0;
        }
        self.brought += held;
        if self.brought >= Size::Large.chunk() {
            self.size = Size::Large;
            self.last = now;
        }
    }

    /// How large buffers and pipe should be.
    pub fn size(&self) -> Size {
        self.size
    }

    /// When to call [`Throughput::ended`] again.
    pub fn deadline(&self) -> Option<Instant> {
        match self.size {
            Size::Small => self.again,
            Size::Large => Some(self.last + QUIET),
        }
    }

    /// Whether to make everything small now: the flow has ended, or a pipe that
    /// held too much is to be tried again.
    pub fn ended(&mut self, now: Instant) -> bool {
        let ended = self.deadline().is_some_and(|deadline| now >= deadline);
        if ended {
            self.size = Size::Small;
        }
        ended
    }

    /// Records that the pipe was resized, or, if not `done`, that it held too much.
    pub fn resized(&mut self, done: bool, now: Instant) {
        self.again = (!done).then(|| now + QUIET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: usize = Size::Small.chunk();

    #[test]
    fn size_grows_while_full_reads_follow_each_other() {
        let start = Instant::now();
        let mut throughput = Throughput::new(start);
        for n in 0..8 {
            assert_eq!(throughput.size(), Size::Small);
            // A read that is not full does not count.
            throughput.read(FULL - 1, start);
            throughput.read(FULL, start + Duration::from_millis(10 * n));
        }
        assert_eq!(throughput.size(), Size::Large);
        let last = start + Duration::from_millis(70);
        assert_eq!(throughput.deadline(), Some(last + QUIET));
        assert!(!throughput.ended(last + QUIET - Duration::from_nanos(1)));
        assert!(throughput.ended(last + QUIET) && throughput.size() == Size::Small);
        assert_eq!(throughput.deadline(), None);
    }

    #[test]
    fn reads_within_the_window_are_added_up_and_later_ones_are_not() {
        for (late, size) in [(0, Size::Large), (1, Size::Small)] {
            let start = Instant::now();
            let mut throughput = Throughput::new(start);
            throughput.read(7 * FULL, start);
            throughput.read(FULL, start + WINDOW + Duration::from_nanos(late));
            assert_eq!(throughput.size(), size);
        }
    }

    #[test]
    fn pipe_that_holds_too_much_is_tried_again() {
        let mut now = Instant::now();
        let mut throughput = Throughput::new(now);
        throughput.read(8 * FULL, now);
        for _ in 0..3 {
            now += QUIET;
            assert!(throughput.ended(now) && throughput.size() == Size::Small);
            throughput.resized(false, now);
            assert!(!throughput.ended(now));
            assert_eq!(throughput.deadline(), Some(now + QUIET));
        }
        throughput.resized(true, now);
        assert_eq!(throughput.deadline(), None);
    }

    #[test]
    fn size_stays_large_while_the_flow_goes_on() {
        let mut now = Instant::now();
        let mut throughput = Throughput::new(now);
        for _ in 0..1000 {
            now += Duration::from_millis(10);
            throughput.read(FULL, now);
        }
        assert_eq!(throughput.size(), Size::Large);
        assert!(!throughput.ended(now + Duration::from_millis(900)));
    }

    #[test]
    fn size_stays_small_while_full_reads_are_slow() {
        let mut now = Instant::now();
        let mut throughput = Throughput::new(now);
        for _ in 0..1000 {
            now += Duration::from_millis(20);
            throughput.read(FULL, now);
            assert_eq!(throughput.size(), Size::Small);
        }
    }
}
