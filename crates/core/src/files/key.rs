//! Private keys in DER: which form they have, whatever label stood around
//! them, and the one form in which rustls takes them as they are.

use rustls::pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use crate::files::problem::Defect;
use crate::x509::der::{
    BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, element_of, expect,
    header,
};
use crate::x509::public_key::PublicKey;

/// A private key that is wiped when it is dropped.
pub type SecretKey = Zeroizing<PrivateKeyDer<'static>>;

/// The content of an AlgorithmIdentifier: id-ecPublicKey and the curve
/// (RFC 5480).
const EC_P256: &[u8] =
    b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const EC_P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";

/// id-ecPublicKey.
const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";

/// The tags of the optional fields of an ECPrivateKey (RFC 5915).
const PARAMETERS: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0xa1;

/// The private key that `der` is: PKCS#8, PKCS#1 or SEC1.
pub fn of_der(mut der: Zeroizing<Vec<u8>>) -> Result<SecretKey, Defect> {
    // rustls would make PKCS#8 of SEC1 by itself, and leave that in memory.
    if let Some(wrapped) = pkcs8_of_sec1(&der) {
        der = wrapped;
    }
    let kind: fn(Vec<u8>) -> PrivateKeyDer<'static> = match form(&der) {
        None => return Err(Defect::Malformed),
        Some(Form::Encrypted) => return Err(Defect::Encrypted),
        Some(Form::Pkcs1) => |der| PrivateKeyDer::Pkcs1(der.into()),
        Some(Form::Pkcs8) => |der| PrivateKeyDer::Pkcs8(der.into()),
        Some(Form::Sec1) => |der| PrivateKeyDer::Sec1(der.into()),
    };
    Ok(Zeroizing::new(kind(std::mem::take(&mut *der))))
}

/// The private number of an EC key in PKCS#8. None for all other keys, and for
/// those on a curve that is named and not supported.
pub fn scalar<'a>(key: &'a PrivateKeyDer<'_>) -> Option<&'a [u8]> {
    let (info, _) = expect(key.secret_der(), SEQUENCE)?;
    let (_version, info) = expect(info, INTEGER)?;
    let (algorithm, info) = expect(info, SEQUENCE)?;
    let (sec1, _) = expect(info, OCTET_STRING)?;
    let (scalar, _) = sec1_scalar(sec1)?;
    let (oid, parameters) = expect(algorithm, OBJECT_IDENTIFIER)?;
    let unnamed = oid == EC_PUBLIC_KEY && expect(parameters, SEQUENCE).is_some();
    (unnamed || curve(scalar) == Some(algorithm)).then_some(scalar)
}

/// The EC key of this private number, with its public key from a certificate.
/// None if that is for another kind of key.
pub fn ec_key(scalar: &[u8], public: &PublicKey<'_>) -> Option<SecretKey> {
    let algorithm = curve(scalar).filter(|curve| public.algorithm == *curve)?;
    let bits = element_of(BIT_STRING, &[&[0], public.key])?;
    let public_key = element_of(PUBLIC_KEY, &[&bits])?;
    let private_key = Zeroizing::new(element_of(OCTET_STRING, &[scalar])?);
    let sec1 = Zeroizing::new(element_of(
        SEQUENCE,
        &[&[INTEGER, 1, 1], &private_key, &public_key],
    )?);
    let mut der = pkcs8(algorithm, &sec1)?;
    let der = std::mem::take(&mut *der);
    Some(Zeroizing::new(PrivateKeyDer::Pkcs8(der.into())))
}

enum Form {
    /// EncryptedPrivateKeyInfo (RFC 5958).
    Encrypted,
    /// RSAPrivateKey (RFC 8017).
    Pkcs1,
    /// PrivateKeyInfo (RFC 5958).
    Pkcs8,
    /// ECPrivateKey (RFC 5915).
    Sec1,
}

/// What the first fields tell.
fn form(der: &[u8]) -> Option<Form> {
    let (fields, _) = expect(der, SEQUENCE)?;
    if let Some((_algorithm, rest)) = expect(fields, SEQUENCE) {
        return expect(rest, OCTET_STRING).map(|_| Form::Encrypted);
    }
    let (_version, rest) = expect(fields, INTEGER)?;
    match element(rest)?.0 {
        SEQUENCE => Some(Form::Pkcs8),
        INTEGER => Some(Form::Pkcs1),
        OCTET_STRING => Some(Form::Sec1),
        _ => None,
    }
}

