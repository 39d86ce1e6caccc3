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

use cli::Fatal;
use unix::Errno;

use crate::outcome::Outcome;
use crate::tunnel::buffer::Buffer;
use crate::tunnel::endpoints::{End, Ends, Interest, PerEnd, Ready};
use crate::tunnel::hello::Hellos;
use crate::tunnel::session::{Buffers, MAX_RECORD, Session};
use crate::tunnel::throughput::{Flow, QUIET, Size};

use closing::{Draining, Farewell, Verdict};
pub use counters::Meter;
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

/// What came of a turn.
#[derive(Debug, Eq, PartialEq)]
pub enum Turn {
    /// Wait for what [`Pump::interest`] says, until [`Pump::deadline`].
    Wait,
    /// The same, but first give back what memory is not needed: nothing has
    /// moved for a while.
    Rest,
    /// Take another turn at once.
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
    farewell: Farewell,
    verdict: Verdict,
    drain: Option<Draining>,
    meter: Meter,
    /// The direction from the network to the program.
    flow_in: Flow,
    /// The direction from the program to the network.
    flow_out: Flow,
    /// When something last was ready, until memory was given back after that.
    stirred: Option<Instant>,
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
                hellos: Hellos::new(),
            },
            scratch: buffer(sizes.scratch)?,
            phase: Phase::Handshake {
                deadline: rules.handshake.map(|limit| now + limit),
            },
            state: PerEnd::from_fn(|_| State::Open),
            inbound: Inbound::Open,
            stopped: false,
            farewell: Farewell::None,
            verdict: Verdict::Open,
            drain: None,
            meter: Meter::new(now),
            flow_in: Flow::new(now),
            flow_out: Flow::new(now),
            stirred: Some(now),
        })
    }

    /// The connection.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The handshake cannot go on, for this reason: the next turn says so.
    pub fn abort(&self, fatal: Fatal) {
        self.session.abort(fatal.into());
    }

    /// What has moved.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Does everything that can be done without waiting. `ready` says of each
    /// end whether what was waited for has come.
    pub fn turn(
        &mut self,
        ends: &mut impl Ends,
        ready: PerEnd<Option<Ready>>,
        now: Instant,
    ) -> Turn {
        for end in End::ALL {
            if ready[end].is_some() {
                self.stirred = Some(now);
                self.unblock(end);
            }
        }
        match ready.net_in {
            Some(_) => self.receive(ends, now),
            None => self.go_on(ends, now),
        }
        if let Phase::Handshake { deadline } = self.phase {
            if let Some(turn) = self.shake_hands(ends, deadline, now) {
                return turn;
            }
        }
        self.deliver(ends, ready.app_out, now);
        self.collect(ends, ready.app_in, now);
        self.transmit(ends, now);
        self.close_ends(ends, now);
        match self.conclude(ends, now) {
            Turn::Wait if self.has_more() || self.has_read_ahead() => Turn::Again,
            Turn::Wait => self.rest(ends, now),
            turn => turn,
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

    /// When to take a turn even if nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        let rest = self.stirred.map(|stirred| stirred + QUIET);
        let flows = [&self.flow_in, &self.flow_out].map(Flow::deadline);
        let limits = [rest, self.limit()].into_iter().chain(flows);
        limits.flatten().min()
    }

    /// When it is over even if nothing happens.
    pub fn limit(&self) -> Option<Instant> {
        match (&self.drain, self.phase) {
            (Some(drain), _) => Some(drain.deadline(self.meter.last_read)),
            (None, Phase::Handshake { deadline }) => deadline,
            (None, Phase::Tunnel) => self.rules.idle.map(|limit| self.meter.last_data + limit),
        }
    }

    /// The handshake goes on, is over, or has taken too long.
    fn shake_hands(
        &mut self,
        ends: &mut impl Ends,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Option<Turn> {
        if !self.session.is_handshaking() {
            self.phase = Phase::Tunnel;
            self.meter.last_data = now;
            self.transmit(ends, now);
            return Some(Turn::Established);
        }
        let late = deadline.is_some_and(|deadline| now >= deadline);
        (late && !self.is_failing()).then(|| Turn::Done(Outcome::handshake_timeout()))
    }

    /// After a while without anything to do, what holds nothing is given
    /// back.
    fn rest(&mut self, ends: &mut impl Ends, now: Instant) -> Turn {
        if self.flow_in.ended(now) {
            self.fit_inbound(ends, now);
        }
        if self.flow_out.ended(now) {
            self.read_ahead(ends);
            self.fit_outbound(ends, now);
        }
        if self.stirred.is_none_or(|stirred| now < stirred + QUIET) {
            return Turn::Wait;
        }
        self.stirred = None;
        self.release();
        Turn::Rest
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
        let size = self.flow_in.size();
        let sizes = Sizes::of(size);
        let Buffers {
            incoming, plain, ..
        } = &mut self.buffers;
        resize((incoming, sizes.incoming), (plain, sizes.incoming));
        let done = ends.resize(End::AppOut, size);
        self.flow_in.resized(done, now);
    }

    /// The same for the direction out. A pipe that is still to become small has
    /// to be read ahead, which takes the space of a flow.
    fn fit_outbound(&mut self, ends: &mut impl Ends, now: Instant) {
        let size = self.flow_out.size();
        let done = ends.resize(End::AppIn, size);
        self.flow_out.resized(done, now);
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
