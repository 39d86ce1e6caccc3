//! What is still read from the network at the end, and for how long.

use rustls::ContentType;
use rustls::version::TLS13;

use super::attacker::*;
use super::*;
use crate::session::SPARE;

/// A server that has failed.
fn failed() -> Attack {
    let (mut attack, _) = met(Attack::on_server(), client(&TLS13));
    attack.send(&[&[23, 3, 3, 0, 20][..], &[0; 20]].concat());
    assert_eq!(attack.engine.outcome, None);
    attack
}

/// A server that has sent everything, and whose program has gone.
fn unread(enforce: bool) -> (Attack, Keys) {
    let (mut attack, keys) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pump.rules.enforce = enforce;
    program_goes(&mut attack);
    assert_eq!(attack.engine.outcome, None);
    (attack, keys)
}

fn program_goes(attack: &mut Attack) {
    attack.engine.pipe(End::AppIn).ended = true;
    attack.engine.pipe(End::AppOut).reader_gone = true;
    attack.send(&[]);
}

#[test]
fn failed_engine_reads_for_a_silent_second_or_three_seconds_in_all() {
    let mut attack = failed();
    let failed_at = attack.now;
    attack.fails(EndReason::ProtocolError);
    assert_eq!(attack.now - failed_at, Duration::from_secs(1));
    let mut attack = failed();
    let failed_at = attack.now;
    for _ in 0..3 {
        attack.now += Duration::from_millis(900);
        attack.send(b"x");
    }
    attack.fails(EndReason::ProtocolError);
    assert_eq!(attack.now - failed_at, Duration::from_secs(3));
}

#[test]
fn failed_engine_reads_a_mebibyte_at_most() {
    let mut attack = failed();
    attack.send(&vec![0; (1 << 20) - 1]);
    assert_eq!(attack.engine.outcome, None);
    attack.send(&[0]);
    assert_eq!(attack.engine.code(), Some(98));
}

#[test]
fn engine_whose_program_has_gone_reads_for_thirty_seconds_while_the_peer_sends() {
    for enforce in [false, true] {
        let (mut attack, mut keys) = unread(enforce);
        let closed_at = attack.now;
        for _ in 0..7 {
            attack.now += Duration::from_secs(4);
            attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
            assert_eq!(attack.engine.outcome, None);
        }
        attack.end();
        assert_eq!(attack.now - closed_at, Duration::from_secs(30), "{enforce}");
    }
}

#[test]
fn lingering_engine_reads_records_only_if_the_end_is_enforced() {
    for enforce in [false, true] {
        // The end of the stream is an error without a close_notify.
        let (mut attack, _) = unread(enforce);
        attack.engine.pipe(End::NetIn).ended = true;
        attack.send(&[]);
        let code = if enforce { 98 } else { 0 };
        assert_eq!(attack.engine.code(), Some(code));
        // So is a bad record.
        let (mut attack, _) = unread(enforce);
        attack.send(&[&[23, 3, 3, 0, 20][..], &[0; 20]].concat());
        assert_eq!(attack.end().0, code);
    }
    let (mut attack, mut keys) = unread(true);
    attack.send(&keys.seal(ContentType::Alert, &[1, 0]));
    assert_eq!(attack.engine.outcome, Some(Outcome::closed()));
}

#[test]
fn lingering_engine_discards_what_follows_a_message_that_has_filled_its_buffer() {
    let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS13));
    // A NewSessionTicket of 60000 bytes, of which one byte is in each record.
    let mut bytes = keys.seal(ContentType::Handshake, &[4, 0, 0xea, 0x60]);
    let full = attack.engine.pump.buffers.incoming.capacity() - SPARE;
    while bytes.len() < full {
        bytes.extend(keys.seal(ContentType::Handshake, &[0]));
    }
    attack.send(&bytes[..full]);
    assert_eq!(attack.engine.pump.buffers.incoming.len(), full);
    program_goes(&mut attack);
    attack.send(&bytes[full..]);
    attack.send(b"and more");
    assert_eq!(attack.end().0, 0);
}
