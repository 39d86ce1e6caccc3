//! Names of kinds of keys (RFC 8017, 5480, 8410 and others).

use crate::x509::der::{OBJECT_IDENTIFIER, SEQUENCE, expect};
use crate::x509::oid;

/// Object identifiers of kinds of keys and of curves, and their names. One string,
/// because the dynamic loader would have to relocate each entry of a table of
/// strings at start.
const NAMES: &str = "\
1.2.840.113549.1.1.1 RSA
1.2.840.113549.1.1.7 RSAES-OAEP
1.2.840.113549.1.1.10 RSASSA-PSS
1.2.840.113549.1.3.1 DH
1.2.840.10040.4.1 DSA
1.2.840.10045.3.1.7 P-256
1.2.156.10197.1.301 SM2
1.3.101.110 X25519
1.3.101.111 X448
1.3.101.112 Ed25519
1.3.101.113 Ed448
1.3.132.0.10 secp256k1
1.3.132.0.33 P-224
1.3.132.0.34 P-384
1.3.132.0.35 P-521
1.3.36.3.3.2.8.1.1.7 brainpoolP256r1
1.3.36.3.3.2.8.1.1.11 brainpoolP384r1
1.3.36.3.3.2.8.1.1.13 brainpoolP512r1
2.16.840.1.101.3.4.3.17 ML-DSA-44
2.16.840.1.101.3.4.3.18 ML-DSA-65
2.16.840.1.101.3.4.3.19 ML-DSA-87
";

/// id-ecPublicKey (RFC 5480).
pub const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";

/// The name of the kind of key in the content of an AlgorithmIdentifier, or its
/// object identifier if it has no name here.
pub fn name(algorithm: &[u8]) -> String {
    let Some((kind, parameters)) = expect(algorithm, OBJECT_IDENTIFIER) else {
        return "unknown".to_owned();
    };
    match expect(parameters, OBJECT_IDENTIFIER) {
        _ if kind != EC_PUBLIC_KEY => of_identifier(kind),
        Some((curve, _)) => format!("ECDSA {}", of_identifier(curve)),
        None => "ECDSA with explicit parameters of its curve".to_owned(),
    }
}

/// Whether it is an EC key with explicit curve parameters instead of a named curve,
/// which RFC 5480 does not allow.
pub fn is_explicit(algorithm: &[u8]) -> bool {
    let kind = expect(algorithm, OBJECT_IDENTIFIER);
    kind.is_some_and(|(kind, parameters)| {
        kind == EC_PUBLIC_KEY && expect(parameters, SEQUENCE).is_some()
    })
}

fn of_identifier(content: &[u8]) -> String {
    let dotted = oid::dotted(content);
    oid::name_in(NAMES, &dotted).map_or(dotted, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode;

    fn named(kind: &[u8], parameters: &[u8]) -> String {
        name(&[encode(OBJECT_IDENTIFIER, kind), parameters.to_vec()].concat())
    }

    #[test]
    fn kinds_without_a_name_are_dotted_numbers() {
        let pss = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
        assert_eq!(named(pss, &[]), "RSASSA-PSS");
        assert_eq!(named(b"\x2b\x65\x71", &[]), "Ed448");
        assert_eq!(named(b"\x88\x37\x03", &[]), "2.999.3");
        let curve = encode(OBJECT_IDENTIFIER, b"\x2b\x81\x04\x00\x23");
        assert_eq!(named(EC_PUBLIC_KEY, &curve), "ECDSA P-521");
        let explicit = encode(SEQUENCE, b"parameters");
        assert!(named(EC_PUBLIC_KEY, &explicit).contains("explicit"));
        for content in [&[][..], &[0x80; 100], &[0xff; 100]] {
            assert!(named(content, &[]).len() < 200);
        }
        assert_eq!(name(&[]), "unknown");
    }

    #[test]
    fn explicit_curves_are_those_with_parameters_in_a_sequence() {
        let kind = encode(OBJECT_IDENTIFIER, EC_PUBLIC_KEY);
        let curve = encode(OBJECT_IDENTIFIER, &[1, 2]);
        let sequence = encode(SEQUENCE, &[]);
        for (parameters, explicit) in [(curve, false), (vec![], false), (sequence, true)] {
            assert_eq!(is_explicit(&[kind.clone(), parameters].concat()), explicit);
        }
    }
}
