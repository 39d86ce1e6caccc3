//! The texts that are signed in a handshake. The guard signs nothing else. So an engine
//! that an attacker has taken over gets no signature over a text of its choice, such as
//! a certificate, a revocation list or a document.

use rustls::SignatureScheme;

use super::Role;
use super::document::is_document;

/// The start of what TLS 1.3 signs: blanks, a context, a zero and a hash follow each
/// other (RFC 8446 section 4.4.3).
const BLANKS: [u8; 64] = [0x20; 64];

/// The length of a client's and a server's random together.
const RANDOMS: usize = 64;

/// The end of the random if a server that has TLS 1.3 negotiates TLS 1.2 (RFC 8446
/// section 4.1.3). Our server always has TLS 1.3.
const DOWNGRADE: &[u8; 8] = b"DOWNGRD\x01";

/// ECCurveType named_curve (RFC 8422 section 5.4).
const NAMED_CURVE: u8 = 3;

/// The first byte of an uncompressed point (RFC 8422 section 5.4.1).
const UNCOMPRESSED: u8 = 4;

/// HandshakeType (RFC 5246 section 7.4, RFC 6066 section 8).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CLIENT_KEY_EXCHANGE: u8 = 16;
const CERTIFICATE_STATUS: u8 = 22;

/// The messages that a client of TLS 1.2 signs, and the least length of each.
/// Together they are longer than any key exchange that a server signs. So if one
/// key serves both roles, neither text can pass for the other.
const TRANSCRIPT: [(u8, usize); 8] = [
    (CLIENT_HELLO, 38),
    (SERVER_HELLO, 38),
    (CERTIFICATE, 3),
    (SERVER_KEY_EXCHANGE, 40),
    (CERTIFICATE_REQUEST, 4),
    (SERVER_HELLO_DONE, 0),
    (CERTIFICATE, 3),
    (CLIENT_KEY_EXCHANGE, 33),
];

/// Whether `message`, signed by `scheme`, is what this side of a handshake signs to
/// prove possession of its key, in TLS 1.3 or 1.2.
pub fn is_handshake_content(role: Role, scheme: SignatureScheme, message: &[u8]) -> bool {
    let tls12 = || match role {
        Role::Server => key_exchange(message),
        Role::Client => transcript(message),
    };
    (in_tls13(scheme) && certificate_verify(role, message)) || tls12()
}

/// Whether TLS 1.3 signs handshakes by `scheme` (RFC 8446 section 4.2.3).
fn in_tls13(scheme: SignatureScheme) -> bool {
    !matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
    )
}

/// TLS 1.3, both sides.
fn certificate_verify(role: Role, message: &[u8]) -> bool {
    let context: &[u8] = match role {
        Role::Server => b"TLS 1.3, server CertificateVerify\0",
        Role::Client => b"TLS 1.3, client CertificateVerify\0",
    };
    (message.strip_prefix(&BLANKS))
        .and_then(|rest| rest.strip_prefix(context))
        .is_some_and(|hash| matches!(hash.len(), 32 | 48))
}

/// TLS 1.2, server: both randoms and the parameters of an ECDHE key exchange
/// (RFC 8422 section 5.4). The engine chooses the first 56 bytes and the point.
fn key_exchange(message: &[u8]) -> bool {
    let Some((randoms, exchange)) = message.split_at_checked(RANDOMS) else {
        return false;
    };
    let [NAMED_CURVE, high, low, point @ ..] = exchange else {
        return false;
    };
    let x25519 = [*high, *low] == [0x00, 0x1d] && matches!(point, [32, ..]);
    let secp256r1 = [*high, *low] == [0x00, 0x17] && matches!(point, [65, UNCOMPRESSED, ..]);
    let secp384r1 = [*high, *low] == [0x00, 0x18] && matches!(point, [97, UNCOMPRESSED, ..]);
    randoms.ends_with(DOWNGRADE)
        && (x25519 || secp256r1 || secp384r1)
        && is_counted(point)
        && !is_document(message)
}

