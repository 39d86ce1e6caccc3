//! The TLS connection as the pump sees it: bytes from the network in one
//! buffer, plaintext and bytes for the network in two others.
//!
//! It stands on rustls's unbuffered interface, so that records are decrypted
//! where they were received.

mod record_scan;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{AlertDescription, CommonState, Error};

use crate::buffer::Buffer;
use crate::explain::{self, Alert};
use crate::handshake_facts::{HandshakeAbort, HandshakeFacts};
use crate::hello::Hellos;
use crate::outcome::{EndReason, Outcome};
use record_scan::until_refused;

/// How many bytes of data fit into one record.
pub const MAX_DATA: usize = 16384;

/// More than a record that rustls makes can take, whatever the version and
/// the suite (RFC 5246 section 6.2, RFC 8446 section 5).
pub const MAX_RECORD: usize = 16384 + 2048 + 5;

/// How many bytes at the end of `incoming` are never to be used.
pub const SPARE: usize = 5;

/// A handshake message without content.
const SMALLEST_MESSAGE: usize = 4;

/// How long an alert that nothing protects is.
const PLAIN_ALERT: usize = 7;

/// One end of a TLS connection.
pub enum Session {
    /// The client's end, and where its callbacks leave what they learn.
    Client(Box<UnbufferedClientConnection>, HandshakeFacts),
    /// The server's end, the same, and whether it asks for a certificate.
    Server(Box<UnbufferedServerConnection>, HandshakeFacts, bool),
}

/// The three buffers of a session.
pub struct Buffers {
    /// From the network: what is left holds no complete record.
    pub incoming: Buffer,
    /// Decrypted, for the program. It is at least as large as `incoming`.
    pub plain: Buffer,
    /// For the network.
    pub outgoing: Buffer,
    /// Where in `incoming` the first record begins, during the handshake,
    /// that was not looked at or is not complete yet.
    pub next_record: usize,
    /// What is known of the peer's hellos.
    pub hellos: Hellos,
}

/// What to send once everything received is processed.
#[derive(Clone, Copy)]
pub enum ToSend<'a> {
    /// Nothing but what the protocol wants.
    Nothing,
    /// Application data; `outgoing` has space for it.
    Data(&'a [u8]),
    /// The closing alert.
    CloseNotify,
}

/// What the network's bytes brought.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// The peer has sent its close_notify.
    pub closed: bool,
    /// Not everything was processed: `outgoing` has to be emptied first.
    pub stopped: bool,
}

enum Progress {
    More,
    Closed,
    Blocked,
    Ready,
}

impl Session {
    /// Processes the complete records of `incoming`, in their order, and then
    /// sends what `send` says. Plaintext before an error is in `plain`.
    pub fn process(&mut self, buffers: &mut Buffers, send: ToSend<'_>) -> Result<Received, Error> {
        let mut received = Received::default();
        loop {
            if buffers.outgoing.space().len() < MAX_RECORD {
                buffers.outgoing.compact();
            }
            if buffers.outgoing.space().len() < MAX_RECORD {
                received.stopped = true;
                return Ok(received);
            }
            let Buffers {
                incoming,
                plain,
                outgoing,
                next_record,
                hellos,
            } = buffers;
            let handshaking = self.is_handshaking();
            let (shown, refused) = if handshaking {
                until_refused(incoming.content(), next_record, hellos)
            } else {
                (incoming.len(), None)
            };
            let shown = &mut incoming.content_mut()[..shown];
            let (discard, progress) = self.advance(shown, Some(plain), outgoing, send);
            incoming.consume(discard);
            *next_record = next_record.saturating_sub(discard);
            if handshaking && matches!(self, Self::Client(..)) {
                hellos.sent(outgoing.content());
            }
            if handshaking && self.facts().abort_reason().is_some() {
                // rustls would go on without what a callback could not give.
                return Err(Error::General("a callback has failed".into()));
            }
            let progress = progress.map_err(explain::clarified)?;
            if handshaking && self.facts().records().take_undecryptable() {
                // rustls has dropped all complete records that are left: there
                // is no part of a message among them.
                incoming.consume(std::mem::take(next_record));
            }
            match progress {
                Progress::More => {}
                Progress::Closed => received.closed = true,
                Progress::Blocked => match refused {
                    Some(error) => return Err(error),
                    None if matches!(send, ToSend::Nothing) => return Ok(received),
                    None => return Err(Error::HandshakeNotComplete),
                },
                Progress::Ready => return Ok(received),
            }
        }
    }

