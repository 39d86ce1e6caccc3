//! Alerts and records that are out of place, and the alerts that answer them.

use rustls::ContentType;
use rustls::version::{TLS12, TLS13};

use super::attacker::*;
use super::*;
use crate::handshake_facts::HandshakeAbort;

/// Two records with the beginning of a ClientHello of 1024 bytes. The content of
/// the second looks like a record itself.
fn hello_in_pieces() -> Vec<Vec<u8>> {
    let begin = [&[1, 0, 4, 0, 3, 3][..], &[0; 32]].concat();
    vec![piece(&begin), piece(&[CLOSE_NOTIFY, &[0; 50]].concat())]
}

const CLOSE_NOTIFY: &[u8] = &[21, 3, 3, 0, 2, 1, 0];

fn piece(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[22, 3, 1], &length[..], body].concat()
}

#[test]
fn alert_bytes_inside_a_fragmented_message_are_no_alert() {
    let rest = piece(&[0; 1024]);
    let third = piece(&[0; 20]);
    let many = vec![
        piece(CLOSE_NOTIFY),
        piece(&CLOSE_NOTIFY.repeat(3)),
        rest.clone(),
    ];
    let bytes = rest.iter().map(|byte| vec![*byte]).collect();
    for more in [
        vec![third.clone(), rest.clone()],
        vec![third, piece(&[9; 20]), rest],
        many,
        bytes,
    ] {
        let mut attack = Attack::on_server();
        for part in hello_in_pieces().iter().chain(&more) {
            attack.send(part);
        }
        let (code, text) = attack.end();
        assert_eq!(code, 98);
        assert!(!text.contains("close_notify"), "{text}");
        assert_eq!(attack.answer()[..6], [21, 3, 3, 0, 2, 2]);
    }
}

#[test]
fn alert_after_fragments_of_a_message_counts() {
    for bytewise in [false, true] {
        let mut attack = Attack::on_server();
        hello_in_pieces().iter().for_each(|part| attack.send(part));
        let sizes = if bytewise { 1 } else { CLOSE_NOTIFY.len() };
        CLOSE_NOTIFY
            .chunks(sizes)
            .for_each(|part| attack.send(part));
        let (code, text) = attack.end();
        assert_eq!(code, 98);
        assert!(text.contains("close_notify"), "{text}");
    }
}

#[test]
fn violation_after_our_close_notify_fails_without_alert() {
    for version in BOTH {
        for bad in [false, true] {
            let (mut attack, mut keys) = met(Attack::on_server(), client(version));
            attack.engine.pump.rules.notify = true;
            attack.engine.pipe(End::AppIn).ended = true;
            attack.send(&[]);
            let close_notify = (ContentType::Alert, vec![1, 0]);
            assert_eq!(keys.open_all(&attack.answer()), [close_notify]);
            let violation = if bad {
                [&[23, 3, 3, 0, 100][..], &[7; 100]].concat()
            } else {
                keys.flood(100, ContentType::ApplicationData, b"")
            };
            attack.send(&violation);
            let (code, text) = attack.end();
            assert_eq!(code, 98, "{text}");
            assert_eq!(attack.answer(), b"", "something after the end");
        }
    }
}

#[test]
fn fatal_alert_after_our_end_without_close_notify_ends_the_stream() {
    const DECODE_ERROR: [u8; 2] = [2, 50];
    for version in BOTH {
        for (notify, enforce, code) in [
            (false, false, 0),
            (false, true, 98),
            (true, false, 98),
            (true, true, 98),
        ] {
            let (mut attack, mut keys) = met(Attack::on_server(), client(version));
            attack.engine.pump.rules.notify = notify;
            attack.engine.pump.rules.enforce = enforce;
            attack.send(&keys.seal(ContentType::ApplicationData, b"good"));
            attack.engine.pipe(End::AppIn).ended = true;
            attack.send(&[]);
            attack.send(&keys.seal(ContentType::Alert, &DECODE_ERROR));
            let (ended, text) = attack.end();
            assert_eq!(ended, code, "{notify} {enforce} {text}");
            let why = if notify {
                "decode_error"
            } else {
                "without a close_notify"
            };
            assert!(code == 0 || text.contains(why), "{text}");
            let program = attack.engine.pipe(End::AppOut);
            assert!(program.ended && program.record == b"good");
        }
    }
    // Before our end it is a failure.
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.send(&keys.seal(ContentType::Alert, &DECODE_ERROR));
    assert_eq!(attack.end().0, 98);
}

