//! Answers in the handshake that are longer than the buffer for them.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS12;

use super::attacker::*;
use super::*;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// A server of TLS 1.2 with a chain of 200 KiB or more, and a hello for it.
fn server_with_long_chain() -> (Attack, Vec<u8>) {
    let (facts, provider) = testing::facts_and_provider();
    let mut config = testing::server_config(provider, &[&TLS12]);
    let mut chain = testing::chain();
    let count = (200 << 10) / chain[0].len() + 1;
    chain = vec![chain.remove(0); count];
    let key = any_supported_type(&testing::private_key()).unwrap();
    config.cert_resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
    let session = testing::server_session_of(config, facts, false);
    let mut hello = Vec::new();
    client(&TLS12).write_tls(&mut hello).unwrap();
    (Attack::new(session), hello)
}

/// The types and contents of records.
fn records(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut records = Vec::new();
    while let [typ, _, _, high, low, rest @ ..] = bytes {
        let (content, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        records.push((*typ, content));
        bytes = rest;
    }
    assert_eq!(bytes, b"", "a part of a record");
    records
}

/// Asserts that these records begin with a whole flight of a server. What follows it.
fn behind_the_flight(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut records = records(bytes).into_iter().peekable();
    let mut messages = Vec::new();
    while let Some((_, content)) = records.next_if(|(typ, _)| *typ == HANDSHAKE) {
        messages.extend(content);
    }
    let mut rest = &messages[..];
    let mut kinds = Vec::new();
    while let [kind, a, b, c, more @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        kinds.push((*kind, length > 200 << 10));
        rest = &more[length..];
    }
    // ServerHello, Certificate, ServerKeyExchange, ServerHelloDone.
    assert_eq!(kinds, [(2, false), (11, true), (12, false), (14, false)]);
    records
        .map(|(typ, content)| (typ, content.to_vec()))
        .collect()
}

#[test]
fn long_flight_arrives_whole_over_any_network() {
    for (piece, room) in [
        (usize::MAX, usize::MAX),
        (50_000, usize::MAX),
        (1000, usize::MAX),
        (usize::MAX, 30_000),
        (700, 30_000),
    ] {
        let (mut attack, hello) = server_with_long_chain();
        let network = Rc::clone(&attack.engine.pipes.ends.net_out);
        network.borrow_mut().piece = piece;
        network.borrow_mut().capacity = room;
        attack.send(&hello);
        while network.borrow().space() == 0 {
            network.borrow_mut().bytes.clear();
            attack.send(&[]);
        }
        assert_eq!(behind_the_flight(&attack.answer()), [], "{piece} {room}");
    }
}

#[test]
fn violation_behind_a_hello_gets_one_alert_behind_the_long_flight() {
    for room in [usize::MAX, 30_000] {
        let (mut attack, mut bytes) = server_with_long_chain();
        let network = Rc::clone(&attack.engine.pipes.ends.net_out);
        network.borrow_mut().capacity = room;
        // A message of no kind.
        bytes.extend([HANDSHAKE, 3, 3, 0, 4, 99, 0, 0, 0]);
        attack.send(&bytes);
        while network.borrow().space() == 0 {
            network.borrow_mut().bytes.clear();
            attack.send(&[]);
        }
        // What follows is read, so that the peer does not lose the alert.
        attack.send(b"more");
        assert!(attack.engine.pipe(End::NetIn).bytes.is_empty());
        attack.fails(EndReason::HandshakeFailed);
        let answer = attack.answer();
        let rest = behind_the_flight(&answer);
        let types: Vec<u8> = rest.iter().map(|(typ, _)| *typ).collect();
        assert_eq!(types, [ALERT], "{room}");
    }
}

#[test]
fn records_behind_a_hello_count_at_once_if_the_long_flight_cannot_be_sent() {
    let (mut attack, mut bytes) = server_with_long_chain();
    let network = Rc::clone(&attack.engine.pipes.ends.net_out);
    network.borrow_mut().capacity = 30_000;
    let handshake_failure = [ALERT, 3, 3, 0, 2, 2, 40];
    bytes.extend(handshake_failure);
    attack.send(&bytes);
    assert!(!attack.engine.pump.is_failing());
    network.borrow_mut().broken = Some(Errno::EPIPE);
    attack.send(&[]);
    assert!(attack.engine.pump.is_failing());
    let (_, text) = attack.end();
    assert!(text.contains("handshake_failure"), "{text}");
}
