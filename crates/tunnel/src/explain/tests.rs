//! Every error of the libraries has words of ours. That none is missing here,
//! after an update, is a check that is asked for: see [`sources`].

mod sources;

use std::sync::Arc;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    AlertDescription, CertRevocationListError, CertificateError, ContentType,
    EncryptedClientHelloError, Error, ExtendedKeyPurpose, HandshakeType, InconsistentKeys,
    InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved,
};

use super::*;
use refusal::Refusal;

/// Texts for what has no words of its own.
const NOTHING: [&str; 5] = [
    "TLS failed",
    "certificate of remote refused: not acceptable",
    "remote is incompatible",
    "remote sent a malformed message",
    "remote violated the protocol: unspecified",
];

/// The name that a variant begins with.
fn head(text: &str) -> String {
    let word = text.split(|c: char| !c.is_ascii_alphanumeric()).next();
    word.unwrap().to_owned()
}

/// The variants of an enum of a library, as far as they are known here.
struct Known {
    /// The library's package.
    package: &'static str,
    /// The name of the enum.
    name: &'static str,
    variants: Vec<String>,
}

/// Each of `samples`, one for every variant of the enum, has as an error words
/// that are not the library's.
fn all_have_words<T: std::fmt::Debug>(
    package: &'static str,
    name: &'static str,
    samples: &[T],
    error: impl Fn(&T) -> Error,
) -> Known {
    let variant = |sample: &T| head(&format!("{sample:?}"));
    for sample in samples {
        has_words(&error(sample), &variant(sample));
    }
    Known {
        package,
        name,
        variants: samples.iter().map(variant).collect(),
    }
}

fn has_words(error: &Error, variant: &str) {
    let text = text(error);
    assert!(!NOTHING.contains(&&*text), "{variant}: {text}");
    assert!(!text.contains(variant), "{variant}: {text}");
    let foreign = text.split(|c: char| !c.is_alphanumeric()).find(|word| {
        let ours = ["keyUsage", "extendedKeyUsage"].contains(word);
        let fields = ["ClientHello", "HelloRetryRequest", "KiB"].contains(word);
        let inner = word.chars().skip(1).any(|c| c.is_ascii_uppercase());
        let lower = word.chars().any(|c| c.is_ascii_lowercase());
        inner && lower && !ours && !fields
    });
    assert_eq!(foreign, None, "{variant}: {text}");
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> OtherError {
    OtherError(Arc::new(error))
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::ZERO)
}

fn every_kind_of_error() -> Known {
    let samples = [
        Error::InappropriateMessage {
            expect_types: vec![ContentType::Alert],
            got_type: ContentType::ApplicationData,
        },
        Error::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::ClientHello],
            got_type: HandshakeType::ServerHello,
        },
        Error::InvalidEncryptedClientHello(EncryptedClientHelloError::SniRequired),
        Error::InvalidMessage(InvalidMessage::InvalidCcs),
        Error::NoCertificatesPresented,
        Error::UnsupportedNameType,
        Error::DecryptError,
        Error::EncryptError,
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
        Error::PeerMisbehaved(PeerMisbehaved::IncorrectBinder),
        Error::AlertReceived(AlertDescription::AccessDenied),
        Error::InvalidCertificate(CertificateError::Revoked),
        Error::InvalidCertRevocationList(CertRevocationListError::ParseError),
        Error::General("words".into()),
        Error::FailedToGetCurrentTime,
        Error::FailedToGetRandomBytes,
        Error::HandshakeNotComplete,
        Error::PeerSentOversizedRecord,
        Error::NoApplicationProtocol,
        Error::BadMaxFragmentSize,
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
        Error::Other(other(std::fmt::Error)),
    ];
    all_have_words("rustls", "Error", &samples, Error::clone)
}

fn every_malformed_message() -> Known {
    use InvalidMessage::*;
    let samples = [
        CertificatePayloadTooLarge,
        HandshakePayloadTooLarge,
        InvalidCcs,
        InvalidContentType,
        InvalidCertificateStatusType,
        InvalidCertRequest,
        InvalidDhParams,
        InvalidEmptyPayload,
        InvalidKeyUpdate,
        InvalidServerName,
        MessageTooLarge,
        MessageTooShort,
        MissingData("AnyName"),
        MissingKeyExchange,
        NoSignatureSchemes,
        TrailingData("AnyName"),
        UnexpectedMessage("AnyName"),
        UnknownProtocolVersion,
        UnsupportedCompression,
        UnsupportedCurveType,
        EmptyTicketValue,
        IllegalEmptyList("AnyName"),
        IllegalEmptyValue,
        DuplicateExtension(7),
        PreSharedKeyIsNotFinalExtension,
        UnknownHelloRetryRequestExtension,
        UnknownCertificateExtension,
    ];
    all_have_words("rustls", "InvalidMessage", &samples, |e| (*e).into())
}

