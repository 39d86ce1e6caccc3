//! How a connection closes: alerts, the order in which the ends close, and what is
//! still waited for.
//!
//! When each end closes ([`Pump::close_ends`], and on an error of the end itself):
//!
//! | end | closes |
//! |---|---|
//! | [`End::NetIn`] | at the end of the peer's stream |
//! | [`End::AppOut`] | when the peer has ended and all is delivered, or nobody reads |
//! | [`End::AppIn`] | when the program has ended, `NetOut` cannot be written, or all has failed |
//! | [`End::NetOut`] | after `AppIn`, when everything is sent |
//!
//! After the handshake, and before `NetOut` closes, a close_notify is sent once: if
//! [`Rules::notify`] asks for it or the peer has sent its own, but not after a fatal
//! failure. An idle end sends one whatever [`Rules::notify`] is.
//!
//! When the pump is done ([`Stage`], in this order):
//!
//! | what has happened | what follows |
//! |---|---|
//! | no data have moved for [`Rules::idle`] | end as idle, with a close_notify if all is sent |
//! | a fatal failure, and data are left for the program | wait until it has taken them |
//! | a fatal failure, and all is delivered | linger ([`AFTER_FAILURE`]), end with the failure |
//! | both directions have ended, and all is delivered | end |
//! | in the handshake, the program has closed both of its ends | end as local-gone |
//! | all is sent, the program has stopped reading, and one direction has failed | end with it |
//! | all is sent, and the program has stopped reading | linger ([`AFTER_CLOSE`]), end |
//! | anything else | wait |

use std::time::{Duration, Instant};

use rustls::{AlertDescription, Error};

#[cfg(doc)]
use super::Rules;
use super::inbound::{Ended, Inbound};
use super::{Pump, Step};
use crate::endpoints::{End, Ends};
use crate::explain::Alert;
use crate::outcome::{EndReason, Outcome};
use crate::session::ToSend;

/// The failure that the connection will end with.
#[derive(Debug, Eq, PartialEq)]
pub enum Failure {
    /// No failure so far.
    None,
    /// One direction has failed. The other one goes on to its end.
    Deferred(Outcome),
    /// Both directions have failed. Data that are decrypted are delivered, and
    /// nothing more is accepted.
    Fatal(Outcome),
}

impl Failure {
    /// One direction has failed. The first failure counts.
    pub fn note(&mut self, outcome: Outcome) {
        if *self == Self::None {
            *self = Self::Deferred(outcome);
        }
    }

    /// Both directions have failed. The first failure counts.
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
    /// Not encrypted yet.
    NotSent,
    /// Encrypted, or given up. The last `bytes` of `outgoing` are that alert, or
    /// what is left of it.
    Queued { bytes: usize },
}

impl CloseNotify {
    /// How many bytes of it `outgoing` holds at most.
    pub fn bytes(self) -> usize {
        match self {
            Self::NotSent => 0,
            Self::Queued { bytes } => bytes,
        }
    }
}

/// How long, and how much, the pump still reads and discards at the end. A
/// socket that closes with unread bytes resets the connection, and the peer may
/// then lose what we sent last.
struct LingerLimits {
    /// The longest time without a byte.
    silence: Duration,
    /// The longest time in all.
    total: Duration,
    /// The most bytes.
    bytes: usize,
}

/// After everything is sent and the program does not read any more.
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

/// A lingering close: the network is read and discarded.
pub struct Linger {
    limits: &'static LingerLimits,
    since: Instant,
    /// How many bytes may still be discarded.
    left: usize,
}

impl Linger {
    /// `count` bytes were discarded.
    pub fn take(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
    }

    /// When it ends, if the network last brought bytes at `last_read`.
    pub fn deadline(&self, last_read: Instant) -> Instant {
        let silent = last_read.max(self.since) + self.limits.silence;
        silent.min(self.since + self.limits.total)
    }
}

/// How far the closing of a connection is. The first that applies counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The idle limit has passed.
    IdleTooLong,
    /// A fatal failure; data are left for the program.
    Failing,
    /// A fatal failure; all data are delivered. The alert may still be unsent: a
    /// peer that does not take it is not waited for.
    Failed,
    /// Both directions have ended, and all data are delivered.
    Complete,
    /// The program has closed both of its ends during the handshake.
    LocalGone,
    /// Everything is sent, and the program does not read any more.
    Unread,
    /// None of these.
    Open,
}

