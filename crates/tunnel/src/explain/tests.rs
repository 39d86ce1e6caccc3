//! Every error of rustls and webpki has a text of ours. Whether an update of the two
//! has brought new errors is checked on request: see [`sources`].

mod certificates;
mod protocol;
mod sources;

use std::sync::Arc;

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
    PeerMisbehaved,
};

use super::*;
use certificates::{
    every_refusal_of_a_certificate, every_refusal_of_a_revocation_list, every_verdict_of_webpki,
};
use protocol::{
    every_incompatibility, every_kind_of_error, every_malformed_message,
    every_violation_of_the_protocol,
};

/// The texts for errors that have none of their own.
const FALLBACKS: [&str; 6] = [
    "TLS failed",
    "certificate of remote refused: not acceptable",
    "revocation list refused: not acceptable",
    "remote is incompatible",
    "remote sent a malformed message",
    "remote violated the protocol: unspecified",
];

/// The name that a variant begins with.
fn head(text: &str) -> String {
    let word = text.split(|c: char| !c.is_ascii_alphanumeric()).next();
    word.unwrap().to_owned()
}

/// The variants of an enum of a library that are known here.
struct Known {
    /// The library's package.
    package: &'static str,
    /// The name of the enum.
    name: &'static str,
    variants: Vec<String>,
    /// The lines of the variants in `messages.txt`.
    messages: Vec<String>,
}

/// Checks the texts of `samples`, which are one for each variant of the enum.
fn all_have_texts<T: std::fmt::Debug>(
    package: &'static str,
    name: &'static str,
    samples: &[T],
    error: impl Fn(&T) -> Error,
) -> Known {
    let variant = |sample: &T| head(&format!("{sample:?}"));
    let kind = format!("{package} {name}");
    let message = |sample: &T| message(&kind, &variant(sample), &error(sample));
    Known {
        package,
        name,
        variants: samples.iter().map(variant).collect(),
        messages: samples.iter().map(message).collect(),
    }
}

/// The line for `error` in `messages.txt`, after its check by [`has_text`].
fn message(kind: &str, variant: &str, error: &Error) -> String {
    has_text(error, variant);
    format!("{kind}::{variant}: {}", text(error))
}

/// Checks that the text of `error` is its own, and does not use the library's names.
fn has_text(error: &Error, variant: &str) {
    let text = text(error);
    assert!(!FALLBACKS.contains(&&*text), "{variant}: {text}");
    assert!(!text.contains(variant), "{variant}: {text}");
    let foreign = text.split(|c: char| !c.is_alphanumeric()).find(|word| {
        let standard = ["keyUsage", "extendedKeyUsage"].contains(word);
        let fields = ["ClientHello", "HelloRetryRequest", "KiB"].contains(word);
        let inner = word.chars().skip(1).any(|c| c.is_ascii_uppercase());
        let lower = word.chars().any(|c| c.is_ascii_lowercase());
        inner && lower && !standard && !fields
    });
    assert_eq!(foreign, None, "{variant}: {text}");
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> OtherError {
    OtherError(Arc::new(error))
}

/// The samples of each enum.
const KINDS: [fn() -> Known; 7] = [
    every_kind_of_error,
    every_malformed_message,
    every_incompatibility,
    every_violation_of_the_protocol,
    every_refusal_of_a_certificate,
    every_refusal_of_a_revocation_list,
    every_verdict_of_webpki,
];

#[test]
fn every_error_has_the_message_in_the_list() {
    let messages: Vec<String> = KINDS.iter().flat_map(|kind| kind().messages).collect();
    let listed: Vec<&str> = include_str!("tests/messages.txt").lines().collect();
    assert_eq!(messages, listed, "{}", messages.join("\n"));
}

#[test]
fn alert_names_are_those_of_the_rfcs() {
    for number in 0..=255 {
        let alert = AlertDescription::from(number);
        let known = !matches!(alert, AlertDescription::Unknown(_));
        let name = alert_name(alert);
        assert_eq!(name.parse().ok(), (!known).then_some(number), "{alert:?}");
        // The library's name is the same, except for its spelling.
        let same = name.replace('_', "").replace("recognized", "recognised");
        let theirs = format!("{alert:?}").to_lowercase();
        assert!(!known || same == theirs || name == "ech_required", "{name}");
    }
}

#[test]
fn errors_have_their_message_and_end_reason() {
    use EndReason::*;
    for (error, words, in_handshake, later) in [
        (
            Error::InvalidCertificate(CertificateError::Expired),
            "certificate of remote refused: expired",
            PeerCertificate,
            PeerCertificate,
        ),
        (
            Violation::NotTls.into(),
            "remote does not speak TLS",
            Plaintext,
            Plaintext,
        ),
        (
            Violation::ContentType.into(),
            "remote violated the protocol: unexpected kind of record",
            HandshakeFailed,
            ProtocolError,
        ),
        (
            Violation::MissingExtension("key_share").into(),
            "remote sent no key_share",
            HandshakeFailed,
            ProtocolError,
        ),
        (
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            "no cipher suite in common with remote",
            HandshakeFailed,
            ProtocolError,
        ),
        (
            Error::NoCertificatesPresented,
            "remote sent no certificate",
            PeerCertificate,
            PeerCertificate,
        ),
        (
            Error::AlertReceived(AlertDescription::BadCertificate),
            "remote sent alert bad_certificate",
            HandshakeFailed,
            ProtocolError,
        ),
        (
            Error::AlertReceived(AlertDescription::CloseNotify),
            "remote sent alert close_notify",
            Left,
            ProtocolError,
        ),
        (
            Error::AlertReceived(AlertDescription::UserCanceled),
            "remote sent alert user_canceled",
            Left,
            ProtocolError,
        ),
        (
            Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests),
            "remote violated the protocol: too many key updates",
            Flood,
            Flood,
        ),
        (
            Error::FailedToGetRandomBytes,
            "the system gives no random bytes",
            System,
            System,
        ),
    ] {
        assert_eq!(text(&error), words);
        assert_eq!(end_reason(&error, true), in_handshake, "{words}");
        assert_eq!(end_reason(&error, false), later, "{words}");
    }
}