fn every_incompatibility() -> Known {
    use PeerIncompatible::*;
    let samples = [
        EcPointsExtensionRequired,
        ExtendedMasterSecretExtensionRequired,
        IncorrectCertificateTypeExtension,
        KeyShareExtensionRequired,
        NamedGroupsExtensionRequired,
        NoCertificateRequestSignatureSchemesInCommon,
        NoCipherSuitesInCommon,
        NoEcPointFormatsInCommon,
        NoKxGroupsInCommon,
        NoSignatureSchemesInCommon,
        NullCompressionRequired,
        ServerDoesNotSupportTls12Or13,
        ServerSentHelloRetryRequestWithUnknownExtension,
        ServerTlsVersionIsDisabledByOurConfig,
        SignatureAlgorithmsExtensionRequired,
        SupportedVersionsExtensionRequired,
        Tls12NotOffered,
        Tls12NotOfferedOrEnabled,
        Tls13RequiredForQuic,
        UncompressedEcPointsRequired,
        UnsolicitedCertificateTypeExtension,
        ServerRejectedEncryptedClientHello(None),
    ];
    all_have_words("rustls", "PeerIncompatible", &samples, |e| e.clone().into())
}

fn every_violation_of_the_protocol() -> Known {
    use PeerMisbehaved::*;
    let samples = [
        AttemptedDowngradeToTls12WhenTls13IsSupported,
        BadCertChainExtensions,
        CipherSuiteDifferedOnRetry,
        DisallowedEncryptedExtension,
        DuplicateClientHelloExtensions,
        DuplicateEncryptedExtensions,
        DuplicateHelloRetryRequestExtensions,
        DuplicateNewSessionTicketExtensions,
        DuplicateServerHelloExtensions,
        DuplicateServerNameTypes,
        EarlyDataAttemptedInSecondClientHello,
        EarlyDataExtensionWithoutResumption,
        EarlyDataOfferedWithVariedCipherSuite,
        EchAcceptanceVariedAfterRetry,
        HandshakeHashVariedAfterRetry,
        IllegalHelloRetryRequestWithEmptyCookie,
        IllegalHelloRetryRequestWithNoChanges,
        IllegalHelloRetryRequestWithOfferedGroup,
        IllegalHelloRetryRequestWithUnofferedCipherSuite,
        IllegalHelloRetryRequestWithUnofferedNamedGroup,
        IllegalHelloRetryRequestWithUnsupportedVersion,
        IllegalHelloRetryRequestWithWrongSessionId,
        IllegalHelloRetryRequestWithInvalidEch,
        IllegalMiddleboxChangeCipherSpec,
        IllegalTlsInnerPlaintext,
        IncorrectBinder,
        InvalidCertCompression,
        InvalidMaxEarlyDataSize,
        InvalidKeyShare,
        KeyEpochWithPendingFragment,
        KeyUpdateReceivedInQuicConnection,
        MessageInterleavedWithHandshakeMessage,
        MissingBinderInPskExtension,
        MissingKeyShare,
        MissingPskExtensionInSecondClientHello,
        MissingPskModesExtension,
        MissingQuicTransportParameters,
        OfferedDuplicateCertificateCompressions,
        OfferedDuplicateKeyShares,
        OfferedEarlyDataWithOldProtocolVersion,
        OfferedEmptyApplicationProtocol,
        OfferedIncorrectCompressions,
        PskExtensionMustBeLast,
        PskExtensionWithMismatchedIdsAndBinders,
        RefusedToFollowHelloRetryRequest,
        RejectedEarlyDataInterleavedWithHandshakeMessage,
        ResumptionAttemptedWithVariedEms,
        ResumptionOfferedWithVariedCipherSuite,
        ResumptionOfferedWithVariedEms,
        ResumptionOfferedWithIncompatibleCipherSuite,
        SelectedDifferentCipherSuiteAfterRetry,
        SelectedInvalidPsk,
        SelectedTls12UsingTls13VersionExtension,
        SelectedUnofferedApplicationProtocol,
        SelectedUnofferedCertCompression,
        SelectedUnofferedCipherSuite,
        SelectedUnofferedCompression,
        SelectedUnofferedKxGroup,
        SelectedUnofferedPsk,
        SelectedUnusableCipherSuiteForVersion,
        ServerEchoedCompatibilitySessionId,
        ServerHelloMustOfferUncompressedEcPoints,
        ServerNameDifferedOnRetry,
        ServerNameMustContainOneHostName,
        SignedKxWithWrongAlgorithm,
        SignedHandshakeWithUnadvertisedSigScheme,
        TooManyEmptyFragments,
        TooManyKeyUpdateRequests,
        TooManyRenegotiationRequests,
        TooManyWarningAlertsReceived,
        TooMuchEarlyDataReceived,
        UnexpectedCleartextExtension,
        UnsolicitedCertExtension,
        UnsolicitedEncryptedExtension,
        UnsolicitedSctList,
        UnsolicitedServerHelloExtension,
        WrongGroupForKeyShare,
        UnsolicitedEchExtension,
    ];
    all_have_words("rustls", "PeerMisbehaved", &samples, |e| e.clone().into())
}

