//! Pumps against each other in memory, under a scheduler with a seed: a
//! failure names the seed that shows it again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use cli::{Common, Fatal};
use unix::Errno;

use super::{End, Ends, Interest, Pump, Turn};
use crate::tunnel::session::Session;
use crate::{client, server};

mod abuse;
mod faults;

const KEY: &[u8] = include_bytes!("../../testdata/key.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../testdata/certificate.pem");

/// A pseudorandom sequence (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

/// A stream of bytes in one direction.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// How much one read or write moves at most.
    piece: usize,
    ended: bool,
    reader_gone: bool,
    /// Everything that was ever written.
    record: Vec<u8>,
}

type Stream = Rc<RefCell<Pipe>>;

fn stream(capacity: usize, piece: usize) -> Stream {
    Rc::new(RefCell::new(Pipe {
        capacity,
        piece,
        ..Pipe::default()
    }))
}

fn read(stream: &Stream, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut pipe = stream.borrow_mut();
    let count = pipe.bytes.len().min(buf.len()).min(pipe.piece);
    if count == 0 && !pipe.ended {
        return Err(Errno::EAGAIN);
    }
    for byte in &mut buf[..count] {
        *byte = pipe.bytes.pop_front().unwrap();
    }
    Ok(count)
}

fn write(stream: &Stream, bytes: &[u8]) -> Result<usize, Errno> {
    let mut pipe = stream.borrow_mut();
    assert!(!pipe.ended, "written after the end");
    if pipe.reader_gone {
        return Err(Errno::EPIPE);
    }
    let space = pipe.capacity - pipe.bytes.len();
    let count = space.min(bytes.len()).min(pipe.piece);
    if count == 0 {
        return Err(Errno::EAGAIN);
    }
    pipe.bytes.extend(&bytes[..count]);
    pipe.record.extend(&bytes[..count]);
    Ok(count)
}

/// The four ends of a pump, and the trouble that is made there.
struct Four([Stream; 4], faults::Trouble);

impl Four {
    fn ready(&self, interest: [Interest; 4]) -> [bool; 4] {
        std::array::from_fn(|i| {
            let pipe = self.0[i].borrow();
            match interest[i] {
                Interest::None => false,
                Interest::Hangup => pipe.reader_gone,
                Interest::Read => !pipe.bytes.is_empty() || pipe.ended,
                Interest::Write => pipe.bytes.len() < pipe.capacity || pipe.reader_gone,
            }
        })
    }
}

impl Ends for Four {
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno> {
        let size = self.1.meet(end, buf.len())?;
        read(&self.0[end as usize], &mut buf[..size])
    }

    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno> {
        let size = self.1.meet(end, bytes.len())?;
        write(&self.0[end as usize], &bytes[..size])
    }

    fn close(&mut self, end: End) {
        let mut pipe = self.0[end as usize].borrow_mut();
        match end {
            End::NetIn | End::AppIn => pipe.reader_gone = true,
            End::NetOut | End::AppOut => pipe.ended = true,
        }
    }
}

/// A pump with its surroundings.
struct Engine {
    pump: Pump,
    ends: Four,
    result: Option<Result<(), Fatal>>,
    established: bool,
    turns: usize,
}

impl Engine {
    fn new(session: Session, options: Common, ends: [Stream; 4], now: Instant) -> Self {
        let limit = u64::from(options.handshake_timeout);
        let deadline = (limit != 0).then(|| now + Duration::from_millis(limit));
        Self {
            pump: Pump::new(session, options, deadline, now).unwrap(),
            ends: Four(ends, faults::Trouble::default()),
            result: None,
            established: false,
            turns: 0,
        }
    }

    /// Takes a turn if something is ready; false if there was nothing to do.
    fn turn(&mut self, first: bool, now: Instant) -> bool {
        if self.result.is_some() {
            return false;
        }
        let ready = self.ends.ready(self.pump.interest());
        let due = self.pump.deadline().is_some_and(|deadline| now >= deadline);
        if !first && !due && !ready.contains(&true) {
            return false;
        }
        self.turns += 1;
        let mut turn = self.pump.turn(&mut self.ends, ready, now);
        if turn == Turn::Established {
            assert!(!std::mem::replace(&mut self.established, true));
            let plain = self.ends.0[End::AppOut as usize].borrow();
            assert!(plain.record.is_empty(), "cleartext before the notification");
            drop(plain);
            turn = self.pump.turn(&mut self.ends, [false; 4], now);
        }
        if let Turn::Done(result) = turn {
            for stream in &self.ends.0[..2] {
                stream.borrow_mut().ended |= Rc::ptr_eq(stream, &self.ends.0[1]);
            }
            for end in [End::NetIn, End::NetOut, End::AppIn, End::AppOut] {
                self.ends.close(end);
            }
            self.result = Some(result);
        }
        true
    }

