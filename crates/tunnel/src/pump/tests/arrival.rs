//! Every byte arrives, whichever side ends first.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::version::TLS13;

use super::attacker::*;
use super::*;
use crate::endpoints::Ready;
use crate::pump::Step;

/// Asserts that both programs receive all that the other one has sent.
fn nothing_is_lost(scene: &Scene) {
    let mut world = scene.world();
    let all = Side::BOTH.map(|side| (side, world.party(side).program.remaining()));
    world.run();
    let seed = scene.seed;
    for (side, data) in all {
        let engine = &world.party(side).engine;
        let outcome = engine.outcome.as_ref();
        assert_eq!(outcome, Some(&Outcome::closed()), "seed {seed}: {side:?}");
        let sent = engine.pump.counters().sent;
        assert_eq!(sent, data.len() as u64, "seed {seed}: {side:?}");
        let other = world.party(side.other());
        let received = other.engine.pump.counters().received;
        assert_eq!(received, data.len() as u64, "seed {seed}: {side:?}");
        let complete = other.program.received == data;
        assert!(complete, "seed {seed}: data of {side:?} are lost");
    }
}

#[test]
fn data_arrive_in_any_order_of_events() {
    for seed in 0..60 {
        let mut random = Random::new(seed * 77 + 1);
        let close_notify = random.pick(&[false, true]);
        let mut scene = Scene::new(seed);
        scene.client.rules.notify = close_notify;
        scene.server.rules.notify = random.pick(&[false, true]) || close_notify;
        scene.client.rules.enforce = scene.server.rules.notify;
        scene.server.rules.enforce = scene.client.rules.notify;
        scene.client.to_send = random.pick(&[0, 1, 16384, 16385, 150_000]);
        scene.server.to_send = random.pick(&[0, 5, 65536, 100_000]);
        let answers = [[false, false], [true, false], [false, true]];
        [scene.client.answers, scene.server.answers] = random.pick(&answers);
        scene.capacity = random.pick(&[1, 100, 4096, 65536]);
        scene.piece = random.pick(&[1000, 16389, usize::MAX]);
        if scene.capacity == 1 {
            scene.client.to_send = scene.client.to_send.min(2000);
            scene.server.to_send = scene.server.to_send.min(2000);
        }
        nothing_is_lost(&scene);
    }
}

#[test]
fn data_arrive_one_byte_at_a_time() {
    let mut scene = Scene::new(1);
    scene.piece = 1;
    (scene.client.to_send, scene.server.to_send) = (17_000, 5_000);
    nothing_is_lost(&scene);
}

#[test]
fn data_of_a_program_that_does_not_read_arrive() {
    let mut scene = Scene::new(8);
    (scene.client.to_send, scene.server.to_send) = (200_000, 150_000);
    let mut world = scene.world();
    let to_send = world.server.program.remaining();
    world.server.program.stop_hearing();
    world.run();
    assert_eq!(world.codes(), [Some(0), Some(0)]);
    assert!(world.client.program.received == to_send);
}

#[test]
fn data_of_a_program_that_has_gone_arrive() {
    for say in [1, 200_000] {
        let mut scene = Scene::new(19);
        (scene.client.to_send, scene.server.to_send) = (0, say);
        let mut world = scene.world();
        let to_send = world.server.program.remaining();
        world.server.program.stop_hearing();
        world.only(&[Speaker(Server), Pumping(Server)]);
        world.run();
        assert_eq!(world.codes(), [Some(0), Some(0)]);
        assert!(world.client.program.received == to_send);
    }
}

#[test]
fn engines_take_no_steps_while_nothing_moves() {
    let mut scene = Scene::new(16);
    (scene.client.to_send, scene.server.to_send) = (500_000, 500_000);
    scene.capacity = 4096;
    let mut world = scene.world();
    world.shake_hands();
    // Both programs write, and neither reads.
    world.only(&[Speaker(Client), Speaker(Server)]);
    world.only(&[Speaker(Client), Speaker(Server), ENGINES[0], ENGINES[1]]);
    assert!(!world.client.engine.step(world.now));
    assert!(!world.server.engine.step(world.now));
    assert_eq!(world.codes(), [None, None]);
    // Now they read.
    world.run();
    assert_eq!(world.codes(), [Some(0), Some(0)]);
}

/// The peer need not wait until the program is started.
#[test]
fn last_flight_is_sent_before_the_program_is_told_of_the_handshake() {
    let mut attack = Attack::on_client();
    let mut server = server(&TLS13);
    server.read_tls(&mut &attack.answer()[..]).unwrap();
    server.process_new_packets().unwrap();
    let mut flight = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut flight).unwrap();
    }
    attack.engine.pipe(End::NetIn).bytes.extend(flight);
    let Simulation { pump, pipes, .. } = &mut attack.engine;
    let ready = PerEnd {
        net_in: Some(Ready::Usable),
        ..PerEnd::default()
    };
    assert_eq!(pump.step(pipes, ready, attack.now), Step::Established);
    server.read_tls(&mut &attack.answer()[..]).unwrap();
    server.process_new_packets().unwrap();
    assert!(!server.is_handshaking());
}

#[test]
fn first_step_reads_nothing() {
    const HANDSHAKE: u8 = 22;
    for (session, sent) in [
        (testing::client_session(), Some(&HANDSHAKE)),
        (testing::server_session(), None),
    ] {
        let ends = PerEnd::from_fn(|_| Pipe::stream(65536, usize::MAX));
        for end in [End::NetIn, End::AppIn] {
            ends[end].borrow_mut().bytes.extend([0; 100]);
        }
        let now = Instant::now();
        let mut engine = Simulation::new(session, Rules::default(), ends, now);
        engine.start(now);
        assert_eq!(engine.pipe(End::NetOut).record.first(), sent);
        for end in [End::NetIn, End::AppIn] {
            assert_eq!(engine.pipe(end).bytes.len(), 100, "{end:?}");
        }
    }
}

/// A server whose first messages have more than 95,000 bytes, which is more than the pump
/// holds: its chain, and the names of those that it trusts.
fn server_that_says_much() -> Session {
    let (facts, provider) = testing::facts_and_provider();
    let one = testing::chain().remove(0);
    let chain = vec![one.clone(); 45_000 / one.len()];
    let mut verifier = testing::Verifier::any();
    verifier.authorities = vec![vec![0; 1000].into(); 50];
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(chain, testing::private_key())
        .unwrap();
    testing::server_session_of(config, facts, true)
}

#[test]
fn long_first_messages_of_a_server_are_sent_in_parts_if_the_network_is_slow() {
    let mut scene = Scene::new(9);
    scene.capacity = 1000;
    let mut world = scene.world();
    let all = Side::BOTH.map(|side| world.party(side).program.remaining());
    let engine = &mut world.server.engine;
    let ends = PerEnd::from_fn(|end| Rc::clone(&engine.pipes.ends[end]));
    *engine = Simulation::new(server_that_says_much(), Rules::default(), ends, world.now);
    world.run();
    assert_eq!(world.codes(), [Some(0), Some(0)]);
    assert!(world.server.program.received == all[0] && world.client.program.received == all[1]);
    let sent = world.server.engine.pipe(End::NetOut).record.len();
    assert!(sent > 95_000, "{sent}");
}
