//! From the network to the program.

use std::time::Instant;

use unix::Errno;

use super::closing::CloseNotify;
use super::{Pump, State};
use crate::endpoints::{End, Ends};
use crate::outcome::{EndReason, Outcome};
use crate::session::{Received, SPARE, ToSend};

/// Whether the peer has ended its direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inbound {
    /// Not yet.
    Open,
    /// Yes, in this way.
    Ended(Ended),
}

/// How the peer has ended its direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// With a close_notify.
    CloseNotify,
    /// With the end of the stream, where no close_notify is needed.
    Eof,
}

impl Pump {
    /// Reads from the network and processes the records.
    pub(super) fn receive(&mut self, ends: &mut impl Ends, now: Instant) {
        let ignored = self.ignores_network();
        if ignored {
            self.buffers.clear_incoming();
        }
        self.fit_inbound(ends, now);
        let space = self.space_for_records();
        if space == 0 {
            // `incoming` has space for any record and message within its limits.
            self.refuse(EndReason::Flood, "remote sent a message in too many pieces");
            return;
        }
        let incoming = &mut self.buffers.incoming;
        match ends.read(End::NetIn, &mut incoming.space()[..space]) {
            Ok(0) => {
                self.close(ends, End::NetIn);
                self.network_ended();
            }
            Ok(count) if ignored => {
                self.counters.last_read = now;
                if let Some(linger) = &mut self.linger {
                    linger.take(count);
                }
            }
            Ok(count) => {
                self.counters.last_read = now;
                self.counters.read(count);
                incoming.commit(count);
                self.throughput_in.read(incoming.len(), now);
                self.process(now);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => {
                self.close(ends, End::NetIn);
                if !ignored && !self.needs_nothing_more() {
                    let established = self.established();
                    self.fail(Outcome::network(established, "read from remote", errno));
                }
            }
        }
    }

    /// How many bytes to read at once. After the handshake, the space beyond full
    /// records is kept for handshake messages that span records.
    fn space_for_records(&mut self) -> usize {
        let incoming = &mut self.buffers.incoming;
        incoming.compact();
        let most = self
            .throughput_in
            .size()
            .records()
            .saturating_sub(incoming.len());
        let space = incoming.space().len().saturating_sub(SPARE);
        if self.established() && most > 0 {
            space.min(most)
        } else {
            space
        }
    }

    /// Starts the handshake, or goes on with records that were left.
    pub(super) fn go_on(&mut self, now: Instant) {
        let unprocessed = self.stopped || !self.established();
        if unprocessed && !self.ignores_network() {
            self.process(now);
        }
    }

    /// Whether records are left that can be processed now.
    pub(super) fn has_more(&self) -> bool {
        self.stopped && self.buffers.outgoing.is_empty() && !self.ignores_network()
    }

    /// Whether bytes from the network are discarded without decryption. While the
    /// pump lingers nobody reads the data, but if a close_notify is enforced it
    /// must be looked for.
    fn ignores_network(&self) -> bool {
        let lingering = self.linger.is_some() && !self.rules.enforce;
        self.is_failing() || self.inbound != Inbound::Open || lingering
    }

    /// Whether all is sent, and nobody reads what the peer sends. A peer that closes with our
    /// close_notify unread resets the connection then, and has lost nothing.
    fn needs_nothing_more(&self) -> bool {
        let sent = self.established() && !self.is_open(End::NetOut);
        sent && !self.is_open(End::AppOut) && !self.rules.enforce
    }

    /// Processes the received records. What rustls answers may be larger than
    /// `outgoing`, such as a long certificate chain: then it stops, and goes on once
    /// that is sent ([`Pump::has_more`]).
    fn process(&mut self, now: Instant) {
        let queued = self.buffers.outgoing.len();
        let before = self.buffers.plain.len();
        let processed = self.session.process(&mut self.buffers, ToSend::Nothing);
        self.counters
            .decrypted(self.buffers.plain.len() - before, now);
        match processed {
            Err(error) => self.fail_tls(&error),
            Ok(_) if self.counters.is_flooded() => {
                self.refuse(
                    EndReason::Flood,
                    "remote sent too many records without application data",
                );
            }
            Ok(received) => self.received(received),
        }
        if self.close_notify != CloseNotify::NotSent {
            // Nothing may follow it, no alert and no answer of rustls.
            self.buffers.outgoing.truncate(queued);
        }
    }

    fn received(&mut self, received: Received) {
        self.stopped = received.stopped;
        if received.closed {
            self.inbound = Inbound::Ended(Ended::CloseNotify);
            self.buffers.clear_incoming();
        }
    }

    /// The peer's stream has ended.
    pub(super) fn network_ended(&mut self) {
        if self.ignores_network() {
            return;
        }
        let (reason, place) = if !self.established() {
            (EndReason::Left, "during the handshake")
        } else if !self.buffers.incoming.is_empty() {
            (EndReason::Truncated, "inside a record")
        } else if self.rules.enforce {
            (EndReason::Truncated, "without a close_notify")
        } else {
            self.inbound = Inbound::Ended(Ended::Eof);
            return;
        };
        self.fail(Outcome::cut(reason, place));
    }

    /// Writes decrypted data to the program.
    pub(super) fn deliver(&mut self, ends: &mut impl Ends, now: Instant) {
        let plain = &mut self.buffers.plain;
        match self.state.app_out {
            State::Closed => plain.clear(),
            State::Blocked => {}
            State::Open if plain.is_empty() => {}
            State::Open => match ends.write(End::AppOut, plain.content()) {
                Ok(count) => {
                    self.counters.last_data = now;
                    plain.consume(count);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => self.state.app_out = State::Blocked,
                Err(errno) => {
                    plain.clear();
                    self.close(ends, End::AppOut);
                    if !matches!(errno, Errno::EPIPE | Errno::ECONNRESET) {
                        self.failure.note(Outcome::local("write to local", errno));
                    }
                }
            },
        }
    }
}
