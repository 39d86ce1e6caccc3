//! How a connection ends, in one word for those that read logs.

use std::fmt;

/// The end of a connection, as `end=` in the log line has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Word {
    /// In good order, whoever ended it first.
    Closed,
    /// Nothing came or went for as long as is allowed.
    Idle,
    /// The handshake took longer than is allowed.
    HandshakeTimeout,
    /// The handshake failed for a reason that has no word of its own.
    HandshakeFailed,
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
    /// The connection was reset.
    Reset,
    /// The program at this end is gone.
    LocalGone,
    /// The peer sent too many records that carry nothing.
    Flood,
    /// Files or system calls: nothing that the peer did.
    System,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::HandshakeFailed => "handshake-failed",
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
