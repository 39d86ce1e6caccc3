//! The pump between a peer that knows TLS, a program, and a network that does
//! whatever the input says.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use cli::{Common, Fatal};
use unix::Errno;

use super::{CERTIFICATE, KEY};
use crate::tunnel::buffer::Buffer;
use crate::tunnel::pump::{End, Ends, Interest, Pump, Turn};
use crate::tunnel::session::{Buffers, Send, Session};
use crate::{client, server};

/// More than this of a schedule shows nothing new, but takes its time.
const MOST: usize = 400;

/// No event takes so many turns.
const TURNS: usize = 10_000;

/// For so many turns an end may be ready and not used, while others are.
const PATIENCE: u8 = 3;

/// More than any test moves.
const PLENTY: usize = 1 << 30;

/// A byte of options, and a schedule: each byte is an event, and the next one
/// says how much of it. Whatever that is:
///
/// - the program hears nothing that the peer has not said, and the peer
///   nothing that the program has not said;
/// - if nothing was broken from outside, each hears all of it;
/// - an end that is ready is used or no longer waited for, so that the loop
///   around the pump never spins; and there always is something to wait for;
/// - once nothing is in the way any more, and time passes, it ends.
pub fn pump(input: &[u8]) -> bool {
    let Some((options, schedule)) = input.split_first() else {
        return false;
    };
    let mut world = World::new(*options);
    world.turn(true);
    world.settle();
    let mut schedule = schedule.iter().copied().take(MOST);
    while let Some(event) = schedule.next() {
        world.happen(event, &mut schedule);
        world.settle();
    }
    world.end();
    world.judge();
    world.heard != 0
}

/// The byte at `position` of what somebody says. The period is none of a
/// record's or a buffer's size.
fn spoken(position: usize) -> u8 {
    (position % 251) as u8
}

/// An amount: each byte from 64 on is worth 600.
fn amount(byte: u8) -> usize {
    let byte = usize::from(byte);
    if byte < 64 { byte } else { (byte - 63) * 600 }
}

/// One of the pump's ends, seen from outside.
#[derive(Default)]
struct Line {
    bytes: VecDeque<u8>,
    /// How much can be written.
    space: usize,
    ended: bool,
    broken: Option<Errno>,
    /// So many calls will find it not ready although it is said to be.
    shy: u8,
    closed: bool,
    /// The pump has used it in this turn.
    used: bool,
    /// So many turns it was ready for nothing.
    passed_over: u8,
}

impl Line {
    fn ready(&self, interest: Interest) -> bool {
        let ready = match interest {
            Interest::None => return false,
            Interest::Hangup => self.broken == Some(Errno::EPIPE),
            Interest::Read => !self.bytes.is_empty() || self.ended || self.shy != 0,
            Interest::Write => self.space != 0 || self.shy != 0,
        };
        assert!(!self.closed, "waits for what it has closed");
        ready || (interest != Interest::Hangup && self.broken.is_some())
    }

    fn attempt(&mut self) -> Result<(), Errno> {
        assert!(!self.closed, "uses what it has closed");
        self.used = true;
        if self.shy != 0 {
            self.shy -= 1;
            return Err([Errno::EAGAIN, Errno::EINTR][usize::from(self.shy % 2)]);
        }
        self.broken.map_or(Ok(()), Err)
    }
}

struct Lines([Line; 4]);

impl Lines {
    fn line(&mut self, end: End) -> &mut Line {
        &mut self.0[end as usize]
    }
}

