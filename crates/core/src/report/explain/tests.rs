//! Every error of the libraries has words of ours, a new one included: what
//! there is stands in the libraries' own source.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    AlertDescription, CertRevocationListError, CertificateError, ContentType,
    EncryptedClientHelloError, Error, ExtendedKeyPurpose, HandshakeType, InconsistentKeys,
    InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved,
};

use super::*;
use crate::peer::refusal::Refusal;

/// Texts for what has no words of its own.
const NOTHING: [&str; 5] = [
    "TLS failed",
    "certificate of remote refused: not acceptable",
    "remote is incompatible",
    "remote sent a malformed message",
    "remote violated the protocol: unspecified",
];

/// The source of `file` in the package that we are built with.
fn source(package: &str, file: &str) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata = String::from_utf8(metadata.stdout).unwrap();
    let manifests = metadata.split("\"manifest_path\":\"").skip(1);
    let mut paths = manifests.filter_map(|rest| rest.split('"').next());
    let prefix = format!("/{package}-");
    let path = paths.find(|path| {
        let version = path.rsplit_once(&prefix).map(|(_, rest)| rest);
        version.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let manifest = PathBuf::from(path.expect(package));
    std::fs::read_to_string(manifest.with_file_name(file)).unwrap()
}

/// The names of the variants of `pub enum NAME` in `source`.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let start = format!("pub enum {name} {{\n");
    let body = source.split(&start).nth(1).expect(name);
    let body = body.split("\n}\n").next().unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    names.map(head).collect()
}

/// The name that a variant begins with.
fn head(text: &str) -> String {
    let word = text.split(|c: char| !c.is_ascii_alphanumeric()).next();
    word.unwrap().to_owned()
}

/// `samples` are all variants of the enum, and each as an error has words
/// that are not the library's.
fn all_have_words<T: std::fmt::Debug>(
    source: &str,
    name: &str,
    samples: &[T],
    error: impl Fn(&T) -> Error,
) {
    let there: BTreeSet<_> = samples.iter().map(|s| head(&format!("{s:?}"))).collect();
    let mut expected = variants(source, name);
    // Its content cannot be named outside rustls.
    expected.remove("UnsupportedKeyExchangeAlgorithm");
    assert_eq!(there, expected, "variants of {name}");
    for sample in samples {
        has_words(&error(sample), &head(&format!("{sample:?}")));
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

#[test]
fn every_kind_of_error() {
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
    let source = source("rustls", "src/error.rs");
    all_have_words(&source, "Error", &samples, Error::clone);
}

#[test]
fn every_malformed_message() {
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
    let source = source("rustls", "src/error.rs");
    all_have_words(&source, "InvalidMessage", &samples, |e| (*e).into());
}

#[test]
fn every_incompatibility() {
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
    let source = source("rustls", "src/error.rs");
    all_have_words(&source, "PeerIncompatible", &samples, |e| e.clone().into());
}

#[test]
fn every_violation_of_the_protocol() {
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
    let source = source("rustls", "src/error.rs");
    all_have_words(&source, "PeerMisbehaved", &samples, |e| e.clone().into());
}

#[test]
fn every_refusal_of_a_certificate() {
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
    let source = source("rustls", "src/error.rs");
    all_have_words(&source, "CertificateError", &samples, |e| e.clone().into());
    for refusal in [
        Refusal::IssuerKeySize(1024),
        Refusal::IssuerKeyUsage,
        Refusal::KeySize(1024),
        Refusal::KeyUsage,
    ] {
        has_words(&refusal.into(), "Refusal");
    }
}

#[test]
fn every_refusal_of_a_revocation_list() {
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
    let source = source("rustls", "src/error.rs");
    all_have_words(&source, "CertRevocationListError", &samples, |e| {
        e.clone().into()
    });
}

#[test]
fn every_verdict_of_webpki() {
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
    let source = source("rustls-webpki", "src/error.rs");
    // As rustls hands it on where it has no name for it, and as we do.
    let by_rustls = |e: &webpki::Error| CertificateError::Other(other(e.clone())).into();
    let by_us = |e: &webpki::Error| crate::peer::refused(e.clone());
    let of_lists = |e: &webpki::Error| CertRevocationListError::Other(other(e.clone())).into();
    all_have_words(&source, "Error", &samples, by_rustls);
    all_have_words(&source, "Error", &samples, by_us);
    all_have_words(&source, "Error", &samples, of_lists);
}

#[test]
fn every_alert_bears_its_name_of_the_rfc() {
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
fn usual_failures_have_plain_words_and_theirs_in_the_log() {
    use Word::*;
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
        assert_eq!(word(&error, true), in_handshake, "{words}");
        assert_eq!(word(&error, false), later, "{words}");
    }
}
