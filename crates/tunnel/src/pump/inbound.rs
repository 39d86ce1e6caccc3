//! From the network to the program.

use std::time::Instant;

use unix::Errno;

use super::{Pump, State};
use crate::endpoints::{End, Ends, Ready};
use crate::outcome::{EndReason, Outcome};
use crate::session::{Received, SPARE, ToSend};

/// What the peer may still send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inbound {
    /// Anything.
    Open,
    /// Nothing, and how that became known.
    Ended(Ended),
}

/// How the peer has ended its direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    CloseNotify,
    /// The end of the stream, where that is allowed.
    Eof,
}

impl Pump {
    /// Reads from the network and processes what it brings.
    pub(super) fn receive(&mut self, ends: &mut impl Ends, now: Instant) {
        let ignored = self.ignores_network();
        if ignored {
            self.buffers.incoming.clear();
        }
        self.fit_inbound(ends, now);
        let space = self.space_for_records();
        if space == 0 {
            // No record and no message that is within its limits needs more.
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
                self.process(ends, now);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => {
                self.close(ends, End::NetIn);
                if !ignored {
                    let established = self.established();
                    self.fail(Outcome::network(established, "read from remote", errno));
                }
            }
        }
    }

    /// How much to read at once. In the handshake it is all there is; after
    /// that what lies behind the records is for messages of the handshake.
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

    /// Starts the handshake, or goes on where it had to stop.
    pub(super) fn go_on(&mut self, ends: &mut impl Ends, now: Instant) {
        let unprocessed = self.stopped || !self.established();
        if unprocessed && !self.ignores_network() {
            self.process(ends, now);
        }
    }

    /// Whether records can be processed at once.
    pub(super) fn has_more(&self) -> bool {
        self.stopped && self.buffers.outgoing.is_empty() && !self.ignores_network()
    }

    /// Whether what the network still sends is thrown away unread. When the
    /// program has gone nobody wants it; but an end has to be enforced.
    fn ignores_network(&self) -> bool {
        let lingering = self.linger.is_some() && !self.rules.enforce;
        self.is_failing() || self.inbound != Inbound::Open || lingering
    }

    /// Processes what was received. Answers that are larger than `outgoing`,
    /// such as a long chain of certificates, leave in parts.
    fn process(&mut self, ends: &mut impl Ends, now: Instant) {
        loop {
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
            if !self.stopped {
                return;
            }
            self.transmit(ends, now);
            if !self.buffers.outgoing.is_empty() {
                return;
            }
        }
    }

    pub(super) fn received(&mut self, received: Received) {
        self.stopped = received.stopped;
        if received.closed {
            self.inbound = Inbound::Ended(Ended::CloseNotify);
            self.buffers.incoming.clear();
        }
    }

    /// The stream has ended where no close_notify had been.
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

    /// Writes what was decrypted to the program.
    pub(super) fn deliver(&mut self, ends: &mut impl Ends, ready: Option<Ready>, now: Instant) {
        if ready == Some(Ready::Hangup) {
            self.close(ends, End::AppOut);
        }
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
