//! What the guard receives, and what it reads during the handshake.

use crate::credentials::resolver::Certificates;
use crate::credentials::sessions::{Sessions, Versions, is_resumable};
use crate::credentials::sni_directory::challenge::challenge_place;
use crate::credentials::sni_directory::{places, unicode_places};
use crate::credentials::ticketer::TicketKeys;
use crate::keyguard::PrivateMaterial;
use crate::keyguard::Role;
use crate::keyguard::message::{HEADER, MAX_RESPONSE, Request, Response, header};
use crate::keyguard::policy::SigningPolicy;
use crate::testing;
use crate::wall_clock;

/// Messages of a taken-over engine, each a kind, a length and so many bytes: it
/// gets no more than a handshake needs.
pub fn conversation(mut input: &[u8]) -> bool {
    let material = PrivateMaterial {
        certificates: Certificates::only(testing::pair()),
        sessions: Some(Sessions::new(TicketKeys::for_tests(), Versions::Tls13)),
    };
    let mut policy = SigningPolicy::new(Role::Server, material);
    let mut granted = [0; 3];
    while let [kind, length, rest @ ..] = input {
        let (content, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        let response = policy.respond(*kind, content, wall_clock::now());
        let bytes = matches!(response, Response::Bytes(_));
        match Request::parse(*kind, content) {
            Some(Request::Signature(_, text)) => {
                granted[0] += usize::from(bytes);
                assert!(!bytes || !is_in_a_sequence(text));
            }
            Some(Request::Seal(state)) => {
                granted[1] += usize::from(bytes);
                assert!(!bytes || is_resumable(state, Versions::Tls13));
            }
            Some(Request::Open(_)) => granted[2] += usize::from(bytes),
            _ => assert!(!bytes),
        }
        parsed_as_encoded(&response);
        let _ = Response::parse(*kind, content.to_vec());
    }
    assert!(
        granted[0] <= 1 && granted[1] <= 2 && granted[2] <= 1,
        "{granted:?}"
    );
    granted != [0; 3]
}

/// Whether `text` is a SEQUENCE or SET with a header of three bytes or more. All such
/// headers are written and compared, rather than read as `is_document` does.
fn is_in_a_sequence(text: &[u8]) -> bool {
    let low = [0x30, 0x31].map(|tag| vec![tag]);
    let high = [0x10, 0x11].into_iter().flat_map(|number| {
        (0..3).map(move |zeros| [&[0x3f][..], &vec![0x80; zeros], &[number]].concat())
    });
    low.into_iter().chain(high).any(|tag| {
        let indefinite = text.starts_with(&[&tag[..], &[0x80]].concat());
        let definite = |count: u8| {
            let header = tag.len() + 1 + usize::from(count);
            let Some(left) = text.len().checked_sub(header) else {
                return false;
            };
            let zeros = vec![0; usize::from(count) - 1];
            let left = [left as u8];
            text.starts_with(&[&tag[..], &[0x80 | count], &zeros, &left].concat())
        };
        (indefinite && text.ends_with(&[0, 0])) || (1..=8).any(definite)
    })
}

/// A response is parsed as it was encoded.
fn parsed_as_encoded(response: &Response) {
    let message = response.encode();
    let (head, content) = message.split_first_chunk::<HEADER>().unwrap();
    let (kind, length) = header(head, MAX_RESPONSE).unwrap();
    assert_eq!(length, content.len());
    assert_eq!(
        Response::parse(kind, content.to_vec()).as_ref(),
        Some(response)
    );
}

/// A name that a client asks for: nothing leads out of the directory.
pub fn directory(input: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(input) else {
        return false;
    };
    let (places, in_unicode) = (places(name), unicode_places(name));
    let challenge = challenge_place(name);
    assert_eq!(challenge.is_some(), !places.is_empty());
    let all = places.iter().chain(&in_unicode).chain(&challenge);
    for path in all.flat_map(|place| [&place.key, &place.certificate]) {
        let parts: Vec<&str> = path.split('/').collect();
        assert!(parts.len() <= 2, "{path}");
        assert!(
            !parts.iter().any(|part| matches!(*part, "" | "." | "..")),
            "{path}"
        );
        assert!(!path.contains('\0'), "{path}");
    }
    assert!(places.iter().all(|place| place.key.is_ascii()));
    assert!(in_unicode.iter().all(|place| !place.key.is_ascii()));
    !places.is_empty()
}

/// A file of ticket keys, and the same bytes as a ticket.
pub fn tickets(input: &[u8]) -> bool {
    let now = wall_clock::now();
    let who = b"who";
    let _ = is_resumable(input, Versions::Both);
    assert_eq!(TicketKeys::for_tests().open(who, input, now), None);
    let Ok(keys) = TicketKeys::parse(input) else {
        return false;
    };
    let ticket = keys.seal(who, input, now).unwrap();
    assert_eq!(keys.open(who, &ticket, now).as_deref(), Some(input));
    assert_eq!(keys.open(b"whom", &ticket, now), None);
    assert_eq!(TicketKeys::for_tests().open(who, &ticket, now), None);
    true
}
