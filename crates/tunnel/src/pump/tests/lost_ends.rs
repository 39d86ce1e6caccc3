//! Ends that cannot be read or written any more.

use rustls::ContentType;
use rustls::version::TLS13;

use super::attacker::*;
use super::*;

#[test]
fn program_whose_data_cannot_be_sent_is_not_read_and_still_reads() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pipe(End::NetOut).broken = Some(Errno::EPIPE);
    attack.engine.pipe(End::AppIn).bytes.extend(b"lost");
    attack.send(&[]);
    assert!(attack.engine.pipe(End::AppIn).reader_gone);
    attack.send(&keys.seal(ContentType::ApplicationData, b"data"));
    assert_eq!(attack.engine.pipe(End::AppOut).record, b"data");
    assert_eq!(attack.engine.outcome, None);
    // It ends at once when the program does not read any more.
    attack.engine.pipe(End::AppOut).reader_gone = true;
    attack.send(&[]);
    assert_eq!(attack.engine.code(), Some(111));
}

#[test]
fn nothing_is_sent_after_a_write_that_failed() {
    for at in 0..100 {
        let (mut attack, _) = met(Attack::on_server(), client(&TLS13));
        attack.engine.pump.rules.notify = true;
        attack.answer();
        attack.engine.pipes.faults.plan = Some((at, Fault::Error(Errno::ENOMEM)));
        {
            let mut program = attack.engine.pipe(End::AppIn);
            program.bytes.extend(b"lost");
            program.ended = true;
        }
        attack.send(&[]);
        if attack.engine.pipes.faults.hit == Some(End::NetOut) {
            assert!(attack.engine.pipe(End::NetOut).ended);
            assert_eq!(attack.answer(), b"");
            return;
        }
    }
    panic!("no write has failed");
}

#[test]
fn reset_before_all_is_sent_is_an_error_though_the_program_does_not_read() {
    let (mut attack, _) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pipe(End::AppOut).reader_gone = true;
    attack.send(&[]);
    attack.engine.pipe(End::NetIn).broken = Some(Errno::ECONNRESET);
    attack.send(&[]);
    let outcome = attack.engine.outcome.expect("no end");
    assert_eq!((outcome.code(), outcome.reason), (111, EndReason::Reset));
}

#[test]
fn alert_of_the_peer_explains_more_than_a_write_that_failed_in_the_handshake() {
    let mut attack = Attack::on_server();
    attack.engine.pipe(End::NetOut).broken = Some(Errno::EPIPE);
    let mut hello = Vec::new();
    client(&TLS13).write_tls(&mut hello).unwrap();
    attack.send(&hello);
    assert!(attack.engine.pipe(End::NetOut).ended);
    assert_eq!(attack.engine.outcome, None);
    attack.send(&[21, 3, 3, 0, 2, 2, 40]);
    let (_, text) = attack.end();
    assert!(text.contains("handshake_failure"), "{text}");
    attack.fails(EndReason::HandshakeFailed);
}

#[test]
fn input_of_the_program_that_cannot_be_written_is_a_failure_unless_the_program_has_gone() {
    for (errno, code) in [(Errno::EPIPE, 0), (Errno::ECONNRESET, 0), (Errno::EIO, 111)] {
        let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
        attack.engine.pipe(End::AppOut).broken = Some(errno);
        attack.send(&keys.seal(ContentType::ApplicationData, b"lost"));
        assert!(attack.engine.pipe(End::AppOut).ended);
        // The rest is read and discarded, and the program still sends.
        attack.send(&keys.seal(ContentType::ApplicationData, b"discarded"));
        assert!(attack.engine.pipe(End::NetIn).bytes.is_empty());
        attack.answer();
        attack.engine.pipe(End::AppIn).bytes.extend(b"data");
        attack.engine.pipe(End::AppIn).ended = true;
        attack.send(&[]);
        let data = (ContentType::ApplicationData, b"data".to_vec());
        assert_eq!(keys.open_all(&attack.answer()), [data]);
        assert_eq!(attack.end().0, code, "{errno}");
    }
}

#[test]
fn output_of_the_program_that_cannot_be_read_is_a_failure_once_the_peer_has_ended() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pipe(End::AppIn).broken = Some(Errno::EIO);
    attack.send(&[]);
    assert!(attack.engine.pipe(End::AppIn).reader_gone);
    assert_eq!(attack.engine.outcome, None);
    attack.send(&keys.seal(ContentType::ApplicationData, b"data"));
    attack.engine.pipe(End::NetIn).ended = true;
    attack.send(&[]);
    assert_eq!(attack.engine.pipe(End::AppOut).record, b"data");
    assert_eq!(attack.engine.code(), Some(111));
}
