//! When a direction needs more space. While data flow as fast as they can,
//! most of the time goes into waking the other side, and fewer and larger
//! reads save that. At any other time a connection is to be small.

use std::time::{Duration, Instant};

/// After so long without anything to do, memory that holds nothing is given
/// back: most connections are idle for most of their life. After so long
/// without a flow, a direction is small again.
pub const QUIET: Duration = Duration::from_secs(1);

/// What flows in this time counts together.
const WINDOW: Duration = Duration::from_millis(100);

/// The size of the buffers and pipes of a direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// At most times.
    Small,
    /// While data flow.
    Large,
}

impl Size {
    /// How many bytes of cleartext one read or write moves at most: full
    /// records.
    pub const fn chunk(self) -> usize {
        match self {
            Self::Small => 4 * 16384,
            Self::Large => 32 * 16384,
        }
    }

    /// The same as TLS 1.3 sends it: a header, a type and a tag each.
    pub const fn records(self) -> usize {
        self.chunk() + self.chunk() / 16384 * (5 + 1 + 16)
    }

    /// How many bytes the pipe between program and engine is to hold. A large
    /// one stays large while a paused reader leaves it full, and counts for
    /// what its user may have in pipes.
    pub const fn pipe(self) -> usize {
        match self {
            Self::Small => 4 * 16384,
            Self::Large => 16 * 16384,
        }
    }
}

/// One direction, as fast as it is.
pub struct Throughput {
    size: Size,
    /// When the first of the full reads in `brought` was.
    since: Instant,
    brought: usize,
    /// When it last was a flow.
    last: Instant,
    /// When a pipe that holds too much to become small is to be tried again.
    again: Option<Instant>,
}

impl Throughput {
    /// Nothing flows at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            size: Size::Small,
            since: now,
            brought: 0,
            last: now,
            again: None,
        }
    }

    /// A read has found `held` bytes. Counts only reads that would have
    /// filled the small buffer: where they keep coming, one side is always ahead.
    /// It must be fast as well, for a large buffer is of no use to a peer
    /// that is slow.
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

    /// How large the direction is to be.
    pub fn size(&self) -> Size {
        self.size
    }

    /// When it is to be looked at again.
    pub fn deadline(&self) -> Option<Instant> {
        match self.size {
            Size::Small => self.again,
            Size::Large => Some(self.last + QUIET),
        }
    }

    /// Whether everything is to be made small now: the flow has ended, or it
    /// has ended before and the pipe held too much.
    pub fn ended(&mut self, now: Instant) -> bool {
        let ended = self.deadline().is_some_and(|deadline| now >= deadline);
        if ended {
            self.size = Size::Small;
            self.brought = 0;
        }
        ended
    }

    /// The pipe has been given this size, or holds too much for that.
    pub fn resized(&mut self, done: bool, now: Instant) {
        self.again = (!done).then(|| now + QUIET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: usize = Size::Small.chunk();

    #[test]
    fn it_grows_while_full_reads_follow_each_other() {
        let start = Instant::now();
        let mut throughput = Throughput::new(start);
        for n in 0..8 {
            assert_eq!(throughput.size(), Size::Small);
            // What is not full changes nothing.
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
    fn a_pipe_that_holds_too_much_is_tried_again_until_it_does_not() {
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
    fn a_flow_that_goes_on_stays_large() {
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
    fn a_slow_one_is_small_however_far_the_other_side_is_ahead() {
        let mut now = Instant::now();
        let mut throughput = Throughput::new(now);
        for _ in 0..1000 {
            now += Duration::from_millis(20);
            throughput.read(FULL, now);
            assert_eq!(throughput.size(), Size::Small);
        }
    }
}