    fn code(&self) -> Option<u8> {
        let result = self.result.as_ref()?;
        Some(result.as_ref().map_or_else(Fatal::code, |()| 0))
    }
}

/// A program: what it still has to say, and what it has heard.
struct Program {
    says: VecDeque<u8>,
    hears: Vec<u8>,
    /// It speaks only once it has heard the end.
    answers: bool,
    heard_end: bool,
    output: Stream,
    input: Stream,
}

impl Program {
    fn speak(&mut self, random: &mut Random) -> bool {
        let mut pipe = self.output.borrow_mut();
        if pipe.ended || (self.answers && !self.heard_end) {
            return false;
        }
        if self.says.is_empty() || pipe.reader_gone {
            pipe.ended = true;
            return true;
        }
        let space = pipe.capacity - pipe.bytes.len();
        let count = space.min(self.says.len()).min(1 + random.below(70_000));
        let bytes: Vec<u8> = self.says.drain(..count).collect();
        pipe.bytes.extend(bytes);
        count > 0
    }

    fn hear(&mut self, random: &mut Random) -> bool {
        if self.heard_end {
            return false;
        }
        let mut buf = vec![0; 1 + random.below(70_000)];
        match read(&self.input, &mut buf) {
            Ok(0) => self.heard_end = true,
            Ok(count) => self.hears.extend(&buf[..count]),
            Err(_) => return false,
        }
        true
    }
}

/// Two programs, two pumps, and the network between them.
struct World {
    client: Engine,
    server: Engine,
    programs: [Program; 2],
    random: Random,
    now: Instant,
}

#[derive(Clone)]
struct Scene {
    seed: u64,
    client: Common,
    server: Common,
    say: [usize; 2],
    answer: [bool; 2],
    capacity: usize,
    piece: usize,
}

impl Scene {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            client: Common::default(),
            server: Common::default(),
            say: [1000, 1000],
            answer: [false, false],
            capacity: 65536,
            piece: usize::MAX,
        }
    }

    fn world(&self) -> World {
        let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let now = Instant::now();
        let pipe = || stream(self.capacity, self.piece);
        let [up, down] = [pipe(), pipe()];
        let [from_client, to_client, from_server, to_server] = [pipe(), pipe(), pipe(), pipe()];
        let program = |says: Vec<u8>, answers, output: &Stream, input: &Stream| Program {
            says: says.into(),
            hears: Vec::new(),
            answers,
            heard_end: false,
            output: Rc::clone(output),
            input: Rc::clone(input),
        };
        let programs = [
            program(
                random.bytes(self.say[0]),
                self.answer[0],
                &from_client,
                &to_client,
            ),
            program(
                random.bytes(self.say[1]),
                self.answer[1],
                &from_server,
                &to_server,
            ),
        ];
        let client_ends = [Rc::clone(&down), Rc::clone(&up), from_client, to_client];
        let server_ends = [up, down, from_server, to_server];
        World {
            client: Engine::new(
                client::test_session(CERTIFICATE),
                self.client.clone(),
                client_ends,
                now,
            ),
            server: Engine::new(
                server::test_session(KEY, CERTIFICATE),
                self.server.clone(),
                server_ends,
                now,
            ),
            programs,
            random,
            now,
        }
    }
}

impl World {
    /// Lets everybody act in random order until nobody can, and time pass
    /// then, until both pumps are done.
    fn run(&mut self) {
        self.client.turn(true, self.now);
        self.server.turn(true, self.now);
        for _ in 0..3_000_000 {
            let mut acted = false;
            let first = self.random.below(6);
            for i in 0..6 {
                acted |= self.act((first + i) % 6);
            }
            if self.client.result.is_some() && self.server.result.is_some() {
                while self.act(2) | self.act(3) | self.act(4) | self.act(5) {}
                return;
            }
            if !acted {
                let deadlines = [&self.client, &self.server]
                    .map(|engine| engine.pump.deadline().filter(|_| engine.result.is_none()));
                let next = deadlines.into_iter().flatten().min();
                self.now = next.unwrap_or_else(|| panic!("nobody can go on: {}", self.describe()));
            }
        }
        panic!("it goes on and on");
    }

