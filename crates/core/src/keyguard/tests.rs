//! Client and guard in one process, over a real socket pair.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
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
use super::client::{Ends, GuardClient};
use super::message::{HEADER, MAX_REQUEST, MAX_TEXT, Request, Response};
use super::policy::SigningPolicy;
use super::{PrivateMaterial, Role};
use crate::credentials::acme::Protocols;
use crate::credentials::resolver::{CertSource, Certificates, SniResolver};
use crate::credentials::sessions::{self, Sessions, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::crypto;
use crate::testing::{self, CERTIFICATE};
use crate::verify::policy::{TrustCell, VerificationPolicy};
use crate::verify::trust_anchors::Anchors;
use crate::verify::verifiers::ServerVerifier;
use crate::wall_clock;

/// A client of a guard that ends after so many `responses`. The thread returns the
/// kinds of the requests.
fn guard(responses: usize, facts: &HandshakeFacts) -> (GuardClient, JoinHandle<Vec<u8>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let material = PrivateMaterial {
        certificates: Certificates::only(testing::pair()),
        sessions: Some(Sessions::new(TicketKeys::for_tests(), Versions::Tls13)),
    };
    let mut policy = SigningPolicy::new(Role::Server, material);
    let guarding = spawn(move || {
        let socket = OwnedFd::from(theirs);
        let mut asked = Vec::new();
        while asked.len() < responses {
            let Ok((kind, content)) = channel::receive(&socket, MAX_REQUEST, None) else {
                break;
            };
            asked.push(kind);
            let response = policy.respond(kind, &content, wall_clock::now());
            channel::send(&socket, &response.encode(), None).unwrap();
        }
        asked
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    let guard_client = GuardClient::new(ends(ours), Some(deadline), facts.clone());
    (guard_client, guarding)
}

/// The engine's end.
fn ends(socket: impl Into<OwnedFd>) -> Ends {
    let socket = socket.into();
    Ends {
        socket,
        lifeline: None,
    }
}

fn server(guard_client: &GuardClient, facts: &HandshakeFacts) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(crypto::provider(
        &[cli::Group::X25519],
        &RecordStatus::default(),
    ))
    .with_protocol_versions(&[&TLS12, &TLS13])
    .unwrap()
    .with_no_client_auth()
    .with_cert_resolver(Arc::new(SniResolver {
        protocols: Protocols::new(&[]),
        source: guard_client.clone(),
        facts: facts.clone(),
    }));
    config.ticketer = Arc::new(guard_client.clone());
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

/// A handshake with a guarded server; returns whether it resumed a session.
fn handshake(
    (guard_client, facts): (&GuardClient, &HandshakeFacts),
    client: &Arc<ClientConfig>,
) -> Result<HandshakeKind, Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server(guard_client, facts)))?;
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

/// The requests of a successful handshake, and whether it resumed a session.
fn asked(client: &Arc<ClientConfig>, tls13: bool) -> (HandshakeKind, Vec<u8>) {
    let facts = HandshakeFacts::default();
    facts.client_has_tls13(tls13);
    let (guard_client, guarding) = guard(usize::MAX, &facts);
    let kind = handshake((&guard_client, &facts), client).unwrap();
    assert_eq!(facts.abort_reason(), None);
    assert_eq!(facts.server_name().as_deref(), Some("localhost"));
    guard_client.hang_up();
    (kind, guarding.join().unwrap())
}

/// The kinds of requests.
const PAIR: u8 = 2;
const SIGNATURE: u8 = 3;
const SEAL: u8 = 4;
const OPEN: u8 = 5;

#[test]
fn a_handshake_of_tls_1_3_makes_four_requests_and_the_next_one_resumes() {
    let client = client(&TLS13);
    let first = (HandshakeKind::Full, vec![PAIR, SIGNATURE, SEAL, SEAL]);
    assert_eq!(asked(&client, true), first);
    let second = (HandshakeKind::Resumed, vec![PAIR, OPEN, SEAL, SEAL]);
    assert_eq!(asked(&client, true), second);
}

#[test]
fn a_handshake_of_tls_1_2_requests_no_ticket() {
    let full = (HandshakeKind::Full, vec![PAIR, SIGNATURE]);
    assert_eq!(asked(&client(&TLS12), false), full);
}

#[test]
fn a_client_requests_no_tickets_for_tls_1_2() {
    let facts = HandshakeFacts::default();
    let (guard_client, guarding) = guard(usize::MAX, &facts);
    for tls13 in [false, true] {
        facts.client_has_tls13(tls13);
        assert_eq!(guard_client.enabled(), tls13);
        assert_eq!(guard_client.decrypt(b"stale"), None);
        assert_eq!(guard_client.encrypt(&sessions::for_tests(0x0303)), None);
    }
    guard_client.hang_up();
    assert_eq!(guarding.join().unwrap(), [OPEN]);
}

#[test]
fn a_guard_that_is_gone_ends_the_handshake_at_any_request() {
    for responses in 0..2 {
        let facts = HandshakeFacts::default();
        let (guard_client, guarding) = guard(responses, &facts);
        assert!(handshake((&guard_client, &facts), &client(&TLS13)).is_err());
        assert_eq!(facts.abort_reason(), Some(HandshakeAbort::GuardGone));
        guarding.join().unwrap();
    }
}

#[test]
fn a_guard_that_does_not_respond_costs_no_more_than_the_time_limit() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let facts = HandshakeFacts::default();
    let deadline = Instant::now() + Duration::from_millis(50);
    let guard_client = GuardClient::new(ends(ours), Some(deadline), facts.clone());
    assert!(handshake((&guard_client, &facts), &client(&TLS13)).is_err());
    assert_eq!(facts.abort_reason(), Some(HandshakeAbort::TimedOut));
    drop(theirs);
}

