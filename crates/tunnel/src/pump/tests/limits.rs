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

/// The idle limit of the next tests.
const IDLE: Duration = Duration::from_millis(1000);

/// A server with that limit, which has been idle for 900 ms.
fn idle_for_a_while() -> (Attack, Keys) {
    let (mut attack, keys) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pump.rules.idle = Some(IDLE);
    attack.now += Duration::from_millis(900);
    (attack, keys)
}

#[test]
fn idle_limit_begins_with_the_end_of_the_handshake() {
    let mut attack = Attack::on_server();
    attack.engine.pump.rules.idle = Some(IDLE);
    let mut client = client(&TLS13);
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    attack.send(&hello);
    attack.now += Duration::from_millis(900);
    attack.carry(&mut client).unwrap();
    assert!(attack.engine.established);
    assert_eq!(attack.engine.pump.limit(), Some(attack.now + IDLE));
}

#[test]
fn data_that_one_side_does_not_take_yet_postpone_the_idle_limit() {
    let (mut attack, mut keys) = idle_for_a_while();
    attack.engine.pipe(End::AppOut).capacity = 0;
    attack.send(&keys.seal(ContentType::ApplicationData, b"data"));
    assert_eq!(attack.engine.pump.limit(), Some(attack.now + IDLE));
    let (mut attack, _) = idle_for_a_while();
    let network = Rc::clone(&attack.engine.pipes.ends.net_out);
    let taken = network.borrow().bytes.len();
    network.borrow_mut().capacity = taken;
    attack.engine.pipe(End::AppIn).bytes.extend(b"data");
    attack.send(&[]);
    assert_eq!(attack.engine.pump.limit(), Some(attack.now + IDLE));
    // The network takes one byte after another.
    for _ in 0..10 {
        attack.now += Duration::from_millis(900);
        network.borrow_mut().capacity += 1;
        attack.send(&[]);
        assert_eq!(attack.engine.pump.limit(), Some(attack.now + IDLE));
    }
}

#[test]
fn our_close_notify_does_not_postpone_the_idle_limit() {
    let (mut attack, _) = idle_for_a_while();
    let limit = attack.engine.pump.limit();
    attack.answer();
    attack.engine.pump.rules.notify = true;
    attack.engine.pipe(End::AppIn).ended = true;
    attack.send(&[]);
    assert!(!attack.answer().is_empty());
    assert_eq!(attack.engine.pump.limit(), limit);
}
