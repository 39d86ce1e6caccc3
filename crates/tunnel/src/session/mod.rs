//! The TLS connection as the pump sees it: bytes from the network in one
//! buffer, plaintext and bytes for the network in two others.
//!
//! It uses rustls's unbuffered interface, so that records are decrypted where
//! they were received. [`Session::process`] drives it, [`step`] takes one step
//! of it, [`record_scan`] looks at the records of a handshake first, and
//! [`alert`] ends it.

mod alert;
mod record_scan;
mod step;
#[cfg(test)]
mod tests;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::{CommonState, Error};

use crate::buffer::Buffer;
use crate::explain;
use crate::handshake_facts::{HandshakeAbort, HandshakeFacts};
use crate::hello::Hellos;
use crate::outcome::{EndReason, Outcome};
use step::Progress;

/// How many bytes of data fit into one record.
pub const MAX_DATA: usize = 16384;

/// At least as long as any record that rustls makes, in each version and with
/// each suite (RFC 5246 section 6.2, RFC 8446 section 5).
pub const MAX_RECORD: usize = 16384 + 2048 + 5;

/// How many bytes at the end of `incoming` must stay unused: see
/// [`Session::alert`].
///
/// Upstream (doc/upstream.md, Sending an alert): rustls sends an alert only for a
/// record that it refuses.
pub const SPARE: usize = 5;

/// One end of a TLS connection.
pub enum Session {
    /// The client's end, and what its callbacks learn.
    Client(Box<UnbufferedClientConnection>, HandshakeFacts),
    /// The server's end, what its callbacks learn, and whether it asks for a
    /// certificate.
    Server(Box<UnbufferedServerConnection>, HandshakeFacts, bool),
}

/// The buffers of a session, and what is known of the records in them.
pub struct Buffers {
    /// From the network. After [`Session::process`] it holds no complete record
    /// unless that stopped.
    pub incoming: Buffer,
    /// Decrypted, for the program. It is at least as large as `incoming`.
    pub plain: Buffer,
    /// For the network.
    pub outgoing: Buffer,
    /// Where in `incoming` the first record begins that was not scanned yet or is
    /// incomplete.
    pub next_record: usize,
    /// What is known of the peer's hellos.
    pub hellos: Hellos,
}

impl Buffers {
    /// Discards what is in `incoming`.
    pub fn clear_incoming(&mut self) {
        self.incoming.clear();
        self.next_record = 0;
    }
}

/// What to send once everything received is processed.
#[derive(Clone, Copy)]
pub enum ToSend<'a> {
    /// Only what the protocol needs.
    Nothing,
    /// Application data. `outgoing` must have space for its records.
    Data(&'a [u8]),
    /// A close_notify alert.
    CloseNotify,
}

impl ToSend<'_> {
    /// Nothing if the connection is `failing`.
    fn unless(self, failing: bool) -> Self {
        if failing { Self::Nothing } else { self }
    }
}

/// What the network's bytes brought.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// The peer has sent its close_notify.
    pub closed: bool,
    /// Records are left to process: `outgoing` has to be emptied first.
    pub stopped: bool,
}

impl Session {
    /// Processes the complete records of `incoming` in order, then sends what
    /// `send` says. After an error, `plain` holds the data before it.
    pub fn process(&mut self, buffers: &mut Buffers, send: ToSend<'_>) -> Result<Received, Error> {
        let mut closed = false;
        loop {
            if !has_space_for_record(&mut buffers.outgoing) {
                let stopped = true;
                return Ok(Received { closed, stopped });
            }
            let (progress, refused) = if self.is_handshaking() {
                self.step_of_handshake(buffers, send)?
            } else {
                self.step_after_handshake(buffers, send, closed)?
            };
            match (progress, refused) {
                (Progress::More, _) => {}
                (Progress::Closed, _) => closed = true,
                (Progress::Blocked | Progress::Ready, Some(error)) => return Err(error),
                (Progress::Ready, None) => break,
                (Progress::Blocked, None) if matches!(send, ToSend::Nothing) => break,
                (Progress::Blocked, None) => return Err(Error::HandshakeNotComplete),
            }
        }
        let stopped = false;
        Ok(Received { closed, stopped })
    }

    /// Takes one step of the handshake. The second value is an error of the record scan,
    /// which counts once rustls has processed everything before that record.
    fn step_of_handshake(
        &mut self,
        buffers: &mut Buffers,
        send: ToSend<'_>,
    ) -> Result<(Progress, Option<Error>), Error> {
        let Buffers {
            incoming,
            next_record,
            hellos,
            ..
        } = buffers;
        let (shown, refused) = record_scan::scan(incoming.content(), next_record, hellos);
        if matches!(self, Self::Server(..)) {
            self.facts().client_has_tls13(hellos.offers_tls13());
        }
        let progress = self.step(buffers, shown, send.unless(refused.is_some()));
        if matches!(self, Self::Client(..)) {
            buffers.hellos.sent(buffers.outgoing.content());
        }
        if self.facts().abort_reason().is_some() {
            // Upstream (doc/upstream.md, Failing from a callback): a callback of rustls cannot
            // fail, so rustls goes on without what it asked for.
            return Err(Error::General("a callback has failed".into()));
        }
        let progress = progress?;
        if self.facts().records().take_undecryptable() {
            // Upstream (doc/upstream.md, Dropped records of early data): rustls has dropped all
            // complete records, but does not say how many bytes they were.
            let complete = std::mem::take(&mut buffers.next_record);
            buffers.incoming.consume(complete);
        }
        match progress {
            // What follows the handshake is scanned by other rules.
            Progress::Ready if refused.is_some() && !self.is_handshaking() => {
                Ok((Progress::More, None))
            }
            progress => Ok((progress, refused)),
        }
    }