#[test]
fn a_guard_that_does_not_read_costs_no_more_than_the_time_limit() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let ours = OwnedFd::from(ours);
    while nix::unistd::write(&ours, &[0; 1024]).is_ok() {}
    let facts = HandshakeFacts::default();
    let deadline = Instant::now() + Duration::from_millis(50);
    let guard_client = GuardClient::new(ends(ours), Some(deadline), facts.clone());
    assert!(handshake((&guard_client, &facts), &client(&TLS13)).is_err());
    assert_eq!(facts.abort_reason(), Some(HandshakeAbort::TimedOut));
    assert!(Instant::now() >= deadline);
    drop(theirs);
}

#[test]
fn a_text_too_long_to_be_signed_is_not_sent() {
    let facts = HandshakeFacts::default();
    let (guard_client, guarding) = guard(3, &facts);
    let pair = guard_client.choose(None).unwrap().unwrap();
    let signer = pair
        .key
        .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
        .unwrap();
    let error = signer.sign(&vec![0; MAX_TEXT + 1]).unwrap_err();
    assert_eq!(Violation::of(&error), Some(Violation::LongHandshake));
    assert_eq!(facts.abort_reason(), None);
    // The longest is sent, and the guard refuses to sign it.
    assert!(signer.sign(&vec![0; MAX_TEXT]).is_err());
    assert_eq!(facts.abort_reason(), None);
    guard_client.hang_up();
    assert_eq!(guarding.join().unwrap()[1..], [SIGNATURE]);
}

#[test]
fn a_message_is_received_whole_and_within_its_limit() {
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
    channel::send(&ours, &[message, vec![0]].concat(), None).unwrap();
    let followed = channel::receive(&theirs, 5, None);
    assert_eq!(followed, Err(ChannelError::Closed));
    channel::send(&ours, &Response::None.encode()[..HEADER - 1], None).unwrap();
    drop(ours);
    assert_eq!(
        channel::receive(&theirs, 4, None),
        Err(ChannelError::Closed)
    );
}

#[test]
fn a_guard_that_fails_ends_the_handshake_with_its_text_and_is_let_go() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let guarding = spawn(move || {
        let socket = OwnedFd::from(theirs);
        channel::receive(&socket, MAX_REQUEST, None).unwrap();
        let failed = Response::Failed(111, "why".to_owned());
        channel::send(&socket, &failed.encode(), None).unwrap();
        channel::receive(&socket, MAX_REQUEST, None)
    });
    let facts = HandshakeFacts::default();
    let guard_client = GuardClient::new(ends(ours), None, facts.clone());
    let reason = HandshakeAbort::Failed(111, "why".to_owned());
    assert_eq!(guard_client.choose(None).err(), Some(reason.clone()));
    assert_eq!(facts.abort_reason(), Some(reason));
    assert_eq!(guard_client.numbers(), None);
    assert_eq!(guarding.join().unwrap(), Err(ChannelError::Closed));
}

#[test]
fn a_text_that_is_a_document_is_the_peers_fault_and_is_not_sent() {
    let facts = HandshakeFacts::default();
    let (guard_client, guarding) = guard(2, &facts);
    let pair = guard_client.choose(Some("localhost")).unwrap().unwrap();
    let p256 = SignatureScheme::ECDSA_NISTP256_SHA256;
    let signer = pair.key.choose_scheme(&[p256]).unwrap();
    let document = [&[0x30, 0x81, 130][..], &[0x7a; 130]].concat();
    let error = signer.sign(&document).unwrap_err();
    assert_eq!(Violation::of(&error), Some(Violation::DocumentRandom));
    guard_client.hang_up();
    assert_eq!(guarding.join().unwrap(), [PAIR]);
}
