//! The tunnel as a state machine with two independent directions: from the
//! network to the program ([`inbound`]) and from the program to the network
//! ([`outbound`]). Every byte that one side has sent reaches the other side as
//! long as that takes bytes, whichever direction closes first. [`closing`] decides
//! how the connection closes; its tables say when each end closes and when all is
//! over.
//!
//! The pump does no I/O itself: [`Ends`] reads and writes, and the caller says
//! what time it is and which ends are ready.

mod closing;
mod counters;
mod inbound;
mod outbound;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use unix::Errno;

use crate::buffer::Buffer;
use crate::endpoints::{End, Ends, Interest, PerEnd, Ready};
use crate::handshake_facts::HandshakeAbort;
use crate::hello::Hellos;
use crate::outcome::Outcome;
use crate::session::{Buffers, MAX_RECORD, Session};
use crate::throughput::{QUIET, Size, Throughput};

use closing::{CloseNotify, Failure, Linger};
pub use counters::Counters;
use inbound::Inbound;

/// How a connection must close, and its time limits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// Send a close_notify at the end of our direction.
    pub notify: bool,
    /// It is an error if the peer ends without a close_notify.
    pub enforce: bool,
    /// The longest time without application data; None is no limit.
    pub idle: Option<Duration>,
    /// The longest time for the whole handshake; None is no limit.
    pub handshake: Option<Duration>,
}

/// What the caller does after a step.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    /// Wait for [`Pump::interest`], but not longer than until [`Pump::deadline`].
    Wait,
    /// First free unused memory, for nothing has moved for a while; then wait.
    Idle,
    /// Take another step at once.
    Again,
    /// The handshake is complete: tell the program, then take another step at
    /// once.
    Established,
    /// The connection has ended.
    Done(Outcome),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Handshake {
        deadline: Option<Instant>,
    },
    /// After the handshake.
    Tunnel,
}

/// The state of an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Closed,
    Open,
    /// Open, but the last write found no space.
    Blocked,
}

/// The state machine.
pub struct Pump {
    rules: Rules,
    session: Session,
    buffers: Buffers,
    /// Data of the program that are not encrypted yet.
    scratch: Buffer,
    phase: Phase,
    state: PerEnd<State>,
    inbound: Inbound,
    /// Records are left to process when `outgoing` has space.
    stopped: bool,
    close_notify: CloseNotify,
    failure: Failure,
    linger: Option<Linger>,
    counters: Counters,
    /// From the network to the program.
    throughput_in: Throughput,
    /// From the program to the network.
    throughput_out: Throughput,
    /// When an end was last ready; None once unused memory is freed after that.
    last_activity: Option<Instant>,
}

impl Pump {
    /// A pump for `session`, whose handshake starts at `now`. Fails if there is no
    /// memory for the buffers.
    pub fn new(session: Session, rules: Rules, now: Instant) -> Result<Self, Errno> {
        let sizes = Sizes::of(Size::Small);
        Ok(Self {
            rules,
            session,
            buffers: Buffers {
                incoming: Buffer::new(sizes.incoming)?,
                plain: Buffer::new(sizes.incoming)?,
                outgoing: Buffer::new(sizes.outgoing)?,
                next_record: 0,
                hellos: Hellos::default(),
            },
            scratch: Buffer::new(sizes.scratch)?,
            phase: Phase::Handshake {
                deadline: rules.handshake.map(|limit| now + limit),
            },
            state: PerEnd::from_fn(|_| State::Open),
            inbound: Inbound::Open,
            stopped: false,
            close_notify: CloseNotify::NotSent,
            failure: Failure::None,
            linger: None,
            counters: Counters::new(now),
            throughput_in: Throughput::new(now),
            throughput_out: Throughput::new(now),
            last_activity: Some(now),
        })
    }

    /// The TLS connection.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Ends the handshake for this reason at the next step.
    pub fn abort(&self, reason: HandshakeAbort) {
        self.session.abort(reason);
    }

    /// How much data have moved, and when.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Does everything that needs no waiting. `ready` says for each end whether
    /// its [`Pump::interest`] was met.
    pub fn step(
        &mut self,
        ends: &mut impl Ends,
        ready: PerEnd<Option<Ready>>,
        now: Instant,
    ) -> Step {
        for end in End::ALL {
            if ready[end].is_some() {
                self.last_activity = Some(now);
                self.unblock(end);
            }
        }
        // Before the network is read: once nobody reads, an error there may not matter.
        if ready.app_out == Some(Ready::Hangup) {
            self.close(ends, End::AppOut);
        }
        match ready.net_in {
            Some(_) => self.receive(ends, now),
            None => self.go_on(now),
        }
        if let Phase::Handshake { deadline } = self.phase {
            if let Some(step) = self.shake_hands(ends, deadline, now) {
                return step;
            }
        }
        self.deliver(ends, now);
        self.collect(ends, ready.app_in, now);
        self.transmit(ends, now);
        self.close_ends(ends, now);
        match self.conclude(ends, now) {
            Step::Wait if self.has_more() || self.has_read_ahead() => Step::Again,
            Step::Wait => self.go_idle(ends, now),
            step => step,
        }
    }

    /// What to wait for at each end.
    pub fn interest(&self) -> PerEnd<Interest> {
        let plain = !self.buffers.plain.is_empty();
        let outgoing = !self.buffers.outgoing.is_empty();
        // During the handshake the program is read only if it does not read any
        // more itself: if it has ended its output too, it has gone.
        let listens = self.established() || !self.is_open(End::AppOut);
        let room = !outgoing && self.scratch.is_empty();
        PerEnd::from_fn(|end| match end {
            _ if !self.is_open(end) => Interest::None,
            End::NetIn if !plain && !self.stopped => Interest::Read,
            End::NetOut if outgoing => Interest::Write,
            End::AppIn if listens && room => Interest::Read,
            End::AppOut if plain => Interest::Write,
            End::AppOut => Interest::Hangup,
            _ => Interest::None,
        })
    }

