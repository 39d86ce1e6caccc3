//! Pins: certificates or keys that are known beforehand (`--pin`).

use cli::Pin;
use pki::x509::Certificate;
use rustls::pki_types::CertificateDer;

use crate::crypto;

/// Whether `certificate` is one of those that `pins` stand for.
pub fn contain(pins: &[Pin], certificate: &CertificateDer<'_>) -> bool {
    let whole = Pin::Certificate(crypto::sha256(certificate));
    let key = Certificate::parse(certificate);
    let key = key.map(|fields| Pin::PublicKey(crypto::sha256(fields.public_key_info())));
    pins.iter().any(|pin| *pin == whole || Some(*pin) == key)
}

#[cfg(test)]
mod tests {
    use pki::read;

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../pki/src/testdata/certificate.pem");

    #[test]
    fn a_certificate_has_the_pin_of_itself_and_that_of_its_key() {
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
    fn what_cannot_be_read_has_no_key_to_be_known_by() {
        let der = CertificateDer::from(b"none".to_vec());
        assert!(!contain(&[Pin::PublicKey(crypto::sha256(b""))], &der));
        assert!(contain(&[Pin::Certificate(crypto::sha256(&der))], &der));
    }
}
