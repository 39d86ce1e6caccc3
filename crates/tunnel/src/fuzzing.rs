//! Fuzzing of the pump, between a peer that speaks TLS, a program, and a network that
//! does what the input says.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a panic is a finding")]

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use unix::Errno;

use crate::endpoints::{End, PerEnd};
use crate::outcome::EndReason;
use crate::pump::Rules;
use crate::session::{Buffers, Session, ToSend};
use crate::simulator::{Pipe, Simulation};
use crate::testing;

/// The most bytes of a schedule that are used: more bytes take time but find nothing
/// new.
const MOST: usize = 400;

/// More steps than any event takes.
const TURNS: usize = 10_000;

/// More bytes than any input moves.
const PLENTY: usize = 1 << 30;

/// The input is a byte of options and a schedule of two bytes for each event: its
/// kind and its amount. For every input:
///
/// - the program receives only what the peer has sent, and the peer only what the
///   program has sent;
/// - if nothing was broken from outside, each receives all of it;
/// - a ready end is used or no longer waited for, so that the event loop never
///   spins, and there always is something to wait for;
/// - once nothing blocks any more and time passes, the connection ends.
pub fn pump(input: &[u8]) -> bool {
    let Some((options, schedule)) = input.split_first() else {
        return false;
    };
    let mut world = World::new(*options);
    world.engine.start(world.now);
    world.pass_on();
    world.settle();
    let mut schedule = schedule.iter().copied().take(MOST);
    while let Some(event) = schedule.next() {
        world.happen(event, &mut schedule);
        world.settle();
    }
    world.end();
    world.judge();
    world.received != 0
}

/// The period of the bytes of a stream. It divides no size of a record or buffer.
const PERIOD: usize = 251;

/// The most bytes that [`stream`] gives at once.
const LONGEST: usize = 1 << 17;

/// `count` bytes of a stream from this position on. As slices: a fuzzer counts each step of a
/// loop over bytes.
fn stream(position: usize, count: usize) -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = || (0..=250).cycle().take(LONGEST + PERIOD).collect();
    let start = position % PERIOD;
    &BYTES.get_or_init(bytes)[start..start + count]
}

/// Checks that `bytes` are those of a stream from this position on. Returns the position after
/// them.
fn check_stream(mut position: usize, bytes: &[u8], why: &str) -> usize {
    for bytes in bytes.chunks(LONGEST) {
        assert!(bytes == stream(position, bytes.len()), "{why}");
        position += bytes.len();
    }
    position
}

/// An amount: each byte from 64 on is worth 600.
fn amount(byte: u8) -> usize {
    let byte = usize::from(byte);
    if byte < 64 { byte } else { (byte - 63) * 600 }
}

/// The peer, which never waits.
struct Peer {
    session: Session,
    buffers: Buffers,
    sent: usize,
    received: usize,
    /// It has sent a close_notify.
    closed: bool,
    /// It has received a close_notify.
    closed_to: bool,
    /// Its session has failed.
    failed: bool,
    /// Sent, but not carried by the network yet.
    in_flight: VecDeque<u8>,
}

impl Peer {
    fn new(session: Session) -> Self {
        Self {
            session,
            buffers: testing::buffers(),
            sent: 0,
            received: 0,
            closed: false,
            closed_to: false,
            failed: false,
            in_flight: VecDeque::new(),
        }
    }

    fn process(&mut self, send: ToSend<'_>) {
        if self.failed {
            return;
        }
        match self.session.process(&mut self.buffers, send) {
            Ok(received) => self.closed_to |= received.closed,
            Err(_) => {
                self.failed = true;
                self.session.alert(&mut self.buffers, None);
            }
        }
        let bytes = self.buffers.plain.content();
        let why = "the peer receives what was not sent";
        self.received = check_stream(self.received, bytes, why);
        self.buffers.plain.clear();
        self.in_flight.extend(self.buffers.outgoing.content());
        self.buffers.outgoing.clear();
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.failed {
            self.buffers.incoming.compact();
            let count = self.buffers.incoming.append(bytes);
            bytes = &bytes[count..];
            self.process(ToSend::Nothing);
        }
    }

