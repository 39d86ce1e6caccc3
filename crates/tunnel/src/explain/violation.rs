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
    /// The first bytes are no record of TLS.
    NotTls,
    /// A record of a type that TLS does not have (RFC 8446 section 5).
    ContentType,
    /// A record whose version is not one of TLS.
    RecordVersion,
    /// A client without TLS 1.2 and 1.3 (RFC 8446 appendix D.2). rustls misses other
    /// things in its hello first.
    OldVersion,
    /// A ClientHello of TLS 1.3 without this extension (RFC 8446 section 9.2).
    MissingExtension(&'static str),
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
            Self::NotTls | Self::ContentType => AlertDescription::UnexpectedMessage,
            Self::RecordVersion | Self::OldVersion | Self::LegacyVersion => {
                AlertDescription::ProtocolVersion
            }
            Self::MissingExtension(_) => AlertDescription::MissingExtension,
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
            Self::NotTls => "remote does not speak TLS",
            Self::ContentType => "remote violated the protocol: unexpected kind of record",
            Self::RecordVersion => "remote violated the protocol: record of another version",
            Self::OldVersion => "no TLS version in common with remote",
            Self::MissingExtension(name) => return write!(f, "remote sent no {name}"),
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