    /// The same after the handshake. What follows the peer's close_notify is not scanned.
    fn step_after_handshake(
        &mut self,
        buffers: &mut Buffers,
        send: ToSend<'_>,
        closed: bool,
    ) -> Result<(Progress, Option<Error>), Error> {
        let incoming = buffers.incoming.content();
        let (shown, refused) = if closed {
            (incoming.len(), None)
        } else {
            record_scan::scan_headers(incoming, &mut buffers.next_record)
        };
        let send = send.unless(refused.is_some());
        Ok((self.step(buffers, shown, send)?, refused))
    }

    /// Takes one step with the first `shown` bytes of `incoming`.
    fn step(
        &mut self,
        buffers: &mut Buffers,
        shown: usize,
        send: ToSend<'_>,
    ) -> Result<Progress, Error> {
        let Buffers {
            incoming,
            plain,
            outgoing,
            next_record,
            ..
        } = buffers;
        let shown = &mut incoming.content_mut()[..shown];
        let (discard, progress) = self.advance(shown, Some(plain), outgoing, send);
        incoming.consume(discard);
        *next_record = next_record.saturating_sub(discard);
        progress.map_err(explain::clarified)
    }

    /// How a connection ends that fails with `error`.
    pub fn outcome(&self, error: &Error) -> Outcome {
        match (self.facts().abort_reason(), self.facts().no_certificate()) {
            (Some(reason), _) => aborted(reason, self.facts()),
            (None, Some(why)) if self.is_challenge() => Outcome::tls(EndReason::NoChallenge, why),
            (None, Some(why)) => Outcome::tls(EndReason::NoCertificateForName, why),
            (None, None) => self.failed_by(error),
        }
    }

    fn failed_by(&self, error: &Error) -> Outcome {
        let handshaking = self.is_handshaking();
        let facts = self.facts();
        let why = match (facts.refusal(), error) {
            (Some(refusal), _) => refusal,
            (None, Error::NoApplicationProtocol) => facts.no_protocol(),
            (None, _) => explain::text(error),
        };
        let text = if handshaking {
            format!("handshake failed: {why}")
        } else {
            why
        };
        Outcome::tls(explain::end_reason(error, handshaking), text)
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.state().is_handshaking()
    }

    /// What rustls says about the connection.
    pub fn state(&self) -> &CommonState {
        match self {
            Self::Client(connection, _) => connection,
            Self::Server(connection, ..) => connection,
        }
    }

    /// The peer's verified certificate chain, its own certificate first. Empty if
    /// this server asks for none.
    ///
    /// Upstream (doc/upstream.md, The certificates of a resumed session): rustls takes a
    /// chain over from a resumed session, though nobody has verified it here.
    pub fn peer_chain(&self) -> &[CertificateDer<'static>] {
        match self {
            Self::Server(_, _, false) => &[],
            _ => self.state().peer_certificates().unwrap_or_default(),
        }
    }

    /// Ends the handshake for this reason at the next [`Session::process`].
    pub fn abort(&self, reason: HandshakeAbort) {
        self.facts().abort(reason);
    }

    /// Server: whether the client asks for an ACME challenge (RFC 8737): once the handshake
    /// is complete, there is nothing else to say.
    pub fn is_challenge(&self) -> bool {
        self.facts().is_challenge()
    }

    /// Server: the name that the client sent.
    pub fn asked_name(&self) -> Option<String> {
        self.facts().server_name()
    }

    /// Client: the fields of the TLSA record by which the server was accepted, if it was.
    pub fn tlsa(&self) -> Option<String> {
        self.facts().tlsa()
    }

    fn facts(&self) -> &HandshakeFacts {
        match self {
            Self::Client(_, facts) | Self::Server(_, facts, _) => facts,
        }
    }
}

/// Whether `buffer` has space for any record, if need be after it moved its
/// content to the front.
fn has_space_for_record(buffer: &mut Buffer) -> bool {
    if buffer.space().len() < MAX_RECORD {
        buffer.compact();
    }
    buffer.space().len() >= MAX_RECORD
}

/// How a handshake ends that was aborted.
fn aborted(reason: HandshakeAbort, facts: &HandshakeFacts) -> Outcome {
    match reason {
        HandshakeAbort::GuardGone => Outcome::guard_gone(),
        HandshakeAbort::TimedOut => Outcome::handshake_timeout(),
        HandshakeAbort::Failed(code, text) => Outcome::failed(code, text),
        HandshakeAbort::NoProtocol => {
            let text = format!("handshake failed: {}", facts.no_protocol());
            Outcome::tls(EndReason::HandshakeFailed, text)
        }
    }
}
