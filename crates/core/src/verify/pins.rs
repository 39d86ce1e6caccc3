//! Pins: digests of the certificates or keys that are accepted (`--pin`).

use cli::Pin;
use pki::x509::Certificate;
use rustls::pki_types::CertificateDer;

use crate::crypto;

/// Whether `certificate` or its key has one of these `pins`.
pub fn contain(pins: &[Pin], certificate: &CertificateDer<'_>) -> bool {
    let whole = Pin::Certificate(crypto::sha256(certificate));
    let key = of_key(certificate);
    pins.iter().any(|pin| *pin == whole || Some(*pin) == key)
}

/// The pin of the key of `certificate`. None if that is malformed.
pub fn of_key(certificate: &[u8]) -> Option<Pin> {
    let fields = Certificate::parse(certificate)?;
    Some(Pin::PublicKey(crypto::sha256(fields.public_key_info())))
}

#[cfg(test)]
mod tests {
    use pki::read;

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../pki/src/testdata/certificate.pem");

    #[test]
    fn a_pin_of_the_certificate_or_its_key_matches() {
        let der = read::certificates(CERTIFICATE).unwrap().remove(0);
        let key = Certificate::parse(&der).unwrap().public_key_info();
        let [of_der, of_key] = [&der, key].map(crypto::sha256);
        let none = Pin::Certificate([0; 32]);
        for (pins, contained) in [
            (&[Pin::Certificate(of_der)][..], true),
            (&[Pin::PublicKey(of_key)], true),
            (&[none, Pin::PublicKey(of_key)], true),
            (&[Pin::Certificate(of_key)], false),
            (&[Pin::PublicKey(of_der)], false),
            (&[none], false),
            (&[], false),
        ] {
            assert_eq!(contain(pins, &der), contained, "{pins:?}");
        }
    }

    #[test]
    fn a_malformed_certificate_matches_by_itself_but_not_by_its_key() {
        let der = CertificateDer::from(b"none".to_vec());
        assert!(!contain(&[Pin::PublicKey(crypto::sha256(b""))], &der));
        assert!(contain(&[Pin::Certificate(crypto::sha256(&der))], &der));
    }
}
