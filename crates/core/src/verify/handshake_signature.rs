//! The signature in the handshake by which the peer proves possession of the key of
//! its certificate (RFC 8446 section 4.4.3, RFC 5246 section 7.4.3).

use pki::x509::{Certificate, kind};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error};
use tunnel::explain::refusal::{RSA_BITS, RSA_EXPONENT_BITS, Refusal, refused};
use webpki::RawPublicKeyEntity;

use crate::crypto;
use crate::verify::chain::fields;

/// Verifies a signature in TLS 1.2.
///
/// webpki reads only certificates of version 3 without unknown critical extensions.
/// Others get here only if no chain is verified. Then their key is read instead.
pub fn tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let verified = match ParsedCertificate::try_from(certificate) {
        Ok(_) => verify_tls12_signature(message, certificate, signature, algorithms),
        Err(_) => tls12_with_raw_key(message, certificate, signature, algorithms),
    };
    verified.map_err(|error| because_of_key(certificate, error))
}

/// Verifies a signature in TLS 1.3, of certificates as in [`tls12`].
pub fn tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let verified = match ParsedCertificate::try_from(certificate) {
        Ok(_) => verify_tls13_signature(message, certificate, signature, algorithms),
        Err(_) => {
            let key = SubjectPublicKeyInfoDer::from(fields(certificate)?.public_key_info());
            verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
        }
    };
    verified.map_err(|error| because_of_key(certificate, error))
}

/// Verifies by the key alone. In TLS 1.2 a scheme does not determine the curve, so
/// each of its algorithms is tried.
fn tls12_with_raw_key(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(fields(certificate)?.public_key_info());
    let key = RawPublicKeyEntity::try_from(&key).map_err(refused)?;
    let mut schemes = algorithms.mapping.iter();
    let scheme = schemes.find(|(scheme, _)| *scheme == signature.scheme);
    let mut candidates = scheme.iter().flat_map(|(_, algorithms)| algorithms.iter());
    let signature = signature.signature();
    if candidates.any(|algorithm| key.verify_signature(*algorithm, message, signature).is_ok()) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

/// The refusal of the key of `certificate` if that is why its signature failed, and
/// `error` otherwise.
fn because_of_key(certificate: &CertificateDer<'_>, error: Error) -> Error {
    let key = Certificate::parse(certificate).and_then(|certificate| certificate.public_key());
    let Some(key) = key else {
        return error;
    };
    match (key.rsa_bits(), key.rsa_exponent_bits()) {
        (Some(bits), _) if !RSA_BITS.contains(&bits) => Refusal::KeySize(bits).into(),
        (_, Some(bits)) if bits > RSA_EXPONENT_BITS => Refusal::KeyExponent(bits).into(),
        (None, None) if !crypto::can_verify(key.algorithm) => {
            Refusal::KeyType(kind::name(key.algorithm)).into()
        }
        _ => error,
    }
}
