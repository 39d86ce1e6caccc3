//! How many records without data a peer may send.

use rustls::ContentType;
use rustls::version::{TLS12, TLS13};

use super::attacker::*;
use super::*;

#[test]
fn empty_records_are_accepted_up_to_a_limit() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        for _ in 0..10 {
            attack.send(&keys.flood(20, ContentType::ApplicationData, b""));
            attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
        }
        assert_eq!(attack.engine.outcome, None);
        let program = attack.engine.pipe(End::AppOut);
        assert_eq!(program.record, [b'x'; 10]);
        drop(program);
        attack.send(&keys.flood(1000, ContentType::ApplicationData, b""));
        attack.cut_off(&mut keys, EndReason::Flood);
    }
}

#[test]
fn data_before_a_flood_are_delivered() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    let mut bytes = keys.seal(ContentType::ApplicationData, b"good");
    bytes.extend(keys.flood(1000, ContentType::ApplicationData, b""));
    attack.send(&bytes);
    attack.cut_off(&mut keys, EndReason::Flood);
    let program = attack.engine.pipe(End::AppOut);
    assert_eq!(program.record, b"good");
}

#[test]
fn warning_alerts_are_accepted_up_to_a_limit() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS12));
    let no_certificate = [1, 41];
    attack.send(&keys.flood(4, ContentType::Alert, &no_certificate));
    assert_eq!(attack.engine.outcome, None);
    attack.send(&keys.flood(100, ContentType::Alert, &no_certificate));
    attack.cut_off(&mut keys, EndReason::Flood);
    // The only warning alert of TLS 1.3.
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.send(&keys.flood(100, ContentType::Alert, &[1, 90]));
    attack.cut_off(&mut keys, EndReason::Flood);
}

#[test]
fn change_cipher_spec_after_the_handshake_is_refused() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.send(&[20, 3, 3, 0, 1, 1].repeat(100));
        attack.cut_off(&mut keys, EndReason::ProtocolError);
    }
}

#[test]
fn change_cipher_specs_in_the_handshake_are_limited() {
    let mut attack = Attack::on_server();
    let mut connection = client(&TLS13);
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    attack.send(&hello);
    attack.send(&[20, 3, 3, 0, 1, 1].repeat(100));
    attack.fails(EndReason::HandshakeFailed);
    let mut answer = &attack.answer()[..];
    connection.read_tls(&mut answer).unwrap();
    let error = connection.process_new_packets().unwrap_err();
    assert!(
        matches!(error, rustls::Error::AlertReceived(_)),
        "{error:?}"
    );
}

#[test]
fn renegotiation_is_refused_once_and_then_cut_off() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS12));
    let hello = attack.hello[5..].to_vec();
    attack.send(&keys.seal(ContentType::Handshake, &hello));
    let no_renegotiation = [(ContentType::Alert, vec![1, 100])];
    assert_eq!(keys.open_all(&attack.answer()), no_renegotiation);
    attack.send(&keys.flood(100, ContentType::Handshake, &hello));
    attack.cut_off(&mut keys, EndReason::Flood);
    // A server asks with HelloRequests, one or many in a record.
    for pieces in [[100, 1], [1, 100]] {
        let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS12));
        let request = [0, 0, 0, 0];
        attack.send(&keys.seal(ContentType::Handshake, &request));
        assert_eq!(keys.open_all(&attack.answer()), no_renegotiation);
        let requests = request.repeat(pieces[1]);
        attack.send(&keys.flood(pieces[0], ContentType::Handshake, &requests));
        attack.cut_off(&mut keys, EndReason::Flood);
    }
}

#[test]
fn key_updates_are_accepted_up_to_a_limit() {
    for (mut attack, mut connection) in [
        (Attack::on_server(), client(&TLS13)),
        (Attack::on_client(), server(&TLS13)),
    ] {
        attack.carry(&mut connection).unwrap();
        for _ in 0..4 {
            for _ in 0..20 {
                connection.refresh_traffic_keys().unwrap();
            }
            std::io::Write::write_all(&mut connection.writer(), b"x").unwrap();
            attack.carry(&mut connection).unwrap();
        }
        assert_eq!(attack.engine.outcome, None);
        for _ in 0..100 {
            connection.refresh_traffic_keys().unwrap();
        }
        let error = attack.carry(&mut connection).unwrap_err();
        assert!(
            matches!(error, rustls::Error::AlertReceived(_)),
            "{error:?}"
        );
        attack.fails(EndReason::Flood);
    }
}

/// A NewSessionTicket (RFC 8446 section 4.6.1).
fn ticket(size: u16) -> Vec<u8> {
    let length = u32::from(size) + 4 + 4 + 1 + 2 + 2;
    let mut message = vec![4];
    message.extend(&length.to_be_bytes()[1..]);
    message.extend([0, 0, 0, 9, 0, 0, 0, 0, 0]);
    message.extend(size.to_be_bytes());
    message.resize(message.len() + usize::from(size), 7);
    message.extend([0, 0]);
    message
}

#[test]
fn tickets_are_accepted_up_to_a_limit() {
    let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS13));
    attack.send(&keys.flood(30, ContentType::Handshake, &ticket(2000)));
    attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
    attack.send(&keys.flood(60, ContentType::Handshake, &ticket(2000)));
    assert_eq!(attack.engine.outcome, None);
    attack.send(&keys.flood(200, ContentType::Handshake, &ticket(2000)));
    attack.cut_off(&mut keys, EndReason::Flood);
}

#[test]
fn longest_message_after_the_handshake_may_come_in_many_records() {
    let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS13));
    let longest = ticket(u16::MAX - 13);
    for piece in longest.chunks(1000) {
        attack.send(&keys.seal(ContentType::Handshake, piece));
    }
    let pieces = longest.chunks(500);
    let records: Vec<u8> = pieces
        .flat_map(|piece| keys.seal(ContentType::Handshake, piece))
        .collect();
    assert!(records.len() > Size::Small.records());
    attack.send(&records);
    attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
    assert_eq!(attack.engine.outcome, None);
    assert_eq!(attack.engine.pipe(End::AppOut).record, b"x");
}

#[test]
fn message_in_too_many_records_is_refused() {
    let mut attack = Attack::on_server();
    // It claims 60000 bytes, which is within the limit.
    let mut hello = vec![22, 3, 1, 0, 4, 1, 0, 0xea, 0x60];
    hello.extend([22, 3, 3, 0, 1, 0].repeat(20_000));
    attack.send(&hello);
    let (code, text) = attack.end();
    assert_eq!((code, attack.answer()), (98, vec![21, 3, 3, 0, 2, 2, 50]));
    assert!(text.contains("in too many pieces"), "{text}");
}

#[test]
fn message_longer_than_64_kib_is_refused() {
    let mut attack = Attack::on_server();
    attack.send(&[22, 3, 1, 0, 4, 1, 1, 0, 0]);
    attack.fails(EndReason::HandshakeFailed);
    assert_eq!(attack.answer(), [21, 3, 3, 0, 2, 2, 50]);
}
