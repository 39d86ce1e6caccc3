//! Public keys in certificates (RFC 5280 section 4.1.2.7).

use crate::rsa_pss::ID_RSASSA_PSS;
use crate::x509::der::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, expect};

/// rsaEncryption (RFC 8017).
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

/// The fields of a SubjectPublicKeyInfo.
#[derive(Clone, Copy)]
pub struct PublicKey<'a> {
    /// The content of the AlgorithmIdentifier.
    pub algorithm: &'a [u8],
    /// The key: for ECDSA a point, for RSA an RSAPublicKey.
    pub key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Reads a SubjectPublicKeyInfo in DER.
    pub fn parse(info: &'a [u8]) -> Option<Self> {
        Self::parse_content(expect(info, SEQUENCE)?.0)
    }

    /// Reads the content of the SEQUENCE of a SubjectPublicKeyInfo.
    pub fn parse_content(content: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = expect(content, SEQUENCE)?;
        let (bits, _) = expect(rest, BIT_STRING)?;
        let (_unused, key) = bits.split_first()?;
        Some(Self { algorithm, key })
    }

    /// Whether both are the same key. Ignores the algorithm's parameters, which some
    /// software omits for RSA.
    pub fn is(&self, other: &PublicKey<'_>) -> bool {
        self.kind() == other.kind() && self.key == other.key
    }

    /// The size of an RSA modulus in bits. None for other keys.
    pub fn rsa_bits(&self) -> Option<usize> {
        self.rsa_numbers().map(|(modulus, _)| bits(modulus))
    }

    /// RSA: the bits of the public exponent. None for other keys.
    pub fn rsa_exponent_bits(&self) -> Option<usize> {
        self.rsa_numbers().map(|(_, exponent)| bits(exponent))
    }

    /// Whether it is of type id-RSASSA-PSS (RFC 4055).
    pub fn is_rsa_pss(&self) -> bool {
        self.kind() == Some(ID_RSASSA_PSS)
    }

    /// The modulus and the public exponent of an RSAPublicKey.
    fn rsa_numbers(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.kind()? != RSA {
            return None;
        }
        let (key, _) = expect(self.key, SEQUENCE)?;
        let (modulus, rest) = expect(key, INTEGER)?;
        let (exponent, _) = expect(rest, INTEGER)?;
        Some((modulus, exponent))
    }

    fn kind(&self) -> Option<&'a [u8]> {
        expect(self.algorithm, OBJECT_IDENTIFIER).map(|(oid, _)| oid)
    }
}

/// How many bits a number has.
pub fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    8 * number.len() - unused as usize
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
    fn rsa_key_has_the_size_of_its_modulus() {
        for (modulus, bits) in [
            (&[0x80; 256][..], 2048),
            (&[&[0][..], &[0xff; 128]].concat(), 1024),
            (&[&[0, 1][..], &[0; 16]].concat(), 129),
        ] {
            let integers = [encode(INTEGER, modulus), encode(INTEGER, &[1, 0, 1])];
            let info = info(RSA, &[5, 0], &encode(SEQUENCE, &integers.concat()));
            let key = PublicKey::parse(&info).unwrap();
            assert_eq!(key.rsa_bits(), Some(bits));
            assert_eq!(key.rsa_exponent_bits(), Some(17));
        }
        let point = info(&[1, 2, 3], &[], &[4; 65]);
        assert_eq!(PublicKey::parse(&point).unwrap().rsa_bits(), None);
        assert_eq!(bits(&[0, 2, 0, 0, 0, 1]), 34);
        assert_eq!((bits(&[]), bits(&[0])), (0, 0));
    }

    #[test]
    fn keys_with_different_parameters_are_equal() {
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