    fn send(&mut self, count: usize) {
        if self.closed || self.session.is_handshaking() {
            return;
        }
        for _ in 0..count.div_ceil(60_000) {
            let until = (self.sent + 60_000).min(self.sent + count);
            let data = stream(self.sent, until - self.sent);
            self.sent = until;
            self.process(ToSend::Data(data));
        }
    }

    fn close(&mut self) {
        if !self.closed && !self.session.is_handshaking() {
            self.closed = true;
            self.process(ToSend::CloseNotify);
        }
    }
}

struct World {
    engine: Simulation,
    rules: Rules,
    peer: Peer,
    /// The peer sends a close_notify before the network ends.
    polite: bool,
    now: Instant,
    /// How many bytes the program has sent and received.
    sent: usize,
    received: usize,
    /// The network has changed what the peer has sent.
    tampered: bool,
    /// The network has ended too early.
    cut: bool,
    /// A pipe has failed.
    broken: bool,
}

impl World {
    fn new(bits: u8) -> Self {
        let bit = |n: u8| bits >> n & 1 != 0;
        let limit = |wanted: bool| wanted.then(|| Duration::from_millis(1000));
        let rules = Rules {
            notify: bit(0),
            enforce: bit(1),
            handshake: limit(bit(2)),
            idle: limit(bit(3)),
        };
        let server = testing::server_session();
        let client = testing::client_session();
        let (own, other) = if bit(4) {
            (client, server)
        } else {
            (server, client)
        };
        let now = Instant::now();
        let space = if bit(5) { PLENTY } else { 0 };
        let pipes = PerEnd::from_fn(|_| Pipe::stream(space, usize::MAX));
        let mut peer = Peer::new(other);
        peer.process(ToSend::Nothing);
        Self {
            engine: Simulation::new(own, rules, pipes, now),
            rules,
            peer,
            polite: bit(6),
            now,
            sent: 0,
            received: 0,
            tampered: false,
            cut: false,
            broken: false,
        }
    }

    fn happen(&mut self, event: u8, schedule: &mut impl Iterator<Item = u8>) {
        let byte = schedule.next().unwrap_or_default();
        let many = amount(byte);
        match event % 16 {
            0 => self.peer.send(many),
            1 | 2 => self.carry(many),
            3 => self.carry(PLENTY),
            4 => {
                let raw: Vec<u8> = schedule.take(many.min(300)).collect();
                self.tampered |= !raw.is_empty();
                self.engine.pipe(End::NetIn).bytes.extend(raw);
            }
            5 => {
                let place = many.checked_rem(self.peer.in_flight.len());
                if let Some(byte) = place.and_then(|place| self.peer.in_flight.get_mut(place)) {
                    *byte ^= 1 << (many % 8);
                    self.tampered = true;
                }
            }
            6 => {
                let lost = many.min(self.peer.in_flight.len());
                self.peer.in_flight.drain(..lost);
                self.tampered |= lost != 0;
            }
            7 => self.cut_network(byte),
            8 => self.speak(many),
            9 if byte == 255 => self.break_pipe(End::AppIn, Errno::EIO),
            9 => self.engine.pipe(End::AppIn).ended = true,
            10 => self.give_space(End::NetOut, many),
            11 => self.give_space(End::AppOut, many),
            12 => self.disturb(End::NetOut, byte, Errno::ECONNRESET),
            13 => self.disturb(End::AppOut, byte, Errno::ENOSPC),
            14 => self.now += Duration::from_millis(many as u64),
            _ if byte >= 128 => self.peer.close(),
            _ => {
                let mut pipe = self.engine.pipe(End::ALL[usize::from(byte % 4)]);
                pipe.spurious_wakeups = pipe.spurious_wakeups.saturating_add(byte / 4);
            }
        }
    }

    /// Carries `count` bytes from the peer to the pump.
    fn carry(&mut self, count: usize) {
        let mut pipe = self.engine.pipe(End::NetIn);
        if !pipe.ended {
            let count = count.min(self.peer.in_flight.len());
            let rest = self.peer.in_flight.split_off(count);
            pipe.bytes.append(&mut self.peer.in_flight);
            self.peer.in_flight = rest;
        }
    }

    fn cut_network(&mut self, byte: u8) {
        if byte % 4 == 3 {
            self.break_pipe(End::NetIn, Errno::ECONNRESET);
        } else {
            self.cut |= !self.engine.established || !self.peer.in_flight.is_empty();
            self.engine.pipe(End::NetIn).ended = true;
        }
    }

