//! Private keys of type id-RSASSA-PSS (RFC 4055): RSA keys that sign by RSASSA-PSS alone.

use pki_types::{PrivateKeyDer, alg_id};

use crate::x509::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, expect};

/// The object identifier id-RSASSA-PSS.
pub(crate) const ID_RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

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
        let (kind, parameters) = expect(algorithm, OBJECT_IDENTIFIER)?;
        let (key, _) = expect(rest, OCTET_STRING)?;
        let hashes = hashes(algorithm, parameters);
        (kind == ID_RSASSA_PSS).then_some(Self { hashes, key })
    }
}

fn hashes(algorithm: &[u8], parameters: &[u8]) -> &'static [PssHash] {
    let is = |known: pki_types::AlgorithmIdentifier| known.as_ref() == algorithm;
    match parameters {
        [] => &[PssHash::Sha512, PssHash::Sha384, PssHash::Sha256],
        _ if is(alg_id::RSA_PSS_SHA256) => &[PssHash::Sha256],
        _ if is(alg_id::RSA_PSS_SHA384) => &[PssHash::Sha384],
        _ if is(alg_id::RSA_PSS_SHA512) => &[PssHash::Sha512],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
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
}
