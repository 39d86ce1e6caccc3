//! How a connection ends: for the program that waits for it, for those that
//! read logs, and for people.

use std::fmt;

use unix::Errno;

/// The TLS context cannot be built: a file is missing, unreadable, malformed,
/// or does not fit its partner.
pub const CONTEXT: u8 = 96;
/// The engine cannot be set up with these options.
pub const SETUP: u8 = 97;
/// Exit code: TLS itself failed.
pub const TLS: u8 = 98;

/// Exit code: a system call failed.
pub const SYSTEM: u8 = 111;

/// The end of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    code: u8,
    /// The kind of end.
    pub reason: EndReason,
    /// What the fatal line says; nothing about a good end.
    pub text: String,
}

impl Outcome {
    /// A good one.
    pub fn closed() -> Self {
        Self {
            code: 0,
            reason: EndReason::Closed,
            text: String::new(),
        }
    }

    /// TLS went wrong, or a limit was passed; with [`Word::System`] it was for
    /// something of ours.
    pub fn tls(reason: EndReason, text: impl Into<String>) -> Self {
        Self {
            code: match reason {
                EndReason::System => SYSTEM,
                _ => TLS,
            },
            reason,
            text: text.into(),
        }
    }

    /// Something of ours has failed. An exit code that says nothing of that kind
    /// becomes 111.
    pub fn failed(code: u8, text: impl Into<String>) -> Self {
        Self {
            code: match code {
                CONTEXT | SETUP | TLS => code,
                _ => SYSTEM,
            },
            reason: EndReason::of_failure(code),
            text: text.into(),
        }
    }

    /// The handshake took longer than is allowed.
    pub fn handshake_timeout() -> Self {
        Self::tls(EndReason::HandshakeTimeout, "handshake timed out")
    }

    /// Nothing moved for longer than is allowed.
    pub fn idle() -> Self {
        Self::tls(EndReason::Idle, "connection idle for too long")
    }

    /// The process that holds the key has ended before its work was done.
    pub fn guard_gone() -> Self {
        Self::failed(SYSTEM, "the key guard has gone")
    }

    /// The program left before the handshake was over.
    pub fn local_gone() -> Self {
        let text = "local program has gone during the handshake";
        Self::tls(EndReason::LocalGone, text)
    }

    /// The peer's stream ended where it must not: `place` says where.
    pub fn cut(reason: EndReason, place: &str) -> Self {
        Self::tls(reason, format!("remote closed connection {place}"))
    }

    /// `what` could not be done with the network. A connection that is lost
    /// during the handshake is a failure of TLS; any other error is one of
    /// this system, whenever it happens.
    pub fn network(established: bool, what: &str, errno: Errno) -> Self {
        let lost = is_lost(errno);
        Self {
            code: if lost && !established { TLS } else { SYSTEM },
            reason: if lost {
                EndReason::Reset
            } else {
                EndReason::System
            },
            text: format!("unable to {what}: {}", unix::errno::text(errno)),
        }
    }

    /// `what` could not be done with the program.
    pub fn local(what: &str, errno: Errno) -> Self {
        let text = format!("unable to {what}: {}", unix::errno::text(errno));
        Self::failed(SYSTEM, text)
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }
}

/// Whether `errno` says that the connection is gone: reset by the peer, or
/// given up by the system because nothing arrives there any more.
fn is_lost(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ECONNRESET
            | Errno::EPIPE
            | Errno::ECONNABORTED
            | Errno::ETIMEDOUT
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::ENETDOWN
            | Errno::ENETRESET
            | Errno::ENETUNREACH
    )
}

/// The end of a connection, as `end=` in the log line has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndReason {
    /// In good order, whoever ended it first.
    Closed,
    /// Nothing came or went for as long as is allowed.
    Idle,
    /// The handshake took longer than is allowed.
    HandshakeTimeout,
    /// One side refused the handshake, for a reason that has no word of its
    /// own.
    HandshakeFailed,
    /// The peer ended the connection before the handshake was over, and said
    /// nothing against it.
    Left,
    /// The server has no certificate for the name that the client asked for.
    NoCertificateForName,
    /// The peer's certificate is missing, or not one that is accepted.
    PeerCertificate,
    /// The peer does not speak TLS.
    Plaintext,
    /// The peer's data ended without close_notify where one is needed, or
    /// inside a record.
    Truncated,
    /// The peer broke the protocol after the handshake.
    ProtocolError,
    /// The connection was reset, or lost on the way.
    Reset,
    /// The program at this end is gone.
    LocalGone,
    /// The peer sent too many records that carry nothing.
    Flood,
    /// Files or system calls: nothing that the peer did. The exit code is 96, 97
    /// or 111.
    System,
}

impl EndReason {
    /// The word for something of ours that has failed with this exit code. Only
    /// [`TLS`] is another: then files took longer than the handshake may.
    pub fn of_failure(code: u8) -> Self {
        match code {
            TLS => Self::HandshakeTimeout,
            _ => Self::System,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::HandshakeFailed => "handshake-failed",
            Self::Left => "left",
            Self::NoCertificateForName => "no-certificate-for-name",
            Self::PeerCertificate => "peer-certificate",
            Self::Plaintext => "plaintext",
            Self::Truncated => "truncated",
            Self::ProtocolError => "protocol-error",
            Self::Reset => "reset",
            Self::LocalGone => "local-gone",
            Self::Flood => "flood",
            Self::System => "system",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_lost_during_the_handshake_is_a_failure_of_tls() {
        let what = "read from remote";
        for (errno, reason, early, late) in [
            (Errno::ECONNRESET, EndReason::Reset, 98, 111),
            (Errno::EPIPE, EndReason::Reset, 98, 111),
            (Errno::ETIMEDOUT, EndReason::Reset, 98, 111),
            (Errno::EHOSTUNREACH, EndReason::Reset, 98, 111),
            // `system` goes with 111, never with 98.
            (Errno::ENOMEM, EndReason::System, 111, 111),
        ] {
            for (established, code) in [(false, early), (true, late)] {
                let outcome = Outcome::network(established, what, errno);
                assert_eq!((outcome.code, outcome.reason), (code, reason), "{errno}");
                assert!(outcome.text.starts_with("unable to read from remote: "));
            }
        }
    }

    #[test]
    fn the_word_system_goes_with_its_exit_codes_alone() {
        let network = |established| Outcome::network(established, "x", Errno::EIO);
        let failed = (0..=u8::MAX).map(|code| Outcome::failed(code, "x"));
        let others = [
            Outcome::closed(),
            Outcome::tls(EndReason::System, "x"),
            Outcome::tls(EndReason::Flood, "x"),
            Outcome::handshake_timeout(),
            Outcome::guard_gone(),
            Outcome::local_gone(),
            Outcome::local("x", Errno::EIO),
            network(false),
            network(true),
        ];
        for outcome in failed.chain(others) {
            let code = matches!(outcome.code, 96 | 97 | 111);
            assert_eq!(code, outcome.reason == EndReason::System, "{outcome:?}");
        }
        for code in [96, 97, 111] {
            assert_eq!(Outcome::failed(code, "x").code, code);
        }
    }
}