    fn speak(&mut self, count: usize) {
        let mut pipe = self.engine.pipe(End::AppIn);
        if !pipe.ended {
            pipe.bytes.extend(stream(self.sent, count));
            self.sent += count;
        }
    }

    /// Mostly only gives space.
    fn disturb(&mut self, end: End, byte: u8, other: Errno) {
        match byte {
            0..200 => self.give_space(end, usize::from(byte)),
            200..230 => {
                self.broken = true;
                self.engine.pipe(end).reader_gone = true;
            }
            _ => self.break_pipe(end, other),
        }
    }

    fn give_space(&mut self, end: End, count: usize) {
        self.engine.pipe(end).capacity += count;
    }

    fn break_pipe(&mut self, end: End, errno: Errno) {
        self.broken = true;
        self.engine.pipe(end).broken = Some(errno);
    }

    /// Lets the pump take steps until it waits.
    fn settle(&mut self) {
        for _ in 0..TURNS {
            if !self.engine.step(self.now) {
                return;
            }
            self.pass_on();
        }
        panic!("the pump never waits");
    }

    /// Moves what the pump has written to the peer and the program.
    fn pass_on(&mut self) {
        let bytes = self.engine.pipe(End::NetOut).take();
        self.peer.receive(&bytes);
        let bytes = self.engine.pipe(End::AppOut).take();
        let why = "the program receives what was not sent";
        self.received = check_stream(self.received, &bytes, why);
        assert!(self.received <= self.peer.sent && self.peer.received <= self.sent);
        assert!(
            self.tampered || !self.peer.failed,
            "the pump sends what is not TLS"
        );
    }

    /// Lets everything move and end, and time pass until the connection ends.
    fn end(&mut self) {
        for end in End::ALL {
            let mut pipe = self.engine.pipe(end);
            pipe.capacity = PLENTY;
            pipe.spurious_wakeups = 0;
        }
        self.engine.pipe(End::AppIn).ended = true;
        self.exchange();
        if self.polite {
            self.peer.close();
            self.exchange();
        }
        self.engine.pipe(End::NetIn).ended = true;
        self.settle();
        for _ in 0..10 {
            if self.engine.outcome.is_some() {
                return;
            }
            let Some(deadline) = self.engine.pump.deadline() else {
                panic!("no deadline: {:?}", self.engine.pump.interest())
            };
            self.now = self.now.max(deadline);
            self.settle();
        }
        panic!("the connection never ends");
    }

    fn exchange(&mut self) {
        self.settle();
        while !self.peer.in_flight.is_empty() && !self.engine.pipe(End::NetIn).ended {
            self.carry(PLENTY);
            self.settle();
        }
    }

    /// Checks that the outcome fits the events.
    fn judge(&mut self) {
        let Some(outcome) = &self.engine.outcome else {
            return;
        };
        let broken = self.broken;
        let limited = self.rules.handshake.or(self.rules.idle).is_some();
        let impolite = self.rules.enforce && !self.peer.closed;
        let cut = self.cut || !self.peer.in_flight.is_empty();
        if !(broken || self.tampered || limited || impolite || cut) {
            assert_eq!(outcome.code(), 0, "{outcome:?}");
        }
        assert_eq!(
            outcome.code() == 0,
            outcome.reason == EndReason::Closed,
            "{outcome:?}"
        );
        assert_eq!(outcome.code() == 0, outcome.text.is_empty(), "{outcome:?}");
        if outcome.code() != 0 {
            assert!(matches!(outcome.code(), 98 | 111), "{outcome:?}");
            let ours = outcome.reason == EndReason::System;
            assert!(!ours || outcome.code() == 111, "{outcome:?}");
        } else if !(broken || self.tampered) {
            assert!(self.engine.established, "a good end without a handshake");
            assert_eq!(
                self.peer.received, self.sent,
                "data of the program are lost"
            );
            assert!(
                cut || self.received == self.peer.sent,
                "data of the peer are lost"
            );
            let asked = self.rules.notify;
            let closed = self.peer.closed_to;
            assert!(closed || !asked, "a close_notify is lost");
            assert!(
                !closed || asked || self.peer.closed,
                "an unwanted close_notify"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pump() {
        inputs::run("pump", 700, super::pump);
    }
}
