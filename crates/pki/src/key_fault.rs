//! Why a private key cannot be used, in words for logs: they hold nothing secret.

use pki_types::PrivateKeyDer;

use crate::private_key;
use crate::rsa_pss::PssKey;
use crate::x509::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element_of, expect};
use crate::x509::kind;
use crate::x509::public_key::bits;

/// The keys that can be used, for messages.
const USABLE: &str = "RSA of 2048, 3072 or 4096 bits with exponent 65537, ECDSA P-256 or P-384, \
                      Ed25519 can be used; openssl genrsa 2048 makes one, which needs a new \
                      certificate";

/// The sizes of usable RSA keys, in bits.
const RSA_BITS: [usize; 3] = [2048, 3072, 4096];

/// The smallest usable exponent of an RSA key, and the bits of the largest one.
const EXPONENT: u64 = 65537;
const EXPONENT_BITS: usize = 33;

/// The version of an RSA key with more than two primes (RFC 8017 appendix
/// A.1.2).
const MULTI_PRIME: &[u8] = &[1];

/// The fault of a curve with explicit parameters instead of a name. Curves of the sizes of P-256
/// and P-384 are tried.
const EXPLICIT: &str = "its curve is written out (explicit parameters) and is neither P-256 nor \
                        P-384";

/// Why `key`, which ring refuses, cannot be used.
pub fn text(key: &PrivateKeyDer<'_>) -> String {
    let fault = match key {
        PrivateKeyDer::Pkcs1(key) => of_rsa(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => of_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Sec1(key) => of_sec1(key.secret_sec1_der()),
        _ => None,
    };
    fault.unwrap_or_else(|| format!("unusable private key ({USABLE})"))
}

fn of_type(kind: &str) -> String {
    format!("unusable private key of type {kind} ({USABLE})")
}

fn of_pkcs8(info: &[u8]) -> Option<String> {
    let (fields, _) = expect(info, SEQUENCE)?;
    let (_version, rest) = expect(fields, INTEGER)?;
    let (algorithm, rest) = expect(rest, SEQUENCE)?;
    match kind::name(algorithm).as_str() {
        _ if kind::is_explicit(algorithm) => Some(of_explicit()),
        "RSASSA-PSS" => of_pss(PssKey::of_pkcs8(info)?),
        "RSA" => of_rsa(expect(rest, OCTET_STRING)?.0),
        kind => Some(of_type(kind)),
    }
}

fn of_pss(key: PssKey<'_>) -> Option<String> {
    if key.hashes.is_empty() {
        return Some(of_type("RSASSA-PSS with parameters that TLS does not have"));
    }
    of_rsa(key.key)
}

fn of_sec1(sec1: &[u8]) -> Option<String> {
    let (_scalar, parameters) = private_key::of_sec1(sec1)?;
    let oid = element_of(OBJECT_IDENTIFIER, &[private_key::EC_PUBLIC_KEY])?;
    let algorithm = [&oid, parameters].concat();
    if kind::is_explicit(&algorithm) {
        return Some(of_explicit());
    }
    Some(of_type(&kind::name(&algorithm)))
}

fn of_explicit() -> String {
    format!("unusable private key: {EXPLICIT} ({USABLE})")
}

/// What is wrong with an RSAPrivateKey (RFC 8017 appendix A.1.2).
fn of_rsa(key: &[u8]) -> Option<String> {
    let (mut rest, _) = expect(key, SEQUENCE)?;
    let mut numbers = Vec::new();
    while let Some((number, after)) = expect(rest, INTEGER) {
        numbers.push(without_zeros(number));
        rest = after;
    }
    let [version, modulus, exponent, _private, p, q, ..] = numbers[..] else {
        return None;
    };
    let size = bits(modulus);
    if !RSA_BITS.contains(&size) {
        return Some(of_type(&format!("RSA with {size} bits")));
    }
    if version == MULTI_PRIME {
        return Some(of_type("RSA with more than two primes"));
    }
    let size = bits(exponent);
    if size > EXPONENT_BITS {
        return Some(of_type(&format!("RSA with an exponent of {size} bits")));
    }
    let small = exponent.iter().try_fold(0_u64, |sum, byte| {
        sum.checked_mul(256)?.checked_add(u64::from(*byte))
    });
    if let Some(small) = small.filter(|exponent| *exponent < EXPONENT) {
        return Some(of_type(&format!("RSA with exponent {small}")));
    }
    let why = if (p.len(), p) < (q.len(), q) {
        "its first prime is smaller than its second, which must not be"
    } else {
        "its numbers contradict each other (openssl rsa -check -noout)"
    };
    Some(format!("unusable private key: {why}"))
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        element_of(tag, &[content]).unwrap()
    }

    fn rsa(numbers: [&[u8]; 6]) -> String {
        let numbers = numbers.map(|number| der(INTEGER, number)).concat();
        of_rsa(&der(SEQUENCE, &numbers)).unwrap()
    }

    #[test]
    fn an_rsa_key_of_wrong_size_exponent_or_numbers_is_named() {
        let modulus = [&[0][..], &[0x80; 256]].concat();
        let [odd, long] = [375, 1024].map(|bytes| vec![0x80; bytes]);
        let e = &[1, 0, 1][..];
        let [small, large] = [&[0, 0xf0, 1][..], &[0, 0xf1, 1]];
        for (numbers, words) in [
            (
                [&[0], &modulus[..129], e, &[1], large, small],
                "RSA with 1024 bits",
            ),
            ([&[0], &odd, e, &[1], large, small], "RSA with 3000 bits"),
            ([&[0], &long, e, &[1], large, small], "RSA with 8192 bits"),
            (
                [&[0], &modulus, &[3], &[1], large, small],
                "RSA with exponent 3",
            ),
            (
                [&[1], &modulus, e, &[1], large, small],
                "RSA with more than two primes",
            ),
            (
                [&[0], &modulus, &[2, 0, 0, 0, 1], &[1], large, small],
                "RSA with an exponent of 34 bits",
            ),
            (
                [&[0], &modulus, &[1, 0, 0, 0, 1], &[1], large, small],
                "contradict",
            ),
            ([&[0], &modulus, e, &[1], large, small], "contradict"),
            ([&[0], &modulus, e, &[1], small, small], "contradict"),
            ([&[0], &modulus, e, &[1], small, large], "first prime"),
            ([&[0], &modulus, e, &[1], &[9], &[1, 1]], "first prime"),
        ] {
            let text = rsa(numbers);
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn the_fault_of_a_key_is_named_in_each_format() {
        let small = der(INTEGER, &[&[0][..], &[0x80; 128]].concat());
        let rsa = der(SEQUENCE, &[der(INTEGER, &[0]), small].concat().repeat(3));
        let oid = |bytes: &[u8]| der(OBJECT_IDENTIFIER, bytes);
        let pkcs8 = |algorithm: Vec<u8>, key: &[u8]| {
            let algorithm = der(SEQUENCE, &algorithm);
            let fields = [der(INTEGER, &[0]), algorithm, der(OCTET_STRING, key)];
            PrivateKeyDer::Pkcs8(der(SEQUENCE, &fields.concat()).into())
        };
        let sec1 = |parameters: Vec<u8>| {
            let scalar = der(OCTET_STRING, &[1; 66]);
            let fields = [der(INTEGER, &[1]), scalar, der(0xa0, &parameters)];
            PrivateKeyDer::Sec1(der(SEQUENCE, &fields.concat()).into())
        };
        let rsa_encryption = oid(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
        let pss = oid(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");
        let explicit = [oid(private_key::EC_PUBLIC_KEY), der(SEQUENCE, &[])].concat();
        for (key, words) in [
            (
                PrivateKeyDer::Pkcs1(rsa.clone().into()),
                "RSA with 1024 bits",
            ),
            (pkcs8(rsa_encryption, &rsa), "RSA with 1024 bits"),
            (pkcs8(pss, &rsa), "RSA with 1024 bits"),
            (pkcs8(explicit, b"key"), EXPLICIT),
            (sec1(der(SEQUENCE, &[])), EXPLICIT),
            (sec1(oid(b"\x2b\x81\x04\x00\x23")), "of type ECDSA P-521 "),
        ] {
            let text = text(&key);
            assert!(text.starts_with("unusable private key"), "{text}");
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_key_cut_short_has_no_fault_to_name() {
        let algorithm = der(SEQUENCE, &der(OBJECT_IDENTIFIER, b"\x2b\x65\x71"));
        let fields = [der(INTEGER, &[0]), algorithm, der(OCTET_STRING, b"key")];
        let info = der(SEQUENCE, &fields.concat());
        let expected = of_type("Ed448");
        assert_eq!(of_pkcs8(&info), Some(expected));
        for cut in 0..info.len() {
            assert_eq!(of_pkcs8(&info[..cut]), None, "{cut}");
            assert_eq!(of_rsa(&info[..cut]), None, "{cut}");
        }
    }
}
