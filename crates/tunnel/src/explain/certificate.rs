//! Messages for refused certificates and revocation lists.

use rustls::{CertRevocationListError, CertificateError, OtherError};

use crate::explain::refusal::Refusal;

/// The text after `certificate of remote refused: `.
pub fn text(error: &CertificateError) -> String {
    use CertificateError as E;
    let why = match error {
        E::ApplicationVerificationFailure => "not accepted here",
        E::BadEncoding => "malformed",
        E::BadSignature => "bad signature",
        E::Expired | E::ExpiredContext { .. } => "expired",
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            "the revocation list of an issuer is out of date"
        }
        E::InvalidOcspResponse => "bad OCSP response",
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "not meant for this purpose",
        E::NotValidForName | E::NotValidForNameContext { .. } => "not valid for this name",
        E::NotValidYet | E::NotValidYetContext { .. } => "not yet valid",
        E::Other(other) => return by_other(other),
        E::Revoked => "revoked",
        E::UnhandledCriticalExtension => UNKNOWN_EXTENSION,
        E::UnknownIssuer => "unknown issuer: no chain to a trust anchor",
        E::UnknownRevocationStatus => "no revocation list covers it",
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => SIGNATURE_ALGORITHM,
        #[allow(deprecated, reason = "it is still there")]
        E::UnsupportedSignatureAlgorithm => SIGNATURE_ALGORITHM,
        _ => UNKNOWN,
    };
    why.to_owned()
}

/// The text after `revocation list refused: `.
pub fn revocation_list(error: &CertRevocationListError) -> &'static str {
    use CertRevocationListError as E;
    match error {
        E::BadSignature => "bad signature",
        E::InvalidCrlNumber => "bad number",
        E::InvalidRevokedCertSerialNumber => "bad serial number in it",
        E::IssuerInvalidForCrl => CRL_KEY_USAGE,
        E::Other(OtherError(error)) => error.downcast_ref().map_or(UNKNOWN, webpki),
        E::ParseError => "malformed",
        E::UnsupportedCriticalExtension => UNKNOWN_EXTENSION,
        E::UnsupportedCrlVersion => "not of version 2",
        E::UnsupportedDeltaCrl => "a delta list",
        E::UnsupportedIndirectCrl => "an indirect list",
        E::UnsupportedRevocationReason => "unknown reason in it",
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => SIGNATURE_ALGORITHM,
        #[allow(deprecated, reason = "it is still there")]
        E::UnsupportedSignatureAlgorithm => SIGNATURE_ALGORITHM,
        _ => UNKNOWN,
    }
}

const CRL_KEY_USAGE: &str = "its issuer's keyUsage does not allow it to sign revocation lists";
const SIGNATURE_ALGORITHM: &str = "unsupported signature algorithm";
const UNKNOWN: &str = "not acceptable";
const UNKNOWN_EXTENSION: &str = "unknown critical extension";

fn by_other(OtherError(error): &OtherError) -> String {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => refusal.to_string(),
        None => error.downcast_ref().map_or(UNKNOWN, webpki).to_owned(),
    }
}

/// The text for an error of webpki.
fn webpki(error: &webpki::Error) -> &'static str {
    use webpki::Error as E;
    match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => "malformed",
        E::CaUsedAsEndEntity => {
            "a self-signed or CA certificate that is not among the trust anchors"
        }
        E::CertDistrusted => "distrusted key",
        E::CertExpired { .. } => "expired",
        E::CertNotValidForName(_) => "not valid for this name",
        E::CertNotValidYet { .. } => "not yet valid",
        E::CertRevoked => "revoked",
        E::CrlExpired { .. } => "the revocation list of an issuer is out of date",
        E::EmptyEkuExtension => "extendedKeyUsage without a purpose",
        E::EndEntityUsedAsCa => "an issuer is no CA",
        E::ExtensionValueInvalid | E::MalformedExtensions => "malformed extension",
        E::InvalidCertValidity => "its dates contradict each other",
        E::InvalidCrlNumber => "bad number of a revocation list",
        E::InvalidCrlSignatureForPublicKey => "bad signature of a revocation list",
        E::InvalidNetworkMaskConstraint | E::MalformedNameConstraint => {
            "malformed name constraints of an issuer"
        }
        E::InvalidSerialNumber => "bad serial number",
        E::InvalidSignatureForPublicKey => "bad signature",
        E::IssuerNotCrlSigner => CRL_KEY_USAGE,
        E::MalformedDnsIdentifier => "malformed name",
        E::MaximumNameConstraintComparisonsExceeded => "too many name constraints",
        E::MaximumPathBuildCallsExceeded | E::MaximumSignatureChecksExceeded => {
            "too many certificates to try"
        }
        E::MaximumPathDepthExceeded => "chain too long",
        E::NameConstraintViolation => "not within the name constraints of an issuer",
        E::PathLenConstraintViolated => "chain longer than an issuer allows",
        E::RequiredEkuNotFoundContext(_) => "not meant for this purpose",
        E::SignatureAlgorithmMismatch => "two different signature algorithms in it",
        E::UnknownIssuer => "unknown issuer: no chain to a trust anchor",
        E::UnknownRevocationStatus => "no revocation list covers it",
        E::UnsupportedCertVersion => "not of version 3",
        E::UnsupportedCriticalExtension => UNKNOWN_EXTENSION,
        E::UnsupportedCrlIssuingDistributionPoint | E::UnsupportedRevocationReasonsPartitioning => {
            "a revocation list that is split up"
        }
        E::UnsupportedCrlVersion => "a revocation list that is not of version 2",
        E::UnsupportedDeltaCrl => "a delta revocation list",
        E::UnsupportedIndirectCrl => "an indirect revocation list",
        E::UnsupportedNameType => "names of this kind cannot be verified",
        E::UnsupportedRevocationReason => "unknown reason in a revocation list",
        E::UnsupportedCrlSignatureAlgorithmContext(_)
        | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => SIGNATURE_ALGORITHM,
        #[allow(deprecated, reason = "they are still there")]
        E::RequiredEkuNotFound => "not meant for this purpose",
        #[allow(deprecated, reason = "they are still there")]
        E::UnsupportedCrlSignatureAlgorithm
        | E::UnsupportedCrlSignatureAlgorithmForPublicKey
        | E::UnsupportedSignatureAlgorithm
        | E::UnsupportedSignatureAlgorithmForPublicKey => SIGNATURE_ALGORITHM,
        _ => UNKNOWN,
    }
}
