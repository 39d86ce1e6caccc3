//! Violations of the protocol that are found before rustls looks.

use std::fmt;
use std::sync::Arc;

use rustls::{AlertDescription, Error, OtherError};

/// What a hello must not say.
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
}

impl Violation {
    /// What the peer is told.
    pub fn alert(self) -> AlertDescription {
        match self {
            Self::LegacyVersion => AlertDescription::ProtocolVersion,
            Self::KeyShareGroup | Self::SessionId => AlertDescription::IllegalParameter,
        }
    }

    /// The violation that `error` is, if it is one.
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Other(OtherError(error)) => error.downcast_ref().copied(),
            _ => None,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::LegacyVersion => "legacy_version of SSL 3.0 or less",
            Self::KeyShareGroup => "key share for a group that is not among its supported groups",
            Self::SessionId => "ServerHello with another session id",
        };
        write!(f, "remote violated the protocol: {what}")
    }
}

impl std::error::Error for Violation {}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Other(OtherError(Arc::new(violation)))
    }
}
