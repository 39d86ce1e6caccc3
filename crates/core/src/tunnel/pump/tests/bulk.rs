//! A direction in which data flow is large, and no other.

use super::*;

/// A scene that is fast, and moves as much as this up and down.
fn flow(up: usize, down: usize) -> World {
    let mut scene = Scene::new(20);
    (scene.client.says, scene.server.says) = (up, down);
    scene.capacity = 1 << 20;
    let mut world = scene.world();
    world.shake_hands();
    world
}

use world::World;

/// The sizes of the pipes to and from the programs: those from the client's,
/// to the server's, and the other way round.
fn sizes(world: &World) -> [[Size; 2]; 2] {
    let size = |engine: &Engine, end| engine.lines.sizes[end].unwrap_or(Size::Small);
    let (client, server) = (&world.client.engine, &world.server.engine);
    [
        [size(client, End::AppIn), size(server, End::AppOut)],
        [size(server, End::AppIn), size(client, End::AppOut)],
    ]
}

/// A program says as much as there is space for, and all of it is carried to
/// the other one.
fn pour(world: &mut World, from: Side) {
    while world.act(Speaker(from)) && world.party(from).engine.line(End::AppIn).space() > 0 {}
    world.only(&ENGINES);
    world.only(&[Hearer(from.other())]);
}

/// Keeps a program from ending: it has more to say, but not yet.
fn pause(world: &mut World, side: Side) {
    world.party(side).program.answers = true;
}

#[test]
fn only_the_direction_that_flows_grows() {
    let mut world = flow(4 << 20, 1000);
    let said = world.client.program.words();
    pause(&mut world, Server);
    pour(&mut world, Client);
    pour(&mut world, Client);
    assert_eq!(sizes(&world), [[Size::Large; 2], [Size::Small; 2]]);
    world.run();
    assert!(world.server.program.hears == said);
    assert_eq!(world.codes(), [Some(0), Some(0)]);
}

#[test]
fn what_a_slow_reader_leaves_behind_is_small_again_as_it_goes() {
    let mut world = flow(6 << 20, 1);
    let said = world.client.program.words();
    pause(&mut world, Server);
    pour(&mut world, Client);
    pour(&mut world, Client);
    assert_eq!(sizes(&world)[0], [Size::Large; 2]);
    // The reader stops, and everything fills up.
    world.server.engine.line(End::AppOut).capacity = 600_000;
    for actor in [Speaker(Client), Pumping(Client), Pumping(Server)] {
        world.only(&[actor]);
    }
    world.now += QUIET;
    world.only(&ENGINES);
    assert_eq!(sizes(&world), [[Size::Small; 2], [Size::Small; 2]]);
    let buffers = &world.server.engine.pump.buffers;
    assert!(!buffers.plain.is_empty() && buffers.plain.capacity() > Size::Large.chunk());
    assert!(buffers.incoming.capacity() < Size::Large.chunk());
    // It reads on, but slowly.
    for _ in 0..60 {
        world.now += Duration::from_millis(50);
        let mut buf = [0; 60_000];
        let count = world.server.program.input.borrow_mut().read(&mut buf);
        let heard = &buf[..count.unwrap_or(0)];
        world.server.program.hears.extend(heard);
        world.only(&ENGINES);
    }
    let buffers = &world.server.engine.pump.buffers;
    assert!(buffers.plain.capacity() < Size::Large.chunk());
    let buffers = &world.client.engine.pump.buffers;
    assert!(buffers.outgoing.capacity() < Size::Large.chunk());
    world.run();
    assert!(world.server.program.hears == said);
}

#[test]
fn a_second_after_the_flow_everything_is_as_small_as_before() {
    let mut world = flow(4 << 20, 4 << 20);
    for side in [Client, Server, Client, Server] {
        pour(&mut world, side);
    }
    assert_eq!(sizes(&world), [[Size::Large; 2]; 2]);
    for side in Side::BOTH {
        world.party(side).program.says.clear();
        pause(&mut world, side);
    }
    let rests = world.client.engine.rests;
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
    assert_eq!(world.client.engine.rests, rests + 1);
}