    fn act(&mut self, who: usize) -> bool {
        match who {
            0 => self.client.turn(false, self.now),
            1 => self.server.turn(false, self.now),
            2 | 3 => self.programs[who - 2].speak(&mut self.random),
            _ => self.programs[who - 4].hear(&mut self.random),
        }
    }

    fn describe(&self) -> String {
        let engine = |engine: &Engine| {
            let pipes = engine.ends.0.each_ref().map(|pipe| {
                let pipe = pipe.borrow();
                (pipe.bytes.len(), pipe.ended, pipe.reader_gone)
            });
            format!("{:?} {:?} {pipes:?}", engine.result, engine.pump.interest())
        };
        format!(
            "client {} server {}",
            engine(&self.client),
            engine(&self.server)
        )
    }

    /// Lets only the pumps act, until neither can.
    fn settle(&mut self) {
        self.client.turn(true, self.now);
        self.server.turn(true, self.now);
        while self.act(0) | self.act(1) {}
    }

    fn codes(&self) -> [Option<u8>; 2] {
        [self.client.code(), self.server.code()]
    }
}

/// Runs a scene in which nothing is lost: both programs hear all that the
/// other has said.
fn nothing_is_lost(scene: &Scene) {
    let mut world = scene.world();
    let said: [Vec<u8>; 2] =
        std::array::from_fn(|i| world.programs[i].says.iter().copied().collect());
    world.run();
    let seed = scene.seed;
    assert_eq!(
        world.codes(),
        [Some(0), Some(0)],
        "seed {seed}: {:?} {:?}",
        world.client.result,
        world.server.result
    );
    assert!(
        world.programs[0].hears == said[1],
        "seed {seed}: the client lost something"
    );
    assert!(
        world.programs[1].hears == said[0],
        "seed {seed}: the server lost something"
    );
}

#[test]
fn everything_arrives_whatever_the_order() {
    for seed in 0..60 {
        let mut random = Random(seed * 77 + 1);
        let close_notify = random.pick(&[false, true]);
        let mut scene = Scene::new(seed);
        scene.client.close_notify = close_notify;
        scene.server.close_notify = random.pick(&[false, true]) || close_notify;
        scene.client.enforce_close_notify = scene.server.close_notify;
        scene.server.enforce_close_notify = scene.client.close_notify;
        scene.say = [
            random.pick(&[0, 1, 16384, 16385, 150_000]),
            random.pick(&[0, 5, 65536, 100_000]),
        ];
        scene.answer = random.pick(&[[false, false], [true, false], [false, true]]);
        scene.capacity = random.pick(&[1, 100, 4096, 65536]);
        scene.piece = random.pick(&[1000, 16389, usize::MAX]);
        if scene.capacity == 1 {
            scene.say = scene.say.map(|size| size.min(2000));
        }
        nothing_is_lost(&scene);
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let mut scene = Scene::new(1);
    scene.piece = 1;
    scene.say = [17_000, 5_000];
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
        scene.client.close_notify = client;
        scene.server.close_notify = server;
        scene.answer = [false, true];
        let mut world = scene.world();
        world.run();
        assert_eq!(world.codes(), [Some(0), Some(0)]);
        let [up, down] = [End::NetOut, End::NetIn].map(|end| &world.client.ends.0[end as usize]);
        assert_eq!(
            [last_record(up), last_record(down)],
            sent,
            "{client} {server}"
        );
    }
}

#[test]
fn an_end_without_close_notify_is_an_error_only_under_enforcement() {
    let mut scene = Scene::new(4);
    scene.client.enforce_close_notify = true;
    scene.say = [10, 50_000];
    let mut world = scene.world();
    let said: Vec<u8> = world.programs[1].says.iter().copied().collect();
    world.run();
    assert_eq!(world.codes(), [Some(98), Some(0)]);
    assert!(
        world.programs[0].hears == said,
        "all of it was there before the end"
    );
}

