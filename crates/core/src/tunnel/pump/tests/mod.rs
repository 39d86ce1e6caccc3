//! What the tunnel promises, with engines in memory: see [`simulator`].

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use unix::Errno;

use super::Rules;
use crate::ending::{Ending, Word};
use crate::tunnel::ends::{End, PerEnd};
use crate::tunnel::flow::{QUIET, Size};
use crate::tunnel::session::Session;
use crate::tunnel::simulator::{Engine, Fault, Line, Stream};
use crate::{client, server};
use Actor::{Engine as Pumping, Hearer, Speaker};
use Side::{Client, Server};
use world::{Actor, ENGINES, Random, Scene, Side};

mod abuse;
mod bulk;
mod faults;
mod world;

const KEY: &[u8] = include_bytes!("../../../testdata/key.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../../testdata/certificate.pem");

/// Runs a scene in which nothing is lost: both programs hear all that the
/// other has said.
fn nothing_is_lost(scene: &Scene) {
    let mut world = scene.world();
    let said = Side::BOTH.map(|side| (side, world.party(side).program.words()));
    world.run();
    let seed = scene.seed;
    for (side, said) in said {
        let engine = &world.party(side).engine;
        let ending = engine.ending.as_ref();
        assert_eq!(ending, Some(&Ending::closed()), "seed {seed}: {side:?}");
        let sent = engine.pump.meter().sent;
        assert_eq!(sent, said.len() as u64, "seed {seed}: {side:?}");
        let other = world.party(side.other());
        let received = other.engine.pump.meter().received;
        assert_eq!(received, said.len() as u64, "seed {seed}: {side:?}");
        let heard = &other.program.hears;
        assert!(*heard == said, "seed {seed}: what {side:?} said is lost");
    }
}