fn every_refusal_of_a_certificate() -> Known {
    use CertificateError::*;
    #[allow(deprecated, reason = "it is still there")]
    let samples = [
        BadEncoding,
        Expired,
        ExpiredContext {
            time: now(),
            not_after: now(),
        },
        NotValidYet,
        NotValidYetContext {
            time: now(),
            not_before: now(),
        },
        Revoked,
        UnhandledCriticalExtension,
        UnknownIssuer,
        UnknownRevocationStatus,
        ExpiredRevocationList,
        ExpiredRevocationListContext {
            time: now(),
            next_update: now(),
        },
        BadSignature,
        UnsupportedSignatureAlgorithm,
        UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![],
            supported_algorithms: vec![],
        },
        UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![],
            public_key_algorithm_id: vec![],
        },
        NotValidForName,
        NotValidForNameContext {
            expected: ServerName::try_from("AnyName").unwrap(),
            presented: vec![],
        },
        InvalidPurpose,
        InvalidPurposeContext {
            required: ExtendedKeyPurpose::ClientAuth,
            presented: vec![],
        },
        InvalidOcspResponse,
        ApplicationVerificationFailure,
        Other(other(webpki::Error::CertDistrusted)),
    ];
    for refusal in [
        Refusal::BeforeEpoch,
        Refusal::IssuerKeyExponent(34),
        Refusal::IssuerKeySize(1024),
        Refusal::IssuerKeyType("RSASSA-PSS".to_owned()),
        Refusal::IssuerKeyUsage,
        Refusal::KeyExponent(34),
        Refusal::KeySize(1024),
        Refusal::KeyType("RSASSA-PSS".to_owned()),
        Refusal::KeyUsage,
    ] {
        has_words(&refusal.into(), "Refusal");
    }
    all_have_words("rustls", "CertificateError", &samples, |e| e.clone().into())
}

fn every_refusal_of_a_revocation_list() -> Known {
    use CertRevocationListError::*;
    #[allow(deprecated, reason = "it is still there")]
    let samples = [
        BadSignature,
        UnsupportedSignatureAlgorithm,
        UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![],
            supported_algorithms: vec![],
        },
        UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![],
            public_key_algorithm_id: vec![],
        },
        InvalidCrlNumber,
        InvalidRevokedCertSerialNumber,
        IssuerInvalidForCrl,
        Other(other(webpki::Error::BadDer)),
        ParseError,
        UnsupportedCrlVersion,
        UnsupportedCriticalExtension,
        UnsupportedDeltaCrl,
        UnsupportedIndirectCrl,
        UnsupportedRevocationReason,
    ];
    all_have_words("rustls", "CertRevocationListError", &samples, |e| {
        e.clone().into()
    })
}

