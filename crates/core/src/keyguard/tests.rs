//! Both halves, in one process and over a real socket pair.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ProducesTickets;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Error, HandshakeKind, ServerConfig, ServerConnection,
    SignatureScheme, SupportedProtocolVersion,
};
use tunnel::explain::Violation;
use tunnel::handshake_facts::{HandshakeAbort, HandshakeFacts};
use tunnel::record_status::RecordStatus;

use super::channel::{self, ChannelError};
use super::client::GuardClient;
use super::message::{HEADER, MAX_REQUEST, MAX_TEXT, Request, Response};
use super::policy::SigningPolicy;
use super::{PrivateMaterial, Role};
use crate::credentials::resolver::{CertSource, Certificates, SniResolver};
use crate::credentials::sessions::{self, Sessions, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::crypto;
use crate::testing::{self, CERTIFICATE};
use crate::verify::policy::{TrustCell, VerificationPolicy};
use crate::verify::trust_anchors::Anchors;
use crate::verify::verifiers::ServerVerifier;

/// A line to a guard that answers `answers` requests and is gone then.
/// At the end it tells the kinds of those.
fn guard(responses: usize, facts: &HandshakeFacts) -> (GuardClient, JoinHandle<Vec<u8>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let material = PrivateMaterial {
        certificates: Certificates::only(testing::pair()),
        sessions: Some(Sessions::new(TicketKeys::for_tests(), Versions::Tls13)),
    };
    let mut policy = SigningPolicy::new(Role::Server, material);
    let keeping = spawn(move || {
        let socket = OwnedFd::from(theirs);
        let mut asked = Vec::new();
        while asked.len() < responses {
            let Ok((kind, content)) = channel::receive(&socket, MAX_REQUEST, None) else {
                break;
            };
            asked.push(kind);
            let response = policy.respond(kind, &content, UnixTime::now());
            channel::send(&socket, &response.encode(), None).unwrap();
        }
        asked
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    let remote = GuardClient::new(ours.into(), Some(deadline), facts.clone());
    (remote, keeping)
}

fn server(remote: &GuardClient, facts: &HandshakeFacts) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(crypto::provider(
        &[cli::Group::X25519],
        &RecordStatus::default(),
    ))
    .with_protocol_versions(&[&TLS12, &TLS13])
    .unwrap()
    .with_no_client_auth()
    .with_cert_resolver(Arc::new(SniResolver {
        source: remote.clone(),
        facts: facts.clone(),
    }));
    config.ticketer = Arc::new(remote.clone());
    config
}

fn client(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let provider = crypto::provider(&[cli::Group::X25519], &RecordStatus::default());
    let verifier = ServerVerifier {
        policy: TrustCell::from(VerificationPolicy {
            anchors: Anchors::parse(CERTIFICATE),
            ..VerificationPolicy::default()
        }),
        name: Some(ServerName::try_from("localhost").unwrap()),
        algorithms: provider.signature_verification_algorithms,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Arc::new(config)
}

/// A whole handshake with a guarded server, and whether it resumed a session.
fn handshake(
    (remote, facts): (&GuardClient, &HandshakeFacts),
    client: &Arc<ClientConfig>,
) -> Result<HandshakeKind, Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server(remote, facts)))?;
    while client.is_handshaking() || server.wants_write() || client.wants_write() {
        let mut flight = Vec::new();
        client.write_tls(&mut flight).unwrap();
        server.read_tls(&mut &flight[..]).unwrap();
        server.process_new_packets()?;
        let mut flight = Vec::new();
        server.write_tls(&mut flight).unwrap();
        client.read_tls(&mut &flight[..]).unwrap();
        client.process_new_packets()?;
    }
    Ok(server.handshake_kind().unwrap())
}

/// What a guard is asked in a handshake that ends well, and whether that resumes
/// a session.
fn asked(client: &Arc<ClientConfig>, tls13: bool) -> (HandshakeKind, Vec<u8>) {
    let facts = HandshakeFacts::default();
    facts.client_has_tls13(tls13);
    let (remote, keeping) = guard(usize::MAX, &facts);
    let kind = handshake((&remote, &facts), client).unwrap();
    assert_eq!(facts.abort_reason(), None);
    assert_eq!(facts.server_name().as_deref(), Some("localhost"));
    remote.hang_up();
    (kind, keeping.join().unwrap())
}

