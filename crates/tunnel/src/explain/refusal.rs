//! Our own reasons to refuse a certificate. webpki and rustls have no errors for them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::{CertRevocationListError, CertificateError, Error, OtherError};

/// The sizes in bits of RSA keys that can verify signatures.
pub const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The bits of the largest public exponent of such a key.
pub const RSA_EXPONENT_BITS: usize = 33;

/// A reason. Its text follows `certificate of remote refused: `.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The peer's own certificate, or an issuer's, is valid from a time before 1970.
    ///
    /// Upstream (doc/upstream.md, Dates before 1970): webpki cannot read such a time.
    BeforeEpoch,
    /// An issuer's keyUsage lacks keyCertSign.
    IssuerKeyUsage,
    /// An issuer's RSA key has this many bits, which is not in [`RSA_BITS`].
    IssuerKeySize(usize),
    /// An issuer's RSA key has a public exponent of this many bits, which is more
    /// than [`RSA_EXPONENT_BITS`].
    IssuerKeyExponent(usize),
    /// An issuer's key has this type, which cannot verify signatures here.
    IssuerKeyType(String),
    /// The peer's own key has this type, which cannot verify signatures here.
    KeyType(String),
    /// The keyUsage of the peer's own certificate lacks digitalSignature.
    KeyUsage,
    /// The peer's own RSA key has this many bits, which is not in [`RSA_BITS`].
    KeySize(usize),
    /// The peer's own RSA key has a public exponent of this many bits, which is
    /// more than [`RSA_EXPONENT_BITS`].
    KeyExponent(usize),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = RSA_BITS.into_inner();
        match self {
            Self::IssuerKeyUsage => {
                f.write_str("an issuer's keyUsage does not allow it to sign certificates")
            }
            Self::IssuerKeySize(bits) => write!(
                f,
                "an issuer's RSA key has {bits} bits: {least} to {most} can be verified"
            ),
            Self::IssuerKeyExponent(bits) => write!(
                f,
                "an issuer's RSA key has an exponent of {bits} bits: \
                 at most {RSA_EXPONENT_BITS} can be verified"
            ),
            Self::KeyExponent(bits) => write!(
                f,
                "its RSA key has an exponent of {bits} bits: \
                 at most {RSA_EXPONENT_BITS} can be verified"
            ),
            Self::BeforeEpoch => f.write_str(
                "it, or an issuer's, is valid from before 1970: such a time cannot be read",
            ),
            Self::IssuerKeyType(kind) => write!(
                f,
                "an issuer's key is of type {kind}, whose signatures cannot be verified"
            ),
            Self::KeyType(kind) => write!(
                f,
                "its key is of type {kind}, whose signatures cannot be verified"
            ),
            Self::KeyUsage => f.write_str("its keyUsage does not allow signatures"),
            Self::KeySize(bits) => write!(
                f,
                "its RSA key has {bits} bits: {least} to {most} can be verified"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    /// An error for which rustls sends certificate_unknown.
    fn from(refusal: Refusal) -> Self {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

/// The error of rustls for one of webpki. rustls chooses the alert by it (RFC 8446
/// section 6.2).
///
/// Upstream (doc/upstream.md, Errors of webpki in the terms of rustls): rustls's own
/// translation is private.
pub fn refused(error: webpki::Error) -> Error {
    use CertificateError as C;
    use webpki::Error as E;
    let error = match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => C::BadEncoding,
        E::CertExpired { .. } | E::InvalidCertValidity => C::Expired,
        E::CertRevoked => C::Revoked,
        E::CrlExpired { .. } => C::ExpiredRevocationList,
        E::UnknownRevocationStatus => C::UnknownRevocationStatus,
        E::InvalidCrlSignatureForPublicKey => return CertRevocationListError::BadSignature.into(),
        E::IssuerNotCrlSigner => return CertRevocationListError::IssuerInvalidForCrl.into(),
        E::CertNotValidForName(_) => C::NotValidForName,
        E::CertNotValidYet { .. } => C::NotValidYet,
        E::InvalidSignatureForPublicKey => C::BadSignature,
        E::RequiredEkuNotFoundContext(_) => C::InvalidPurpose,
        E::UnknownIssuer => C::UnknownIssuer,
        E::UnsupportedSignatureAlgorithmContext(context) => {
            C::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: context.signature_algorithm_id,
                supported_algorithms: context.supported_algorithms,
            }
        }
        E::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            C::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: context.signature_algorithm_id,
                public_key_algorithm_id: context.public_key_algorithm_id,
            }
        }
        other => C::Other(OtherError(Arc::new(other))),
    };
    error.into()
}