    /// Ends it after an error: puts the alert that tells the peer into
    /// `outgoing`, and forgets what was received. rustls has no alert for some
    /// errors, and none for limits of ours: then it is the one that is
    /// `wanted`, if any.
    pub fn alert(&mut self, buffers: &mut Buffers, wanted: Option<Alert>) {
        let Buffers {
            incoming, outgoing, ..
        } = buffers;
        incoming.clear();
        let mut plain = self.flush(outgoing);
        let Some(wanted) = wanted else {
            return;
        };
        let told = plain || self.facts().records().alerted();
        if !told {
            self.facts().records().set_alert(wanted.description());
            self.provoke(incoming.space(), outgoing);
            plain = self.flush(outgoing);
        }
        let replaces = !told || matches!(wanted, Alert::Instead(_));
        match outgoing.content_mut().last_mut() {
            Some(last) if plain && replaces => *last = wanted.description().into(),
            _ => {}
        }
    }

    /// Takes from rustls what it still has to send. Whether the last of it is a
    /// fatal alert that nothing protects.
    fn flush(&mut self, outgoing: &mut Buffer) -> bool {
        let mut plain = false;
        while self.state().wants_write() && outgoing.space().len() >= MAX_RECORD {
            let before = outgoing.len();
            // What is queued comes before anything that was received, so the
            // records need not be shown again.
            let (_, progress) = self.advance(&mut [], None, outgoing, ToSend::Nothing);
            if progress.is_err() {
                break;
            }
            let sent = outgoing.content().get(before..).unwrap_or_default();
            plain = sent.len() == PLAIN_ALERT && sent.starts_with(&[21]);
        }
        plain
    }

    /// Makes rustls send a fatal alert: there is no way to ask for one, but it
    /// sends decode_error when it is shown a record that is none.
    ///
    /// It may remember messages, or a part of one, by where they were in the
    /// bytes that it was shown last, and takes those first, whatever they are
    /// now. Hence the bytes are as many again, with [`SPARE`] behind them.
    fn provoke(&mut self, bytes: &mut [u8], outgoing: &mut Buffer) {
        bytes.fill(0xff);
        for _ in 0..MAX_RECORD / SMALLEST_MESSAGE {
            let (_, progress) = self.advance(bytes, None, outgoing, ToSend::Nothing);
            if progress.is_ok() || self.state().wants_write() {
                return;
            }
        }
    }

    /// What the peer is to be told of `error`.
    pub fn wanted_alert(&self, error: &Error) -> Alert {
        match (self.facts().abort_reason(), self.refused()) {
            (Some(_), _) => Alert::Instead(AlertDescription::InternalError),
            (None, Some(_)) => Alert::Instead(AlertDescription::UnrecognisedName),
            (None, None) => explain::alert(error),
        }
    }

    /// What kind of end `error` is.
    pub fn outcome(&self, error: &Error) -> Outcome {
        match (self.facts().abort_reason(), self.refused()) {
            (Some(reason), _) => aborted(reason),
            (None, Some(refused)) => Outcome::tls(EndReason::NoCertificateForName, refused),
            (None, None) => self.ended_by(error),
        }
    }

