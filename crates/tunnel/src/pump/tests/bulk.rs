//! Buffers and pipes are large in a direction with a flow, else small.

use std::num::NonZeroUsize;

use super::*;
use crate::buffer::Buffer;

/// Two connected engines whose programs send this many bytes each.
fn flow(up: usize, down: usize) -> World {
    let mut scene = Scene::new(20);
    (scene.client.to_send, scene.server.to_send) = (up, down);
    scene.capacity = 1 << 20;
    let mut world = scene.world();
    world.shake_hands();
    world
}

use world::World;

/// The sizes of the programs' pipes: from the client's to the server's, and back.
fn sizes(world: &World) -> [[Size; 2]; 2] {
    let size = |engine: &Simulation, end| engine.pipes.sizes[end].unwrap_or(Size::Small);
    let (client, server) = (&world.client.engine, &world.server.engine);
    [
        [size(client, End::AppIn), size(server, End::AppOut)],
        [size(server, End::AppIn), size(client, End::AppOut)],
    ]
}

/// A program sends as much as there is space for, and the other one receives it.
fn pour(world: &mut World, from: Side) {
    while world.act(Speaker(from)) && world.party(from).engine.pipe(End::AppIn).space() > 0 {}
    world.only(&ENGINES);
    world.only(&[Hearer(from.other())]);
}

/// Keeps a program from sending or ending.
fn pause(world: &mut World, side: Side) {
    world.party(side).program.answers = true;
}

#[test]
fn only_the_direction_with_a_flow_grows() {
    let mut world = flow(4 << 20, 1000);
    let to_send = world.client.program.remaining();
    pause(&mut world, Server);
    pour(&mut world, Client);
    pour(&mut world, Client);
    assert_eq!(sizes(&world), [[Size::Large; 2], [Size::Small; 2]]);
    world.run();
    assert!(world.server.program.received == to_send);
    assert_eq!(world.codes(), [Some(0), Some(0)]);
}

#[test]
fn buffers_shrink_while_a_slow_reader_goes_on() {
    let mut world = flow(6 << 20, 1);
    let to_send = world.client.program.remaining();
    pause(&mut world, Server);
    pour(&mut world, Client);
    pour(&mut world, Client);
    assert_eq!(sizes(&world)[0], [Size::Large; 2]);
    // The reader stops, and buffers and pipes fill.
    world.server.engine.pipe(End::AppOut).capacity = 600_000;
    for actor in [Speaker(Client), Pumping(Client), Pumping(Server)] {
        world.only(&[actor]);
    }
    for _ in 0..3 {
        world.now += QUIET;
        world.only(&ENGINES);
        // A pipe does not shrink below its content.
        assert_eq!(sizes(&world)[0], [Size::Small, Size::Large]);
    }
    let buffers = &world.server.engine.pump.buffers;
    assert!(!buffers.plain.is_empty() && buffers.plain.capacity() > Size::Large.chunk());
    assert!(buffers.incoming.capacity() < Size::Large.chunk());
    // The reader goes on slowly.
    for _ in 0..60 {
        world.now += Duration::from_millis(50);
        let mut buf = [0; 60_000];
        let count = world.server.program.input.borrow_mut().read(&mut buf);
        let received = &buf[..count.unwrap_or(0)];
        world.server.program.received.extend(received);
        world.only(&ENGINES);
    }
    let buffers = &world.server.engine.pump.buffers;
    assert!(buffers.plain.capacity() < Size::Large.chunk());
    assert_eq!(sizes(&world), [[Size::Small; 2]; 2]);
    let buffers = &world.client.engine.pump.buffers;
    assert!(buffers.outgoing.capacity() < Size::Large.chunk());
    world.run();
    assert!(world.server.program.received == to_send);
}

#[test]
fn drained_pipe_shrinks_though_nothing_else_moves() {
    let mut world = flow(4 << 20, 1);
    pause(&mut world, Server);
    pour(&mut world, Client);
    pour(&mut world, Client);
    assert_eq!(sizes(&world)[0], [Size::Large; 2]);
    // The reader leaves the rest in the pipe.
    world.server.engine.pipe(End::AppOut).capacity = 4 << 20;
    world.client.program.to_send.truncate(300_000);
    while world.act(Speaker(Client)) && !world.client.program.to_send.is_empty() {}
    pause(&mut world, Client);
    world.only(&ENGINES);
    assert!(world.server.engine.pump.buffers.plain.is_empty());
    world.now += QUIET;
    world.only(&ENGINES);
    assert_eq!(sizes(&world)[0], [Size::Small, Size::Large]);
    world.server.engine.pipe(End::AppOut).bytes.clear();
    world.now += QUIET;
    world.only(&ENGINES);
    assert_eq!(sizes(&world)[0], [Size::Small; 2]);
    assert_eq!(world.server.engine.pump.deadline(), None);
}

/// A client after a flow whose network takes nothing any more, and all data of its
/// program.
fn blocked() -> (World, Vec<u8>) {
    let mut world = flow(6 << 20, 1);
    let to_send = world.client.program.remaining();
    pause(&mut world, Server);
    world.client.engine.pipe(End::AppIn).capacity = Size::Large.pipe();
    (0..8).for_each(|_| pour(&mut world, Client));
    while world.act(Speaker(Client)) || world.act(Pumping(Client)) {}
    assert_eq!(sizes(&world)[0][0], Size::Large);
    assert_eq!(world.client.engine.pipe(End::AppIn).space(), 0);
    world.now += QUIET;
    (world, to_send)
}

