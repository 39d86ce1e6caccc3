//! Public keys as they are in certificates (RFC 5280 section 4.1.2.7).

use crate::x509::der::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, expect};

/// rsaEncryption (RFC 8017).
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

/// What a SubjectPublicKeyInfo says.
#[derive(Clone, Copy)]
pub struct PublicKey<'a> {
    /// The content of the AlgorithmIdentifier.
    pub algorithm: &'a [u8],
    /// The key itself: for ECDSA a point, for RSA an RSAPublicKey.
    pub key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Reads a SubjectPublicKeyInfo in DER.
    pub fn parse(info: &'a [u8]) -> Option<Self> {
        Self::parse_content(expect(info, SEQUENCE)?.0)
    }

    /// Reads what is inside the SEQUENCE of a SubjectPublicKeyInfo.
    pub fn parse_content(content: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = expect(content, SEQUENCE)?;
        let (bits, _) = expect(rest, BIT_STRING)?;
        let (_unused, key) = bits.split_first()?;
        Some(Self { algorithm, key })
    }

    /// Whether both are the same key, whatever the parameters that stand with
    /// the kind of key: for RSA some write none.
    pub fn is(&self, other: &PublicKey<'_>) -> bool {
        self.kind() == other.kind() && self.key == other.key
    }

    /// RSA: the bits of the modulus. None for other keys.
    pub fn rsa_bits(&self) -> Option<usize> {
        if self.kind()? != RSA {
            return None;
        }
        let (key, _) = expect(self.key, SEQUENCE)?;
        let (modulus, _) = expect(key, INTEGER)?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let (first, rest) = modulus[zeros..].split_first()?;
        Some(8 - first.leading_zeros() as usize + 8 * rest.len())
    }

    fn kind(&self) -> Option<&'a [u8]> {
        expect(self.algorithm, OBJECT_IDENTIFIER).map(|(oid, _)| oid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode;

    fn info(kind: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
        let algorithm = [&encode(OBJECT_IDENTIFIER, kind), parameters].concat();
        let key = encode(BIT_STRING, &[&[0], key].concat());
        encode(SEQUENCE, &[encode(SEQUENCE, &algorithm), key].concat())
    }

    #[test]
    fn the_size_of_an_rsa_key_is_that_of_its_modulus() {
        for (modulus, bits) in [
            (&[0x80; 256][..], 2048),
            (&[&[0][..], &[0xff; 128]].concat(), 1024),
            (&[&[0, 1][..], &[0; 16]].concat(), 129),
        ] {
            let integers = [encode(INTEGER, modulus), encode(INTEGER, &[1, 0, 1])];
            let info = info(RSA, &[5, 0], &encode(SEQUENCE, &integers.concat()));
            assert_eq!(PublicKey::parse(&info).unwrap().rsa_bits(), Some(bits));
        }
        let point = info(&[1, 2, 3], &[], &[4; 65]);
        assert_eq!(PublicKey::parse(&point).unwrap().rsa_bits(), None);
    }

    #[test]
    fn the_same_key_may_be_written_with_other_parameters() {
        let [null, none, other] = [
            info(RSA, &[5, 0], b"key"),
            info(RSA, &[], b"key"),
            info(RSA, &[], b"kex"),
        ];
        let parse = |info| PublicKey::parse(info).unwrap();
        assert!(parse(&null).is(&parse(&none)));
        assert!(!parse(&none).is(&parse(&other)));
    }
}