/// The kinds of requests.
const PAIR: u8 = 2;
const SIGNATURE: u8 = 3;
const SEAL: u8 = 4;
const OPEN: u8 = 5;

#[test]
fn a_handshake_of_tls_1_3_needs_four_answers_and_the_next_one_resumes() {
    let client = client(&TLS13);
    let first = (HandshakeKind::Full, vec![PAIR, SIGNATURE, SEAL, SEAL]);
    assert_eq!(asked(&client, true), first);
    let second = (HandshakeKind::Resumed, vec![PAIR, OPEN, SEAL, SEAL]);
    assert_eq!(asked(&client, true), second);
}

#[test]
fn a_handshake_of_tls_1_2_asks_for_no_ticket() {
    let full = (HandshakeKind::Full, vec![PAIR, SIGNATURE]);
    assert_eq!(asked(&client(&TLS12), false), full);
}

#[test]
fn a_guard_is_asked_for_nothing_that_it_does_not_give() {
    let facts = HandshakeFacts::default();
    let (remote, keeping) = guard(usize::MAX, &facts);
    for tls13 in [false, true] {
        facts.client_has_tls13(tls13);
        assert_eq!(remote.enabled(), tls13);
        assert_eq!(remote.decrypt(b"stale"), None);
        assert_eq!(remote.encrypt(&sessions::for_tests(0x0303)), None);
    }
    remote.hang_up();
    assert_eq!(keeping.join().unwrap(), [OPEN]);
}

#[test]
fn a_guard_that_is_gone_ends_the_handshake_at_any_question() {
    for responses in 0..2 {
        let facts = HandshakeFacts::default();
        let (remote, keeping) = guard(responses, &facts);
        assert!(handshake((&remote, &facts), &client(&TLS13)).is_err());
        assert_eq!(facts.abort_reason(), Some(HandshakeAbort::GuardGone));
        keeping.join().unwrap();
    }
}

#[test]
fn a_guard_that_is_silent_costs_no_more_than_the_time_limit() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let facts = HandshakeFacts::default();
    let deadline = Instant::now() + Duration::from_millis(50);
    let remote = GuardClient::new(ours.into(), Some(deadline), facts.clone());
    assert!(handshake((&remote, &facts), &client(&TLS13)).is_err());
    assert_eq!(facts.abort_reason(), Some(HandshakeAbort::TimedOut));
    drop(theirs);
}

#[test]
fn nor_does_one_that_does_not_even_take_the_question() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let ours = OwnedFd::from(ours);
    while unix::fd::write_all(&ours, &[0; 1024]).is_ok() {}
    let facts = HandshakeFacts::default();
    let deadline = Instant::now() + Duration::from_millis(50);
    let remote = GuardClient::new(ours, Some(deadline), facts.clone());
    assert!(handshake((&remote, &facts), &client(&TLS13)).is_err());
    assert_eq!(facts.abort_reason(), Some(HandshakeAbort::TimedOut));
    assert!(Instant::now() >= deadline);
    drop(theirs);
}

#[test]
fn a_text_that_is_too_long_is_not_even_sent() {
    let facts = HandshakeFacts::default();
    let (remote, keeping) = guard(3, &facts);
    let pair = remote.choose(None).unwrap().unwrap();
    let signer = pair
        .key
        .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
        .unwrap();
    let error = signer.sign(&vec![0; MAX_TEXT + 1]).unwrap_err();
    assert_eq!(Violation::of(&error), Some(Violation::LongHandshake));
    assert_eq!(facts.abort_reason(), None);
    // The longest is not signed either, but asked for.
    assert!(signer.sign(&vec![0; MAX_TEXT]).is_err());
    assert_eq!(facts.abort_reason(), None);
    remote.hang_up();
    keeping.join().unwrap();
}

#[test]
fn a_message_is_whole_however_it_comes_and_bounded() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
    let message = Request::Seal(b"state").encode();
    for byte in &message {
        channel::send(&ours, &[*byte], None).unwrap();
    }
    let received = channel::receive(&theirs, 5, None);
    assert_eq!(received, Ok((message[0], b"state".to_vec())));
    channel::send(&ours, &message, None).unwrap();
    assert_eq!(
        channel::receive(&theirs, 4, None),
        Err(ChannelError::Closed)
    );
    channel::send(&ours, &Response::None.encode()[..HEADER - 1], None).unwrap();
    drop(ours);
    assert_eq!(
        channel::receive(&theirs, 4, None),
        Err(ChannelError::Closed)
    );
}
