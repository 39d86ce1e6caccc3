//! `tls-server-end-point` (RFC 5929 section 4).

use pki::x509::der::{OBJECT_IDENTIFIER, SEQUENCE, element, elements, expect};
use pki::x509::{Certificate, oid, strict};

use crate::crypto::{Hash, digest};

/// The tag of hashAlgorithm in RSASSA-PSS-params. 0xa0 is right; 0x80 is accepted.
const HASH_ALGORITHM: [u8; 2] = [0x80, 0xa0];

/// The digest of the server's certificate by the hash of its signature. None if the
/// signature algorithm has no hash (Ed25519) or is not known here.
pub fn of_certificate(certificate: &[u8]) -> Option<Vec<u8>> {
    let fields = Certificate::parse_strict(certificate)?;
    let hash = hash_of_signature(fields.signature_algorithm())?;
    Some(digest(hash, certificate))
}

/// The hash that RFC 5929 demands for the content of an AlgorithmIdentifier: its
/// own, but SHA-256 instead of MD5 and SHA-1.
fn hash_of_signature(algorithm: &[u8]) -> Option<Hash> {
    let (oid, parameters) = expect(algorithm, OBJECT_IDENTIFIER)?;
    match oid::dotted(oid).as_str() {
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
        "1.2.840.113549.1.1.10" => hash_of_pss(parameters),
        _ => None,
    }
}

/// The hash for the parameters of RSASSA-PSS (RFC 4055 section 3.1). The default of
/// hashAlgorithm is SHA-1.
fn hash_of_pss(parameters: &[u8]) -> Option<Hash> {
    if !strict::is_sequence(parameters) {
        return None;
    }
    let (_, fields, _) = element(parameters)?;
    let Some((_, hash)) = elements(fields).find(|(tag, _)| HASH_ALGORITHM.contains(tag)) else {
        return Some(Hash::Sha256);
    };
    let (algorithm, _) = expect(hash, SEQUENCE).filter(|_| strict::is_algorithm(hash))?;
    let (oid, _) = expect(algorithm, OBJECT_IDENTIFIER)?;
    match oid::dotted(oid).as_str() {
        "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_of_signature_follows_rfc_5929() {
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
            // NULL is no set of parameters.
            (
                vec![
                    0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10, 5, 0,
                ],
                None,
            ),
            (pss(&[0x2b, 0x0e, 3, 2, 0x1a]), Some(Hash::Sha256)),
            (sha2(1), Some(Hash::Sha256)),
            (sha2(3), Some(Hash::Sha512)),
            (sha2(4), None),
            // Ed25519
            (vec![0x30, 5, 6, 3, 0x2b, 0x65, 0x70], None),
        ] {
            let (algorithm, _) = expect(&der, SEQUENCE).unwrap();
            let found = hash_of_signature(algorithm);
            assert_eq!(found, hash, "{der:x?}");
        }
    }
}