impl Pump {
    /// Closes the ends that are due: see the table at the top.
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
        let answers = self.inbound == Inbound::Ended(Ended::CloseNotify);
        if (self.rules.notify || answers) && self.established() {
            self.send_close_notify(ends, now);
        }
        if self.buffers.outgoing.is_empty() {
            self.close(ends, End::NetOut);
        }
    }

    /// Ends the connection without the program, though no end has been closed: closes the ends
    /// of the program and sends a close_notify. The peer need not send one.
    pub fn end_without_program(&mut self, ends: &mut impl Ends) {
        self.rules.notify = true;
        self.rules.enforce = false;
        self.close(ends, End::AppIn);
        self.close(ends, End::AppOut);
    }

    /// Sends a close_notify, once.
    fn send_close_notify(&mut self, ends: &mut impl Ends, now: Instant) {
        // Nothing may follow a fatal alert.
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

    /// Ends the connection, or waits: see the table at the top.
    pub(super) fn conclude(&mut self, ends: &mut impl Ends, now: Instant) -> Step {
        match self.stage(now) {
            Stage::IdleTooLong => self.end_idle(ends, now),
            Stage::Failing | Stage::Open => Step::Wait,
            Stage::Failed => self.linger(&AFTER_FAILURE, now),
            Stage::Complete => self.done(),
            Stage::LocalGone => {
                self.failure.note(Outcome::local_gone());
                self.done()
            }
            Stage::Unread if self.failure == Failure::None => self.linger(&AFTER_CLOSE, now),
            Stage::Unread => self.done(),
        }
    }

    fn stage(&self, now: Instant) -> Stage {
        let delivered = self.buffers.plain.is_empty();
        let received = self.inbound != Inbound::Open || !self.is_open(End::NetIn);
        let sent = !self.is_open(End::NetOut);
        let reads = self.is_open(End::AppOut);
        let writes = self.is_open(End::AppIn);
        if self.is_idle(now) {
            Stage::IdleTooLong
        } else if self.is_failing() {
            if delivered {
                Stage::Failed
            } else {
                Stage::Failing
            }
        } else if sent && received && delivered {
            Stage::Complete
        } else if !reads && !writes && !self.established() {
            Stage::LocalGone
        } else if sent && !reads {
            Stage::Unread
        } else {
            Stage::Open
        }
    }

    /// Discards what the peer still sends, within these limits.
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

    /// The peer has passed a limit of ours that rustls does not have.
    pub(super) fn refuse(&mut self, reason: EndReason, why: &str) {
        self.alert(Some(Alert::Otherwise(AlertDescription::DecodeError)));
        self.fail(Outcome::tls(reason, why));
    }

    fn alert(&mut self, wanted: Option<Alert>) {
        // No alert may follow a close_notify.
        let wanted = wanted.filter(|_| self.close_notify == CloseNotify::NotSent);
        self.session.alert(&mut self.buffers, wanted);
    }

    /// The session has failed with `error`.
    pub(super) fn fail_tls(&mut self, error: &Error) {
        if self.answers_our_end(error) {
            self.buffers.clear_incoming();
            self.network_ended();
            return;
        }
        let outcome = self.session.outcome(error);
        match error {
            // A fatal alert is not answered.
            Error::AlertReceived(_) => self.alert(None),
            // The key is used up. Upstream (doc/upstream.md, The end of a key in TLS 1.2): rustls
            // has queued a close_notify. It is not sent, for it would hide that data are missing.
            Error::EncryptError => {}
            // No alert, as when the handshake's deadline passes in the pump.
            _ if outcome.reason == EndReason::HandshakeTimeout => {}
            _ => self.alert(Some(self.session.wanted_alert(error))),
        }
        if !self.established() {
            // The peer's alert explains more than a write that failed before it.
            self.failure = Failure::None;
        }
        self.fail(outcome);
    }

    /// Whether `error` is the alert of a peer that takes the end of our direction
    /// without close_notify for an error.
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

/// Whether the peer does not accept our certificate, or that we sent none (RFC
/// 8446 section 6.2). In TLS 1.3 this alert may come after a client has ended its
/// direction.
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