#[test]
fn everything_arrives_whatever_the_order() {
    for seed in 0..60 {
        let mut random = Random::new(seed * 77 + 1);
        let close_notify = random.pick(&[false, true]);
        let mut scene = Scene::new(seed);
        scene.client.rules.notify = close_notify;
        scene.server.rules.notify = random.pick(&[false, true]) || close_notify;
        scene.client.rules.enforce = scene.server.rules.notify;
        scene.server.rules.enforce = scene.client.rules.notify;
        scene.client.says = random.pick(&[0, 1, 16384, 16385, 150_000]);
        scene.server.says = random.pick(&[0, 5, 65536, 100_000]);
        let answers = [[false, false], [true, false], [false, true]];
        [scene.client.answers, scene.server.answers] = random.pick(&answers);
        scene.capacity = random.pick(&[1, 100, 4096, 65536]);
        scene.piece = random.pick(&[1000, 16389, usize::MAX]);
        if scene.capacity == 1 {
            scene.client.says = scene.client.says.min(2000);
            scene.server.says = scene.server.says.min(2000);
        }
        nothing_is_lost(&scene);
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let mut scene = Scene::new(1);
    scene.piece = 1;
    (scene.client.says, scene.server.says) = (17_000, 5_000);
    nothing_is_lost(&scene);
}

#[test]
fn the_closing_alert_is_sent_only_if_asked_for_or_to_answer_one() {
    let last_record = |stream: &Stream| {
        let record = stream.borrow().record.clone();
        let mut rest = &record[..];
        let mut last = 0;
        while let [_, _, _, high, low, ..] = rest {
            last = usize::from(u16::from_be_bytes([*high, *low]));
            rest = &rest[5 + last..];
        }
        // An alert in TLS 1.3: two bytes, the content type, the tag.
        last == 2 + 1 + 16
    };
    for (client, server, sent) in [
        (false, false, [false, false]),
        (true, false, [true, true]),
        (true, true, [true, true]),
    ] {
        let mut scene = Scene::new(3);
        scene.client.rules.notify = client;
        scene.server.rules.notify = server;
        scene.server.answers = true;
        let mut world = scene.world();
        world.run();
        assert_eq!(world.codes(), [Some(0), Some(0)]);
        let ends = &world.client.engine.lines.ends;
        assert_eq!(
            [&ends.net_out, &ends.net_in].map(last_record),
            sent,
            "{client} {server}"
        );
    }
}

#[test]
fn an_end_without_close_notify_is_an_error_only_under_enforcement() {
    let mut scene = Scene::new(4);
    scene.client.rules.enforce = true;
    (scene.client.says, scene.server.says) = (10, 50_000);
    let mut world = scene.world();
    let said = world.server.program.words();
    world.run();
    assert_eq!(world.codes(), [Some(98), Some(0)]);
    assert!(
        world.client.program.hears == said,
        "all of it was there before the end"
    );
}

#[test]
fn a_stream_cut_at_any_byte_gives_whole_records_and_the_right_code() {
    let mut scene = Scene::new(5);
    (scene.client.says, scene.server.says) = (0, 300);
    let mut whole = scene.world();
    whole.run();
    let total = whole.client.engine.line(End::NetIn).record.len();
    let said = whole.client.program.hears.clone();
    let mut tried = 0;
    for cut in 0..total {
        let mut world = scene.world();
        let down = Rc::clone(&world.client.engine.lines.ends.net_in);
        // The network carries so many bytes and then ends.
        down.borrow_mut().capacity = usize::MAX;
        world.shake_hands();
        world.only(&[Speaker(Server), Pumping(Server)]);
        {
            let mut pipe = down.borrow_mut();
            let taken = pipe.record.len() - pipe.bytes.len();
            if cut < taken {
                // The handshake has been read in one piece: nothing to cut.
                continue;
            }
            pipe.bytes.truncate(cut - taken);
            pipe.ended = true;
            tried += 1;
        }
        world.only(&[Pumping(Client), Speaker(Client), Hearer(Client)]);
        let code = world.client.engine.code();
        assert!(matches!(code, Some(0 | 98)), "cut at {cut}: {code:?}");
        let heard = &world.client.program.hears;
        assert!(said.starts_with(heard), "cut at {cut}");
        assert!(
            heard.is_empty() || *heard == said,
            "half a record, cut at {cut}"
        );
    }
    // The record of data at least.
    assert!(tried > 300, "only {tried} cuts");
}

#[test]
fn a_handshake_cut_short_is_a_failure() {
    let mut tried = 0;
    for cut in 0..1200 {
        let scene = Scene::new(6);
        let mut world = scene.world();
        let down = Rc::clone(&world.client.engine.lines.ends.net_in);
        world.client.engine.start(world.now);
        world.server.engine.start(world.now);
        world.act(Pumping(Server));
        if down.borrow().record.len() <= cut {
            break;
        }
        down.borrow_mut().bytes.truncate(cut);
        down.borrow_mut().ended = true;
        world.only(&[Pumping(Client)]);
        assert_eq!(world.client.engine.code(), Some(98), "cut at {cut}");
        assert!(!world.client.engine.established);
        tried += 1;
    }
    // A ServerHello and a certificate at least.
    assert!(tried > 500, "only {tried} cuts");
}

#[test]
fn a_bad_record_ends_it_with_an_alert_after_what_was_good() {
    let mut scene = Scene::new(7);
    (scene.client.says, scene.server.says) = (0, 16384 * 3);
    let mut world = scene.world();
    let said = world.server.program.words();
    world.shake_hands();
    while !world.server.program.says.is_empty() {
        world.only(&[Pumping(Server)]);
        world.act(Speaker(Server));
    }
    world.only(&[Pumping(Server)]);
    let down = Rc::clone(&world.client.engine.lines.ends.net_in);
    {
        let mut pipe = down.borrow_mut();
        let last = pipe.bytes.len() - 1;
        pipe.bytes[last] ^= 1;
    }
    // It does not end before it hears of that.
    world.server.program.answers = true;
    world.run();
    assert_eq!(world.codes(), [Some(98), Some(98)]);
    let heard = &world.client.program.hears;
    assert!(heard.len() < said.len() && said.starts_with(heard) && !heard.is_empty());
    let error = format!("{:?}", world.server.engine.ending);
    assert!(error.contains("bad_record_mac"), "{error}");
}

#[test]
fn a_program_that_does_not_read_still_says_everything() {
    let mut scene = Scene::new(8);
    (scene.client.says, scene.server.says) = (200_000, 150_000);
    let mut world = scene.world();
    let said = world.server.program.words();
    world.server.program.stop_hearing();
    world.run();
    assert_eq!(world.codes(), [Some(0), Some(0)]);
    assert!(world.client.program.hears == said);
}

#[test]
fn a_peer_that_stays_after_the_program_has_gone_is_left_in_time() {
    let scene = Scene::new(9);
    let mut world = scene.world();
    world.shake_hands();
    let started = world.now;
    world.server.program.says.clear();
    world.server.program.stop_hearing();
    world.only(&[Speaker(Server), Pumping(Server)]);
    // The client says nothing and closes nothing.
    while world.server.engine.ending.is_none() {
        let deadline = world.server.engine.pump.deadline();
        let deadline = deadline.expect("it would stay for ever");
        world.now = deadline;
        assert!(world.server.engine.turn(world.now));
    }
    assert_eq!(world.server.engine.code(), Some(0));
    assert_eq!(world.now - started, Duration::from_secs(5));
}

#[test]
fn a_write_that_fails_does_not_lose_what_was_received() {
    let mut scene = Scene::new(10);
    (scene.client.says, scene.server.says) = (100_000, 5000);
    let mut world = scene.world();
    world.shake_hands();
    let said = world.server.program.words();
    world.only(&[Speaker(Server), Pumping(Server)]);
    // The server has answered and is gone before the client has written.
    world.server.engine.line(End::NetIn).reader_gone = true;
    world.server.engine.line(End::NetOut).ended = true;
    world.only(&[Speaker(Client), Pumping(Client), Hearer(Client)]);
    assert_eq!(world.client.engine.code(), Some(111));
    assert!(world.client.program.hears == said);
}

#[test]
fn the_handshake_has_its_limit() {
    let mut scene = Scene::new(11);
    scene.server.rules.handshake = Some(Duration::from_millis(1234));
    let mut world = scene.world();
    let started = world.now;
    world.server.engine.start(world.now);
    let deadline = world.server.engine.pump.limit().unwrap();
    assert_eq!(deadline - started, Duration::from_millis(1234));
    // One byte just before does not move it.
    world.server.engine.line(End::NetIn).bytes.push_back(22);
    world.now = deadline - Duration::from_millis(1);
    world.act(Pumping(Server));
    assert_eq!(world.server.engine.pump.limit(), Some(deadline));
    world.now = deadline;
    world.act(Pumping(Server));
    assert_eq!(
        world.server.engine.ending,
        Some(Ending::handshake_timeout())
    );
}

#[test]
fn a_program_that_has_gone_ends_the_handshake() {
    let mut world = Scene::new(18).world();
    world.server.engine.start(world.now);
    world.server.program.stop_hearing();
    world.act(Pumping(Server));
    assert_eq!(world.server.engine.ending, None, "it may still write");
    world.server.program.stop_speaking();
    world.act(Pumping(Server));
    assert_eq!(world.server.engine.ending, Some(Ending::local_gone()));
}

#[test]
fn what_a_program_that_has_gone_had_to_say_arrives() {
    for say in [1, 200_000] {
        let mut scene = Scene::new(19);
        (scene.client.says, scene.server.says) = (0, say);
        let mut world = scene.world();
        let said = world.server.program.words();
        world.server.program.stop_hearing();
        world.only(&[Speaker(Server), Pumping(Server)]);
        world.run();
        assert_eq!(world.codes(), [Some(0), Some(0)]);
        assert!(world.client.program.hears == said);
    }
}

#[test]
fn the_handshake_limit_stops_with_the_handshake() {
    let mut scene = Scene::new(12);
    scene.server.rules.handshake = Some(Duration::from_millis(1234));
    let mut world = scene.world();
    world.shake_hands();
    assert!(world.server.engine.established);
    assert_eq!(world.server.engine.pump.limit(), None);
}

#[test]
fn an_idle_connection_has_its_limit() {
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
fn a_close_notify_that_nothing_protects_is_a_failed_handshake() {
    let scene = Scene::new(14);
    let mut world = scene.world();
    world.server.engine.start(world.now);
    let alert = [21, 3, 3, 0, 2, 1, 0];
    world.server.engine.line(End::NetIn).bytes.extend(alert);
    world.act(Pumping(Server));
    world.server.engine.line(End::NetIn).ended = true;
    world.only(&[Pumping(Server)]);
    assert_eq!(world.server.engine.code(), Some(98));
}

#[test]
fn plaintext_is_answered_by_an_alert() {
    let scene = Scene::new(15);
    let mut world = scene.world();
    world.server.engine.start(world.now);
    let up = Rc::clone(&world.server.engine.lines.ends.net_in);
    up.borrow_mut().bytes.extend(b"GET / HTTP/1.0\r\n\r\n");
    world.act(Pumping(Server));
    up.borrow_mut().ended = true;
    world.only(&[Pumping(Server)]);
    assert_eq!(world.server.engine.code(), Some(98));
    let down = world.server.engine.line(End::NetOut);
    assert!(
        matches!(down.record[..], [21, 3, _, 0, 2, 2, _]),
        "{:?}",
        down.record
    );
}

#[test]
fn nobody_turns_in_vain_while_nothing_moves() {
    let mut scene = Scene::new(16);
    (scene.client.says, scene.server.says) = (500_000, 500_000);
    scene.capacity = 4096;
    let mut world = scene.world();
    world.shake_hands();
    // Both programs write, and neither reads.
    world.only(&[Speaker(Client), Speaker(Server)]);
    world.only(&[Speaker(Client), Speaker(Server), ENGINES[0], ENGINES[1]]);
    assert!(!world.client.engine.turn(world.now));
    assert!(!world.server.engine.turn(world.now));
    assert_eq!(world.codes(), [None, None]);
    // And now they do.
    world.run();
    assert_eq!(world.codes(), [Some(0), Some(0)]);
}
