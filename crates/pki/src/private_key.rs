//! Private keys in DER: finds their form, whatever the label of their PEM block,
//! and converts EC keys to the form that ring accepts.

use pki_types::PrivateKeyDer;

use crate::error::PemError;
use crate::x509::der::{
    BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element_of, expect,
};
use crate::x509::kind;
pub use crate::x509::kind::EC_PUBLIC_KEY;
use crate::x509::public_key::PublicKey;

/// The content of an AlgorithmIdentifier: id-ecPublicKey and the curve
/// (RFC 5480).
const EC_P256: &[u8] =
    b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const EC_P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";

/// The tags of the optional fields of an ECPrivateKey (RFC 5915).
const PARAMETERS: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0xa1;

/// Reads a private key in PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC1 (RFC 5915).
pub fn of_der(der: Vec<u8>) -> Result<PrivateKeyDer<'static>, PemError> {
    let (fields, _) = expect(&der, SEQUENCE).ok_or(PemError::Malformed)?;
    // An EncryptedPrivateKeyInfo begins with an algorithm, the others with a version.
    let encrypted = |(_algorithm, rest)| expect(rest, OCTET_STRING).is_some();
    if expect(fields, SEQUENCE).is_some_and(encrypted) {
        return Err(PemError::Encrypted);
    }
    PrivateKeyDer::try_from(der).map_err(|_| PemError::Malformed)
}

/// The private number of an EC key. None for other keys and unsupported curves.
pub fn scalar<'a>(key: &'a PrivateKeyDer<'_>) -> Option<&'a [u8]> {
    let (scalar, parameters) = match key {
        PrivateKeyDer::Pkcs8(key) => of_pkcs8(key.secret_pkcs8_der())?,
        PrivateKeyDer::Sec1(key) => of_sec1(key.secret_sec1_der())?,
        _ => return None,
    };
    let scalar = without_sign(scalar);
    let curve = curve(scalar)?;
    let named = expect(parameters, OBJECT_IDENTIFIER).is_some();
    (!named || curve.ends_with(parameters)).then_some(scalar)
}