/// Whether `bytes` consist of a length of one byte and so many bytes.
fn is_counted(bytes: &[u8]) -> bool {
    (bytes.split_first()).is_some_and(|(length, content)| content.len() == usize::from(*length))
}

/// TLS 1.2, client: all handshake messages, from ClientHello to
/// ClientKeyExchange (RFC 5246 section 7.4.8).
fn transcript(mut messages: &[u8]) -> bool {
    for (kind, shortest) in TRANSCRIPT {
        if kind == SERVER_KEY_EXCHANGE {
            // A stapled OCSP response (RFC 6066 section 8).
            messages = message(messages, CERTIFICATE_STATUS).map_or(messages, |(_, rest)| rest);
        }
        let Some((content, rest)) = message(messages, kind) else {
            return false;
        };
        let fits = match kind {
            CLIENT_HELLO | SERVER_HELLO => content.starts_with(&[3, 3]),
            SERVER_HELLO_DONE => content.is_empty(),
            CLIENT_KEY_EXCHANGE => matches!(content.len(), 33 | 66 | 98) && is_counted(content),
            _ => true,
        };
        if !fits || content.len() < shortest {
            return false;
        }
        messages = rest;
    }
    messages.is_empty()
}

/// The content of the handshake message at the front, if it is of this `kind`,
/// and what follows it.
fn message(messages: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let [found, high, middle, low, rest @ ..] = messages else {
        return None;
    };
    let length = u32::from_be_bytes([0, *high, *middle, *low]);
    let split = rest.split_at_checked(usize::try_from(length).ok()?);
    split.filter(|_| *found == kind)
}

#[cfg(test)]
mod tests {
    use pki::x509::der::{INTEGER, SEQUENCE, SET, element_of};

    use super::*;

    fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
        element_of(tag, &[content]).unwrap()
    }

    const ECDSA: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

    fn server(text: &[u8]) -> bool {
        is_handshake_content(Role::Server, ECDSA, text)
    }

    fn client(text: &[u8]) -> bool {
        is_handshake_content(Role::Client, ECDSA, text)
    }

    fn verify(context: &[u8], hash: usize) -> Vec<u8> {
        [&BLANKS, context, &vec![7; hash]].concat()
    }

    #[test]
    fn a_certificate_verify_is_signed_for_its_own_role_only() {
        let of_server = b"TLS 1.3, server CertificateVerify\0";
        let of_client = b"TLS 1.3, client CertificateVerify\0";
        for hash in [32, 48] {
            assert!(server(&verify(of_server, hash)));
            assert!(client(&verify(of_client, hash)));
            assert!(!server(&verify(of_client, hash)));
            assert!(!client(&verify(of_server, hash)));
        }
        for hash in [0, 31, 33, 64] {
            assert!(!server(&verify(of_server, hash)));
        }
        assert!(!server(&verify(of_server, 32)[1..]));
    }

    #[test]
    fn a_certificate_verify_is_not_signed_by_pkcs1() {
        let text = verify(b"TLS 1.3, server CertificateVerify\0", 32);
        for (scheme, signed) in [
            (SignatureScheme::RSA_PKCS1_SHA256, false),
            (SignatureScheme::RSA_PKCS1_SHA384, false),
            (SignatureScheme::RSA_PKCS1_SHA512, false),
            (SignatureScheme::RSA_PSS_SHA256, true),
            (SignatureScheme::ED25519, true),
        ] {
            assert_eq!(is_handshake_content(Role::Server, scheme, &text), signed);
            assert!(is_handshake_content(Role::Server, scheme, &x25519(b"")));
        }
    }

    /// The signed text of a key exchange; its randoms begin with `start`.
    fn exchange(start: &[u8], curve: [u8; 2], point: &[u8]) -> Vec<u8> {
        let mut randoms = [9; RANDOMS];
        randoms[..start.len()].copy_from_slice(start);
        randoms[56..].copy_from_slice(DOWNGRADE);
        let length = u8::try_from(point.len()).unwrap();
        [&randoms, &[3][..], &curve, &[length], point].concat()
    }

    fn x25519(start: &[u8]) -> Vec<u8> {
        exchange(start, [0, 0x1d], &[5; 32])
    }

    /// A point of this length that begins with `first`.
    fn point(first: u8, length: usize) -> Vec<u8> {
        [&[first][..], &vec![5; length - 1]].concat()
    }

    #[test]
    fn a_key_exchange_is_signed_for_supported_curves_only() {
        for (low, first, length) in [(0x1d, 4, 32), (0x17, 4, 65), (0x18, 4, 97)] {
            let text = exchange(b"", [0, low], &point(first, length));
            assert!(server(&text));
            assert!(!client(&text));
            assert!(!server(&text[1..]) && !server(&text[..text.len() - 1]));
            assert!(!server(&[&text[..], &[0]].concat()));
            for other in [32, 33, 49, 65, 97] {
                let fits = server(&exchange(b"", [0, low], &point(first, other)));
                assert_eq!(fits, other == length, "{low:x} {other}");
            }
        }
        assert!(server(&exchange(b"", [0, 0x1d], &point(3, 32))));
        for (high, low, first, length) in [
            (0, 0x17, 2, 65),
            (0, 0x18, 3, 97),
            (0, 0x19, 4, 133),
            (1, 0x1d, 4, 32),
            (0, 0x1e, 4, 56),
        ] {
            assert!(!server(&exchange(b"", [high, low], &point(first, length))));
        }
        assert!(!server(&exchange(b"", [0, 0x1d], &[])));
        assert!(!server(&[]) && !server(&x25519(b"")[..64]));
    }

    #[test]
    fn a_key_exchange_without_the_downgrade_sentinel_is_not_signed() {
        for byte in 0..8 {
            let mut text = x25519(b"");
            text[56 + byte] ^= 1;
            assert!(!server(&text), "{byte}");
        }
    }

    #[test]
    fn a_key_exchange_that_is_a_der_document_is_not_signed() {
        for (low, length) in [(0x17, 65), (0x18, 97)] {
            let total = RANDOMS + 4 + length;
            let exchange = |start: &[u8]| exchange(start, [0, low], &point(4, length));
            let content = u8::try_from(total - 3).unwrap();
            for tag in [SEQUENCE, SET] {
                assert!(!server(&exchange(&[tag, 0x81, content])));
                assert!(server(&exchange(&[tag, 0x81, content - 1])));
                assert!(server(&exchange(&[tag, 0x81, content + 1])));
            }
            assert!(server(&exchange(&[INTEGER, 0x81, content])));
        }
    }

    #[test]
    fn a_key_exchange_that_lenient_ber_takes_for_a_document_is_not_signed() {
        for (low, length) in [(0x1d, 32), (0x17, 65), (0x18, 97)] {
            let total = RANDOMS + 4 + length;
            let exchange = |start: &[u8], end: &[u8]| {
                let mut point = point(4, length);
                point[length - end.len()..].copy_from_slice(end);
                exchange(start, [0, low], &point)
            };
            let left = |header: usize| u8::try_from(total - header).unwrap();
            for start in [
                &[0x30, 0x81, left(3)][..],
                &[0x31, 0x82, 0, left(4)],
                &[0x30, 0x85, 0, 0, 0, 0, left(7)],
                &[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, left(10)],
                &[0x3f, 0x10, 0x81, left(4)],
                &[0x3f, 0x11, 0x81, left(4)],
                &[0x3f, 0x80, 0x10, 0x81, left(5)],
            ] {
                assert!(!server(&exchange(start, b"")), "{start:x?}");
                let mut longer = start.to_vec();
                *longer.last_mut().unwrap() += 1;
                assert!(server(&exchange(&longer, b"")), "{longer:x?}");
            }
            for start in [&[0x30, 0x80][..], &[0x31, 0x80], &[0x3f, 0x10, 0x80]] {
                assert!(!server(&exchange(start, &[0, 0])), "{start:x?}");
                assert!(server(&exchange(start, &[0])), "{start:x?}");
            }
        }
    }

    /// A revocation list of a hundred bytes, for an issuer with a short name: the
    /// sentinel, the curve and the point lie in a serial number.
    #[test]
    fn a_key_exchange_that_is_a_short_revocation_list_is_not_signed() {
        let algorithm = encode(SEQUENCE, &encode(6, &[0x2b, 0x65, 0x70]));
        let common_name = [encode(6, &[0x55, 4, 3]), encode(12, b"server")].concat();
        let issuer = encode(SEQUENCE, &encode(SET, &encode(SEQUENCE, &common_name)));
        let now = encode(23, b"261129000000Z");
        let start = [algorithm, issuer, now.clone()].concat();
        let serial = 100 - 2 - start.len() - 2 - 2 - 2 - now.len();
        let entry = [encode(INTEGER, &vec![1; serial]), now].concat();
        let entries = encode(SEQUENCE, &encode(SEQUENCE, &entry));
        let mut list = encode(SEQUENCE, &[start, entries].concat());
        list[56..64].copy_from_slice(DOWNGRADE);
        list[64..68].copy_from_slice(&[3, 0, 0x1d, 32]);
        assert_eq!(list.len(), 100);
        assert!(!server(&list));
        // A random that only begins like one.
        assert!(server(&x25519(&[SEQUENCE, 98])));
        list[0] = 0x32;
        assert!(server(&list));
    }

    /// A handshake message.
    fn handshake_message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[kind, 0, 0, length], content].concat()
    }

    /// The messages that a client signs.
    fn messages() -> Vec<Vec<u8>> {
        let hello = [&[3, 3][..], &[7; 36]].concat();
        vec![
            handshake_message(CLIENT_HELLO, &hello),
            handshake_message(SERVER_HELLO, &hello),
            handshake_message(CERTIFICATE, &[0, 0, 0]),
            handshake_message(SERVER_KEY_EXCHANGE, &[3; 40]),
            handshake_message(CERTIFICATE_REQUEST, &[0; 4]),
            handshake_message(SERVER_HELLO_DONE, &[]),
            handshake_message(CERTIFICATE, &[0, 0, 0]),
            handshake_message(CLIENT_KEY_EXCHANGE, &[&[32][..], &[5; 32]].concat()),
        ]
    }

    #[test]
    fn a_transcript_is_signed_with_all_messages_in_order_only() {
        let all = messages();
        assert!(client(&all.concat()));
        assert!(!server(&all.concat()));
        for missing in 0..all.len() {
            let mut some = all.clone();
            let one = some.remove(missing);
            assert!(!client(&some.concat()), "{missing} is missing");
            some.insert((missing + 1) % all.len(), one);
            assert!(!client(&some.concat()), "{missing} is elsewhere");
        }
        let mut stapled = all.clone();
        stapled.insert(3, handshake_message(CERTIFICATE_STATUS, &[1, 0, 0, 0]));
        assert!(client(&stapled.concat()));
        let whole = all.concat();
        assert!(!client(&whole[..whole.len() - 1]));
        assert!(!client(&[&whole[..], &[0]].concat()));
        assert!(!client(&[]));
    }

    #[test]
    fn a_transcript_with_a_malformed_message_is_not_signed() {
        for (place, content) in [
            (0, &[&[3, 1][..], &[7; 36]].concat()[..]),
            (0, &[3; 37]),
            (1, &[&[3, 4][..], &[7; 36]].concat()),
            (3, &[3; 39]),
            (5, &[0]),
            (7, &[32; 34]),
            (7, &[&[31][..], &[5; 32]].concat()),
            (7, &[64; 65]),
        ] {
            let mut some = messages();
            some[place] = handshake_message(TRANSCRIPT[place].0, content);
            assert!(!client(&some.concat()), "{place} {content:?}");
        }
    }

    #[test]
    fn a_transcript_is_longer_than_any_key_exchange() {
        let least: usize = TRANSCRIPT.iter().map(|(_, shortest)| 4 + shortest).sum();
        assert!(least > RANDOMS + 4 + 97, "{least}");
    }
}
