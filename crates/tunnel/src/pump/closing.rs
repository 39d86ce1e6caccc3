//! How it ends: alerts, the order of closings, and what is still waited for.

use std::time::{Duration, Instant};

use rustls::{AlertDescription, Error};

use super::inbound::{Ended, Inbound};
use super::{Pump, Step};
use crate::endpoints::{End, Ends};
use crate::explain::Alert;
use crate::outcome::{EndReason, Outcome};
use crate::session::ToSend;

/// What the connection will end with.
#[derive(Debug, Eq, PartialEq)]
pub enum Failure {
    /// Nothing is wrong so far.
    None,
    /// This, when everything else is done.
    Deferred(Outcome),
    /// This, and nothing more is accepted: what is here is delivered, then it
    /// is over.
    Fatal(Outcome),
}

impl Failure {
    /// Something went wrong that concerns one direction. What went wrong
    /// first counts.
    pub fn note(&mut self, outcome: Outcome) {
        if *self == Self::None {
            *self = Self::Deferred(outcome);
        }
    }

    /// Something went wrong that ends both.
    fn fail(&mut self, outcome: Outcome) {
        *self = match std::mem::replace(self, Self::None) {
            Self::None => Self::Fatal(outcome),
            Self::Deferred(first) | Self::Fatal(first) => Self::Fatal(first),
        };
    }

    fn take(&mut self) -> Outcome {
        match std::mem::replace(self, Self::None) {
            Self::None => Outcome::closed(),
            Self::Deferred(outcome) | Self::Fatal(outcome) => outcome,
        }
    }
}

/// Our own close_notify.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseNotify {
    /// There is none.
    NotSent,
    /// It is on its way: so many bytes at the end of `outgoing` are nothing
    /// but that alert.
    Queued { bytes: usize },
}

impl CloseNotify {
    pub fn bytes(self) -> usize {
        match self {
            Self::NotSent => 0,
            Self::Queued { bytes } => bytes,
        }
    }

    /// `outgoing` holds only so much any more.
    pub fn left(&mut self, outgoing: usize) {
        if let Self::Queued { bytes } = self {
            *bytes = outgoing.min(*bytes);
        }
    }
}

/// For how long and how much is thrown away at the end, so that the peer
/// still gets what we sent last: closing a socket with unread bytes would
/// reset the connection.
struct LingerLimits {
    /// Time without a byte.
    silence: Duration,
    /// Time in all.
    total: Duration,
    /// Bytes in all.
    bytes: usize,
}

/// After the program has gone.
const AFTER_CLOSE: LingerLimits = LingerLimits {
    silence: Duration::from_secs(5),
    total: Duration::from_secs(30),
    bytes: usize::MAX,
};

/// After a fatal error.
const AFTER_FAILURE: LingerLimits = LingerLimits {
    silence: Duration::from_secs(1),
    total: Duration::from_secs(3),
    bytes: 1 << 20,
};

pub struct Linger {
    limits: &'static LingerLimits,
    since: Instant,
    left: usize,
}

impl Linger {
    /// So much was thrown away.
    pub fn take(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
    }

    /// When it is enough, if the network was last read from at `last_read`.
    pub fn deadline(&self, last_read: Instant) -> Instant {
        let silent = last_read.max(self.since) + self.limits.silence;
        silent.min(self.since + self.limits.total)
    }
}

impl Pump {
    /// Closes what has ended: the program's input once everything is
    /// delivered, the network's once everything is sent.
    pub(super) fn close_ends(&mut self, ends: &mut impl Ends, now: Instant) {
        if self.is_failing() {
            self.close(ends, End::AppIn);
        }
        let ended = self.inbound != Inbound::Open && self.established();
        if ended && self.buffers.plain.is_empty() {
            self.close(ends, End::AppOut);
        }
        if self.is_open(End::AppIn) || !self.is_open(End::NetOut) {
            return;
        }
        let asked = self.inbound == Inbound::Ended(Ended::CloseNotify);
        if (self.rules.notify || asked) && self.established() {
            self.send_close_notify(ends, now);
        }
        if self.buffers.outgoing.is_empty() {
            self.close(ends, End::NetOut);
        }
    }

    /// Sends a close_notify, once.
    fn send_close_notify(&mut self, ends: &mut impl Ends, now: Instant) {
        // After a fatal alert nothing more can be sent, nor need be.
        if self.close_notify != CloseNotify::NotSent || self.is_failing() {
            return;
        }
        let before = self.buffers.outgoing.len();
        let sent = self.session.process(&mut self.buffers, ToSend::CloseNotify);
        let bytes = match sent {
            Ok(_) => self.buffers.outgoing.len().saturating_sub(before),
            Err(_) => 0,
        };
        self.close_notify = CloseNotify::Queued { bytes };
        self.transmit(ends, now);
    }

