//! Two programs, two engines, and the network between them. A seed determines the
//! order of their actions, so a failure names the seed that repeats it.

use super::*;

/// A pseudorandom sequence (xorshift64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

/// A program, with the data that it has to send and has received.
pub struct Program {
    pub to_send: VecDeque<u8>,
    pub received: Vec<u8>,
    /// It sends only after the end of its input.
    pub answers: bool,
    pub saw_end: bool,
    pub output: Stream,
    pub input: Stream,
}

impl Program {
    fn speak(&mut self, random: &mut Random) -> bool {
        let mut pipe = self.output.borrow_mut();
        if pipe.ended || (self.answers && !self.saw_end) {
            return false;
        }
        if self.to_send.is_empty() || pipe.reader_gone {
            pipe.ended = true;
            return true;
        }
        let count = pipe.space().min(self.to_send.len());
        let count = count.min(1 + random.below(70_000));
        pipe.bytes.extend(self.to_send.drain(..count));
        count > 0
    }

    fn hear(&mut self, random: &mut Random) -> bool {
        if self.saw_end {
            return false;
        }
        let mut buf = vec![0; 1 + random.below(70_000)];
        match self.input.borrow_mut().read(&mut buf) {
            Ok(0) => self.saw_end = true,
            Ok(count) => self.received.extend(&buf[..count]),
            Err(_) => return false,
        }
        true
    }

    /// Closes its input.
    pub fn stop_hearing(&mut self) {
        self.input.borrow_mut().reader_gone = true;
        self.saw_end = true;
    }

    /// Closes its output.
    pub fn stop_speaking(&mut self) {
        self.output.borrow_mut().ended = true;
    }

    /// The data that it has not sent yet.
    pub fn remaining(&self) -> Vec<u8> {
        self.to_send.iter().copied().collect()
    }
}

/// An engine and its program.
pub struct Party {
    pub engine: Simulation,
    pub program: Program,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// An engine or one direction of a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Actor {
    Pumping(Side),
    Speaker(Side),
    Hearer(Side),
}

use Actor::{Hearer, Pumping, Speaker};
use Side::{Client, Server};

const EVERYBODY: [Actor; 6] = [
    Pumping(Client),
    Pumping(Server),
    Speaker(Client),
    Speaker(Server),
    Hearer(Client),
    Hearer(Server),
];

pub const ENGINES: [Actor; 2] = [Pumping(Client), Pumping(Server)];

pub const PROGRAMS: [Actor; 4] = [
    Speaker(Client),
    Speaker(Server),
    Hearer(Client),
    Hearer(Server),
];

pub struct World {
    pub client: Party,
    pub server: Party,
    pub now: Instant,
    random: Random,
}

/// One side's rules and data.
#[derive(Clone, Copy, Default)]
pub struct Manner {
    pub rules: Rules,
    /// How many bytes its program sends.
    pub to_send: usize,
    pub answers: bool,
}

#[derive(Clone, Copy)]
pub struct Scene {
    pub seed: u64,
    pub client: Manner,
    pub server: Manner,
    pub capacity: usize,
    pub piece: usize,
}

impl Scene {
    pub fn new(seed: u64) -> Self {
        let manner = Manner {
            to_send: 1000,
            ..Manner::default()
        };
        Self {
            seed,
            client: manner,
            server: manner,
            capacity: 65536,
            piece: usize::MAX,
        }
    }

    pub fn world(&self) -> World {
        let mut random = Random::new(self.seed);
        let now = Instant::now();
        let pipe = || Pipe::stream(self.capacity, self.piece);
        let (up, down) = (pipe(), pipe());
        let mut party = |session, manner: &Manner, net_in: &Stream, net_out: &Stream| {
            let ends = PerEnd {
                net_in: Rc::clone(net_in),
                net_out: Rc::clone(net_out),
                app_in: pipe(),
                app_out: pipe(),
            };
            let program = Program {
                to_send: random.bytes(manner.to_send).into(),
                received: Vec::new(),
                answers: manner.answers,
                saw_end: false,
                output: Rc::clone(&ends.app_in),
                input: Rc::clone(&ends.app_out),
            };
            let engine = Simulation::new(session, manner.rules, ends, now);
            Party { engine, program }
        };
        let client = testing::client_session();
        let server = testing::server_session();
        World {
            client: party(client, &self.client, &down, &up),
            server: party(server, &self.server, &up, &down),
            random,
            now,
        }
    }
}

impl World {
    pub fn party(&mut self, side: Side) -> &mut Party {
        match side {
            Client => &mut self.client,
            Server => &mut self.server,
        }
    }

    pub fn start(&mut self) {
        self.client.engine.start(self.now);
        self.server.engine.start(self.now);
    }

    /// Lets all act in random order, and time pass when none can act, until both
    /// engines have ended.
    pub fn run(&mut self) {
        for side in Side::BOTH {
            let now = self.now;
            let engine = &mut self.party(side).engine;
            if engine.steps == 0 {
                engine.start(now);
            }
        }
        for _ in 0..3_000_000 {
            let first = self.random.below(EVERYBODY.len());
            let mut acted = false;
            for i in 0..EVERYBODY.len() {
                acted |= self.act(EVERYBODY[(first + i) % EVERYBODY.len()]);
            }
            if self.client.engine.outcome.is_some() && self.server.engine.outcome.is_some() {
                return self.only(&PROGRAMS);
            }
            if !acted {
                self.pass_time();
            }
        }
        panic!("the engines never end");
    }

    /// Moves the clock to the next deadline.
    fn pass_time(&mut self) {
        let engines = [&self.client.engine, &self.server.engine];
        let running = engines
            .into_iter()
            .filter(|engine| engine.outcome.is_none());
        let next = running.filter_map(|engine| engine.pump.deadline()).min();
        self.now = next.unwrap_or_else(|| panic!("no deadline: {}", self.describe()));
    }

    /// Lets one act. Whether it could.
    pub fn act(&mut self, actor: Actor) -> bool {
        match actor {
            Pumping(Client) => self.client.engine.step(self.now),
            Pumping(Server) => self.server.engine.step(self.now),
            Speaker(Client) => self.client.program.speak(&mut self.random),
            Speaker(Server) => self.server.program.speak(&mut self.random),
            Hearer(Client) => self.client.program.hear(&mut self.random),
            Hearer(Server) => self.server.program.hear(&mut self.random),
        }
    }

    /// Lets these act in turn until none can.
    pub fn only(&mut self, actors: &[Actor]) {
        loop {
            let acted = actors.iter().filter(|actor| self.act(**actor)).count();
            if acted == 0 {
                return;
            }
        }
    }

    /// Starts the engines and completes the handshake.
    pub fn shake_hands(&mut self) {
        self.start();
        self.only(&ENGINES);
    }

    fn describe(&self) -> String {
        let describe = |engine: &Simulation| {
            let pipes = PerEnd::from_fn(|end| {
                let pipe = engine.pipe(end);
                (pipe.bytes.len(), pipe.ended, pipe.reader_gone)
            });
            let interest = engine.pump.interest();
            format!("{:?} {interest:?} {pipes:?}", engine.outcome)
        };
        let [client, server] = [&self.client, &self.server].map(|side| describe(&side.engine));
        format!("client {client} server {server}")
    }

    /// The exit codes of client and server.
    pub fn codes(&self) -> [Option<u8>; 2] {
        [self.client.engine.code(), self.server.engine.code()]
    }
}