    fn ended_by(&self, error: &Error) -> Outcome {
        let handshaking = self.is_handshaking();
        let facts = self.facts();
        let text = match (facts.refusal(), error) {
            (Some(refusal), _) => refusal,
            (None, Error::NoApplicationProtocol) => facts.no_protocol(),
            (None, _) => explain::text(error),
        };
        let text = match handshaking {
            true => format!("handshake failed: {text}"),
            false => text,
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

    /// The chain by which the peer has proved who it is, its own certificate
    /// first. It is empty where none was asked for: rustls takes one over from a
    /// session that is resumed, and nobody has verified it here.
    pub fn peer_chain(&self) -> &[CertificateDer<'static>] {
        match self {
            Self::Server(_, _, false) => &[],
            _ => self.state().peer_certificates().unwrap_or_default(),
        }
    }

    /// The handshake cannot go on.
    pub fn abort(&self, reason: HandshakeAbort) {
        self.facts().abort(reason);
    }

    /// Server: the name that the client sent.
    pub fn asked_name(&self) -> Option<String> {
        self.facts().server_name()
    }

    fn advance(
        &mut self,
        incoming: &mut [u8],
        plain: Option<&mut Buffer>,
        outgoing: &mut Buffer,
        send: ToSend<'_>,
    ) -> (usize, Result<Progress, Error>) {
        match self {
            Self::Client(tls, _) => {
                advance(tls.process_tls_records(incoming), plain, outgoing, send)
            }
            Self::Server(tls, ..) => {
                advance(tls.process_tls_records(incoming), plain, outgoing, send)
            }
        }
    }

    fn facts(&self) -> &HandshakeFacts {
        match self {
            Self::Client(_, facts) | Self::Server(_, facts, _) => facts,
        }
    }

    fn refused(&self) -> Option<String> {
        self.facts().no_certificate()
    }
}

/// How a handshake ends that cannot go on.
fn aborted(reason: HandshakeAbort) -> Outcome {
    match reason {
        HandshakeAbort::GuardGone => Outcome::guard_gone(),
        HandshakeAbort::TimedOut => Outcome::handshake_timeout(),
        HandshakeAbort::Failed(code, text) => Outcome::failed(code, text),
    }
}

/// Does what one state of the connection asks for. The count is what to take
/// from the front of the incoming bytes.
fn advance<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: Option<&mut Buffer>,
    outgoing: &mut Buffer,
    send: ToSend<'_>,
) -> (usize, Result<Progress, Error>) {
    let mut discard = status.discard;
    let state = match status.state {
        Ok(state) => state,
        Err(error) => return (discard, Err(error)),
    };
    let progress = match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            let mut plain = plain;
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        if let Some(plain) = plain.as_deref_mut() {
                            plain.append(record.payload);
                        }
                    }
                    Err(error) => return (discard, Err(error)),
                }
            }
            Ok(Progress::More)
        }
        ConnectionState::EncodeTlsData(mut record) => {
            let written = record.encode(outgoing.space());
            written
                .map(|count| {
                    outgoing.commit(count);
                    Progress::More
                })
                .map_err(|error| Error::General(error.to_string()))
        }
        ConnectionState::TransmitTlsData(records) => {
            records.done();
            Ok(Progress::More)
        }
        ConnectionState::WriteTraffic(mut traffic) => {
            let written = match send {
                ToSend::Nothing => Ok(0),
                ToSend::Data(data) => encrypt(&mut traffic, data, outgoing),
                ToSend::CloseNotify => traffic.queue_close_notify(outgoing.space()),
            };
            written
                .map(|count| {
                    outgoing.commit(count);
                    Progress::Ready
                })
                .map_err(|_| Error::EncryptError)
        }
        ConnectionState::PeerClosed => Ok(Progress::Closed),
        ConnectionState::Closed => Ok(Progress::Ready),
        // BlockedHandshake; early data, the only other state, is never
        // accepted.
        _ => Ok(Progress::Blocked),
    };
    (discard, progress)
}

/// Encrypts one record after the other: of several at once none would be sent
/// if the last was one too many for the key.
fn encrypt<Data>(
    traffic: &mut WriteTraffic<'_, Data>,
    data: &[u8],
    outgoing: &mut Buffer,
) -> Result<usize, EncryptError> {
    for record in data.chunks(MAX_DATA) {
        let count = traffic.encrypt(record, outgoing.space())?;
        outgoing.commit(count);
    }
    Ok(0)
}