/// Builds an EC key in PKCS#8 from its private number and the public key of a certificate. None if
/// `public` is another kind of key. Explicit curve parameters are taken for the supported curve of
/// this size; ring then checks that the two keys match.
pub fn ec_key(scalar: &[u8], public: &PublicKey<'_>) -> Option<PrivateKeyDer<'static>> {
    let explicit = kind::is_explicit(public.algorithm);
    let curve = curve(scalar).filter(|curve| explicit || public.algorithm == *curve)?;
    let algorithm = element_of(SEQUENCE, &[curve])?;
    let private_key = element_of(OCTET_STRING, &[scalar])?;
    let bits = element_of(BIT_STRING, &[&[0], public.key])?;
    let public_key = element_of(PUBLIC_KEY, &[&bits])?;
    let sec1 = element_of(SEQUENCE, &[&[INTEGER, 1, 1], &private_key, &public_key])?;
    let octets = element_of(OCTET_STRING, &[&sec1])?;
    let der = element_of(SEQUENCE, &[&[INTEGER, 1, 0], &algorithm, &octets])?;
    Some(PrivateKeyDer::Pkcs8(der.into()))
}

/// The private number of an EC key in a PrivateKeyInfo, and the parameters of its
/// curve.
fn of_pkcs8(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let (fields, _) = expect(info, SEQUENCE)?;
    let (_version, rest) = expect(fields, INTEGER)?;
    let (algorithm, rest) = expect(rest, SEQUENCE)?;
    let (oid, parameters) = expect(algorithm, OBJECT_IDENTIFIER)?;
    let (sec1, _) = expect(rest, OCTET_STRING)?;
    let (scalar, _) = of_sec1(sec1)?;
    (oid == EC_PUBLIC_KEY).then_some((scalar, parameters))
}

/// The private number in an ECPrivateKey, and the parameters of its curve, which
/// may be absent.
pub fn of_sec1(sec1: &[u8]) -> Option<(&[u8], &[u8])> {
    let (fields, _) = expect(sec1, SEQUENCE)?;
    let (_version, rest) = expect(fields, INTEGER)?;
    let (scalar, rest) = expect(rest, OCTET_STRING)?;
    let parameters = expect(rest, PARAMETERS).map_or(&[][..], |(parameters, _)| parameters);
    Some((scalar, parameters))
}

/// The number without the zero that GnuTLS writes in front of it if its first bit is set, as
/// if it were an INTEGER.
fn without_sign(scalar: &[u8]) -> &[u8] {
    match scalar {
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => {
            curve(rest).map_or(scalar, |_| rest)
        }
        _ => scalar,
    }
}

/// The supported curve whose private numbers have this size.
fn curve(scalar: &[u8]) -> Option<&'static [u8]> {
    match scalar.len() {
        32 => Some(EC_P256),
        48 => Some(EC_P384),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode as der;

    #[test]
    fn key_form_is_found_from_its_content() {
        let [version_0, version_1] = [0, 1].map(|version| der(INTEGER, &[version]));
        let algorithm = der(SEQUENCE, &der(OBJECT_IDENTIFIER, &[1]));
        let octets = der(OCTET_STRING, b"x");
        let whole = |fields: &[&[u8]]| of_der(der(SEQUENCE, &fields.concat()));
        let encrypted = whole(&[&algorithm, &octets]);
        assert_eq!(encrypted.err(), Some(PemError::Encrypted));
        for version in [&version_0, &version_1] {
            let pkcs8 = whole(&[version, &algorithm, &octets]).unwrap();
            assert!(matches!(pkcs8, PrivateKeyDer::Pkcs8(_)));
        }
        let pkcs1 = whole(&[&version_0, &version_0]).unwrap();
        assert!(matches!(pkcs1, PrivateKeyDer::Pkcs1(_)));
        let sec1 = whole(&[&version_1, &octets]).unwrap();
        assert!(matches!(sec1, PrivateKeyDer::Sec1(_)));
        let cut = [SEQUENCE, 4, INTEGER, 1, 0].to_vec();
        for none in [
            whole(&[&octets]),
            of_der(vec![]),
            of_der(octets),
            of_der(cut),
        ] {
            assert_eq!(none.err(), Some(PemError::Malformed));
        }
    }

    #[test]
    fn curve_without_parameters_is_found_from_its_size() {
        for (size, known) in [(31, false), (32, true), (48, true), (66, false)] {
            let number = vec![7; size];
            let sec1 = [der(INTEGER, &[1]), der(OCTET_STRING, &number)].concat();
            let key = of_der(der(SEQUENCE, &sec1)).unwrap();
            assert_eq!(scalar(&key), known.then_some(&number[..]), "{size}");
        }
    }

    #[test]
    fn a_zero_in_front_of_a_number_is_no_part_of_it() {
        for (number, found) in [
            ([&[0, 0x80][..], &[7; 31]].concat(), Some(33)),
            ([&[0, 0xff][..], &[7; 47]].concat(), Some(49)),
            ([&[0, 0x7f][..], &[7; 31]].concat(), None),
            ([&[1, 0x80][..], &[7; 31]].concat(), None),
            ([&[0, 0x80][..], &[7; 30]].concat(), Some(32)),
        ] {
            let sec1 = [der(INTEGER, &[1]), der(OCTET_STRING, &number)].concat();
            let key = of_der(der(SEQUENCE, &sec1)).unwrap();
            let expected = found.map(|size| {
                let sign = usize::from(size != 32);
                &number[sign..]
            });
            assert_eq!(scalar(&key), expected, "{number:?}");
        }
    }

    #[test]
    fn ec_key_gets_its_public_key_from_a_certificate() {
        let scalar = [7; 32];
        let sec1 = |rest: &[u8]| {
            let fields = [der(INTEGER, &[1]), der(4, &scalar), rest.to_vec()];
            of_der(der(SEQUENCE, &fields.concat())).unwrap()
        };
        let parameters = der(PARAMETERS, &[5, 0]);
        for rest in [&[][..], &parameters] {
            let key = sec1(rest);
            assert_eq!(super::scalar(&key), Some(&scalar[..]));
            let public = PublicKey {
                algorithm: EC_P256,
                key: &[4; 65],
            };
            let whole = ec_key(&scalar, &public).unwrap();
            let bits = der(BIT_STRING, &[&[0][..], &[4; 65]].concat());
            let public_key = der(PUBLIC_KEY, &bits);
            assert!(whole.secret_der().ends_with(&public_key));
            let other = PublicKey {
                algorithm: EC_P384,
                ..public
            };
            assert!(ec_key(&scalar, &other).is_none());
            let algorithm = [der(OBJECT_IDENTIFIER, EC_PUBLIC_KEY), der(SEQUENCE, &[])].concat();
            let explicit = PublicKey {
                algorithm: &algorithm,
                ..public
            };
            let same = ec_key(&scalar, &explicit).unwrap();
            assert_eq!(same.secret_der(), whole.secret_der());
        }
    }

    #[test]
    fn ec_key_with_explicit_curve_is_accepted_with_another_curve_refused() {
        let sec1 = |parameters: &[u8]| {
            let octets = der(OCTET_STRING, &[7; 32]);
            let fields = [der(INTEGER, &[1]), octets, der(PARAMETERS, parameters)];
            der(SEQUENCE, &fields.concat())
        };
        let other = der(OBJECT_IDENTIFIER, &[0x2b, 0x81, 4, 0, 10]);
        let explicit = der(SEQUENCE, &[]);
        let p256 = &EC_P256[EC_P256.len() - 10..];
        let kind = der(OBJECT_IDENTIFIER, EC_PUBLIC_KEY);
        for (parameters, known) in [(&other[..], false), (&explicit, true), (p256, true)] {
            let sec1 = sec1(parameters);
            let algorithm = der(SEQUENCE, &[&kind, parameters].concat());
            let pkcs8 = [der(INTEGER, &[0]), algorithm, der(OCTET_STRING, &sec1)];
            for key in [sec1, der(SEQUENCE, &pkcs8.concat())] {
                let key = of_der(key).unwrap();
                assert_eq!(scalar(&key).is_some(), known, "{parameters:?}");
            }
        }
    }
}
