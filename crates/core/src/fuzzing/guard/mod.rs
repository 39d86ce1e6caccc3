//! What the guard receives, and what it reads during the handshake.

mod setup;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use self::setup::Setup;
use crate::credentials::sessions::{Versions, is_resumable};
use crate::credentials::sni_directory::challenge::challenge_place;
use crate::credentials::sni_directory::{places, unicode_places};
use crate::credentials::ticketer::{Content, TicketKeys};
use crate::crypto;
use crate::keyguard::Role;
use crate::keyguard::message::{HEADER, MAX_RESPONSE, Request, Response, header};
use crate::keyguard::policy::SigningPolicy;
use crate::wall_clock;

/// A message of this kind opens the ticket that was granted last.
const OPEN_LAST: u8 = 128;

/// A byte of options, and messages of a taken-over engine, each a kind, a length and so many
/// bytes: it gets no more than a handshake needs, and only of the pair for the name that it has
/// asked for first.
pub fn conversation(input: &[u8]) -> bool {
    let Some((options, mut input)) = input.split_first() else {
        return false;
    };
    let setup = Setup { options: *options };
    let role = if setup.bit(3) {
        Role::Client
    } else {
        Role::Server
    };
    let mut policy = SigningPolicy::new(role, setup.material());
    let mut engine = Engine::new(setup);
    if engine.setup.bit(5) {
        engine.is_ready(&policy.ready());
    }
    while let [kind, length, rest @ ..] = input {
        let (content, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        if *kind == OPEN_LAST {
            engine.open_last(&mut policy);
            continue;
        }
        let response = policy.respond(*kind, content, wall_clock::now());
        if engine.setup.bit(6) && policy.has_chosen() {
            policy.close_files();
        }
        parsed_as_encoded(&response);
        let _ = Response::parse(*kind, content.to_vec());
        engine.check(Request::parse(*kind, content), response);
    }
    engine.granted != [0; 3]
}

/// What the engine has asked for first, and what it has got.
struct Engine<'a> {
    setup: Setup,
    asked: Option<Wanted<'a>>,
    /// How many signatures, seals and opened tickets.
    granted: [u8; 3],
    /// The last state that was sealed, and its ticket.
    sealed: (Vec<u8>, Vec<u8>),
}

impl<'a> Engine<'a> {
    fn new(setup: Setup) -> Self {
        Self {
            setup,
            asked: None,
            granted: [0; 3],
            sealed: Default::default(),
        }
    }

    fn open_last(&mut self, policy: &mut SigningPolicy) {
        let (state, ticket) = &self.sealed;
        let message = Request::Open(ticket).encode();
        let response = policy.respond(message[0], ticket, wall_clock::now());
        if let Response::Bytes(opened) = &response {
            assert_eq!(opened, state);
        }
        self.check(Some(Request::Open(b"")), response);
    }

    /// Before any request it is told the pair that is for all.
    fn is_ready(&mut self, ready: &Response) {
        let told = *ready != Response::Ready(None);
        assert_eq!(told, !self.setup.bit(0));
        self.asked = told.then_some((None, false));
    }

    fn check(&mut self, request: Option<Request<'a>>, response: Response) {
        if let Some(wanted) = request.as_ref().and_then(wanted) {
            let first = *self.asked.get_or_insert(wanted) == wanted;
            return self.setup.check_pair(wanted, first, &response);
        }
        let Response::Bytes(bytes) = response else {
            return;
        };
        // Nothing is granted before a pair is chosen.
        let (name, challenge) = self.asked.unwrap();
        let pair = self.setup.pair(name, challenge).unwrap().unwrap();
        match request {
            Some(Request::Signature(_, text)) => {
                self.granted[0] += 1;
                assert!(!is_in_a_sequence(text));
                assert!(is_signed(pair, text, &bytes), "by another key");
            }
            Some(Request::Seal(state)) => {
                let [signatures, _, opened] = self.granted;
                assert!(signatures + opened > 0, "sealed without a handshake");
                self.granted[1] += 1;
                assert!(is_resumable(state, Versions::Tls13));
                self.sealed = (state.to_vec(), bytes);
            }
            Some(Request::Open(_)) => self.granted[2] += 1,
            other => panic!("{other:?}"),
        }
        let tickets = !self.setup.bit(4) && !challenge;
        let most = if tickets { [1, 2, 1] } else { [1, 0, 0] };
        let granted = self.granted;
        assert!(
            granted.iter().zip(most).all(|(count, most)| *count <= most),
            "{granted:?}"
        );
    }
}

/// A name, and whether the pair of its challenge is asked for.
type Wanted<'a> = (Option<&'a [u8]>, bool);

/// What a request for a pair asks for.
fn wanted<'a>(request: &Request<'a>) -> Option<Wanted<'a>> {
    match request {
        Request::Pair(name) => Some((*name, false)),
        Request::Challenge(name) => Some((Some(name), true)),
        _ => None,
    }
}

/// Whether the key of a certificate has signed `text`.
fn is_signed(certificate: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let der = CertificateDer::from(certificate);
    let certificate = EndEntityCert::try_from(&der).unwrap();
    let mut algorithms = crypto::signature_algorithms().all.iter();
    algorithms.any(|algorithm| {
        let verdict = certificate.verify_signature(*algorithm, text, signature);
        verdict.is_ok()
    })
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
    let content = Content {
        state: input.to_vec(),
        authenticated: now,
    };
    let ticket = keys.seal(who, &content, now).unwrap();
    assert_eq!(keys.open(b"whom", &ticket, now), None);
    assert_eq!(keys.open(who, &ticket, now), Some(content));
    assert_eq!(TicketKeys::for_tests().open(who, &ticket, now), None);
    true
}
