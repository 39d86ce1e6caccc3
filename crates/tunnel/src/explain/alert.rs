//! The alert that tells the peer of an error.

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use super::Violation;

/// The alert for an error (RFC 8446 section 6.2).
///
/// Upstream (doc/upstream.md, Sending an alert): rustls sends none for some errors, and
/// another one than the RFC has for others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alert {
    /// Only if rustls sends none.
    Otherwise(AlertDescription),
    /// Instead of the one that rustls sends, if any.
    Instead(AlertDescription),
}

impl Alert {
    /// The description in the alert.
    pub fn description(self) -> AlertDescription {
        match self {
            Self::Otherwise(description) | Self::Instead(description) => description,
        }
    }
}

/// The alert for `error`. rustls sends one itself for most errors of the peer. For
/// one on our side it may send one that blames the peer.
pub fn alert(error: &Error) -> Alert {
    use AlertDescription as A;
    use PeerMisbehaved as M;
    if let Some(violation) = Violation::of(error) {
        return Alert::Otherwise(violation.alert());
    }
    if is_ours(error) {
        return Alert::Instead(A::InternalError);
    }
    Alert::Otherwise(match error {
        Error::InvalidMessage(InvalidMessage::MessageTooLarge) => {
            return Alert::Instead(A::RecordOverflow);
        }
        Error::PeerSentOversizedRecord => A::RecordOverflow,
        Error::DecryptError => A::BadRecordMac,
        Error::PeerIncompatible(_) => A::HandshakeFailure,
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(
            M::MessageInterleavedWithHandshakeMessage
            | M::RejectedEarlyDataInterleavedWithHandshakeMessage
            | M::TooManyEmptyFragments
            | M::TooManyKeyUpdateRequests
            | M::TooManyRenegotiationRequests
            | M::TooManyWarningAlertsReceived
            | M::TooMuchEarlyDataReceived,
        ) => A::UnexpectedMessage,
        Error::PeerMisbehaved(_) => A::IllegalParameter,
        _ => A::DecodeError,
    })
}

/// Whether `error` is one on our side, not of the peer.
pub fn is_ours(error: &Error) -> bool {
    Violation::of(error).is_none()
        && matches!(
            error,
            Error::BadMaxFragmentSize
                | Error::FailedToGetCurrentTime
                | Error::FailedToGetRandomBytes
                | Error::General(_)
                | Error::HandshakeNotComplete
                | Error::InconsistentKeys(_)
                | Error::InvalidEncryptedClientHello(_)
                | Error::Other(_)
        )
}

/// `error`, or `NoSignatureSchemesInCommon` where that is what a TLS 1.2 server means.
///
/// Upstream (doc/upstream.md, The message for a key without a common scheme): rustls
/// has only a text for that. This function can go when it has an error of its own.
pub fn clarified(error: Error) -> Error {
    match error {
        Error::General(text) if text == "incompatible signing key" => {
            PeerIncompatible::NoSignatureSchemesInCommon.into()
        }
        other => other,
    }
}
