//! What a handshake lets a key sign, and nothing else: whoever has taken over
//! the half that hears the network gets no signature over a text of its own
//! choice, such as a certificate or a document.

use super::Role;

/// RFC 8446 section 4.4.3: so many blanks, a context, a zero, a hash.
const BLANKS: [u8; 64] = [0x20; 64];

/// A client's and a server's random.
const RANDOMS: usize = 64;

/// ECCurveType named_curve (RFC 8422 section 5.4).
const NAMED_CURVE: u8 = 3;

/// HandshakeType (RFC 5246 section 7.4).
const CLIENT_HELLO: u8 = 1;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// Whether `message` is what this side of a handshake proves the possession
/// of its key with, in TLS 1.3 or 1.2.
pub fn is_handshake(role: Role, message: &[u8]) -> bool {
    certificate_verify(role, message)
        || match role {
            Role::Server => key_exchange(message),
            Role::Client => transcript(message),
        }
}

/// TLS 1.3, both sides.
fn certificate_verify(role: Role, message: &[u8]) -> bool {
    let context: &[u8] = match role {
        Role::Server => b"TLS 1.3, server CertificateVerify\0",
        Role::Client => b"TLS 1.3, client CertificateVerify\0",
    };
    let hash = message.strip_prefix(&BLANKS);
    let hash = hash.and_then(|rest| rest.strip_prefix(context));
    hash.is_some_and(|hash| matches!(hash.len(), 32 | 48))
}

/// TLS 1.2, server: both randoms and the parameters of an ECDHE key exchange
/// (RFC 8422 section 5.4).
fn key_exchange(message: &[u8]) -> bool {
    match message.get(RANDOMS..) {
        Some([NAMED_CURVE, _, _, length, point @ ..]) => {
            *length > 0 && point.len() == usize::from(*length)
        }
        _ => false,
    }
}

/// TLS 1.2, client: all handshake messages, from ClientHello to
/// ClientKeyExchange (RFC 5246 section 7.4.8).
fn transcript(mut messages: &[u8]) -> bool {
    let mut first = None;
    let mut last = None;
    while let [kind, high, middle, low, rest @ ..] = messages {
        let length = u32::from_be_bytes([0, *high, *middle, *low]);
        let Some((_, rest)) = rest.split_at_checked(length as usize) else {
            return false;
        };
        first.get_or_insert(*kind);
        last = Some(*kind);
        messages = rest;
    }
    messages.is_empty() && first == Some(CLIENT_HELLO) && last == Some(CLIENT_KEY_EXCHANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(context: &[u8], hash: usize) -> Vec<u8> {
        [&BLANKS, context, &vec![7; hash]].concat()
    }

    #[test]
    fn a_certificate_verify_is_signed_by_its_own_side_only() {
        let server = b"TLS 1.3, server CertificateVerify\0";
        let client = b"TLS 1.3, client CertificateVerify\0";
        for hash in [32, 48] {
            assert!(is_handshake(Role::Server, &verify(server, hash)));
            assert!(is_handshake(Role::Client, &verify(client, hash)));
            assert!(!is_handshake(Role::Server, &verify(client, hash)));
            assert!(!is_handshake(Role::Client, &verify(server, hash)));
        }
        for hash in [0, 31, 33, 64] {
            assert!(!is_handshake(Role::Server, &verify(server, hash)));
        }
        assert!(!is_handshake(Role::Server, &verify(server, 32)[1..]));
    }

    #[test]
    fn a_server_key_exchange_has_two_randoms_and_one_point() {
        let exchange = |point: &[u8]| [&[9; 64], &[3, 0, 29][..], point].concat();
        let point = [&[32][..], &[5; 32]].concat();
        assert!(is_handshake(Role::Server, &exchange(&point)));
        assert!(!is_handshake(Role::Client, &exchange(&point)));
        for wrong in [&point[..32], &[&point[..], &[0]].concat(), &[0], &[]] {
            assert!(!is_handshake(Role::Server, &exchange(wrong)));
        }
    }

    #[test]
    fn a_transcript_begins_and_ends_as_a_handshake_does() {
        let hello = [1, 0, 0, 2, 3, 3];
        let exchange = [16, 0, 0, 1, 0];
        let all = [&hello[..], &[11, 0, 0, 0], &exchange].concat();
        assert!(is_handshake(Role::Client, &all));
        assert!(!is_handshake(Role::Server, &all));
        assert!(!is_handshake(Role::Client, &all[..all.len() - 1]));
        assert!(!is_handshake(Role::Client, &all[6..]));
        assert!(!is_handshake(Role::Client, &hello));
        assert!(!is_handshake(Role::Client, &[]));
    }
}