#[test]
fn a_stream_cut_at_any_byte_gives_whole_records_and_the_right_code() {
    let mut scene = Scene::new(5);
    scene.say = [0, 300];
    let mut whole = scene.world();
    whole.run();
    let total = whole.client.ends.0[End::NetIn as usize]
        .borrow()
        .record
        .len();
    let said = whole.programs[0].hears.clone();
    for cut in 0..total {
        let mut world = scene.world();
        let down = Rc::clone(&world.client.ends.0[End::NetIn as usize]);
        // The network carries so many bytes and then ends.
        down.borrow_mut().capacity = usize::MAX;
        world.settle();
        while world.act(3) | world.act(1) {}
        {
            let mut pipe = down.borrow_mut();
            let taken = pipe.record.len() - pipe.bytes.len();
            if cut < taken {
                // The handshake has been read in one piece: nothing to cut.
                continue;
            }
            pipe.bytes.truncate(cut - taken);
            pipe.ended = true;
        }
        while world.act(0) | world.act(2) | world.act(4) {}
        let code = world.client.code();
        assert!(matches!(code, Some(0 | 98)), "cut at {cut}: {code:?}");
        let heard = &world.programs[0].hears;
        assert!(said.starts_with(heard), "cut at {cut}");
        assert!(
            heard.is_empty() || *heard == said,
            "half a record, cut at {cut}"
        );
    }
}

#[test]
fn a_handshake_cut_short_is_a_failure() {
    for cut in 0..1200 {
        let scene = Scene::new(6);
        let mut world = scene.world();
        let down = Rc::clone(&world.client.ends.0[End::NetIn as usize]);
        down.borrow_mut().capacity = cut.max(1);
        world.client.turn(true, world.now);
        world.server.turn(true, world.now);
        world.act(1);
        if down.borrow().record.len() <= cut {
            break;
        }
        down.borrow_mut().bytes.truncate(cut);
        down.borrow_mut().ended = true;
        while world.act(0) {}
        assert_eq!(world.client.code(), Some(98), "cut at {cut}");
        assert!(!world.client.established);
    }
}

#[test]
fn a_bad_record_ends_it_with_an_alert_after_what_was_good() {
    let mut scene = Scene::new(7);
    scene.say = [0, 16384 * 3];
    let mut world = scene.world();
    let said: Vec<u8> = world.programs[1].says.iter().copied().collect();
    world.settle();
    while world.act(3) | world.act(1) {}
    let down = Rc::clone(&world.client.ends.0[End::NetIn as usize]);
    {
        let mut pipe = down.borrow_mut();
        let last = pipe.bytes.len() - 1;
        pipe.bytes[last] ^= 1;
    }
    world.run();
    assert_eq!(world.codes(), [Some(98), Some(98)]);
    let heard = &world.programs[0].hears;
    assert!(heard.len() < said.len() && said.starts_with(heard) && !heard.is_empty());
    let error = format!("{:?}", world.server.result);
    assert!(error.contains("bad_record_mac"), "{error}");
}

#[test]
fn a_program_that_does_not_read_still_says_everything() {
    let mut scene = Scene::new(8);
    scene.say = [200_000, 150_000];
    let mut world = scene.world();
    let said: Vec<u8> = world.programs[1].says.iter().copied().collect();
    world.programs[1].input.borrow_mut().reader_gone = true;
    world.programs[1].heard_end = true;
    world.run();
    assert_eq!(world.codes(), [Some(0), Some(0)]);
    assert!(world.programs[0].hears == said);
}

#[test]
fn a_peer_that_stays_after_the_program_has_gone_is_left_in_time() {
    let scene = Scene::new(9);
    let mut world = scene.world();
    world.settle();
    let started = world.now;
    world.programs[1].says.clear();
    world.programs[1].input.borrow_mut().reader_gone = true;
    while world.act(3) | world.act(1) {}
    // The client says nothing and closes nothing.
    while world.server.result.is_none() {
        let deadline = world
            .server
            .pump
            .deadline()
            .expect("it would stay for ever");
        world.now = deadline;
        assert!(world.server.turn(false, world.now));
    }
    assert_eq!(world.server.code(), Some(0));
    assert_eq!(world.now - started, Duration::from_secs(5));
}

#[test]
fn a_write_that_fails_does_not_lose_what_was_received() {
    let mut scene = Scene::new(10);
    scene.say = [100_000, 5000];
    let mut world = scene.world();
    world.settle();
    let said: Vec<u8> = world.programs[1].says.iter().copied().collect();
    while world.act(3) | world.act(1) {}
    // The server has answered and is gone before the client has written.
    world.server.ends.0[End::NetIn as usize]
        .borrow_mut()
        .reader_gone = true;
    world.server.ends.0[End::NetOut as usize].borrow_mut().ended = true;
    while world.act(2) | world.act(0) | world.act(4) {}
    assert_eq!(world.client.code(), Some(111));
    assert!(world.programs[0].hears == said);
}

