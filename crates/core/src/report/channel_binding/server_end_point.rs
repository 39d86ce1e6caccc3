//! `tls-server-end-point` (RFC 5929 section 4).

use x509_cert::der::asn1::Any;
use x509_cert::der::{Decode, Tag, Tagged};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::crypto::{Hash, digest};
use crate::report::peer_info::Certificate;

/// The digest of the server's certificate, by the hash of its signature. None
/// if that has no hash of its own (Ed25519) or one that is not known here.
pub fn of_certificate(certificate: &[u8]) -> Option<Vec<u8>> {
    let fields = Certificate::from_der(certificate).ok()?;
    let hash = hash_of_signature(fields.signature_algorithm())?;
    Some(digest(hash, certificate))
}

/// SHA-256 stands in for MD5 and SHA-1.
fn hash_of_signature(algorithm: &AlgorithmIdentifierOwned) -> Option<Hash> {
    match algorithm.oid.to_string().as_str() {
        // RSA with MD5, SHA-1, SHA-256; DSA with SHA-1, SHA-256; ECDSA with
        // SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10040.4.3"
        | "2.16.840.1.101.3.4.3.2"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Hash::Sha256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Hash::Sha384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Hash::Sha512),
        "1.2.840.113549.1.1.10" => hash_of_pss(algorithm.parameters.as_ref()?),
        _ => None,
    }
}

/// The hashAlgorithm among the parameters of RSASSA-PSS (RFC 4055 section
/// 3.1); without one it is SHA-1.
fn hash_of_pss(parameters: &Any) -> Option<Hash> {
    let parameters: Vec<Any> = parameters.decode_as().ok()?;
    let hash = parameters.iter().find(|parameter| {
        matches!(parameter.tag(), Tag::ContextSpecific { number, .. } if number.value() == 0)
    });
    let Some(hash) = hash else {
        return Some(Hash::Sha256);
    };
    let hash = AlgorithmIdentifierOwned::from_der(hash.value()).ok()?;
    match hash.oid.to_string().as_str() {
        "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn algorithm(der: &[u8]) -> AlgorithmIdentifierOwned {
        AlgorithmIdentifierOwned::from_der(der).unwrap()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        // AlgorithmIdentifiers as openssl writes them.
        let pss = |hash: &[u8]| {
            let hash = [&[0x30, hash.len() as u8 + 2, 6, hash.len() as u8][..], hash].concat();
            let tagged = [&[0xa0, hash.len() as u8][..], &hash].concat();
            let params = [&[0x30, tagged.len() as u8][..], &tagged].concat();
            let oid = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
            let length = (oid.len() + params.len()) as u8;
            [&[0x30, length][..], &oid, &params].concat()
        };
        let sha2 = |last: u8| pss(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last]);
        for (der, hash) in [
            // ecdsa-with-SHA256, ecdsa-with-SHA1, ecdsa-with-SHA224
            (
                vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
                Some(Hash::Sha256),
            ),
            (
                vec![0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],
                Some(Hash::Sha256),
            ),
            (
                vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1],
                None,
            ),
            // sha384WithRSAEncryption
            (
                vec![
                    0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12, 5, 0,
                ],
                Some(Hash::Sha384),
            ),
            // RSASSA-PSS with SHA-1 by default, SHA-1, SHA-256, SHA-512, SHA-224
            (
                vec![
                    0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10, 0x30, 0,
                ],
                Some(Hash::Sha256),
            ),
            (pss(&[0x2b, 0x0e, 3, 2, 0x1a]), Some(Hash::Sha256)),
            (sha2(1), Some(Hash::Sha256)),
            (sha2(3), Some(Hash::Sha512)),
            (sha2(4), None),
            // Ed25519
            (vec![0x30, 5, 6, 3, 0x2b, 0x65, 0x70], None),
        ] {
            let found = hash_of_signature(&algorithm(&der));
            assert_eq!(found, hash, "{der:x?}");
        }
    }
}
