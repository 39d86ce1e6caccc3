//! Private keys in DER: which form they have, and the one form that every
//! library takes.

use zeroize::Zeroizing;

use crate::x509::der::{INTEGER, OCTET_STRING, SEQUENCE, element, expect, header};

/// Version 0, id-ecPublicKey, and the curve: how a PrivateKeyInfo begins.
const EC_P256: &[u8] =
    b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const EC_P384: &[u8] =
    b"\x02\x01\x00\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";

/// Whether a DER SEQUENCE has the shape of an EncryptedPrivateKeyInfo
/// (RFC 5958): an algorithm and an octet string.
pub fn is_encrypted_key(der: &[u8]) -> bool {
    let inner = expect(der, SEQUENCE).and_then(|(outer, _)| expect(outer, SEQUENCE));
    inner.is_some_and(|(_, rest)| matches!(element(rest), Some((OCTET_STRING, _, []))))
}

/// An ECPrivateKey (RFC 5915) as a PrivateKeyInfo (RFC 5958): None if it is
/// on none of the curves that are supported, which its size tells.
pub fn pkcs8_of_sec1(sec1: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (key, _) = expect(sec1, SEQUENCE)?;
    let (_, key) = expect(key, INTEGER)?;
    let (scalar, _) = expect(key, OCTET_STRING)?;
    let prefix = match scalar.len() {
        32 => EC_P256,
        48 => EC_P384,
        _ => return None,
    };
    let octets = header(OCTET_STRING, sec1.len())?;
    let whole = header(SEQUENCE, prefix.len() + octets.len() + sec1.len())?;
    let parts = [&whole, prefix, &octets, sec1];
    let mut der = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len()).sum()));
    parts.iter().for_each(|part| der.extend_from_slice(part));
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode as der;

    #[test]
    fn an_encrypted_key_is_told_by_its_shape() {
        let algorithm = der(SEQUENCE, &der(0x06, &[1]));
        let encrypted = der(SEQUENCE, &[algorithm.clone(), der(4, b"x")].concat());
        let plain = [der(INTEGER, &[0]), algorithm, der(4, b"x")].concat();
        assert!(is_encrypted_key(&encrypted));
        assert!(!is_encrypted_key(&der(SEQUENCE, &plain)));
    }

    #[test]
    fn an_ec_key_of_a_known_size_is_wrapped_whole() {
        for (size, known) in [(31, false), (32, true), (48, true), (66, false)] {
            let sec1 = [der(INTEGER, &[1]), der(4, &vec![7; size]), vec![9; 100]].concat();
            let sec1 = der(SEQUENCE, &sec1);
            let wrapped = pkcs8_of_sec1(&sec1);
            assert_eq!(wrapped.is_some(), known, "{size}");
            if let Some(wrapped) = wrapped {
                assert_eq!(wrapped.len(), wrapped.capacity());
                let (inside, after) = expect(&wrapped, SEQUENCE).unwrap();
                assert!(after.is_empty() && inside.ends_with(&der(4, &sec1)));
            }
        }
        assert!(pkcs8_of_sec1(b"").is_none());
    }
}
