//! The tunnel as a state machine: two directions that know nothing of each
//! other, **out** (cleartext in to network) and **in** (network to cleartext
//! out). Every byte that was accepted on one side reaches the other side as
//! long as that side can take it, whatever the order of closings.
//!
//! It does no I/O of its own: [`Ends`] reads and writes, and the caller says
//! what time it is and what is ready. What comes in is dealt with in
//! [`inbound`], what goes out in [`outbound`], and how it ends in [`closing`].

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

/// What a connection is allowed and has to do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// Our direction ends with a close_notify.
    pub notify: bool,
    /// An end without close_notify from the peer is an error.
    pub enforce: bool,
    /// How long no cleartext may move; None is for ever.
    pub idle: Option<Duration>,
    /// How long the whole handshake may take; None is for ever.
    pub handshake: Option<Duration>,
}

/// What came of a step.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    /// Wait for what [`Pump::interest`] says, until [`Pump::deadline`].
    Wait,
    /// The same, but first give back what memory is not needed: nothing has
    /// moved for a while.
    Idle,
    /// Take another step at once.
    Again,
    /// The handshake is over: tell the program, then go on at once.
    Established,
    /// There is nothing more to do.
    Done(Outcome),
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Handshake { deadline: Option<Instant> },
    Tunnel,
}

/// What can be done with an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Closed,
    Open,
    /// The last attempt to write found no space.
    Blocked,
}

/// The state machine.
pub struct Pump {
    rules: Rules,
    session: Session,
    buffers: Buffers,
    /// What the program has said and is not encrypted yet.
    scratch: Buffer,
    phase: Phase,
    state: PerEnd<State>,
    inbound: Inbound,
    /// Records are left to process, once `outgoing` has space.
    stopped: bool,
    close_notify: CloseNotify,
    failure: Failure,
    linger: Option<Linger>,
    counters: Counters,
    /// The direction from the network to the program.
    throughput_in: Throughput,
    /// The direction from the program to the network.
    throughput_out: Throughput,
    /// When something last was ready, until memory was given back after that.
    last_activity: Option<Instant>,
}

impl Pump {
    /// A pump for `session`; the handshake starts at `now`.
    pub fn new(session: Session, rules: Rules, now: Instant) -> Result<Self, Errno> {
        let buffer = |size: NonZeroUsize| Buffer::new(size);
        let sizes = Sizes::of(Size::Small);
        Ok(Self {
            rules,
            session,
            buffers: Buffers {
                incoming: buffer(sizes.incoming)?,
                plain: buffer(sizes.incoming)?,
                outgoing: buffer(sizes.outgoing)?,
                next_record: 0,
                hellos: Hellos::default(),
            },
            scratch: buffer(sizes.scratch)?,
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

    /// The connection.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The handshake cannot go on, for this reason: the next step says so.
    pub fn abort(&self, reason: HandshakeAbort) {
        self.session.abort(reason);
    }

    /// What has moved.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Does everything that can be done without waiting. `ready` says of each
    /// end whether what was waited for has come.
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
        match ready.net_in {
            Some(_) => self.receive(ends, now),
            None => self.go_on(ends, now),
        }
        if let Phase::Handshake { deadline } = self.phase {
            if let Some(step) = self.shake_hands(ends, deadline, now) {
                return step;
            }
        }
        self.deliver(ends, ready.app_out, now);
        self.collect(ends, ready.app_in, now);
        self.transmit(ends, now);
        self.close_ends(ends, now);
        match self.conclude(ends, now) {
            Step::Wait if self.has_more() || self.has_read_ahead() => Step::Again,
            Step::Wait => self.go_idle(ends, now),
            step => step,
        }
    }

    /// What to watch each end for.
    pub fn interest(&self) -> PerEnd<Interest> {
        let plain = !self.buffers.plain.is_empty();
        let outgoing = !self.buffers.outgoing.is_empty();
        // During the handshake only a program that does not read any more is
        // listened to: if it does not write either, it has gone.
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

    /// When to take a step even if nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        let idle_at = self
            .last_activity
            .map(|last_activity| last_activity + QUIET);
        let throughputs = [&self.throughput_in, &self.throughput_out].map(Throughput::deadline);
        let limits = [idle_at, self.limit()].into_iter().chain(throughputs);
        limits.flatten().min()
    }

    /// When it is over even if nothing happens.
    pub fn limit(&self) -> Option<Instant> {
        match (&self.linger, self.phase) {
            (Some(linger), _) => Some(linger.deadline(self.counters.last_read)),
            (None, Phase::Handshake { deadline }) => deadline,
            (None, Phase::Tunnel) => self.rules.idle.map(|limit| self.counters.last_data + limit),
        }
    }

    /// The handshake goes on, is over, or has taken too long.
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

    /// After a while without anything to do, what holds nothing is given
    /// back.
    fn go_idle(&mut self, ends: &mut impl Ends, now: Instant) -> Step {
        if self.throughput_in.ended(now) {
            self.fit_inbound(ends, now);
        }
        if self.throughput_out.ended(now) {
            self.read_ahead(ends);
            self.fit_outbound(ends, now);
        }
        if self
            .last_activity
            .is_none_or(|last_activity| now < last_activity + QUIET)
        {
            return Step::Wait;
        }
        self.last_activity = None;
        self.release();
        Step::Idle
    }

    /// Gives back the memory of buffers that hold nothing.
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

    /// Gives the direction in the size that it is to have, as far as it is
    /// empty.
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

    /// The same for the direction out. A pipe that is still to become small has
    /// to be read ahead, which takes the space of a flow.
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

/// Gives two buffers another size, the second of which must hold all that the
/// first one brings: the first is never the larger one.
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

/// How large the buffers of a direction are.
struct Sizes {
    /// Full records, and the beginning of one more; as much cleartext.
    incoming: NonZeroUsize,
    outgoing: NonZeroUsize,
    scratch: NonZeroUsize,
}

impl Sizes {
    const fn of(size: Size) -> Self {
        // Saturating, so that it is plain that none is zero.
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
