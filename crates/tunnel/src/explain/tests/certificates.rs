//! One error of each kind about certificates and revocation lists.

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{CertRevocationListError, CertificateError, ExtendedKeyPurpose};

use super::super::refusal::{Refusal, refused};
use super::{Known, all_have_texts, head, message, other};

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::ZERO)
}

pub fn every_refusal_of_a_certificate() -> Known {
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
    let refusals = [
        Refusal::BeforeEpoch,
        Refusal::IssuerKeyExponent(34),
        Refusal::IssuerKeySize(1024),
        Refusal::IssuerKeyType("RSASSA-PSS".to_owned()),
        Refusal::IssuerKeyUsage,
        Refusal::KeyExponent(34),
        Refusal::KeySize(1024),
        Refusal::KeyType("RSASSA-PSS".to_owned()),
        Refusal::KeyUsage,
    ];
    let mut known = all_have_texts("rustls", "CertificateError", &samples, |e| e.clone().into());
    known.messages.extend(refusals.map(|refusal| {
        let variant = head(&format!("{refusal:?}"));
        message("our Refusal", &variant, &refusal.into())
    }));
    known
}

pub fn every_refusal_of_a_revocation_list() -> Known {
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
    all_have_texts("rustls", "CertRevocationListError", &samples, |e| {
        e.clone().into()
    })
}

pub fn every_verdict_of_webpki() -> Known {
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
    // As rustls hands it on where it has no error of its own, and as we do.
    let by_rustls = |e: &webpki::Error| CertificateError::Other(other(e.clone())).into();
    let by_us = |e: &webpki::Error| refused(e.clone());
    let of_lists = |e: &webpki::Error| CertRevocationListError::Other(other(e.clone())).into();
    all_have_texts("rustls-webpki", "Error", &samples, of_lists);
    let mut known = all_have_texts("rustls-webpki", "Error", &samples, by_rustls);
    let by_us = all_have_texts("rustls-webpki", "Error, by us", &samples, by_us);
    known.messages.extend(by_us.messages);
    known
}
