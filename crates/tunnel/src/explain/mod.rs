//! The messages, alerts and end reasons for errors of TLS. The messages are our
//! own, so that an update of rustls does not change them.

mod alert;
mod certificate;
mod misbehaved;
pub mod refusal;
#[cfg(test)]
mod tests;
mod violation;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use crate::outcome::EndReason;

pub use alert::{Alert, alert, clarified, is_ours};
pub use violation::Violation;

/// The message for `error`: one line.
pub fn text(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => format!("remote sent alert {}", alert_name(*alert)),
        Error::InvalidCertificate(error) => {
            format!(
                "certificate of remote refused: {}",
                certificate::text(error)
            )
        }
        Error::InvalidCertRevocationList(error) => {
            format!(
                "revocation list refused: {}",
                certificate::revocation_list(error)
            )
        }
        Error::InvalidMessage(error) => message(error),
        Error::PeerIncompatible(error) => incompatible(error).into(),
        Error::PeerMisbehaved(error) => {
            format!("remote violated the protocol: {}", misbehaved::text(error))
        }
        // Our own errors, and errors of rustls without a kind.
        Error::General(text) => text.clone(),
        Error::Other(error) => error.to_string(),
        other => plain(other).into(),
    }
}

/// Why a connection ends with `error`, during the handshake if `handshaking`. rustls has no error
/// for a name without a certificate: see [`crate::handshake_facts`].
pub fn end_reason(error: &Error, handshaking: bool) -> EndReason {
    use PeerMisbehaved as M;
    match error {
        error if Violation::of(error) == Some(Violation::NotTls) => EndReason::Plaintext,
        // Both mean that the peer stops, but not for an error (RFC 8446 section
        // 6.1).
        Error::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled)
            if handshaking =>
        {
            EndReason::Left
        }
        Error::InvalidCertificate(_)
        | Error::InvalidCertRevocationList(_)
        | Error::NoCertificatesPresented
        | Error::UnsupportedNameType => EndReason::PeerCertificate,
        Error::PeerMisbehaved(
            M::TooManyEmptyFragments
            | M::TooManyKeyUpdateRequests
            | M::TooManyRenegotiationRequests
            | M::TooManyWarningAlertsReceived
            | M::TooMuchEarlyDataReceived,
        ) => EndReason::Flood,
        error if is_ours(error) => EndReason::System,
        _ if handshaking => EndReason::HandshakeFailed,
        _ => EndReason::ProtocolError,
    }
}

/// The messages for errors without details.
fn plain(error: &Error) -> &'static str {
    match error {
        Error::BadMaxFragmentSize => "records of that size are not possible",
        Error::DecryptError => "remote sent a record that cannot be decrypted",
        Error::EncryptError => "cannot send more with one key, and TLS 1.2 has no other",
        Error::FailedToGetCurrentTime => "the time is not known",
        Error::FailedToGetRandomBytes => "the system gives no random bytes",
        Error::HandshakeNotComplete => "the handshake is not complete",
        Error::InappropriateHandshakeMessage { .. } | Error::InappropriateMessage { .. } => {
            "remote violated the protocol: unexpected message"
        }
        Error::InconsistentKeys(_) => "private key and certificate do not belong together",
        Error::InvalidEncryptedClientHello(_) => "encrypted ClientHello is not possible",
        Error::NoApplicationProtocol => "no application protocol in common with remote",
        Error::NoCertificatesPresented => "remote sent no certificate",
        Error::PeerSentOversizedRecord => "remote sent an oversized record",
        Error::UnsupportedNameType => "names of this kind cannot be verified",
        _ => "TLS failed",
    }
}

fn message(error: &InvalidMessage) -> String {
    use InvalidMessage as E;
    let why = match error {
        E::CertificatePayloadTooLarge => "certificates of more than 64 KiB",
        E::HandshakePayloadTooLarge => "handshake message of more than 64 KiB",
        E::MessageTooLarge => "record that is too long",
        E::DuplicateExtension(_) => "extension twice",
        E::EmptyTicketValue => "empty session ticket",
        E::IllegalEmptyList(_) => "empty list",
        E::IllegalEmptyValue => "empty value",
        E::InvalidCcs => "change_cipher_spec",
        E::InvalidCertRequest => "certificate request",
        E::InvalidContentType => "kind of content",
        E::InvalidCertificateStatusType => "kind of certificate status",
        E::InvalidDhParams => "Diffie-Hellman parameters",
        E::InvalidEmptyPayload => "empty record",
        E::InvalidKeyUpdate => "key update",
        E::InvalidServerName => "server name",
        E::MessageTooShort | E::MissingData(_) => "message that is cut short",
        E::MissingKeyExchange => "no key exchange",
        E::NoSignatureSchemes => "no signature schemes",
        E::PreSharedKeyIsNotFinalExtension => "pre_shared_key is not the last extension",
        E::TrailingData(_) => "bytes behind the end of a message",
        E::UnexpectedMessage(_) => "unexpected kind of message",
        E::UnknownCertificateExtension => "unknown extension of a certificate message",
        E::UnknownProtocolVersion => "version of a record",
        E::UnknownHelloRetryRequestExtension => "unknown extension of a HelloRetryRequest",
        E::UnsupportedCompression => "compression",
        E::UnsupportedCurveType => "kind of elliptic curve",
        E::UnsupportedKeyExchangeAlgorithm(_) => "kind of key exchange",
        _ => return "remote sent a malformed message".into(),
    };
    format!("remote sent a malformed message: {why}")
}

fn incompatible(error: &PeerIncompatible) -> &'static str {
    use PeerIncompatible as E;
    match error {
        E::NoCipherSuitesInCommon => "no cipher suite in common with remote",
        E::NoKxGroupsInCommon => "no key exchange group in common with remote",
        E::NoSignatureSchemesInCommon | E::NoCertificateRequestSignatureSchemesInCommon => {
            "no signature scheme in common with remote"
        }
        E::NoEcPointFormatsInCommon
        | E::EcPointsExtensionRequired
        | E::UncompressedEcPointsRequired => "remote does not take uncompressed points",
        E::SupportedVersionsExtensionRequired
        | E::ServerDoesNotSupportTls12Or13
        | E::ServerTlsVersionIsDisabledByOurConfig
        | E::Tls12NotOffered
        | E::Tls12NotOfferedOrEnabled
        | E::Tls13RequiredForQuic => "no TLS version in common with remote",
        E::ExtendedMasterSecretExtensionRequired => "remote sent no extended_master_secret",
        E::KeyShareExtensionRequired => "remote sent no key_share",
        E::NamedGroupsExtensionRequired => "remote sent no supported_groups",
        E::SignatureAlgorithmsExtensionRequired => "remote sent no signature_algorithms",
        E::NullCompressionRequired => "remote insists on compression",
        E::IncorrectCertificateTypeExtension | E::UnsolicitedCertificateTypeExtension => {
            "remote wants certificates of another type"
        }
        E::ServerSentHelloRetryRequestWithUnknownExtension => {
            "remote sent a HelloRetryRequest with an unknown extension"
        }
        E::ServerRejectedEncryptedClientHello(_) => "remote takes no encrypted ClientHello",
        _ => "remote is incompatible",
    }
}

/// The alert's name in RFC 8446 section 6 or an earlier RFC; its number if it has
/// none.
fn alert_name(alert: AlertDescription) -> String {
    let number = u8::from(alert);
    let name = match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return number.to_string(),
    };
    name.to_owned()
}
