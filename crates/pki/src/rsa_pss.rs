//! Private keys of type id-RSASSA-PSS (RFC 4055): RSA keys that sign by RSASSA-PSS alone.

use pki_types::PrivateKeyDer;

use crate::x509::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, expect};

/// The object identifier id-RSASSA-PSS.
pub(crate) const ID_RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

/// The mask generation function (RFC 8017 appendix B.2.1).
const ID_MGF1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";

/// The fields of RSASSA-PSS-params (RFC 4055 section 3.1).
const HASH_ALGORITHM: u8 = 0xa0;
const MASK_GENERATION: u8 = 0xa1;
const SALT_LENGTH: u8 = 0xa2;

/// The length of the salt if there is no field for it.
const DEFAULT_SALT: u8 = 20;

/// The field of the trailer, which has no other value.
const DEFAULT_TRAILER: &[u8] = b"\xa3\x03\x02\x01\x01";

const NULL: &[u8] = b"\x05\x00";

/// The hashes of TLS: object identifier, length in bytes, and what a key for that hash allows.
const HASHES: [(&[u8], u8, &[PssHash]); 3] = [
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x01",
        32,
        &[PssHash::Sha256],
    ),
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x02",
        48,
        &[PssHash::Sha384],
    ),
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x03",
        64,
        &[PssHash::Sha512],
    ),
];

/// A hash for RSASSA-PSS as TLS uses it (RFC 8446 section 4.2.3): MGF1 uses it, too, and the
/// salt is as long as the hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PssHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The parts of a key of type id-RSASSA-PSS in PKCS#8.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PssKey<'a> {
    /// The hashes that its parameters allow. Empty if TLS has no scheme for the parameters (RFC
    /// 8446 section 4.2.3).
    pub hashes: &'static [PssHash],
    /// The RSAPrivateKey (RFC 8017 appendix A.1.2).
    pub key: &'a [u8],
}

impl<'a> PssKey<'a> {
    /// Reads `key`. None if it is of another type.
    pub fn of(key: &'a PrivateKeyDer<'_>) -> Option<Self> {
        match key {
            PrivateKeyDer::Pkcs8(key) => Self::of_pkcs8(key.secret_pkcs8_der()),
            _ => None,
        }
    }

    /// Reads a PrivateKeyInfo.
    pub(crate) fn of_pkcs8(info: &'a [u8]) -> Option<Self> {
        let (fields, _) = expect(info, SEQUENCE)?;
        let (_version, rest) = expect(fields, INTEGER)?;
        let (algorithm, rest) = expect(rest, SEQUENCE)?;
        let (kind, _) = expect(algorithm, OBJECT_IDENTIFIER)?;
        let (key, _) = expect(rest, OCTET_STRING)?;
        let hashes = hashes(algorithm);
        (kind == ID_RSASSA_PSS).then_some(Self { hashes, key })
    }
}

/// The hashes that a key of this type with this AlgorithmIdentifier (its content) may use, the
/// preferred one first. Empty if TLS has no scheme for the parameters.
pub fn hashes(algorithm: &[u8]) -> &'static [PssHash] {
    match expect(algorithm, OBJECT_IDENTIFIER) {
        Some((_, [])) => &[PssHash::Sha512, PssHash::Sha384, PssHash::Sha256],
        Some((_, parameters)) => restricted(parameters).unwrap_or_default(),
        None => &[],
    }
}

/// The hash of RSASSA-PSS-params, if mask and salt are as in TLS. The salt of a key is the
/// shortest that it may use (RFC 4055 section 3.3); that of TLS has the hash's length.
fn restricted(parameters: &[u8]) -> Option<&'static [PssHash]> {
    let (fields, []) = expect(parameters, SEQUENCE)? else {
        return None;
    };
    let (hash, rest) = expect(fields, HASH_ALGORITHM)?;
    let (mask, rest) = expect(rest, MASK_GENERATION)?;
    let (mask, []) = expect(mask, SEQUENCE)? else {
        return None;
    };
    let (generation, mask_hash) = expect(mask, OBJECT_IDENTIFIER)?;
    let hash = hash_identifier(hash)?;
    let (_, length, allowed) = HASHES.iter().find(|(oid, ..)| *oid == hash)?;
    let same = generation == ID_MGF1 && hash_identifier(mask_hash)? == hash;
    (same && shortest(rest)? <= *length).then_some(*allowed)
}

/// The object identifier of a hash. Its parameters may be NULL or missing (RFC 4055 section 2.1).
fn hash_identifier(algorithm: &[u8]) -> Option<&[u8]> {
    let (algorithm, []) = expect(algorithm, SEQUENCE)? else {
        return None;
    };
    let (oid, parameters) = expect(algorithm, OBJECT_IDENTIFIER)?;
    matches!(parameters, [] | NULL).then_some(oid)
}

/// The salt's length, in bytes, of the last fields of RSASSA-PSS-params.
fn shortest(fields: &[u8]) -> Option<u8> {
    let (length, rest) = match expect(fields, SALT_LENGTH) {
        Some((number, rest)) => match expect(number, INTEGER)? {
            ([length @ ..0x80], []) => (*length, rest),
            _ => return None,
        },
        None => (DEFAULT_SALT, fields),
    };
    matches!(rest, [] | DEFAULT_TRAILER).then_some(length)
}

#[cfg(test)]
mod tests {
    use pki_types::alg_id;

    use super::*;
    use crate::x509::der::encode;

    fn info(algorithm: &[u8]) -> Vec<u8> {
        let algorithm = encode(SEQUENCE, algorithm);
        let key = encode(OCTET_STRING, b"key");
        encode(SEQUENCE, &[encode(INTEGER, &[0]), algorithm, key].concat())
    }