    /// Whether it is over, or what is still waited for.
    pub(super) fn conclude(&mut self, ends: &mut impl Ends, now: Instant) -> Step {
        let sent = !self.is_open(End::NetOut);
        let heard = self.inbound != Inbound::Open || !self.is_open(End::NetIn);
        let delivered = self.buffers.plain.is_empty();
        let deaf = !self.is_open(End::AppOut);
        let gone = deaf && !self.is_open(End::AppIn);
        match &self.failure {
            _ if self.is_idle(now) => self.end_idle(ends, now),
            // A peer that does not take the alert is not waited for.
            Failure::Fatal(_) if delivered => self.linger(&AFTER_FAILURE, now),
            Failure::Fatal(_) => Step::Wait,
            _ if sent && delivered && heard => self.done(),
            _ if gone && !self.established() => {
                self.failure.note(Outcome::local_gone());
                self.done()
            }
            Failure::Deferred(_) if sent && deaf => self.done(),
            Failure::None if sent && deaf => self.linger(&AFTER_CLOSE, now),
            _ => Step::Wait,
        }
    }

    /// Everything is done but for what the peer may still send.
    fn linger(&mut self, limits: &'static LingerLimits, now: Instant) -> Step {
        if !self.is_open(End::NetIn) && !self.is_open(End::NetOut) {
            return self.done();
        }
        let linger = self.linger.get_or_insert(Linger {
            limits,
            since: now,
            left: limits.bytes,
        });
        if linger.left == 0 || now >= linger.deadline(self.counters.last_read) {
            return self.done();
        }
        Step::Wait
    }

    fn is_idle(&self, now: Instant) -> bool {
        let counts = self.established() && self.linger.is_none();
        counts && self.limit().is_some_and(|limit| now >= limit)
    }

    fn end_idle(&mut self, ends: &mut impl Ends, now: Instant) -> Step {
        if self.buffers.outgoing.is_empty() {
            self.send_close_notify(ends, now);
        }
        Step::Done(Outcome::idle())
    }

    fn done(&mut self) -> Step {
        Step::Done(self.failure.take())
    }

    pub(super) fn is_failing(&self) -> bool {
        matches!(self.failure, Failure::Fatal(_))
    }

    /// The peer has gone too far for us, though not for rustls.
    pub(super) fn refuse(&mut self, reason: EndReason, why: &str) {
        self.alert(Some(Alert::Otherwise(AlertDescription::DecodeError)));
        self.fail(Outcome::tls(reason, why));
    }

    fn alert(&mut self, wanted: Option<Alert>) {
        self.buffers.outgoing.compact();
        // Nothing may follow a close_notify.
        let wanted = wanted.filter(|_| self.close_notify == CloseNotify::NotSent);
        self.session.alert(&mut self.buffers, wanted);
    }

    /// rustls has found something wrong.
    pub(super) fn fail_tls(&mut self, error: &Error) {
        if self.answers_our_end(error) {
            self.buffers.incoming.clear();
            self.network_ended();
            return;
        }
        let outcome = self.session.outcome(error);
        match error {
            // An alert is not answered by another one.
            Error::AlertReceived(_) => self.alert(None),
            // rustls has queued a close_notify, but this is not a good end.
            Error::EncryptError => {}
            // Nobody is told, as when the peer is late.
            _ if outcome.reason == EndReason::HandshakeTimeout => {}
            _ => self.alert(Some(self.session.wanted_alert(error))),
        }
        if !self.established() && self.session.is_handshaking() {
            // What the peer says it is counts for more than that a write to
            // it has failed.
            self.failure = Failure::None;
        }
        self.fail(outcome);
    }

    /// Some peers take our end without close_notify for an error, and say so.
    fn answers_our_end(&self, error: &Error) -> bool {
        let ended = self.established() && !self.is_open(End::NetOut);
        let alert = match error {
            Error::AlertReceived(alert) => !refuses_our_certificate(*alert),
            _ => false,
        };
        alert && ended && self.close_notify == CloseNotify::NotSent
    }

    pub(super) fn fail(&mut self, outcome: Outcome) {
        self.stopped = false;
        self.failure.fail(outcome);
    }
}

/// Whether an alert says that our certificate, or its absence, is not accepted
/// (RFC 8446 section 6.2). In TLS 1.3 a client may have sent its end before the
/// server sends that.
fn refuses_our_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError
            | A::CertificateRequired
    )
}
