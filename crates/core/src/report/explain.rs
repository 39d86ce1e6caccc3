//! What went wrong with TLS, in words of our own that stay the same whatever
//! the library says.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// One line about `error`.
pub fn text(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => format!("remote sent alert {}", alert_name(*alert)),
        Error::DecryptError => "remote sent a record that cannot be decrypted".into(),
        Error::EncryptError => "cannot send more with one key, and TLS 1.2 has no other".into(),
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidMessage(error) => message(error),
        Error::NoCertificatesPresented => "remote sent no certificate".into(),
        Error::PeerIncompatible(error) => incompatible(error),
        Error::PeerMisbehaved(error) => format!("remote violated the protocol: {error:?}"),
        Error::PeerSentOversizedRecord => "remote sent an oversized record".into(),
        Error::InappropriateHandshakeMessage { .. } | Error::InappropriateMessage { .. } => {
            "remote violated the protocol: unexpected message".into()
        }
        other => other.to_string(),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    let why = match error {
        E::BadEncoding => "malformed",
        E::Expired | E::ExpiredContext { .. } => "expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "not yet valid",
        E::Revoked => "revoked",
        E::UnknownIssuer => "unknown issuer: no chain to a trust anchor",
        E::BadSignature => "bad signature",
        E::NotValidForName | E::NotValidForNameContext { .. } => "not valid for this name",
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "not meant for this purpose",
        E::UnhandledCriticalExtension => "unknown critical extension",
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "unsupported signature algorithm"
        }
        E::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
            "a CA's own, and none of the trust anchors"
        }
        E::Other(other) => return format!("certificate of remote refused: {other}"),
        other => return format!("certificate of remote refused: {other:?}"),
    };
    format!("certificate of remote refused: {why}")
}

fn message(error: &InvalidMessage) -> String {
    match error {
        InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion => {
            "remote does not speak TLS".into()
        }
        other => format!("remote sent a malformed message: {other:?}"),
    }
}

fn incompatible(error: &PeerIncompatible) -> String {
    use PeerIncompatible as E;
    match error {
        E::NoCipherSuitesInCommon => "no cipher suite in common with remote".into(),
        E::NoKxGroupsInCommon => "no key exchange group in common with remote".into(),
        E::NoSignatureSchemesInCommon => "no signature scheme in common with remote".into(),
        E::SupportedVersionsExtensionRequired
        | E::ServerDoesNotSupportTls12Or13
        | E::ServerTlsVersionIsDisabledByOurConfig
        | E::Tls12NotOffered
        | E::Tls12NotOfferedOrEnabled
        | E::Tls13RequiredForQuic => "no TLS version in common with remote".into(),
        other => format!("remote is incompatible: {other:?}"),
    }
}

/// The alert's name as RFC 8446 section 6 writes it: `HandshakeFailure`
/// becomes `handshake_failure`.
fn alert_name(alert: AlertDescription) -> String {
    if let AlertDescription::Unknown(number) = alert {
        return number.to_string();
    }
    let mut name = String::new();
    for c in format!("{alert:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    // Names that hold an abbreviation or another spelling.
    name.replace("c_a", "ca")
        .replace("m_a_c", "mac")
        .replace("p_s_k", "psk")
        .replace("recognised", "recognized")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_bear_the_names_of_the_rfc() {
        for (alert, name) in [
            (AlertDescription::HandshakeFailure, "handshake_failure"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::BadRecordMac, "bad_record_mac"),
            (AlertDescription::UnknownPSKIdentity, "unknown_psk_identity"),
            (AlertDescription::UnrecognisedName, "unrecognized_name"),
            (AlertDescription::Unknown(200), "200"),
        ] {
            assert_eq!(alert_name(alert), name);
        }
    }

    #[test]
    fn usual_failures_have_plain_words() {
        for (error, words) in [
            (
                Error::InvalidCertificate(CertificateError::Expired),
                "certificate of remote refused: expired",
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "remote does not speak TLS",
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                "no cipher suite in common with remote",
            ),
            (Error::NoCertificatesPresented, "remote sent no certificate"),
        ] {
            assert_eq!(text(&error), words);
        }
    }
}