#[test]
fn the_handshake_has_its_limit() {
    let mut scene = Scene::new(11);
    scene.server.handshake_timeout = 1234;
    let mut world = scene.world();
    let started = world.now;
    assert!(world.server.turn(true, world.now));
    let deadline = world.server.pump.deadline().unwrap();
    assert_eq!(deadline - started, Duration::from_millis(1234));
    // One byte just before does not move it.
    world.server.ends.0[0].borrow_mut().bytes.push_back(22);
    world.now = deadline - Duration::from_millis(1);
    world.act(1);
    assert_eq!(world.server.pump.deadline(), Some(deadline));
    world.now = deadline;
    world.act(1);
    let timed_out = Fatal::new(98, "handshake timed out");
    assert_eq!(world.server.result, Some(Err(timed_out)));
}

#[test]
fn a_program_that_has_gone_ends_the_handshake() {
    let mut world = Scene::new(18).world();
    world.server.turn(true, world.now);
    world.programs[1].input.borrow_mut().reader_gone = true;
    world.act(1);
    assert_eq!(world.server.result, None, "it may still write");
    world.programs[1].output.borrow_mut().ended = true;
    world.act(1);
    let gone = Fatal::new(98, "local program has gone during the handshake");
    assert_eq!(world.server.result, Some(Err(gone)));
}

#[test]
fn what_a_program_that_has_gone_had_to_say_arrives() {
    for say in [1, 200_000] {
        let mut scene = Scene::new(19);
        scene.say = [0, say];
        let mut world = scene.world();
        let said: Vec<u8> = world.programs[1].says.iter().copied().collect();
        world.programs[1].input.borrow_mut().reader_gone = true;
        world.programs[1].heard_end = true;
        while world.act(3) | world.act(1) {}
        world.run();
        assert_eq!(world.codes(), [Some(0), Some(0)]);
        assert!(world.programs[0].hears == said);
    }
}

#[test]
fn the_handshake_limit_stops_with_the_handshake() {
    let mut scene = Scene::new(12);
    scene.server.handshake_timeout = 1234;
    let mut world = scene.world();
    world.settle();
    assert!(world.server.established);
    assert_eq!(world.server.pump.deadline(), None);
}

#[test]
fn an_idle_connection_has_its_limit() {
    let mut scene = Scene::new(13);
    scene.server.idle_timeout = 500;
    let mut world = scene.world();
    world.settle();
    world.now += Duration::from_millis(499);
    assert!(!world.act(1));
    world.now += Duration::from_millis(1);
    assert!(world.act(1));
    assert_eq!(world.server.code(), Some(98));
}

#[test]
fn a_close_notify_that_nothing_protects_is_a_failed_handshake() {
    let scene = Scene::new(14);
    let mut world = scene.world();
    world.server.turn(true, world.now);
    let alert = [21, 3, 3, 0, 2, 1, 0];
    world.server.ends.0[0].borrow_mut().bytes.extend(alert);
    world.act(1);
    world.server.ends.0[0].borrow_mut().ended = true;
    while world.act(1) {}
    assert_eq!(world.server.code(), Some(98));
}

#[test]
fn plaintext_is_answered_by_an_alert() {
    let scene = Scene::new(15);
    let mut world = scene.world();
    world.server.turn(true, world.now);
    let up = Rc::clone(&world.server.ends.0[0]);
    up.borrow_mut().bytes.extend(b"GET / HTTP/1.0\r\n\r\n");
    world.act(1);
    up.borrow_mut().ended = true;
    while world.act(1) {}
    assert_eq!(world.server.code(), Some(98));
    let down = world.server.ends.0[1].borrow();
    assert!(
        matches!(down.record[..], [21, 3, _, 0, 2, 2, _]),
        "{:?}",
        down.record
    );
}

#[test]
fn nobody_turns_in_vain_while_nothing_moves() {
    let mut scene = Scene::new(16);
    scene.say = [500_000, 500_000];
    scene.capacity = 4096;
    let mut world = scene.world();
    world.settle();
    // Both programs write, and neither reads.
    while world.act(2) | world.act(3) | world.act(0) | world.act(1) {}
    assert!(!world.client.turn(false, world.now));
    assert!(!world.server.turn(false, world.now));
    assert_eq!(world.codes(), [None, None]);
    // And now they do.
    world.run();
    assert_eq!(world.codes(), [Some(0), Some(0)]);
}
