//! Time limits.

use rustls::ContentType;
use rustls::version::TLS13;

use super::attacker::*;
use super::*;

#[test]
fn linger_after_the_program_has_gone_ends_in_time() {
    let scene = Scene::new(9);
    let mut world = scene.world();
    world.shake_hands();
    let started = world.now;
    world.server.program.to_send.clear();
    world.server.program.stop_hearing();
    world.only(&[Speaker(Server), Pumping(Server)]);
    // The client neither sends nor closes anything.
    while world.server.engine.outcome.is_none() {
        let deadline = world.server.engine.pump.deadline();
        let deadline = deadline.expect("no deadline");
        world.now = deadline;
        assert!(world.server.engine.step(world.now));
    }
    assert_eq!(world.server.engine.code(), Some(0));
    assert_eq!(world.now - started, Duration::from_secs(5));
}

#[test]
fn handshake_past_its_limit_times_out() {
    let mut scene = Scene::new(11);
    scene.server.rules.handshake = Some(Duration::from_millis(1234));
    let mut world = scene.world();
    let started = world.now;
    world.server.engine.start(world.now);
    let deadline = world.server.engine.pump.limit().unwrap();
    assert_eq!(deadline - started, Duration::from_millis(1234));
    // One byte just before does not move it.
    world.server.engine.pipe(End::NetIn).bytes.push_back(22);
    world.now = deadline - Duration::from_millis(1);
    world.act(Pumping(Server));
    assert_eq!(world.server.engine.pump.limit(), Some(deadline));
    world.now = deadline;
    world.act(Pumping(Server));
    assert_eq!(
        world.server.engine.outcome,
        Some(Outcome::handshake_timeout())
    );
}

#[test]
fn program_gone_in_the_handshake_ends_the_connection() {
    let mut world = Scene::new(18).world();
    world.server.engine.start(world.now);
    world.server.program.stop_hearing();
    world.act(Pumping(Server));
    assert_eq!(world.server.engine.outcome, None, "it may still write");
    world.server.program.stop_speaking();
    world.act(Pumping(Server));
    assert_eq!(world.server.engine.outcome, Some(Outcome::local_gone()));
}

#[test]
fn handshake_limit_ends_with_the_handshake() {
    let mut scene = Scene::new(12);
    scene.server.rules.handshake = Some(Duration::from_millis(1234));
    let mut world = scene.world();
    world.shake_hands();
    assert!(world.server.engine.established);
    assert_eq!(world.server.engine.pump.limit(), None);
}

#[test]
fn idle_connection_past_its_limit_ends() {
    let mut scene = Scene::new(13);
    scene.server.rules.idle = Some(Duration::from_millis(500));
    let mut world = scene.world();
    world.shake_hands();
    world.now += Duration::from_millis(499);
    assert!(!world.act(Pumping(Server)));
    world.now += Duration::from_millis(1);
    assert!(world.act(Pumping(Server)));
    assert_eq!(world.server.engine.code(), Some(98));
}

#[test]
fn data_read_before_the_handshake_survive_freeing_memory() {
    let mut attack = Attack::on_server();
    // A program that does not read any more is read during the handshake.
    attack.engine.pipe(End::AppOut).reader_gone = true;
    attack.engine.pipe(End::AppIn).bytes.extend(b"data");
    while attack.engine.step(attack.now) {}
    attack.engine.pump.release();
    let mut client = client(&TLS13);
    attack.carry(&mut client).unwrap();
    let mut received = [0; 4];
    std::io::Read::read_exact(&mut client.reader(), &mut received).unwrap();
    assert_eq!(&received, b"data");
}

#[test]
fn slow_reader_postpones_the_idle_limit() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pump.rules.idle = Some(Duration::from_millis(1000));
    let program = Rc::clone(&attack.engine.pipes.ends.app_out);
    program.borrow_mut().capacity = 100;
    let data = keys.seal(ContentType::ApplicationData, &[7; 2000]);
    attack.send(&data);
    for _ in 0..19 {
        attack.now += Duration::from_millis(300);
        program.borrow_mut().bytes.clear();
        attack.send(&[]);
        assert!(attack.engine.outcome.is_none());
    }
    assert_eq!(program.borrow().record.len(), 2000);
}