/// In TLS 1.3 a client may end before the server has verified its certificate.
#[test]
fn certificate_alert_after_our_end_is_a_failure() {
    for (alert, name) in [
        (42, "bad_certificate"),
        (43, "unsupported_certificate"),
        (44, "certificate_revoked"),
        (45, "certificate_expired"),
        (46, "certificate_unknown"),
        (48, "unknown_ca"),
        (49, "access_denied"),
        (51, "decrypt_error"),
        (116, "certificate_required"),
    ] {
        let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS13));
        attack.engine.pipe(End::AppIn).ended = true;
        attack.send(&[]);
        attack.send(&keys.seal(ContentType::Alert, &[2, alert]));
        let (code, text) = attack.end();
        assert_eq!(code, 98, "{name}");
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn empty_handshake_record_after_the_handshake_is_refused() {
    for version in BOTH {
        for (attack, connection) in [
            (Attack::on_server(), client(version)),
            (Attack::on_client(), server(version)),
        ] {
            let (mut attack, mut keys) = met(attack, connection);
            let mut bytes = keys.seal(ContentType::ApplicationData, b"good");
            bytes.extend(keys.seal(ContentType::Handshake, b""));
            bytes.extend(keys.seal(ContentType::ApplicationData, b"never"));
            attack.send(&bytes);
            let program = attack.engine.pipe(End::AppOut);
            assert_eq!(program.record, b"good");
            drop(program);
            let (code, text) = attack.end();
            assert_eq!(code, 98, "{text}");
            assert!(text.contains("unexpected message"), "{text}");
            let last = keys.open_all(&attack.answer()).pop();
            assert_eq!(last, Some((ContentType::Alert, vec![2, 10])));
        }
    }
}

#[test]
fn empty_handshake_record_in_the_handshake_is_refused() {
    let empty = [22, 3, 3, 0, 0];
    for mut attack in [Attack::on_server(), Attack::on_client()] {
        attack.answer();
        attack.send(&empty);
        let (code, text) = attack.end();
        assert_eq!((code, attack.answer()), (98, vec![21, 3, 3, 0, 2, 2, 10]));
        assert!(text.contains("unexpected message"), "{text}");
    }
    // Also between the pieces of a message, one byte at a time.
    let mut attack = Attack::on_server();
    hello_in_pieces().iter().for_each(|part| attack.send(part));
    empty.iter().for_each(|byte| attack.send(&[*byte]));
    let (code, text) = attack.end();
    assert_eq!(code, 98);
    assert!(text.contains("unexpected message"), "{text}");
}

#[test]
fn alert_for_a_flood_is_encrypted() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.send(&keys.flood(1000, ContentType::ApplicationData, b""));
        attack.fails(EndReason::Flood);
        let last = keys.open_all(&attack.answer()).pop();
        assert_eq!(last, Some((ContentType::Alert, vec![2, 10])));
    }
}

#[test]
fn close_notify_does_not_follow_a_fatal_alert() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pump.rules.notify = true;
        attack.send(&keys.flood(1000, ContentType::ApplicationData, b""));
        attack.cut_off(&mut keys, EndReason::Flood);
    }
}

#[test]
fn alert_in_the_handshake_counts_more_than_a_failed_write_before_it() {
    let mut attack = Attack::on_server();
    attack.engine.pipe(End::NetOut).reader_gone = true;
    let mut hello = Vec::new();
    client(&TLS12).write_tls(&mut hello).unwrap();
    attack.send(&hello);
    assert_eq!(attack.engine.outcome, None);
    attack.send(&[21, 3, 3, 0, 2, 2, 40]);
    let (code, text) = attack.end();
    assert_eq!(code, 98);
    assert!(text.contains("handshake_failure"), "{text}");
}

const HTTP: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const HEARTBEAT: &[u8] = &[24, 3, 3, 0, 3, 1, 0, 0];

