//! How a connection ends, and which alerts each side sends.

use super::*;

#[test]
fn close_notify_is_sent_if_configured_or_to_answer_one() {
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
        let ends = &world.client.engine.pipes.ends;
        assert_eq!(
            [&ends.net_out, &ends.net_in].map(last_record),
            sent,
            "{client} {server}"
        );
    }
}

#[test]
fn end_without_close_notify_is_an_error_only_if_enforced() {
    let mut scene = Scene::new(4);
    scene.client.rules.enforce = true;
    (scene.client.to_send, scene.server.to_send) = (10, 50_000);
    let mut world = scene.world();
    let to_send = world.server.program.remaining();
    world.run();
    assert_eq!(world.codes(), [Some(98), Some(0)]);
    assert!(
        world.client.program.received == to_send,
        "data before the end are lost"
    );
}

/// A peer that closes before it has read our close_notify resets the connection.
#[test]
fn reset_after_all_is_sent_is_an_error_only_if_the_program_reads_or_the_end_is_enforced() {
    for (reads, enforce, code) in [(false, false, 0), (true, false, 111), (false, true, 111)] {
        let mut scene = Scene::new(4);
        (scene.client.to_send, scene.server.to_send) = (0, 100);
        scene.server.rules.notify = true;
        scene.server.rules.enforce = enforce;
        let mut world = scene.world();
        world.shake_hands();
        world.only(&[Speaker(Server), Pumping(Server)]);
        let server = &mut world.server;
        assert!(server.engine.pipe(End::NetOut).ended, "not all is sent");
        if !reads {
            server.program.stop_hearing();
        }
        server.engine.pipe(End::NetIn).broken = Some(Errno::ECONNRESET);
        world.act(Pumping(Server));
        assert_eq!(world.server.engine.code(), Some(code), "{reads} {enforce}");
    }
}

#[test]
fn stream_cut_at_any_byte_delivers_whole_records() {
    let mut scene = Scene::new(5);
    (scene.client.to_send, scene.server.to_send) = (0, 300);
    let mut whole = scene.world();
    whole.run();
    let total = whole.client.engine.pipe(End::NetIn).record.len();
    let to_send = whole.client.program.received.clone();
    let mut tried = 0;
    for cut in 0..total {
        let mut world = scene.world();
        let down = Rc::clone(&world.client.engine.pipes.ends.net_in);
        // The network carries `cut` bytes and then ends.
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
        let received = &world.client.program.received;
        assert!(to_send.starts_with(received), "cut at {cut}");
        assert!(
            received.is_empty() || *received == to_send,
            "half a record, cut at {cut}"
        );
    }
    // The record of data at least.
    assert!(tried > 300, "only {tried} cuts");
}

#[test]
fn handshake_cut_at_any_byte_fails() {
    let mut tried = 0;
    for cut in 0..1200 {
        let scene = Scene::new(6);
        let mut world = scene.world();
        let down = Rc::clone(&world.client.engine.pipes.ends.net_in);
        world.client.engine.start(world.now);
        world.server.engine.start(world.now);
        world.act(Pumping(Server));
        if down.borrow().record.len() <= cut {
            break;
        }
        down.borrow_mut().bytes.truncate(cut);
        down.borrow_mut().ended = true;
        world.only(&[Pumping(Client)]);
        let outcome = world.client.engine.outcome.as_ref();
        let outcome = outcome.map(|outcome| (outcome.code(), outcome.reason));
        assert_eq!(outcome, Some((98, EndReason::Left)), "cut at {cut}");
        assert!(!world.client.engine.established);
        tried += 1;
    }
    // A ServerHello and a certificate at least.
    assert!(tried > 500, "only {tried} cuts");
}