#[test]
fn flow_that_ends_before_a_ready_network_is_not_read_ahead() {
    let (mut world, to_send) = blocked();
    world.client.engine.pipe(End::NetOut).capacity += 4 << 20;
    world.run();
    assert!(world.server.program.received == to_send);
    assert_eq!(world.codes(), [Some(0), Some(0)]);
}

#[test]
fn full_pipe_before_a_blocked_network_is_read_ahead_and_shrinks() {
    let (mut world, to_send) = blocked();
    world.only(&[Pumping(Client)]);
    assert_eq!(sizes(&world)[0][0], Size::Small);
    let pump = &world.client.engine.pump;
    assert!(!pump.scratch.is_empty() && !pump.buffers.outgoing.is_empty());
    assert_eq!(pump.deadline(), None);
    world.run();
    assert!(world.server.program.received == to_send);
    assert_eq!(world.codes(), [Some(0), Some(0)]);
}

#[test]
fn buffers_and_pipes_shrink_a_second_after_the_flow() {
    let mut world = flow(4 << 20, 4 << 20);
    for side in [Client, Server, Client, Server] {
        pour(&mut world, side);
    }
    assert_eq!(sizes(&world), [[Size::Large; 2]; 2]);
    for side in Side::BOTH {
        world.party(side).program.to_send.clear();
        pause(&mut world, side);
    }
    let idles = world.client.engine.idles;
    world.now += QUIET;
    world.only(&ENGINES);
    assert_eq!(sizes(&world), [[Size::Small; 2]; 2]);
    for side in Side::BOTH {
        let pump = &world.party(side).engine.pump;
        assert!(pump.buffers.incoming.capacity() < Size::Large.chunk());
        assert!(pump.buffers.plain.capacity() < Size::Large.chunk());
        assert!(pump.buffers.outgoing.capacity() < Size::Large.chunk());
        assert_eq!(pump.scratch.capacity(), Size::Small.chunk());
        assert_eq!(pump.deadline(), None);
    }
    assert_eq!(world.client.engine.idles, idles + 1);
}

#[test]
fn data_read_ahead_are_sent_as_soon_as_the_network_takes_them() {
    let (mut world, _) = blocked();
    world.only(&[Pumping(Client)]);
    assert!(!world.client.engine.pump.scratch.is_empty());
    world.client.engine.pipe(End::NetOut).capacity += 4 << 20;
    world.only(&[Pumping(Client)]);
    let pump = &world.client.engine.pump;
    assert!(pump.scratch.is_empty() && pump.buffers.outgoing.is_empty());
}

#[test]
fn pipe_before_a_blocked_network_is_read_ahead_until_it_is_small() {
    let (mut world, mut to_send) = blocked();
    // The program has written more than is read ahead at once.
    let at_once = Size::Large.pipe() - Size::Small.pipe();
    let more = vec![7; at_once];
    let program = Rc::clone(&world.client.engine.pipes.ends.app_in);
    program.borrow_mut().bytes.extend(&more);
    let sent = to_send.len() - world.client.program.to_send.len();
    to_send.splice(sent..sent, more);
    for (ahead, size) in [(1, Size::Large), (2, Size::Small)] {
        world.only(&[Pumping(Client)]);
        assert_eq!(world.client.engine.pump.scratch.len(), ahead * at_once);
        assert_eq!(sizes(&world)[0][0], size, "{ahead}");
        world.now += QUIET;
    }
    world.run();
    assert!(world.server.program.received == to_send);
}

#[test]
fn full_pipe_before_an_idle_network_is_not_read_ahead() {
    let mut world = flow(4 << 20, 1);
    pause(&mut world, Server);
    pour(&mut world, Client);
    pour(&mut world, Client);
    assert_eq!(sizes(&world)[0][0], Size::Large);
    world.now += QUIET;
    // The program writes when the engine has found that nothing was ready.
    while world.act(Speaker(Client)) && world.client.engine.pipe(End::AppIn).space() > 0 {}
    let now = world.now;
    world.client.engine.start(now);
    assert!(world.client.engine.pump.scratch.is_empty());
    // Nothing that was read waits for the time to pass.
    world.only(&ENGINES);
    assert!(world.client.engine.pipe(End::AppIn).bytes.is_empty());
}

#[test]
fn buffer_does_not_grow_if_the_one_that_must_hold_its_content_cannot() {
    let size = |size| NonZeroUsize::new(size).unwrap();
    let [mut first, mut second] = [10, 10].map(|len| Buffer::new(size(len)).unwrap());
    let impossible = size(usize::MAX / 2);
    super::super::resize((&mut first, size(20)), (&mut second, impossible));
    assert_eq!([first.capacity(), second.capacity()], [10, 10]);
    super::super::resize((&mut first, size(20)), (&mut second, size(20)));
    assert_eq!([first.capacity(), second.capacity()], [20, 20]);
}
