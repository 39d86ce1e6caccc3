//! The tunnel as a state machine: two directions that know nothing of each
//! other, **out** (cleartext in to network) and **in** (network to cleartext
//! out). Every byte that was accepted on one side reaches the other side as
//! long as that side can take it, whatever the order of closings.
//!
//! It does no I/O of its own: [`Ends`] reads and writes, and the caller says
//! what time it is and what is ready.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use cli::{Common, Fatal};
use rustls::Error;
use unix::Errno;

use crate::TLS;
use crate::tunnel::buffer::Buffer;
use crate::tunnel::session::{Alert, Buffers, MAX_RECORD, Received, SPARE, Send, Session};

/// One of the four descriptors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The network, for reading.
    NetIn,
    /// The network, for writing.
    NetOut,
    /// What the program writes.
    AppIn,
    /// What the program reads.
    AppOut,
}

/// What a pump is connected to. Nothing here blocks: EAGAIN says that an end
/// is not ready.
pub trait Ends {
    /// Reads; 0 is the end.
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Writes some of `bytes`.
    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno>;
    /// Closes for good. Whoever reads from it sees the end, even if others
    /// hold the same open file.
    fn close(&mut self, end: End);
}

/// What an end is to be watched for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interest {
    /// Nothing.
    None,
    /// Only that its other side is gone.
    Hangup,
    /// Bytes to read, or the end.
    Read,
    /// Space to write.
    Write,
}

/// What came of a turn.
#[derive(Debug, Eq, PartialEq)]
pub enum Turn {
    /// Wait for what [`Pump::interest`] says, until [`Pump::deadline`].
    Wait,
    /// The handshake is over: tell the program, then go on at once.
    Established,
    /// There is nothing more to do.
    Done(Result<(), Fatal>),
}

/// For how long and how much is thrown away at the end, so that the peer
/// still gets what we sent last: closing a socket with unread bytes would
/// reset the connection.
struct Drain {
    /// Time without a byte.
    silence: Duration,
    /// Time in all.
    total: Duration,
    /// Bytes in all.
    bytes: usize,
}

/// After the program has gone.
const LINGER: Drain = Drain {
    silence: Duration::from_secs(5),
    total: Duration::from_secs(30),
    bytes: usize::MAX,
};

/// After a fatal error.
const AFTER_FAILURE: Drain = Drain {
    silence: Duration::from_secs(1),
    total: Duration::from_secs(3),
    bytes: 1 << 20,
};

/// Four records of full size in one piece.
const CHUNK: usize = 4 * 16384;

/// The same as TLS 1.3 sends it: a header, a type and a tag each.
const FOUR_RECORDS: usize = CHUNK + 4 * (5 + 1 + 16);

/// How many bytes the network may bring without any for the program. All
/// messages of a handshake together have space in it; after that it is what
/// key updates, tickets and padding may cost. What rustls counts by itself
/// (empty records, key updates, warnings, renegotiations) ends earlier.
const MAX_WITHOUT_DATA: usize = 256 << 10;

/// The state machine.
pub struct Pump {
    session: Session,
    buffers: Buffers,
    scratch: Buffer,
    options: Common,
    handshake_deadline: Option<Instant>,
    established: bool,
    /// The peer will send no more: close_notify, or the end of the stream.
    in_ended: bool,
    /// That came as a close_notify.
    close_received: bool,
    /// Our close_notify is sent or on its way.
    close_queued: bool,
    /// How many bytes at the end of `outgoing` are nothing but that alert.
    alert_bytes: usize,
    /// Records are left to process, once `outgoing` has space.
    stopped: bool,
    /// Which ends are still open.
    open: [bool; 4],
    /// The last attempt to write found no space.
    blocked: [bool; 4],
    /// What the program will end with, whatever else happens.
    failure: Option<Fatal>,
    /// Nothing more is accepted: what is here is delivered, then it is over.
    failing: bool,
    /// When the network last brought anything.
    last_read: Instant,
    /// When a byte of cleartext last moved, in either direction.
    last_data: Instant,
    /// What the network has brought since it last brought cleartext.
    without_data: usize,
    drain: Option<Draining>,
}