fn every_verdict_of_webpki() -> Known {
    use webpki::Error::*;
    let algorithm = || webpki::UnsupportedSignatureAlgorithmContext {
        signature_algorithm_id: vec![],
        supported_algorithms: vec![],
    };
    let key = || webpki::UnsupportedSignatureAlgorithmForPublicKeyContext {
        signature_algorithm_id: vec![],
        public_key_algorithm_id: vec![],
    };
    #[allow(deprecated, reason = "they are still there")]
    let samples = [
        BadDer,
        BadDerTime,
        CaUsedAsEndEntity,
        CertDistrusted,
        CertExpired {
            time: now(),
            not_after: now(),
        },
        CertNotValidForName(webpki::InvalidNameContext {
            expected: ServerName::try_from("AnyName").unwrap(),
            presented: vec![],
        }),
        CertNotValidYet {
            time: now(),
            not_before: now(),
        },
        CertRevoked,
        CrlExpired {
            time: now(),
            next_update: now(),
        },
        EmptyEkuExtension,
        EndEntityUsedAsCa,
        ExtensionValueInvalid,
        InvalidCertValidity,
        InvalidCrlNumber,
        InvalidNetworkMaskConstraint,
        InvalidSerialNumber,
        InvalidCrlSignatureForPublicKey,
        InvalidSignatureForPublicKey,
        IssuerNotCrlSigner,
        MalformedDnsIdentifier,
        MalformedExtensions,
        MalformedNameConstraint,
        MaximumNameConstraintComparisonsExceeded,
        MaximumPathBuildCallsExceeded,
        MaximumPathDepthExceeded,
        MaximumSignatureChecksExceeded,
        NameConstraintViolation,
        PathLenConstraintViolated,
        RequiredEkuNotFound,
        RequiredEkuNotFoundContext(webpki::RequiredEkuNotFoundContext {
            required: webpki::KeyUsage::client_auth(),
            present: vec![],
        }),
        SignatureAlgorithmMismatch,
        TrailingData(webpki::DerTypeId::Time),
        UnknownIssuer,
        UnknownRevocationStatus,
        UnsupportedCertVersion,
        UnsupportedCriticalExtension,
        UnsupportedCrlIssuingDistributionPoint,
        UnsupportedCrlVersion,
        UnsupportedDeltaCrl,
        UnsupportedIndirectCrl,
        UnsupportedNameType,
        UnsupportedRevocationReason,
        UnsupportedRevocationReasonsPartitioning,
        UnsupportedCrlSignatureAlgorithm,
        UnsupportedCrlSignatureAlgorithmContext(algorithm()),
        UnsupportedSignatureAlgorithm,
        UnsupportedSignatureAlgorithmContext(algorithm()),
        UnsupportedCrlSignatureAlgorithmForPublicKey,
        UnsupportedCrlSignatureAlgorithmForPublicKeyContext(key()),
        UnsupportedSignatureAlgorithmForPublicKey,
        UnsupportedSignatureAlgorithmForPublicKeyContext(key()),
    ];
    // As rustls hands it on where it has no name for it, and as we do.
    let by_rustls = |e: &webpki::Error| CertificateError::Other(other(e.clone())).into();
    let by_us = |e: &webpki::Error| refusal::refused(e.clone());
    let of_lists = |e: &webpki::Error| CertRevocationListError::Other(other(e.clone())).into();
    all_have_words("rustls-webpki", "Error", &samples, by_rustls);
    all_have_words("rustls-webpki", "Error", &samples, by_us);
    all_have_words("rustls-webpki", "Error", &samples, of_lists)
}

/// All that there are.
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
fn every_error_has_a_message() {
    for kind in KINDS {
        assert!(!kind().variants.is_empty());
    }
}

#[test]
fn alert_names_are_those_of_the_rfcs() {
    for number in 0..=255 {
        let alert = AlertDescription::from(number);
        let known = !matches!(alert, AlertDescription::Unknown(_));
        let name = alert_name(alert);
        assert_eq!(name.parse().ok(), (!known).then_some(number), "{alert:?}");
        // But for spelling the library has the same name.
        let same = name.replace('_', "").replace("recognized", "recognised");
        let theirs = format!("{alert:?}").to_lowercase();
        assert!(!known || same == theirs || name == "ech_required", "{name}");
    }
}

#[test]
fn errors_have_their_message_and_end_reason() {
    use EndReason::*;
    let http = Error::InvalidMessage(InvalidMessage::InvalidContentType);
    for (error, words, in_handshake, later) in [
        (
            Error::InvalidCertificate(CertificateError::Expired),
            "certificate of remote refused: expired",
            PeerCertificate,
            PeerCertificate,
        ),
        (http, "remote does not speak TLS", Plaintext, ProtocolError),
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
