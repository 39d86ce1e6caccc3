//! Our close_notify and the peer's.

use rustls::{ContentType, ProtocolVersion};

use super::attacker::*;
use super::*;

const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// A server that is to send a close_notify, before a network that has space for `room` bytes.
fn notifying(version: Version, room: usize) -> (Attack, Keys) {
    let (mut attack, keys) = met(Attack::on_server(), client(version));
    attack.engine.pump.rules.notify = true;
    attack.answer();
    let network = Rc::clone(&attack.engine.pipes.ends.net_out);
    let mut network = network.borrow_mut();
    network.capacity = network.bytes.len() + room;
    (attack, keys)
}

#[test]
fn loss_of_nothing_but_our_close_notify_is_no_failure() {
    for version in BOTH {
        for room in [0, 10] {
            let (mut attack, mut keys) = notifying(version, room);
            attack.engine.pipe(End::AppIn).ended = true;
            attack.send(&[]);
            assert_eq!(attack.answer().len(), room);
            attack.send(&keys.seal(ContentType::ApplicationData, b"more"));
            attack.engine.pipe(End::NetOut).broken = Some(Errno::EPIPE);
            attack.send(&keys.seal(ContentType::ApplicationData, b" data"));
            attack.send(&keys.seal(ContentType::Alert, &CLOSE_NOTIFY));
            assert_eq!(attack.engine.outcome, Some(Outcome::closed()));
            assert_eq!(attack.engine.pipe(End::AppOut).record, b"more data");
        }
    }
}

#[test]
fn close_notify_is_sent_once_though_the_network_is_slow() {
    for version in BOTH {
        let (mut attack, mut keys) = notifying(version, 0);
        attack.engine.pipe(End::AppIn).ended = true;
        for _ in 0..100 {
            attack.engine.pipe(End::NetOut).capacity += 1;
            attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
        }
        let close_notify = (ContentType::Alert, CLOSE_NOTIFY.to_vec());
        assert_eq!(keys.open_all(&attack.answer()), [close_notify]);
    }
}

#[test]
fn connection_ends_with_both_close_notifies_though_the_network_stays_open() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.send(&keys.seal(ContentType::Alert, &CLOSE_NOTIFY));
        assert!(attack.engine.pipe(End::AppOut).ended);
        assert_eq!(attack.engine.outcome, None);
        attack.engine.pipe(End::AppIn).ended = true;
        attack.send(&[]);
        assert_eq!(attack.engine.outcome, Some(Outcome::closed()));
        let close_notify = (ContentType::Alert, CLOSE_NOTIFY.to_vec());
        assert_eq!(keys.open_all(&attack.answer()), [close_notify]);
    }
}

#[test]
fn bytes_behind_a_close_notify_are_neither_delivered_nor_kept() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        let mut bytes = keys.seal(ContentType::Alert, &CLOSE_NOTIFY);
        bytes.extend(keys.seal(ContentType::ApplicationData, b"never"));
        attack.send(&bytes);
        assert!(attack.engine.pump.buffers.incoming.is_empty());
        let program = attack.engine.pipe(End::AppOut);
        assert!(program.ended && program.record.is_empty());
        assert_eq!(attack.engine.outcome, None);
    }
}

#[test]
fn bytes_behind_an_alert_that_answers_our_end_are_not_a_cut_record() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pipe(End::AppIn).ended = true;
        attack.send(&[]);
        let mut bytes = keys.seal(ContentType::Alert, &[2, 50]);
        bytes.extend([23, 3, 3, 0, 100]);
        attack.send(&bytes);
        assert_eq!(attack.engine.outcome, Some(Outcome::closed()));
    }
}

#[test]
fn end_as_idle_is_announced_by_a_close_notify_whatever_the_rules_are() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pump.rules.idle = Some(Duration::from_millis(500));
        attack.fails(EndReason::Idle);
        let close_notify = (ContentType::Alert, CLOSE_NOTIFY.to_vec());
        assert_eq!(keys.open_all(&attack.answer()), [close_notify]);
    }
}

#[test]
fn end_without_the_program_sends_a_close_notify_and_needs_none() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pump.rules.enforce = true;
        let Simulation { pump, pipes, .. } = &mut attack.engine;
        pump.end_without_program(pipes);
        assert!(attack.engine.pipe(End::AppIn).reader_gone);
        assert!(attack.engine.pipe(End::AppOut).ended);
        let now = attack.now;
        attack.engine.start(now);
        let close_notify = (ContentType::Alert, CLOSE_NOTIFY.to_vec());
        assert_eq!(keys.open_all(&attack.answer()), [close_notify]);
        attack.engine.pipe(End::NetIn).ended = true;
        attack.send(&[]);
        assert_eq!(attack.engine.outcome, Some(Outcome::closed()));
    }
}

#[test]
fn nothing_follows_our_close_notify_while_the_network_is_slow() {
    for version in BOTH {
        let (mut attack, mut keys) = notifying(version, 0);
        attack.engine.pipe(End::AppIn).ended = true;
        attack.send(&[]);
        if version.version == ProtocolVersion::TLSv1_2 {
            // A renegotiation, which rustls answers with a warning.
            let hello = attack.hello[5..].to_vec();
            attack.send(&keys.seal(ContentType::Handshake, &hello));
        } else {
            const UPDATE_REQUESTED: [u8; 5] = [24, 0, 0, 1, 1];
            attack.send(&keys.seal(ContentType::Handshake, &UPDATE_REQUESTED));
        }
        attack.send(&[&[23, 3, 3, 0, 20][..], &[0; 20]].concat());
        attack.engine.pipe(End::NetOut).capacity += 1000;
        attack.send(&[]);
        let close_notify = (ContentType::Alert, CLOSE_NOTIFY.to_vec());
        assert_eq!(
            keys.open_all(&attack.answer()),
            [close_notify],
            "{version:?}"
        );
    }
}