#[test]
fn alert_is_internal_error_only_for_our_errors() {
    use AlertDescription as A;
    for (error, description) in [
        (Error::FailedToGetRandomBytes, A::InternalError),
        (Error::General("x".into()), A::InternalError),
        (Error::HandshakeNotComplete, A::InternalError),
        (Error::PeerSentOversizedRecord, A::RecordOverflow),
        (Error::DecryptError, A::BadRecordMac),
        (
            PeerIncompatible::NoSignatureSchemesInCommon.into(),
            A::HandshakeFailure,
        ),
        (PeerMisbehaved::InvalidKeyShare.into(), A::IllegalParameter),
        (
            PeerMisbehaved::TooManyEmptyFragments.into(),
            A::UnexpectedMessage,
        ),
        (InvalidMessage::MessageTooShort.into(), A::DecodeError),
        (Violation::NotTls.into(), A::UnexpectedMessage),
        (Violation::ContentType.into(), A::UnexpectedMessage),
        (Violation::RecordVersion.into(), A::ProtocolVersion),
        (Violation::OldVersion.into(), A::ProtocolVersion),
        (
            Violation::MissingExtension("key_share").into(),
            A::MissingExtension,
        ),
        (Violation::SessionId.into(), A::IllegalParameter),
        (Violation::DocumentRandom.into(), A::HandshakeFailure),
        (Violation::LongHandshake.into(), A::HandshakeFailure),
    ] {
        let ours = description == A::InternalError;
        let expected = if ours {
            Alert::Instead(description)
        } else {
            Alert::Otherwise(description)
        };
        assert_eq!(alert(&error), expected, "{error:?}");
        assert_eq!(
            end_reason(&error, true) == EndReason::System,
            ours,
            "{error:?}"
        );
    }
    let long = InvalidMessage::MessageTooLarge.into();
    assert_eq!(alert(&long), Alert::Instead(A::RecordOverflow));
}

#[test]
fn key_without_a_scheme_in_common_is_the_peers_incompatibility() {
    let text = |text: &str| Error::General(text.to_owned());
    let missing = PeerIncompatible::NoSignatureSchemesInCommon.into();
    assert_eq!(clarified(text("incompatible signing key")), missing);
    assert_eq!(clarified(text("other")), text("other"));
}
