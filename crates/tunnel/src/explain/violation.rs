//! Errors of the peer that rustls has no error for.
//!
//! Upstream (doc/upstream.md, Checks of the handshake): rustls does not make the checks
//! that find them.

use std::fmt;
use std::sync::Arc;

use rustls::{AlertDescription, Error, OtherError};

/// What the peer did wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
    /// A legacy_version of SSL 3.0 or less in a hello of TLS 1.3 (RFC 8446
    /// appendix D.5).
    LegacyVersion,
    /// A key share for a group that is not among the supported ones (RFC 8446
    /// section 4.2.8).
    KeyShareGroup,
    /// A ServerHello with another session id than that of the ClientHello (RFC
    /// 8446 section 4.1.3).
    SessionId,
    /// A random with which the signed key exchange of TLS 1.2 could be taken for a
    /// certificate or another document. The key guard does not sign it.
    DocumentRandom,
    /// More handshake messages than the key guard signs in TLS 1.2.
    LongHandshake,
}

impl Violation {
    /// The alert for the peer.
    pub fn alert(self) -> AlertDescription {
        match self {
            Self::LegacyVersion => AlertDescription::ProtocolVersion,
            Self::KeyShareGroup | Self::SessionId => AlertDescription::IllegalParameter,
            Self::DocumentRandom | Self::LongHandshake => AlertDescription::HandshakeFailure,
        }
    }

    /// The violation in `error`, if it is one.
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Other(OtherError(error)) => error.downcast_ref().copied(),
            _ => None,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LegacyVersion => {
                "remote violated the protocol: legacy_version of SSL 3.0 or less"
            }
            Self::KeyShareGroup => {
                "remote violated the protocol: key share for a group that is not among its \
                 supported groups"
            }
            Self::SessionId => "remote violated the protocol: ServerHello with another session id",
            Self::DocumentRandom => {
                "the key guard does not sign this key exchange: with the random of remote it \
                 looks like a certificate"
            }
            Self::LongHandshake => {
                "the key guard does not sign handshake messages of more than 64 KiB together"
            }
        })
    }
}

impl std::error::Error for Violation {}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Other(OtherError(Arc::new(violation)))
    }
}