/// An ECPrivateKey as a PrivateKeyInfo: None if it is on none of the curves
/// that are supported, which its size tells, unless it names another one.
fn pkcs8_of_sec1(sec1: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (scalar, rest) = sec1_scalar(sec1)?;
    let curve = curve(scalar)?;
    let parameters = expect(rest, PARAMETERS).map(|(parameters, _)| parameters);
    let named = parameters.filter(|parameters| expect(parameters, OBJECT_IDENTIFIER).is_some());
    match named.is_none_or(|named| curve.ends_with(named)) {
        true => pkcs8(curve, sec1),
        false => None,
    }
}

/// The private number of an ECPrivateKey, and what follows it there.
fn sec1_scalar(sec1: &[u8]) -> Option<(&[u8], &[u8])> {
    let (fields, _) = expect(sec1, SEQUENCE)?;
    let (_version, rest) = expect(fields, INTEGER)?;
    expect(rest, OCTET_STRING)
}

fn curve(scalar: &[u8]) -> Option<&'static [u8]> {
    match scalar.len() {
        32 => Some(EC_P256),
        48 => Some(EC_P384),
        _ => None,
    }
}

/// A PrivateKeyInfo. It never moves in memory: a copy left behind would not be
/// wiped.
fn pkcs8(algorithm: &[u8], private_key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let algorithm = element_of(SEQUENCE, &[algorithm])?;
    let octets = header(OCTET_STRING, private_key.len())?;
    let fields = [&[INTEGER, 1, 0], &*algorithm, &octets, private_key];
    element_of(SEQUENCE, &fields).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode as der;

    fn read(der: Vec<u8>) -> Result<SecretKey, Defect> {
        of_der(Zeroizing::new(der))
    }

    #[test]
    fn a_key_is_told_by_its_shape() {
        let version = der(INTEGER, &[0]);
        let algorithm = der(SEQUENCE, &der(0x06, &[1]));
        let octets = der(OCTET_STRING, b"x");
        let whole = |fields: &[&[u8]]| read(der(SEQUENCE, &fields.concat()));
        let encrypted = whole(&[&algorithm, &octets]);
        assert_eq!(encrypted.err(), Some(Defect::Encrypted));
        let pkcs8 = whole(&[&version, &algorithm, &octets]).unwrap();
        assert!(matches!(*pkcs8, PrivateKeyDer::Pkcs8(_)));
        let pkcs1 = whole(&[&version, &version]).unwrap();
        assert!(matches!(*pkcs1, PrivateKeyDer::Pkcs1(_)));
        let sec1 = whole(&[&version, &octets]).unwrap();
        assert!(matches!(*sec1, PrivateKeyDer::Sec1(_)));
        for none in [
            whole(&[&version]),
            whole(&[&octets]),
            read(vec![]),
            read(octets),
        ] {
            assert_eq!(none.err(), Some(Defect::Malformed));
        }
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

    #[test]
    fn an_ec_key_takes_its_public_key_from_a_certificate() {
        let scalar = [7; 32];
        let sec1 = |rest: &[u8]| {
            let fields = [der(INTEGER, &[1]), der(4, &scalar), rest.to_vec()];
            read(der(SEQUENCE, &fields.concat())).unwrap()
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
            let public_key = der(BIT_STRING, &[&[0][..], &[4; 65]].concat());
            let public_key = der(PUBLIC_KEY, &public_key);
            assert!(whole.secret_der().ends_with(&public_key));
            let other = PublicKey {
                algorithm: EC_P384,
                ..public
            };
            assert!(ec_key(&scalar, &other).is_none());
        }
    }

    #[test]
    fn an_ec_key_may_write_its_curve_out_but_not_name_another() {
        let sec1 = |parameters: &[u8]| {
            let octets = der(OCTET_STRING, &[7; 32]);
            let fields = [der(INTEGER, &[1]), octets, der(PARAMETERS, parameters)];
            der(SEQUENCE, &fields.concat())
        };
        let other = der(OBJECT_IDENTIFIER, &[0x2b, 0x81, 4, 0, 10]);
        let written_out = der(SEQUENCE, &[]);
        let p256 = &EC_P256[EC_P256.len() - 10..];
        let kind = der(OBJECT_IDENTIFIER, EC_PUBLIC_KEY);
        for (parameters, known) in [(&other[..], false), (&written_out, true), (p256, true)] {
            let sec1 = sec1(parameters);
            let wrapped = pkcs8(&[&kind, parameters].concat(), &sec1).unwrap();
            for key in [sec1, wrapped.to_vec()] {
                assert_eq!(
                    scalar(&read(key).unwrap()).is_some(),
                    known,
                    "{parameters:?}"
                );
            }
        }
    }
}
