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
}

/// One direction, as fast as it is.
pub struct Flow {
    size: Size,
    /// When the first of the full reads in `brought` was.
    since: Instant,
    brought: usize,
    /// When it last was a flow.
    last: Instant,
}

impl Flow {
    /// Nothing flows at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            size: Size::Small,
            since: now,
            brought: 0,
            last: now,
        }
    }

    /// A read has found `held` bytes. Those count that a small buffer would
    /// have been full of: where they keep coming, one side is always ahead.
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
        (self.size == Size::Large).then(|| self.last + QUIET)
    }

    /// Whether the flow has ended: it is small from now on.
    pub fn ended(&mut self, now: Instant) -> bool {
        let ended = self.deadline().is_some_and(|deadline| now >= deadline);
        if ended {
            self.size = Size::Small;
            self.brought = 0;
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: usize = Size::Small.chunk();

    #[test]
    fn it_grows_while_full_reads_follow_each_other() {
        let start = Instant::now();
        let mut flow = Flow::new(start);
        for n in 0..8 {
            assert_eq!(flow.size(), Size::Small);
            // What is not full changes nothing.
            flow.read(FULL - 1, start);
            flow.read(FULL, start + Duration::from_millis(10 * n));
        }
        assert_eq!(flow.size(), Size::Large);
        let last = start + Duration::from_millis(70);
        assert_eq!(flow.deadline(), Some(last + QUIET));
        assert!(!flow.ended(last + QUIET - Duration::from_nanos(1)));
        assert!(flow.ended(last + QUIET) && flow.size() == Size::Small);
        assert_eq!(flow.deadline(), None);
    }

    #[test]
    fn a_flow_that_goes_on_stays_large() {
        let mut now = Instant::now();
        let mut flow = Flow::new(now);
        for _ in 0..1000 {
            now += Duration::from_millis(10);
            flow.read(FULL, now);
        }
        assert_eq!(flow.size(), Size::Large);
        assert!(!flow.ended(now + Duration::from_millis(900)));
    }

    #[test]
    fn a_slow_one_is_small_however_far_the_other_side_is_ahead() {
        let mut now = Instant::now();
        let mut flow = Flow::new(now);
        for _ in 0..1000 {
            now += Duration::from_millis(20);
            flow.read(FULL, now);
            assert_eq!(flow.size(), Size::Small);
        }
    }
}