struct Draining {
    limits: &'static Drain,
    since: Instant,
    left: usize,
}

impl Pump {
    /// A pump for `session`. The handshake may take until
    /// `handshake_deadline`; `now` is when it starts.
    pub fn new(
        session: Session,
        options: Common,
        handshake_deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Self, Errno> {
        let buffer = |size: usize| Buffer::new(NonZeroUsize::new(size).ok_or(Errno::EINVAL)?);
        Ok(Self {
            session,
            buffers: Buffers {
                incoming: buffer(CHUNK + MAX_RECORD)?,
                plain: buffer(CHUNK + MAX_RECORD)?,
                outgoing: buffer(CHUNK + 2 * MAX_RECORD)?,
                next_record: 0,
            },
            scratch: buffer(CHUNK)?,
            options,
            handshake_deadline,
            established: false,
            in_ended: false,
            close_received: false,
            close_queued: false,
            alert_bytes: 0,
            stopped: false,
            open: [true; 4],
            blocked: [false; 4],
            failure: None,
            failing: false,
            last_read: now,
            last_data: now,
            without_data: 0,
            drain: None,
        })
    }

    /// The connection.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Does everything that can be done without waiting. `ready` says of each
    /// end whether what was waited for has come.
    pub fn turn(&mut self, ends: &mut impl Ends, ready: [bool; 4], now: Instant) -> Turn {
        for (blocked, ready) in self.blocked.iter_mut().zip(ready) {
            *blocked &= !ready;
        }
        self.receive(ends, ready[End::NetIn as usize], now);
        if !self.established {
            if let Some(turn) = self.shake_hands(ends, now) {
                return turn;
            }
        }
        self.deliver(ends, ready[End::AppOut as usize], now);
        self.collect(ends, ready[End::AppIn as usize], now);
        self.transmit(ends, now);
        self.close_ends(ends, now);
        self.conclude(ends, now)
    }

    /// What to watch each end for, in the order of [`End`].
    pub fn interest(&self) -> [Interest; 4] {
        let plain = !self.buffers.plain.is_empty();
        let outgoing = !self.buffers.outgoing.is_empty();
        let when = |end: End, wanted: bool, interest: Interest| {
            if self.is_open(end) && wanted {
                interest
            } else {
                Interest::None
            }
        };
        let app_out = if plain {
            Interest::Write
        } else {
            Interest::Hangup
        };
        // During the handshake only a program that does not read any more is
        // listened to: if it does not write either, it has gone.
        let listens = self.established || !self.is_open(End::AppOut);
        let room = !outgoing && self.scratch.is_empty();
        [
            when(End::NetIn, !plain && !self.stopped, Interest::Read),
            when(End::NetOut, outgoing, Interest::Write),
            when(End::AppIn, listens && room, Interest::Read),
            when(End::AppOut, true, app_out),
        ]
    }

    /// When to take a turn even if nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        if self.stopped && self.buffers.outgoing.is_empty() && !self.ignores_network() {
            // What stopped it is gone: it goes on at once.
            return Some(self.last_read);
        }
        if let Some(drain) = &self.drain {
            let silent = self.last_read.max(drain.since) + drain.limits.silence;
            return Some(silent.min(drain.since + drain.limits.total));
        }
        if self.established {
            self.idle_deadline()
        } else {
            self.handshake_deadline
        }
    }

    /// Gives back the memory of buffers that hold nothing.
    pub fn release(&mut self) {
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

    fn idle_deadline(&self) -> Option<Instant> {
        let limit = u64::from(self.options.idle_timeout);
        (limit != 0).then(|| self.last_data + Duration::from_millis(limit))
    }

    fn is_open(&self, end: End) -> bool {
        self.open[end as usize]
    }

    fn close(&mut self, ends: &mut impl Ends, end: End) {
        if std::mem::take(&mut self.open[end as usize]) {
            ends.close(end);
        }
    }

    /// Reads from the network and processes it. A call without anything ready
    /// starts the handshake, and goes on where the last one had to stop.
    fn receive(&mut self, ends: &mut impl Ends, ready: bool, now: Instant) {
        let wanted = self.interest()[End::NetIn as usize] == Interest::Read;
        if !(ready && wanted) {
            let unprocessed = self.stopped || !self.established;
            if unprocessed && !self.ignores_network() {
                self.process(ends, now);
            }
            return;
        }
        let ignored = self.ignores_network();
        let incoming = &mut self.buffers.incoming;
        if ignored {
            incoming.clear();
        }
        incoming.compact();
        let len = incoming.len();
        let mut space = incoming.space().len().saturating_sub(SPARE);
        if space == 0 {
            // No record and no message that is within its limits needs more.
            self.refuse("remote sent a message in too many pieces");
            return;
        }
        let most = FOUR_RECORDS.saturating_sub(len);
        if self.established && most > 0 {
            // What lies behind is for messages of the handshake.
            space = space.min(most);
        }
        match ends.read(End::NetIn, &mut incoming.space()[..space]) {
            Ok(0) => {
                self.close(ends, End::NetIn);
                self.network_ended();
            }
            Ok(count) => {
                self.last_read = now;
                if ignored {
                    if let Some(drain) = &mut self.drain {
                        drain.left = drain.left.saturating_sub(count);
                    }
                } else {
                    self.buffers.incoming.commit(count);
                    self.without_data += count;
                    self.process(ends, now);
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => {
                self.close(ends, End::NetIn);
                if !ignored {
                    let code = if self.established { Fatal::SYSTEM } else { TLS };
                    self.fail(Fatal::unable(code, "read from remote", errno));
                }
            }
        }
    }

    /// Whether what the network still sends is thrown away unread. When the
    /// program has gone nobody wants it; but an end has to be enforced.
    fn ignores_network(&self) -> bool {
        let lingering = self.drain.is_some() && !self.options.enforce_close_notify;
        self.failing || self.in_ended || lingering
    }

    /// Processes what was received. Answers that are larger than `outgoing`,
    /// such as a long chain of certificates, leave in parts.
    fn process(&mut self, ends: &mut impl Ends, now: Instant) {
        loop {
            let before = self.buffers.plain.len();
            let processed = self.session.process(&mut self.buffers, Send::Nothing);
            if self.buffers.plain.len() > before {
                self.last_data = now;
                self.without_data = 0;
            }
            match processed {
                Err(error) => self.fail_tls(&error),
                Ok(_) if self.without_data > MAX_WITHOUT_DATA => {
                    self.refuse("remote sent too much that is no data");
                }
                Ok(received) => self.received(received),
            }
            if !self.stopped {
                return;
            }
            self.transmit(ends, now);
            if !self.buffers.outgoing.is_empty() {
                return;
            }
        }
    }

    fn received(&mut self, received: Received) {
        self.stopped = received.stopped;
        if received.closed {
            self.close_received = true;
            self.in_ended = true;
            self.buffers.incoming.clear();
        }
    }

    /// The stream has ended where no close_notify had been.
    fn network_ended(&mut self) {
        if self.ignores_network() {
            return;
        }
        let what = if !self.established {
            "remote closed connection during the handshake"
        } else if !self.buffers.incoming.is_empty() {
            "remote closed connection inside a record"
        } else if self.options.enforce_close_notify {
            "remote closed connection without a close_notify"
        } else {
            self.in_ended = true;
            return;
        };
        self.fail(Fatal::new(TLS, what));
    }

    /// The handshake goes on, is over, or has taken too long.
    fn shake_hands(&mut self, ends: &mut impl Ends, now: Instant) -> Option<Turn> {
        if !self.session.is_handshaking() {
            self.established = true;
            self.last_data = now;
            self.transmit(ends, now);
            return Some(Turn::Established);
        }
        let late = self
            .handshake_deadline
            .is_some_and(|deadline| now >= deadline);
        if late && !self.failing {
            return Some(Turn::Done(Err(if self.options.verbosity == 0 {
                Fatal::silent(TLS)
            } else {
                Fatal::new(TLS, "handshake timed out")
            })));
        }
        None
    }

    /// Writes what was decrypted to the program.
    fn deliver(&mut self, ends: &mut impl Ends, ready: bool, now: Instant) {
        if !self.is_open(End::AppOut) {
            self.buffers.plain.clear();
            return;
        }
        if self.buffers.plain.is_empty() {
            // It was watched for nothing but its reader's end.
            if ready {
                self.close(ends, End::AppOut);
            }
            return;
        }
        if self.blocked[End::AppOut as usize] {
            return;
        }
        match ends.write(End::AppOut, self.buffers.plain.content()) {
            Ok(count) => {
                self.last_data = now;
                self.buffers.plain.consume(count);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => self.blocked[End::AppOut as usize] = true,
            Err(errno) => {
                self.close(ends, End::AppOut);
                self.buffers.plain.clear();
                if !matches!(errno, Errno::EPIPE | Errno::ECONNRESET) {
                    let failure = Fatal::system("write to local", errno);
                    self.failure.get_or_insert(failure);
                }
            }
        }
    }

    /// Reads from the program, and encrypts that once there is a connection.
    fn collect(&mut self, ends: &mut impl Ends, ready: bool, now: Instant) {
        if !self.is_open(End::AppIn) || self.failing || !self.buffers.outgoing.is_empty() {
            return;
        }
        if ready && self.scratch.is_empty() {
            match ends.read(End::AppIn, self.scratch.space()) {
                Ok(0) => self.close(ends, End::AppIn),
                Ok(count) => {
                    self.last_data = now;
                    self.scratch.commit(count);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => {
                    self.close(ends, End::AppIn);
                    let failure = Fatal::system("read from local", errno);
                    self.failure.get_or_insert(failure);
                }
            }
        }
        if self.established && !self.scratch.is_empty() {
            self.send(ends);
            self.scratch.clear();
        }
    }

    fn send(&mut self, ends: &mut impl Ends) {
        let data = Send::Data(self.scratch.content());
        match self.session.process(&mut self.buffers, data) {
            Ok(received) => self.received(received),
            Err(error) => {
                self.fail_tls(&error);
                self.close(ends, End::AppIn);
            }
        }
    }

    /// Writes what is encrypted to the network.
    fn transmit(&mut self, ends: &mut impl Ends, now: Instant) {
        let outgoing = &mut self.buffers.outgoing;
        if outgoing.is_empty() || !self.open[End::NetOut as usize] {
            outgoing.clear();
            return;
        }
        if self.blocked[End::NetOut as usize] {
            return;
        }
        match ends.write(End::NetOut, outgoing.content()) {
            Ok(count) => {
                if outgoing.len() > self.alert_bytes {
                    self.last_data = now;
                }
                outgoing.consume(count);
                self.alert_bytes = self.alert_bytes.min(outgoing.len());
            }
            Err(Errno::EAGAIN | Errno::EINTR) => self.blocked[End::NetOut as usize] = true,
            Err(errno) => {
                let lost = outgoing.len() > self.alert_bytes;
                outgoing.clear();
                self.close(ends, End::NetOut);
                self.close(ends, End::AppIn);
                if lost {
                    let code = if self.established { Fatal::SYSTEM } else { TLS };
                    let failure = Fatal::unable(code, "write to remote", errno);
                    self.failure.get_or_insert(failure);
                }
            }
        }
    }

    /// Closes what has ended: the program's input once everything is
    /// delivered, the network's once everything is sent.
    fn close_ends(&mut self, ends: &mut impl Ends, now: Instant) {
        if self.failing {
            self.close(ends, End::AppIn);
        }
        if self.in_ended && self.established && self.buffers.plain.is_empty() {
            self.close(ends, End::AppOut);
        }
        if self.is_open(End::AppIn) || !self.is_open(End::NetOut) {
            return;
        }
        let wanted = self.options.close_notify || self.close_received;
        if wanted && self.established && !self.close_queued {
            self.queue_close_notify();
            self.transmit(ends, now);
        }
        if self.buffers.outgoing.is_empty() {
            self.close(ends, End::NetOut);
        }
    }

    fn queue_close_notify(&mut self) {
        self.close_queued = true;
        let before = self.buffers.outgoing.len();
        // After a fatal alert nothing more can be sent, nor need be.
        if !self.failing
            && self
                .session
                .process(&mut self.buffers, Send::CloseNotify)
                .is_ok()
        {
            self.alert_bytes = self.buffers.outgoing.len() - before;
        }
    }

    /// Whether it is over, or what is still waited for.
    fn conclude(&mut self, ends: &mut impl Ends, now: Instant) -> Turn {
        let idle = self.established && self.drain.is_none();
        if idle && self.idle_deadline().is_some_and(|deadline| now >= deadline) {
            return self.idle(ends, now);
        }
        let sent = !self.is_open(End::NetOut);
        let delivered = self.buffers.plain.is_empty();
        if self.failing {
            if !(sent && delivered) {
                // A peer that does not take the alert is not waited for.
                return if delivered {
                    self.drained(&AFTER_FAILURE, now)
                } else {
                    Turn::Wait
                };
            }
            if !self.is_open(End::NetIn) {
                return self.done();
            }
            return self.drained(&AFTER_FAILURE, now);
        }
        if sent && delivered && self.in_ended {
            return self.done();
        }
        if !self.established && sent && !self.is_open(End::NetIn) {
            return self.done();
        }
        if !self.established && !self.is_open(End::AppIn) && !self.is_open(End::AppOut) {
            let gone = Fatal::new(TLS, "local program has gone during the handshake");
            return Turn::Done(Err(self.failure.take().unwrap_or(gone)));
        }
        if sent && self.established && !self.is_open(End::AppOut) {
            return if self.failure.is_some() {
                self.done()
            } else {
                self.drained(&LINGER, now)
            };
        }
        Turn::Wait
    }

    /// Everything is done but for what the peer may still send.
    fn drained(&mut self, limits: &'static Drain, now: Instant) -> Turn {
        if !self.is_open(End::NetIn) && !self.is_open(End::NetOut) {
            return self.done();
        }
        let left = self
            .drain
            .get_or_insert(Draining {
                limits,
                since: now,
                left: limits.bytes,
            })
            .left;
        if left == 0 || self.deadline().is_some_and(|deadline| now >= deadline) {
            return self.done();
        }
        Turn::Wait
    }

    fn idle(&mut self, ends: &mut impl Ends, now: Instant) -> Turn {
        if self.buffers.outgoing.is_empty() {
            self.queue_close_notify();
            self.transmit(ends, now);
        }
        Turn::Done(Err(Fatal::new(TLS, "connection idle for too long")))
    }

    fn done(&mut self) -> Turn {
        Turn::Done(self.failure.take().map_or(Ok(()), Err))
    }

    /// The peer has gone too far for us, though not for rustls.
    fn refuse(&mut self, why: &str) {
        self.alert(Some(Alert::DecodeError));
        self.fail(Fatal::new(TLS, why));
    }

    fn alert(&mut self, wanted: Option<Alert>) {
        self.buffers.outgoing.compact();
        // Nothing may follow a close_notify.
        let wanted = wanted.filter(|_| !self.close_queued);
        self.session.alert(&mut self.buffers, wanted);
        self.alert_bytes = self.buffers.outgoing.len();
    }

    fn fail_tls(&mut self, error: &Error) {
        let answer = matches!(error, Error::AlertReceived(_)) && !self.is_open(End::NetOut);
        if answer && self.established && !self.close_queued {
            // Some peers take our end without close_notify for an error.
            self.buffers.incoming.clear();
            self.network_ended();
            return;
        }
        let fatal = Fatal::new(TLS, self.session.explain(error));
        match error {
            // An alert is not answered by another one.
            Error::AlertReceived(_) => self.alert(None),
            // rustls has queued a close_notify, but this is not a good end.
            Error::EncryptError => {}
            Error::InappropriateMessage { .. } => self.alert(Some(Alert::UnexpectedMessage)),
            _ => self.alert(Some(Alert::DecodeError)),
        }
        if !self.established && self.session.is_handshaking() {
            // What the peer says it is counts for more than that a write to
            // it has failed.
            self.failure = None;
        }
        self.fail(fatal);
    }

    fn fail(&mut self, fatal: Fatal) {
        self.failing = true;
        self.stopped = false;
        self.failure.get_or_insert(fatal);
    }
}

#[cfg(test)]
mod tests;