impl Ends for Lines {
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno> {
        assert!(!buf.is_empty(), "what is read would look like the end");
        let line = self.line(end);
        line.attempt()?;
        if line.bytes.is_empty() && !line.ended {
            return Err(Errno::EAGAIN);
        }
        let count = buf.len().min(line.bytes.len());
        for (place, byte) in buf.iter_mut().zip(line.bytes.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno> {
        assert!(!bytes.is_empty(), "writes nothing");
        let line = self.line(end);
        line.attempt()?;
        if line.space == 0 {
            return Err(Errno::EAGAIN);
        }
        let count = bytes.len().min(line.space);
        line.space -= count;
        line.bytes.extend(&bytes[..count]);
        Ok(count)
    }

    fn close(&mut self, end: End) {
        let line = self.line(end);
        assert!(!line.closed, "closes twice");
        line.closed = true;
        line.used = true;
    }
}

/// The other end of the connection, which does everything at once.
struct Peer {
    session: Session,
    buffers: Buffers,
    said: usize,
    heard: usize,
    /// It has sent its close_notify.
    closed: bool,
    /// It has received one.
    closed_to: bool,
    /// It has seen something that TLS does not allow.
    failed: bool,
    /// What it has sent and the network has not carried yet.
    sent: VecDeque<u8>,
}

impl Peer {
    fn new(session: Session) -> Self {
        let buffer = || Buffer::new(NonZeroUsize::new(1 << 17).unwrap()).unwrap();
        let buffers = Buffers {
            incoming: buffer(),
            plain: buffer(),
            outgoing: buffer(),
            next_record: 0,
        };
        Self {
            session,
            buffers,
            said: 0,
            heard: 0,
            closed: false,
            closed_to: false,
            failed: false,
            sent: VecDeque::new(),
        }
    }

    fn process(&mut self, send: Send<'_>) {
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
        for byte in self.buffers.plain.content() {
            assert_eq!(
                *byte,
                spoken(self.heard),
                "the peer hears what was not said"
            );
            self.heard += 1;
        }
        self.buffers.plain.clear();
        self.sent.extend(self.buffers.outgoing.content());
        self.buffers.outgoing.clear();
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.failed {
            self.buffers.incoming.compact();
            let count = self.buffers.incoming.append(bytes);
            bytes = &bytes[count..];
            self.process(Send::Nothing);
        }
    }

    fn say(&mut self, count: usize) {
        if self.closed || self.session.is_handshaking() {
            return;
        }
        for _ in 0..count.div_ceil(60_000) {
            let until = (self.said + 60_000).min(self.said + count);
            let data: Vec<u8> = (self.said..until).map(spoken).collect();
            self.said = until;
            self.process(Send::Data(&data));
        }
    }

    fn close(&mut self) {
        if !self.closed && !self.session.is_handshaking() {
            self.closed = true;
            self.process(Send::CloseNotify);
        }
    }
}

struct World {
    pump: Pump,
    options: Common,
    lines: Lines,
    peer: Peer,
    /// The peer closes before the network ends.
    polite: bool,
    now: Instant,
    established: bool,
    /// What the program has said and heard.
    said: usize,
    heard: usize,
    /// The network has carried what the peer did not send.
    tampered: bool,
    /// The network has ended before its time.
    cut: bool,
    result: Option<Result<(), Fatal>>,
}

impl World {
    fn new(bits: u8) -> Self {
        let bit = |n: u8| bits >> n & 1 != 0;
        let limit = |wanted: bool| if wanted { 1000 } else { 0 };
        let options = Common {
            close_notify: bit(0),
            enforce_close_notify: bit(1),
            handshake_timeout: limit(bit(2)),
            idle_timeout: limit(bit(3)),
            ..Common::default()
        };
        let server = server::test_session(KEY, CERTIFICATE);
        let client = client::test_session(CERTIFICATE);
        let (own, other) = if bit(4) {
            (client, server)
        } else {
            (server, client)
        };
        let now = Instant::now();
        let late = bit(2).then(|| now + Duration::from_millis(1000));
        let pump = Pump::new(own, options.clone(), late, now).unwrap();
        let mut lines = Lines(Default::default());
        if bit(5) {
            lines.line(End::NetOut).space = PLENTY;
            lines.line(End::AppOut).space = PLENTY;
        }
        let mut peer = Peer::new(other);
        peer.process(Send::Nothing);
        Self {
            pump,
            options,
            lines,
            peer,
            polite: bit(6),
            now,
            established: false,
            said: 0,
            heard: 0,
            tampered: false,
            cut: false,
            result: None,
        }
    }

    fn happen(&mut self, event: u8, schedule: &mut impl Iterator<Item = u8>) {
        let byte = schedule.next().unwrap_or_default();
        let many = amount(byte);
        match event % 16 {
            0 => self.peer.say(many),
            1 | 2 => self.carry(many),
            3 => self.carry(PLENTY),
            4 => {
                let raw: Vec<u8> = schedule.take(many.min(300)).collect();
                self.tampered |= !raw.is_empty();
                self.lines.line(End::NetIn).bytes.extend(raw);
            }
            5 => {
                let place = many.checked_rem(self.peer.sent.len());
                if let Some(byte) = place.and_then(|place| self.peer.sent.get_mut(place)) {
                    *byte ^= 1 << (many % 8);
                    self.tampered = true;
                }
            }
            6 => {
                let lost = many.min(self.peer.sent.len());
                self.peer.sent.drain(..lost);
                self.tampered |= lost != 0;
            }
            7 => self.cut_network(byte),
            8 => self.speak(many),
            9 if byte == 255 => self.lines.line(End::AppIn).broken = Some(Errno::EIO),
            9 => self.lines.line(End::AppIn).ended = true,
            10 => self.lines.line(End::NetOut).space += many,
            11 => self.lines.line(End::AppOut).space += many,
            12 => self.break_line(End::NetOut, byte, Errno::ECONNRESET),
            13 => self.break_line(End::AppOut, byte, Errno::ENOSPC),
            14 => self.now += Duration::from_millis(many as u64),
            _ if byte >= 128 => self.peer.close(),
            _ => {
                let shy = &mut self.lines.0[usize::from(byte % 4)].shy;
                *shy = shy.saturating_add(byte / 4);
            }
        }
    }

    /// The network carries `count` bytes of what the peer has sent.
    fn carry(&mut self, count: usize) {
        let line = self.lines.line(End::NetIn);
        if !line.ended {
            let count = count.min(self.peer.sent.len());
            line.bytes.extend(self.peer.sent.drain(..count));
        }
    }

    fn cut_network(&mut self, byte: u8) {
        let line = self.lines.line(End::NetIn);
        if byte % 4 == 3 {
            line.broken = Some(Errno::ECONNRESET);
        } else {
            self.cut |= !self.established || !self.peer.sent.is_empty();
            line.ended = true;
        }
    }

    fn speak(&mut self, count: usize) {
        let line = self.lines.line(End::AppIn);
        if !line.ended {
            line.bytes
                .extend((self.said..self.said + count).map(spoken));
            self.said += count;
        }
    }

    /// Most of the time there is only more space.
    fn break_line(&mut self, end: End, byte: u8, other: Errno) {
        let line = self.lines.line(end);
        match byte {
            0..200 => line.space += usize::from(byte),
            200..230 => line.broken = Some(Errno::EPIPE),
            _ => line.broken = Some(other),
        }
    }

    /// Lets the pump act until it can only wait.
    fn settle(&mut self) {
        let turns = (0..TURNS).take_while(|_| self.turn(false)).count();
        assert!(turns < TURNS, "it goes on and on");
    }

    /// Does what the loop around the pump does; false if it would wait.
    fn turn(&mut self, first: bool) -> bool {
        if self.result.is_some() {
            return false;
        }
        let interest = self.pump.interest();
        let ready: [bool; 4] = std::array::from_fn(|i| self.lines.0[i].ready(interest[i]));
        let due = self
            .pump
            .deadline()
            .is_some_and(|deadline| self.now >= deadline);
        if !first && !due && !ready.contains(&true) {
            return false;
        }
        for line in &mut self.lines.0 {
            line.used = false;
        }
        let mut turn = self.pump.turn(&mut self.lines, ready, self.now);
        if turn == Turn::Established {
            assert!(!self.established, "established twice");
            self.established = true;
            let early = &self.lines.line(End::AppOut).bytes;
            assert!(early.is_empty(), "cleartext before the notification");
            turn = self.pump.turn(&mut self.lines, [false; 4], self.now);
        }
        match turn {
            Turn::Wait => self.check_wait(interest, ready),
            Turn::Established => panic!("established twice"),
            Turn::Done(result) => self.result = Some(result),
        }
        self.pass_on();
        true
    }

    /// The pump has used what was ready, and waits for something.
    fn check_wait(&mut self, before: [Interest; 4], ready: [bool; 4]) {
        let after = self.pump.interest();
        for (i, line) in self.lines.0.iter_mut().enumerate() {
            let in_vain = ready[i] && !line.used && before[i] == after[i];
            line.passed_over = if in_vain { line.passed_over + 1 } else { 0 };
            assert!(line.passed_over < PATIENCE, "spins: end {i}, {before:?}");
        }
        let deadline = self.pump.deadline();
        assert!(
            deadline.is_none_or(|deadline| deadline > self.now),
            "a deadline has no effect"
        );
        let waits = after.iter().any(|interest| *interest != Interest::None);
        assert!(waits || deadline.is_some(), "it waits for nothing");
    }

    /// Takes what the pump has written to where it belongs.
    fn pass_on(&mut self) {
        let bytes: Vec<u8> = self.lines.line(End::NetOut).bytes.drain(..).collect();
        self.peer.receive(&bytes);
        for byte in self.lines.line(End::AppOut).bytes.drain(..) {
            assert_eq!(
                byte,
                spoken(self.heard),
                "the program hears what was not said"
            );
            self.heard += 1;
        }
        assert!(self.heard <= self.peer.said && self.peer.heard <= self.said);
        assert!(
            self.tampered || !self.peer.failed,
            "the peer is sent what is not TLS"
        );
    }

    /// Everybody takes and sends everything, and then it is over.
    fn end(&mut self) {
        for line in &mut self.lines.0 {
            line.space = PLENTY;
            line.shy = 0;
        }
        self.lines.line(End::AppIn).ended = true;
        self.exchange();
        if self.polite {
            self.peer.close();
            self.exchange();
        }
        self.lines.line(End::NetIn).ended = true;
        self.settle();
        for _ in 0..10 {
            if self.result.is_some() {
                return;
            }
            let Some(deadline) = self.pump.deadline() else {
                panic!("it waits for ever: {:?}", self.pump.interest())
            };
            self.now = self.now.max(deadline);
            self.settle();
        }
        panic!("it never ends");
    }

    fn exchange(&mut self) {
        self.settle();
        while !self.peer.sent.is_empty() && !self.lines.line(End::NetIn).ended {
            self.carry(PLENTY);
            self.settle();
        }
    }

    /// What came of it is what happened.
    fn judge(&mut self) {
        let Some(result) = &self.result else { return };
        let code = result.as_ref().map_or_else(Fatal::code, |()| 0);
        let broken = self.lines.0.iter().any(|line| line.broken.is_some());
        let limited = self.options.handshake_timeout != 0 || self.options.idle_timeout != 0;
        let impolite = self.options.enforce_close_notify && !self.peer.closed;
        let cut = self.cut || !self.peer.sent.is_empty();
        if !(broken || self.tampered || limited || impolite || cut) {
            assert_eq!(code, 0, "{result:?}");
        }
        if code != 0 {
            assert!(code == 98 || code == 111, "{result:?}");
        } else if !(broken || self.tampered) {
            assert!(self.established, "it ends well without a handshake");
            assert_eq!(self.peer.heard, self.said, "the program's words are lost");
            assert!(
                cut || self.heard == self.peer.said,
                "the peer's words are lost"
            );
            let asked = self.options.close_notify;
            let closed = self.peer.closed_to;
            assert!(closed || !asked, "a close_notify is lost");
            assert!(
                !closed || asked || self.peer.closed,
                "nobody asked for a close_notify"
            );
        }
    }
}
