//! How a connection ends: the exit code, the log's end= and the fatal message.

use std::fmt;

use unix::Errno;

/// Exit code: a file for TLS is missing, unreadable, malformed, or does not match
/// another one.
pub const CONTEXT: u8 = 96;
/// Exit code: the engine cannot be set up with its options.
pub const SETUP: u8 = 97;
/// Exit code: TLS failed.
pub const TLS: u8 = 98;
/// Exit code: a system call failed.
pub const SYSTEM: u8 = 111;

/// The end of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    code: u8,
    /// The log's end=.
    pub reason: EndReason,
    /// The fatal message; empty after a good end.
    pub text: String,
}

impl Outcome {
    /// A good end.
    pub fn closed() -> Self {
        Self {
            code: 0,
            reason: EndReason::Closed,
            text: String::new(),
        }
    }

    /// TLS failed or a limit was passed: exit code 98, or 111 with
    /// [`EndReason::System`].
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

    /// Something on our side failed. An exit code other than 96, 97 or 98 becomes
    /// 111.
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

    /// The handshake passed its time limit.
    pub fn handshake_timeout() -> Self {
        Self::tls(EndReason::HandshakeTimeout, "handshake timed out")
    }

    /// The idle limit has passed.
    pub fn idle() -> Self {
        Self::tls(EndReason::Idle, "connection idle for too long")
    }

    /// The key guard ended before the handshake was complete.
    pub fn guard_gone() -> Self {
        Self::failed(SYSTEM, "the key guard has gone")
    }

    /// The program closed both of its ends during the handshake.
    pub fn local_gone() -> Self {
        let text = "local program has gone during the handshake";
        Self::tls(EndReason::LocalGone, text)
    }

    /// The peer's stream ended too early: `place` says where.
    pub fn cut(reason: EndReason, place: &str) -> Self {
        Self::tls(reason, format!("remote closed connection {place}"))
    }

    /// `what` failed on the network. If the connection is lost during the
    /// handshake, TLS failed (98); any other error is one of the system (111).
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

    /// `what` failed on an end of the program.
    pub fn local(what: &str, errno: Errno) -> Self {
        let text = format!("unable to {what}: {}", unix::errno::text(errno));
        Self::failed(SYSTEM, text)
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }
}

/// Whether `errno` says that the connection is lost: reset by the peer, or given
/// up by the system because the peer cannot be reached.
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

/// Why a connection ended: end= in the log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndReason {
    /// A good end, whichever side ended first.
    Closed,
    /// The idle limit has passed.
    Idle,
    /// The handshake passed its time limit.
    HandshakeTimeout,
    /// One side refused the handshake, for none of the reasons below.
    HandshakeFailed,
    /// The peer ended the connection during the handshake, without a fatal alert.
    Left,
    /// The server has no certificate for the name that the client asked for.
    NoCertificateForName,
    /// The server has no ACME challenge for the name that the client asked for.
    NoChallenge,
    /// The peer's certificate is missing or not accepted.
    PeerCertificate,
    /// The peer does not speak TLS.
    Plaintext,
    /// The peer's data ended inside a record, or without a close_notify where one
    /// is needed.
    Truncated,
    /// The peer violated the protocol after the handshake.
    ProtocolError,
    /// The connection was reset or lost.
    Reset,
    /// The program at this end has gone.
    LocalGone,
    /// The peer sent too many records without data.
    Flood,
    /// A file or a system call failed, not the peer. The exit code is 96, 97 or
    /// 111.
    System,
}

impl EndReason {
    /// The reason for a failure on our side with this exit code. [`TLS`] means that
    /// reading files passed the time limit of the handshake.
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
            Self::NoChallenge => "no-challenge",
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
    fn network_error_of_a_lost_connection_is_98_during_the_handshake() {
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
    fn words_of_reasons_are_in_the_table_of_the_page() {
        use EndReason::*;
        let page = include_str!("../../../doc/logging.md");
        let (_, table) = page.split_once("| end | |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let words = [
            Closed,
            Idle,
            HandshakeTimeout,
            HandshakeFailed,
            Left,
            NoCertificateForName,
            NoChallenge,
            PeerCertificate,
            Plaintext,
            Truncated,
            ProtocolError,
            Reset,
            LocalGone,
            Flood,
            System,
        ];
        let rows = words.map(|reason| format!("| `{reason}` |"));
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(rows.len(), lines.len());
        for (row, line) in rows.iter().zip(lines) {
            assert!(line.starts_with(row.as_str()), "{row} {line}");
        }
    }

    #[test]
    fn reason_system_has_exit_codes_96_97_and_111() {
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