#[test]
fn peer_that_does_not_begin_with_a_record_does_not_speak_tls() {
    for bytes in [HTTP, HEARTBEAT, b"220 ready\r\n", &[22, 2, 0]] {
        for mut attack in [Attack::on_server(), Attack::on_client()] {
            attack.answer();
            attack.send(bytes);
            attack.fails(EndReason::Plaintext);
            let text = attack.end().1;
            assert_eq!(text, "handshake failed: remote does not speak TLS");
            assert_eq!(attack.answer(), [21, 3, 3, 0, 2, 2, 10]);
        }
    }
}

#[test]
fn unknown_kind_of_record_in_the_handshake_is_unexpected_message() {
    for bytes in [HTTP, HEARTBEAT] {
        for version in BOTH {
            let (mut attack, mut client) = (Attack::on_server(), client(version));
            let mut hello = Vec::new();
            client.write_tls(&mut hello).unwrap();
            attack.send(&[&hello, bytes].concat());
            attack.fails(EndReason::HandshakeFailed);
            let text = attack.end().1;
            assert!(text.ends_with(": unexpected kind of record"), "{text}");
            let answer = attack.answer();
            client.read_tls(&mut &answer[..]).unwrap();
            let alert = rustls::AlertDescription::UnexpectedMessage;
            let received = client.process_new_packets().map(|_| ());
            assert_eq!(received, Err(rustls::Error::AlertReceived(alert)));
        }
        let mut attack = Attack::on_server();
        attack.send(&[&hello_in_pieces()[0], bytes].concat());
        attack.fails(EndReason::HandshakeFailed);
    }
}

#[test]
fn record_with_a_bad_header_after_the_handshake_gets_its_alert_after_the_data_before_it() {
    for (bytes, alert, why) in [
        (HTTP, 10, "unexpected kind of record"),
        (HEARTBEAT, 10, "unexpected kind of record"),
        (&[23, 2, 0, 0, 1], 70, "record of another version"),
        (&[23, 3, 3, 0x48, 0], 22, "an oversized record"),
        (&[22, 3, 3, 255, 255], 22, "an oversized record"),
    ] {
        for version in BOTH {
            for bytewise in [false, true] {
                let (mut attack, mut keys) = met(Attack::on_server(), client(version));
                attack.answer();
                let mut sent = keys.flood(3, ContentType::ApplicationData, b"good");
                sent.extend(bytes);
                let sizes = if bytewise { 1 } else { sent.len() };
                sent.chunks(sizes).for_each(|part| attack.send(part));
                attack.fails(EndReason::ProtocolError);
                let text = attack.end().1;
                assert!(text.ends_with(why), "{text}");
                let answer = keys.open_all(&attack.answer());
                assert_eq!(answer, [(ContentType::Alert, vec![2, alert])]);
                assert_eq!(attack.engine.pipe(End::AppOut).record, b"goodgoodgood");
            }
        }
    }
}

#[test]
fn record_with_a_bad_header_behind_finished_is_refused_at_once() {
    for (bytes, alert) in [(HTTP, 10), (&[22, 3, 3, 255, 255], 22)] {
        for version in BOTH {
            let (mut attack, mut client) = (Attack::on_server(), client(version));
            while attack.engine.outcome.is_none() {
                let mut sent = Vec::new();
                client.write_tls(&mut sent).unwrap();
                if !attack.hello.is_empty() {
                    sent.extend(bytes);
                }
                attack.hello.push(0);
                attack.send(&sent);
                let answer = attack.answer();
                client.read_tls(&mut &answer[..]).unwrap();
                let received = client.process_new_packets().map(|_| ());
                if attack.engine.outcome.is_some() {
                    let alert = rustls::Error::AlertReceived(alert.into());
                    assert_eq!(received, Err(alert), "{version:?}");
                }
            }
            attack.fails(EndReason::ProtocolError);
        }
    }
}

#[test]
fn the_rest_of_a_record_that_is_not_too_long_is_waited_for() {
    for version in BOTH {
        let (mut attack, _keys) = met(Attack::on_server(), client(version));
        attack.answer();
        attack.send(&[23, 3, 3, 0x47, 0xff]);
        assert_eq!(attack.answer(), b"");
    }
}