    /// When to take a step even if no end is ready.
    pub fn deadline(&self) -> Option<Instant> {
        let idle_at = self.last_activity.map(|last| last + QUIET);
        let throughputs = [&self.throughput_in, &self.throughput_out].map(Throughput::deadline);
        let limits = [idle_at, self.limit()].into_iter().chain(throughputs);
        limits.flatten().min()
    }

    /// When the connection ends, or the handshake fails, if nothing happens
    /// before.
    pub fn limit(&self) -> Option<Instant> {
        match (&self.linger, self.phase) {
            (Some(linger), _) => Some(linger.deadline(self.counters.last_read)),
            (None, Phase::Handshake { deadline }) => deadline,
            (None, Phase::Tunnel) => self.rules.idle.map(|limit| self.counters.last_data + limit),
        }
    }

    /// The step that follows if the handshake has completed or timed out; None
    /// while it goes on.
    fn shake_hands(
        &mut self,
        ends: &mut impl Ends,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Option<Step> {
        if !self.session.is_handshaking() {
            self.phase = Phase::Tunnel;
            self.counters.last_data = now;
            self.transmit(ends, now);
            return Some(Step::Established);
        }
        let late = deadline.is_some_and(|deadline| now >= deadline);
        (late && !self.is_failing()).then(|| Step::Done(Outcome::handshake_timeout()))
    }

    /// Shrinks buffers after a flow, and frees unused memory once nothing has
    /// moved for [`QUIET`].
    fn go_idle(&mut self, ends: &mut impl Ends, now: Instant) -> Step {
        if self.throughput_in.ended(now) {
            self.fit_inbound(ends, now);
        }
        if self.throughput_out.ended(now) {
            self.read_ahead(ends);
            self.fit_outbound(ends, now);
        }
        if self.last_activity.is_none_or(|last| now < last + QUIET) {
            return Step::Wait;
        }
        self.last_activity = None;
        self.release();
        Step::Idle
    }

    /// Frees the memory of empty buffers.
    fn release(&mut self) {
        let Buffers {
            incoming,
            plain,
            outgoing,
            ..
        } = &mut self.buffers;
        for buffer in [&mut self.scratch, incoming, plain, outgoing] {
            buffer.release();
        }
    }

    /// Gives the buffers and the pipe of the inbound direction the size that its
    /// throughput needs, if their content fits.
    fn fit_inbound(&mut self, ends: &mut impl Ends, now: Instant) {
        let size = self.throughput_in.size();
        let sizes = Sizes::of(size);
        let Buffers {
            incoming, plain, ..
        } = &mut self.buffers;
        resize((incoming, sizes.incoming), (plain, sizes.incoming));
        let done = ends.resize(End::AppOut, size);
        self.throughput_in.resized(done, now);
    }

    /// Does so for the outbound direction. The buffers stay large until the pipe
    /// is small: [`Pump::read_ahead`] needs their space.
    fn fit_outbound(&mut self, ends: &mut impl Ends, now: Instant) {
        let size = self.throughput_out.size();
        let done = ends.resize(End::AppIn, size);
        self.throughput_out.resized(done, now);
        let sizes = Sizes::of(if done { size } else { Size::Large });
        let outgoing = &mut self.buffers.outgoing;
        resize(
            (&mut self.scratch, sizes.scratch),
            (outgoing, sizes.outgoing),
        );
    }

    fn established(&self) -> bool {
        self.phase == Phase::Tunnel
    }

    fn is_open(&self, end: End) -> bool {
        self.state[end] != State::Closed
    }

    fn unblock(&mut self, end: End) {
        if self.state[end] == State::Blocked {
            self.state[end] = State::Open;
        }
    }

    fn close(&mut self, ends: &mut impl Ends, end: End) {
        if self.is_open(end) {
            self.state[end] = State::Closed;
            ends.close(end);
        }
    }
}

/// Resizes two buffers. The second must always hold what the first may put into
/// it, so it grows first and shrinks last.
fn resize(first: (&mut Buffer, NonZeroUsize), second: (&mut Buffer, NonZeroUsize)) {
    let grows = first.1.get() > first.0.capacity();
    let [before, after] = if grows {
        [second, first]
    } else {
        [first, second]
    };
    if before.0.resize(before.1) {
        after.0.resize(after.1);
    }
}

/// The sizes of the buffers.
struct Sizes {
    /// Of `incoming` and `plain`: full records, and the beginning of one more.
    incoming: NonZeroUsize,
    outgoing: NonZeroUsize,
    scratch: NonZeroUsize,
}

// `outgoing` has space for a chunk even in records of 512 bytes, the shortest that a configuration
// of ours asks rustls for. Header, explicit nonce and tag are 29 bytes.
const _: () = assert!(Size::Large.chunk() / 512 * 29 < 2 * MAX_RECORD);

impl Sizes {
    const fn of(size: Size) -> Self {
        // Saturating additions need no check for zero.
        let one = NonZeroUsize::MIN;
        let chunk = size.chunk() - 1;
        Self {
            incoming: one.saturating_add(chunk + MAX_RECORD),
            outgoing: one.saturating_add(chunk + 2 * MAX_RECORD),
            scratch: one.saturating_add(chunk),
        }
    }
}

#[cfg(test)]
mod tests;