#[test]
fn bytes_without_data_do_not_postpone_the_idle_limit() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pump.rules.idle = Some(Duration::from_millis(1000));
        let step = Duration::from_millis(300);
        // Data postpone it.
        for _ in 0..10 {
            attack.now += step;
            attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
        }
        let last = attack.now;
        attack.now += step;
        attack.send(&keys.seal(ContentType::ApplicationData, b""));
        let record = keys.seal(ContentType::ApplicationData, b"never whole");
        for byte in record {
            attack.now += step;
            attack.send(&[byte]);
            if attack.engine.outcome.is_some() {
                break;
            }
        }
        assert!(attack.now - last <= Duration::from_millis(1200));
        assert_eq!(attack.end().1, "connection idle for too long");
    }
}

/// Our side after a failure, when it reads on so that its alert is not lost.
fn failed() -> Attack {
    let mut attack = Attack::on_server();
    let record_too_long = [23, 3, 3, 255, 255];
    attack.send(&record_too_long);
    assert_eq!(attack.engine.outcome, None);
    attack
}

#[test]
fn linger_after_a_failure_discards_a_mebibyte_at_most() {
    let mut attack = failed();
    for _ in 0..15 {
        attack.send(&[0; 1 << 16]);
        assert_eq!(attack.engine.outcome, None);
    }
    // No time has passed.
    attack.send(&[0; 1 << 16]);
    assert!(attack.engine.outcome.is_some());
    attack.fails(EndReason::HandshakeFailed);
}

#[test]
fn linger_after_a_failure_waits_a_second_for_each_byte_and_three_in_all() {
    let mut attack = failed();
    let start = attack.now;
    for (millis, limit) in [(0, 1000), (900, 1900), (1800, 2800), (2700, 3000)] {
        attack.now = start + Duration::from_millis(millis);
        attack.send(&[0]);
        let at = attack.engine.pump.limit().unwrap() - start;
        assert_eq!(at, Duration::from_millis(limit));
    }
    attack.fails(EndReason::HandshakeFailed);
    assert_eq!(attack.now - start, Duration::from_secs(3));
}

#[test]
fn idle_end_sends_a_close_notify() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pump.rules.idle = Some(Duration::from_millis(1000));
        assert_eq!(attack.end().1, "connection idle for too long");
        let close_notify = (ContentType::Alert, vec![1, 0]);
        assert_eq!(keys.open_all(&attack.answer()), [close_notify]);
    }
}

#[test]
fn data_to_a_slow_peer_postpone_the_idle_limit_and_a_close_notify_does_not() {
    let (mut attack, _) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pump.rules.idle = Some(Duration::from_millis(1000));
    attack.engine.pump.rules.notify = true;
    let network = Rc::clone(&attack.engine.pipes.ends.net_out);
    attack.engine.pipe(End::AppIn).bytes.extend([7; 2000]);
    attack.engine.pipe(End::AppIn).ended = true;
    let take = |attack: &mut Attack, count| {
        attack.now += Duration::from_millis(300);
        network.borrow_mut().bytes.clear();
        network.borrow_mut().capacity = count;
        attack.send(&[]);
        network.borrow_mut().bytes.clear();
        network.borrow_mut().capacity = 0;
    };
    // A record of 2000 bytes in TLS 1.3, a hundred each time.
    for _ in 0..20 {
        take(&mut attack, 100);
        assert!(attack.engine.outcome.is_none());
    }
    take(&mut attack, 2000 + 5 + 1 + 16 - 20 * 100);
    let last = attack.now;
    while attack.engine.outcome.is_none() {
        take(&mut attack, 1);
    }
    assert!(attack.now - last <= Duration::from_millis(1200));
    assert_eq!(attack.end().1, "connection idle for too long");
}
