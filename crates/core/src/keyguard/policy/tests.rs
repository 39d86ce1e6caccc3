//! What the policy grants, and how often.

mod challenge;

use std::time::Duration;

use rustls::SignatureAlgorithm;

use super::*;
use crate::credentials::resolver::Certificates;
use crate::credentials::sessions::{self, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::files::retry::Files;
use crate::keyguard::message::HEADER;
use crate::testing;
use crate::wall_clock;
use cli::SniLevel;

const P256: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

fn policy() -> SigningPolicy {
    let material = PrivateMaterial {
        certificates: Certificates::only(testing::pair()),
        sessions: Some(Sessions::new(TicketKeys::for_tests(), Versions::Tls13)),
    };
    SigningPolicy::new(Role::Server, material)
}

fn ask(policy: &mut SigningPolicy, request: &Request<'_>) -> Response {
    ask_at(policy, request, wall_clock::now())
}

fn ask_at(policy: &mut SigningPolicy, request: &Request<'_>, now: UnixTime) -> Response {
    let message = request.encode();
    policy.respond(message[0], &message[HEADER..], now)
}

fn verify() -> Vec<u8> {
    [
        &[0x20; 64],
        &b"TLS 1.3, server CertificateVerify\0"[..],
        &[7; 32],
    ]
    .concat()
}

fn is_bytes(response: &Response) -> bool {
    matches!(response, Response::Bytes(_))
}

/// A policy after the signature of a full handshake at `now`.
fn signed(now: UnixTime) -> SigningPolicy {
    let mut policy = policy();
    ask(&mut policy, &Request::Pair(None));
    let signature = ask_at(&mut policy, &Request::Signature(P256, &verify()), now);
    assert!(is_bytes(&signature));
    policy
}

/// A new ticket of the session that all have here.
fn ticket(policy: &mut SigningPolicy, now: UnixTime) -> Vec<u8> {
    let state = sessions::for_tests(0x0304);
    match ask_at(policy, &Request::Seal(&state), now) {
        Response::Bytes(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_budget_is_one_signature_two_seals_and_one_open() {
    let mut policy = policy();
    let text = verify();
    let state = sessions::for_tests(0x0304);
    ask(&mut policy, &Request::Pair(None));
    let now = wall_clock::now();
    let ticket = ticket(&mut signed(now), now);
    for (request, left) in [
        (Request::Signature(P256, &text), 1),
        (Request::Seal(&state), 2),
        (Request::Open(&ticket), 1),
    ] {
        let responses: Vec<_> = (0..4).map(|_| ask(&mut policy, &request)).collect();
        let granted = responses
            .iter()
            .filter(|response| is_bytes(response))
            .count();
        assert_eq!(granted, left, "{request:?}");
        assert!(
            responses[left..]
                .iter()
                .all(|response| *response == Response::None)
        );
    }
}

#[test]
fn a_ticket_that_does_not_open_is_not_counted() {
    let now = wall_clock::now();
    let mut policy = signed(now);
    let ticket = ticket(&mut policy, now);
    for _ in 0..3 {
        assert_eq!(ask(&mut policy, &Request::Open(b"stale")), Response::None);
    }
    assert!(is_bytes(&ask(&mut policy, &Request::Open(&ticket))));
    assert_eq!(ask(&mut policy, &Request::Open(&ticket)), Response::None);
}

#[test]
fn tickets_need_a_chosen_pair_and_tls_1_3() {
    let now = wall_clock::now();
    let ticket = ticket(&mut signed(now), now);
    let mut policy = policy();
    assert_eq!(ask(&mut policy, &Request::Open(&ticket)), Response::None);
    let mut policy = signed(now);
    let tls12 = sessions::for_tests(0x0303);
    assert_eq!(ask(&mut policy, &Request::Seal(&tls12)), Response::None);
    // A ticket of a server without a guard that has the same TICKETKEYFILE.
    let both = Sessions::new(TicketKeys::for_tests(), Versions::Both);
    let shown = &testing::pair().cert[0];
    let foreign = Content {
        state: tls12,
        authenticated: now,
    };
    let foreign = both.seal(shown, &foreign, now).unwrap();
    assert_eq!(ask(&mut policy, &Request::Open(&foreign)), Response::None);
    assert!(is_bytes(&ask(&mut policy, &Request::Open(&ticket))));
}

#[test]
fn a_ticket_is_sealed_only_after_a_signature_or_an_opened_ticket() {
    let now = wall_clock::now();
    let state = sessions::for_tests(0x0304);
    let old = ticket(&mut signed(now), now);
    let mut policy = policy();
    for before in [Request::Pair(None), Request::Open(b"stale")] {
        assert_eq!(ask(&mut policy, &Request::Seal(&state)), Response::None);
        ask(&mut policy, &before);
    }
    assert_eq!(ask(&mut policy, &Request::Seal(&state)), Response::None);
    assert!(is_bytes(&ask(&mut policy, &Request::Open(&old))));
    ticket(&mut policy, now);
}

#[test]
fn a_session_ends_seven_days_after_its_full_handshake_whatever_tickets_follow() {
    let first = wall_clock::now();
    let mut last = ticket(&mut signed(first), first);
    let renewals = (1..20).take_while(|renewals| {
        // Each time one hour before the ticket would be too old.
        let now = Duration::from_secs(first.as_secs() + renewals * 11 * 3600);
        let now = UnixTime::since_unix_epoch(now);
        let mut policy = policy();
        ask(&mut policy, &Request::Pair(None));
        let opened = is_bytes(&ask_at(&mut policy, &Request::Open(&last), now));
        if opened {
            last = ticket(&mut policy, now);
        }
        opened
    });
    // 15 * 11 hours are less than seven days, 16 * 11 are more.
    assert_eq!(renewals.last(), Some(15));
}

#[test]
fn a_signature_needs_a_chosen_pair_and_handshake_content() {
    let mut policy = policy();
    let text = verify();
    let signature = Request::Signature(P256, &text);
    assert_eq!(ask(&mut policy, &signature), Response::None);
    ask(&mut policy, &Request::Pair(None));
    let other = Request::Signature(P256, &text[1..]);
    assert_eq!(ask(&mut policy, &other), Response::None);
    let scheme = Request::Signature(SignatureScheme::ED25519, &text);
    assert_eq!(ask(&mut policy, &scheme), Response::None);
    assert!(is_bytes(&ask(&mut policy, &signature)));
}

/// A key that cannot sign, as ring's cannot without random bytes.
#[derive(Debug)]
struct NoRandom;

impl SigningKey for NoRandom {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&P256).then(|| Box::new(Self) as _)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for NoRandom {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Err(rustls::Error::General("signing failed".to_owned()))
    }

    fn scheme(&self) -> SignatureScheme {
        P256
    }
}

#[test]
fn a_signature_that_fails_is_a_failure_of_the_system() {
    let pair = CertifiedKey::new(testing::pair().cert, Arc::new(NoRandom));
    let material = PrivateMaterial {
        certificates: Certificates::only(pair),
        sessions: None,
    };
    let mut policy = SigningPolicy::new(Role::Server, material);
    ask(&mut policy, &Request::Pair(None));
    let response = ask(&mut policy, &Request::Signature(P256, &verify()));
    let why = "handshake failed: signing failed";
    assert_eq!(response, Response::Failed(111, why.to_owned()));
}

#[test]
fn the_first_name_decides_the_choice() {
    let mut policy = policy();
    let first = ask(&mut policy, &Request::Pair(Some(b"a.example")));
    assert!(matches!(first, Response::Pair(_)));
    assert_eq!(ask(&mut policy, &Request::Pair(Some(b"a.example"))), first);
    for name in [None, Some(&b"b.example"[..])] {
        assert_eq!(ask(&mut policy, &Request::Pair(name)), Response::None);
    }
}

#[test]
fn the_only_pair_is_told_without_a_request_and_then_signs() {
    let mut policy = policy();
    let shown = testing::pair().cert;
    let told = policy.ready();
    assert!(matches!(told, Response::Ready(Some(public)) if public.chain == shown));
    let text = verify();
    let signature = ask(&mut policy, &Request::Signature(P256, &text));
    assert!(is_bytes(&signature));
}

#[test]
fn a_pair_for_one_name_is_not_told_without_a_request() {
    let material = PrivateMaterial {
        certificates: Certificates::for_name("a.example", testing::pair()),
        sessions: None,
    };
    let mut policy = SigningPolicy::new(Role::Server, material);
    assert_eq!(policy.ready(), Response::Ready(None));
    assert!(!policy.has_chosen());
    let text = verify();
    let signature = ask(&mut policy, &Request::Signature(P256, &text));
    assert_eq!(signature, Response::None);
}

#[test]
fn a_pair_that_cannot_be_used_is_a_failure_with_its_reason() {
    let mut context = testing::context();
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/src/testdata/snidir");
    context.env.set("SNIDIR", testdata);
    let files = Files::at_once(&context);
    let material = PrivateMaterial {
        certificates: Certificates::load(&context, &files, SniLevel::Require).unwrap(),
        sessions: None,
    };
    let mut policy = SigningPolicy::new(Role::Server, material);
    // The file for it is empty.
    let broken = Request::Pair(Some(b"broken.test"));
    let Response::Failed(96, why) = ask(&mut policy, &broken) else {
        panic!("it is no failure");
    };
    assert!(why.contains("/broken.test.pem"), "{why}");
    assert_eq!(ask(&mut policy, &broken), Response::None);
}

#[test]
fn an_invalid_request_gets_nothing() {
    let mut policy = policy();
    for kind in 0..=255 {
        for content in [&[][..], &[0], &[0xff; 40]] {
            let response = policy.respond(kind, content, wall_clock::now());
            assert!(!is_bytes(&response), "{kind}");
        }
    }
}

#[test]
fn the_schemes_of_a_p256_key_are_its_own() {
    let pair = testing::pair();
    assert_eq!(schemes(&*pair.key), [P256]);
}
