//! The peer proves possession of the key of its certificate.

use rustls::DigitallySignedStruct;
use rustls::SignatureScheme;
use rustls::internal::msgs::codec::{Codec, Reader};

use super::*;
use crate::verify::handshake_signature::{tls12, tls13};

const SIGNED: &[u8] = b"what both have sent";
const BAD: Error = Error::InvalidCertificate(CertificateError::BadSignature);

/// What TLS sends: the scheme, the length and the signature.
fn sent(scheme: SignatureScheme, signature: &[u8]) -> DigitallySignedStruct {
    let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
    let bytes = [&scheme.to_array()[..], &length, signature].concat();
    DigitallySignedStruct::read(&mut Reader::init(&bytes)).unwrap()
}

/// The results in TLS 1.2 and 1.3.
fn verify(
    certificate: &CertificateDer<'_>,
    scheme: SignatureScheme,
    signature: &[u8],
) -> [Result<(), Error>; 2] {
    let signature = sent(scheme, signature);
    let algorithms = crypto::signature_algorithms();
    [tls12, tls13].map(|verify| verify(SIGNED, certificate, &signature, &algorithms).map(drop))
}

/// A certificate that webpki reads, one of version 1, and one with an unknown critical
/// extension.
fn of_each_kind(key: &Key) -> [CertificateDer<'static>; 3] {
    let leaf = Cert::leaf("host.test", "root", key);
    let unknown = leaf.clone().with(extension(99, &[]));
    [leaf.clone(), leaf.version_1(), unknown].map(|leaf| leaf.signed(&Key::new()))
}

#[test]
fn only_a_signature_by_the_key_of_the_certificate_is_accepted() {
    let p256 = SignatureScheme::ECDSA_NISTP256_SHA256;
    let key = Key::new();
    for certificate in of_each_kind(&key) {
        assert_eq!(
            verify(&certificate, p256, &key.sign(SIGNED)),
            [Ok(()), Ok(())]
        );
        let others = Key::new().sign(SIGNED);
        let of_another_message = key.sign(b"something else");
        for wrong in [others, of_another_message, Vec::new()] {
            assert_eq!(verify(&certificate, p256, &wrong), [Err(BAD), Err(BAD)]);
        }
    }
}

#[test]
fn a_signature_of_another_scheme_than_it_says_is_refused() {
    let key = Key::new();
    for certificate in of_each_kind(&key) {
        for scheme in [
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::ED25519,
            SignatureScheme::Unknown(0x0101),
        ] {
            for refused in verify(&certificate, scheme, &key.sign(SIGNED)) {
                assert!(refused.is_err(), "{scheme:?}");
            }
        }
    }
}

/// The refusals in both versions for a certificate with this key, of each kind.
fn reasons(key: &[u8], scheme: SignatureScheme) -> Vec<Option<Refusal>> {
    let mut leaf = Cert::leaf("host.test", "root", &Key::new());
    leaf.key = key.to_vec();
    let results = [leaf.clone(), leaf.version_1()]
        .map(|leaf| verify(&leaf.signed(&Key::new()), scheme, &[1; 256]));
    assert!(results.iter().flatten().all(Result::is_err));
    results.into_iter().flatten().map(reason).collect()
}

#[test]
fn a_key_that_cannot_verify_is_the_reason() {
    let pss = SignatureScheme::RSA_PSS_SHA256;
    let (f4, large): (&[u8], &[u8]) = (&[1, 0, 1], &[2, 0, 0, 0, 1]);
    for (bits, exponent, why) in [
        (2047, f4, Some(Refusal::KeySize(2047))),
        (8193, f4, Some(Refusal::KeySize(8193))),
        (2048, large, Some(Refusal::KeyExponent(34))),
        (1024, large, Some(Refusal::KeySize(1024))),
        (2048, &[1, 0, 0, 0, 1], None),
        (8192, f4, None),
    ] {
        let key = rsa_info(&modulus(bits), exponent);
        assert_eq!(reasons(&key, pss), vec![why; 4], "{bits} {exponent:?}");
    }
    let ed448 = info(&[0x2b, 0x65, 0x71], &[1; 57]);
    for why in reasons(&ed448, SignatureScheme::ED448) {
        assert!(matches!(why, Some(Refusal::KeyType(_))), "{why:?}");
    }
    let known = Key::new().info();
    assert_eq!(
        reasons(&known, SignatureScheme::ECDSA_NISTP256_SHA256),
        vec![None; 4]
    );
}