    fn allowed(algorithm: &[u8]) -> Option<&'static [PssHash]> {
        PssKey::of_pkcs8(&info(algorithm)).map(|key| {
            assert_eq!(key.key, b"key");
            key.hashes
        })
    }

    #[test]
    fn the_parameters_decide_which_hashes_are_allowed() {
        let kind = encode(OBJECT_IDENTIFIER, ID_RSASSA_PSS);
        let all = &[PssHash::Sha512, PssHash::Sha384, PssHash::Sha256][..];
        assert_eq!(allowed(&kind), Some(all));
        for (algorithm, hash) in [
            (alg_id::RSA_PSS_SHA256, PssHash::Sha256),
            (alg_id::RSA_PSS_SHA384, PssHash::Sha384),
            (alg_id::RSA_PSS_SHA512, PssHash::Sha512),
        ] {
            assert_eq!(allowed(&algorithm), Some(&[hash][..]));
        }
        // Empty parameters stand for SHA-1.
        let sha1 = [kind, encode(SEQUENCE, &[])].concat();
        assert_eq!(allowed(&sha1), Some(&[][..]));
        assert_eq!(allowed(&alg_id::RSA_ENCRYPTION), None);
        assert_eq!(allowed(&[]), None);
    }

    /// The AlgorithmIdentifier for these object identifiers of hash and mask hash, each with these
    /// parameters, and these further fields.
    fn with(hash: &[u8], mask: &[u8], parameters: &[u8], fields: &[u8]) -> Vec<u8> {
        let [hash, mask] = [hash, mask].map(|oid| {
            let oid = encode(OBJECT_IDENTIFIER, oid);
            encode(SEQUENCE, &[&oid, parameters].concat())
        });
        let mask = [encode(OBJECT_IDENTIFIER, ID_MGF1), mask].concat();
        let mask = encode(MASK_GENERATION, &encode(SEQUENCE, &mask));
        let fields = [&encode(HASH_ALGORITHM, &hash), &mask, fields].concat();
        let kind = encode(OBJECT_IDENTIFIER, ID_RSASSA_PSS);
        [kind, encode(SEQUENCE, &fields)].concat()
    }

    fn salt(length: &[u8]) -> Vec<u8> {
        encode(SALT_LENGTH, &encode(INTEGER, length))
    }

    #[test]
    fn a_key_may_allow_shorter_salts_and_leave_out_null() {
        for (oid, length, allowed) in HASHES {
            for parameters in [&[][..], NULL] {
                let fields = [
                    salt(&[length]),
                    salt(&[0]),
                    vec![],
                    DEFAULT_TRAILER.to_vec(),
                ];
                for fields in fields {
                    assert_eq!(hashes(&with(oid, oid, parameters, &fields)), allowed);
                }
                let fields = [salt(&[length]), DEFAULT_TRAILER.to_vec()].concat();
                assert_eq!(hashes(&with(oid, oid, parameters, &fields)), allowed);
                for fields in [
                    &salt(&[length + 1])[..],
                    &salt(&[0xff]),
                    &salt(&[1, 0]),
                    &salt(&[]),
                    b"\xa3\x03\x02\x01\x02",
                    b"\xa2",
                    b"\x00",
                ] {
                    assert_eq!(
                        hashes(&with(oid, oid, parameters, fields)),
                        [],
                        "{fields:?}"
                    );
                }
            }
            for (other, ..) in HASHES.iter().filter(|(other, ..)| *other != oid) {
                assert_eq!(hashes(&with(oid, other, NULL, &salt(&[32]))), []);
            }
            assert_eq!(hashes(&with(oid, oid, b"\x05\x01\x00", &[])), []);
        }
    }
    /// A restriction that is not understood must not become none at all.
    #[test]
    fn a_key_with_malformed_parameters_allows_nothing() {
        let (oid, ..) = HASHES[0];
        let good = with(oid, oid, NULL, &[]);
        assert_ne!(hashes(&good), []);
        for cut in 1..good.len() {
            let kind = encode(OBJECT_IDENTIFIER, ID_RSASSA_PSS);
            if cut != kind.len() {
                assert_eq!(hashes(&good[..cut]), [], "{cut}");
            }
        }
        assert_eq!(hashes(&[&good[..], NULL].concat()), []);
        // Something behind the hash's identifier, or behind that of the mask.
        let fields = |hash: &[u8], mask: &[u8]| {
            let kind = encode(OBJECT_IDENTIFIER, ID_RSASSA_PSS);
            let hash = encode(HASH_ALGORITHM, hash);
            let mask = [&encode(OBJECT_IDENTIFIER, ID_MGF1)[..], mask].concat();
            let mask = [encode(SEQUENCE, &mask), NULL.to_vec()];
            let whole = |end: usize| {
                let mask = encode(MASK_GENERATION, &mask[..end].concat());
                [
                    kind.clone(),
                    encode(SEQUENCE, &[hash.clone(), mask].concat()),
                ]
                .concat()
            };
            [whole(1), whole(2)]
        };
        let hash = encode(SEQUENCE, &encode(OBJECT_IDENTIFIER, oid));
        let long = [&hash[..], NULL].concat();
        let [good, trailing] = fields(&hash, &hash);
        assert_ne!(hashes(&good), []);
        for bad in [
            &trailing,
            &fields(&long, &hash)[0],
            &fields(&hash, &long)[0],
        ] {
            assert_eq!(hashes(bad), []);
        }
    }
}