#[test]
fn bad_record_is_answered_by_an_alert_and_data_before_it_delivered() {
    let mut scene = Scene::new(7);
    (scene.client.to_send, scene.server.to_send) = (0, 16384 * 3);
    let mut world = scene.world();
    let to_send = world.server.program.remaining();
    world.shake_hands();
    while !world.server.program.to_send.is_empty() {
        world.only(&[Pumping(Server)]);
        world.act(Speaker(Server));
    }
    world.only(&[Pumping(Server)]);
    let down = Rc::clone(&world.client.engine.pipes.ends.net_in);
    {
        let mut pipe = down.borrow_mut();
        let last = pipe.bytes.len() - 1;
        pipe.bytes[last] ^= 1;
    }
    // The server does not end before it receives the alert.
    world.server.program.answers = true;
    world.run();
    assert_eq!(world.codes(), [Some(98), Some(98)]);
    let received = &world.client.program.received;
    assert!(
        received.len() < to_send.len() && to_send.starts_with(received) && !received.is_empty()
    );
    let error = format!("{:?}", world.server.engine.outcome);
    assert!(error.contains("bad_record_mac"), "{error}");
}

#[test]
fn a_failure_waits_until_the_program_has_read_what_came_before_it() {
    let mut scene = Scene::new(8);
    (scene.client.to_send, scene.server.to_send) = (0, 10_000);
    let mut world = scene.world();
    let to_send = world.server.program.remaining();
    world.shake_hands();
    world.client.engine.pipe(End::AppOut).capacity = 1000;
    world.only(&[Pumping(Server), Speaker(Server)]);
    let invalid = [&[23, 3, 3, 0, 20][..], &[0; 20]].concat();
    world.client.engine.pipe(End::NetIn).bytes.extend(invalid);
    world.only(&[Pumping(Client)]);
    assert_eq!(world.client.engine.code(), None);
    world.run();
    assert_eq!(world.client.engine.code(), Some(98));
    assert!(world.client.program.received == to_send);
}

#[test]
fn failed_write_to_the_network_loses_no_received_data() {
    let mut scene = Scene::new(10);
    (scene.client.to_send, scene.server.to_send) = (100_000, 5000);
    let mut world = scene.world();
    world.shake_hands();
    let to_send = world.server.program.remaining();
    world.only(&[Speaker(Server), Pumping(Server)]);
    // The server answers and goes before the client writes.
    world.server.engine.pipe(End::NetIn).reader_gone = true;
    world.server.engine.pipe(End::NetOut).ended = true;
    world.only(&[Speaker(Client), Pumping(Client), Hearer(Client)]);
    assert_eq!(world.client.engine.code(), Some(111));
    assert!(world.client.program.received == to_send);
}

#[test]
fn unencrypted_close_notify_fails_the_handshake() {
    let scene = Scene::new(14);
    let mut world = scene.world();
    world.server.engine.start(world.now);
    let alert = [21, 3, 3, 0, 2, 1, 0];
    world.server.engine.pipe(End::NetIn).bytes.extend(alert);
    world.act(Pumping(Server));
    world.server.engine.pipe(End::NetIn).ended = true;
    world.only(&[Pumping(Server)]);
    let outcome = world.server.engine.outcome.as_ref();
    let outcome = outcome.map(|outcome| (outcome.code(), outcome.reason));
    assert_eq!(outcome, Some((98, EndReason::Left)));
}

#[test]
fn plaintext_is_answered_by_an_alert() {
    let scene = Scene::new(15);
    let mut world = scene.world();
    world.server.engine.start(world.now);
    let up = Rc::clone(&world.server.engine.pipes.ends.net_in);
    up.borrow_mut().bytes.extend(b"GET / HTTP/1.0\r\n\r\n");
    world.act(Pumping(Server));
    up.borrow_mut().ended = true;
    world.only(&[Pumping(Server)]);
    assert_eq!(world.server.engine.code(), Some(98));
    let down = world.server.engine.pipe(End::NetOut);
    assert!(
        matches!(down.record[..], [21, 3, _, 0, 2, 2, _]),
        "{:?}",
        down.record
    );
}