/// In the handshake none may be as long as an encrypted one.
#[test]
fn handshake_record_behind_finished_is_judged_as_one_after_the_handshake() {
    let (mut attack, mut server) = (Attack::on_client(), server(&TLS12));
    let mut last = Vec::new();
    while server.is_handshaking() {
        attack.send(&std::mem::take(&mut last));
        server.read_tls(&mut &attack.answer()[..]).unwrap();
        server.process_new_packets().unwrap();
        while server.wants_write() {
            server.write_tls(&mut last).unwrap();
        }
    }
    let mut keys = keys(server);
    let hello_requests = keys.seal(ContentType::Handshake, &[0; 1 << 14]);
    attack.send(&[last, hello_requests].concat());
    attack.cut_off(&mut keys, EndReason::Flood);
}

#[test]
fn record_of_tls13_with_unknown_content_is_unexpected_message() {
    for typ in [0, 19, 24, 99] {
        let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
        attack.send(&keys.seal(ContentType::from(typ), b"x"));
        attack.fails(EndReason::ProtocolError);
        let last = keys.open_all(&attack.answer()).pop();
        assert_eq!(last, Some((ContentType::Alert, vec![2, 10])), "{typ}");
    }
}

#[test]
fn record_too_long_is_record_overflow() {
    for header in [
        [22, 3, 1, 0x40, 1],
        [22, 3, 1, 255, 255],
        [23, 3, 3, 255, 255],
    ] {
        let mut attack = Attack::on_server();
        attack.send(&header);
        attack.fails(EndReason::HandshakeFailed);
        assert_eq!(attack.answer(), [21, 3, 3, 0, 2, 2, 22]);
    }
}

#[test]
fn server_hello_with_another_session_id_is_refused() {
    for altered in [false, true] {
        let mut attack = Attack::on_client();
        let mut connection = server(&TLS13);
        connection.read_tls(&mut &attack.answer()[..]).unwrap();
        connection.process_new_packets().unwrap();
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).unwrap();
        // Behind the header, the version and the random, with its length.
        assert_eq!(hello[43], 32);
        hello[50] ^= u8::from(altered);
        attack.send(&hello);
        if !altered {
            assert_eq!(attack.engine.outcome, None);
            continue;
        }
        let (code, text) = attack.end();
        assert_eq!(code, 98);
        assert!(
            text.ends_with("ServerHello with another session id"),
            "{text}"
        );
        assert_eq!(attack.answer(), [21, 3, 3, 0, 2, 2, 47]);
    }
}

#[test]
fn fatal_alert_is_not_answered() {
    let handshake_failure = [21, 3, 3, 0, 2, 2, 40];
    for mut attack in [Attack::on_server(), Attack::on_client()] {
        attack.answer();
        attack.send(&handshake_failure);
        attack.fails(EndReason::HandshakeFailed);
        assert_eq!(attack.answer(), b"");
    }
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.answer();
        // What the program says in the same moment is not taken.
        attack.engine.pipe(End::AppIn).bytes.extend(b"late");
        attack.send(&keys.seal(ContentType::Alert, &[2, 50]));
        attack.fails(EndReason::ProtocolError);
        assert_eq!(attack.answer(), b"");
        assert_eq!(attack.engine.pipe(End::AppIn).bytes, b"late");
    }
}

#[test]
fn handshake_aborted_by_its_time_limit_ends_without_alert_and_by_others_with_one() {
    let internal_error = vec![21, 3, 3, 0, 2, 2, 80];
    for (reason, outcome, alert) in [
        (
            HandshakeAbort::TimedOut,
            Outcome::handshake_timeout(),
            Vec::new(),
        ),
        (
            HandshakeAbort::GuardGone,
            Outcome::guard_gone(),
            internal_error,
        ),
    ] {
        let mut attack = Attack::on_server();
        attack.engine.pump.abort(reason);
        attack.send(&hello_in_pieces()[0]);
        attack.end();
        assert_eq!(attack.engine.outcome, Some(outcome));
        assert_eq!(attack.answer(), alert);
    }
}
