//! Many well-behaved and misbehaving clients against one `s6-tlsserver` for
//! minutes: `make soak`. No data may be lost, nothing may be left behind, and
//! idle processes may not use CPU time.

pub mod client;
mod processes;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal;
use rustls::ProtocolVersion;

use crate::util::tls::tlsclient;
use crate::util::{DEADLINE, Running, TempDir, certs, cmd, eventually, idle, noise, sha256};
use client::{Client, Close, Trouble, connect, hello, other, reset, rest};
use processes::{Engines, Footprint, footprint, memory};

const CLIENTS: usize = 24;

/// The time between two pauses.
const WORK: Duration = Duration::from_secs(8);

/// How long no process may use CPU time in a pause.
const QUIET: Duration = Duration::from_secs(1);

/// How much the super-server's memory may grow: by its tables, not by
/// connections.
const SLACK: u64 = 128;

/// What a client does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Act {
    /// Some round trips, and an end.
    Echo,
    /// Round trips and an end by `s6-tlsclient`.
    Program,
    /// It disappears in the middle of a transfer.
    Vanish,
    /// An invalid record.
    Spoil,
    /// No TLS at all.
    Garbage,
    /// A handshake that stops half-way.
    Abandon,
}

/// What all clients share.
struct Stage {
    port: u16,
    over: AtomicBool,
    /// Whether clients must pause, and how many do.
    pause: Mutex<(bool, usize)>,
    changed: Condvar,
    done: Mutex<BTreeMap<Act, u64>>,
    troubles: Mutex<Vec<(Act, Trouble)>>,
    bytes: AtomicU64,
    /// A payload in a file, and its digest.
    file: PathBuf,
    digest: String,
}

impl Stage {
    fn new(port: u16, dir: &TempDir) -> Self {
        let data = noise(300_000, 1);
        Self {
            port,
            over: AtomicBool::new(false),
            pause: Mutex::default(),
            changed: Condvar::new(),
            done: Mutex::default(),
            troubles: Mutex::default(),
            bytes: AtomicU64::new(0),
            file: dir.file("data", &data),
            digest: sha256(&data),
        }
    }

    /// Waits while there is a pause.
    fn rest(&self) {
        let mut pause = self.pause.lock().unwrap();
        if !pause.0 {
            return;
        }
        pause.1 += 1;
        self.changed.notify_all();
        while pause.0 {
            pause = self.changed.wait(pause).unwrap();
        }
        pause.1 -= 1;
        self.changed.notify_all();
    }

    fn pausing(&self) -> bool {
        self.pause.lock().unwrap().0
    }

    /// Makes all clients pause, each with an open connection, while `check`
    /// runs.
    fn pause(&self, check: impl FnOnce()) {
        let mut pause = self.pause.lock().unwrap();
        pause.0 = true;
        let until = Instant::now() + 2 * DEADLINE;
        while pause.1 < CLIENTS {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "stalled: {} clients of {CLIENTS} came to rest",
                pause.1
            );
            pause = self.changed.wait_timeout(pause, left).unwrap().0;
        }
        drop(pause);
        check();
        let mut pause = self.pause.lock().unwrap();
        pause.0 = false;
        self.changed.notify_all();
        while pause.1 != 0 {
            pause = self.changed.wait(pause).unwrap();
        }
    }

    /// One client, until the time is over.
    fn client(&self, number: usize) {
        let mut random = Random(number as u64 + 1);
        while !self.over.load(Ordering::Relaxed) {
            let act = if self.pausing() {
                Act::Echo
            } else {
                random.act()
            };
            if let Err(trouble) = self.act(act, &mut random) {
                self.troubles.lock().unwrap().push((act, trouble));
            }
            *self.done.lock().unwrap().entry(act).or_default() += 1;
        }
    }

    fn act(&self, act: Act, random: &mut Random) -> Result<(), Trouble> {
        match act {
            Act::Echo => self.echo(random),
            Act::Program => self.program(),
            Act::Vanish => {
                let client = Client::new(self.port, random.version())?;
                client.vanish(&random.payload())
            }
            Act::Spoil => {
                let mut client = Client::new(self.port, random.version())?;
                client.exchange(&random.payload(), Close::Not)?;
                client.spoil(&noise(32 + random.below(200), random.next()))
            }
            Act::Garbage => self.garbage(random),
            Act::Abandon => self.abandon(random),
        }
    }

    fn echo(&self, random: &mut Random) -> Result<(), Trouble> {
        let mut client = Client::new(self.port, random.version())?;
        self.rest();
        for _ in 0..random.below(5) {
            let data = random.payload();
            client.exchange(&data, Close::Not)?;
            self.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            idle(Duration::from_millis(random.below(50) as u64));
            self.rest();
        }
        let data = random.payload();
        let close = [Close::Alert, Close::Both, Close::Stream][random.below(3)];
        client.exchange(&data, close)?;
        self.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn program(&self) -> Result<(), Trouble> {
        let program = "(cat \"$0\" >&7) & exec 7>&-; sha256sum <&6";
        let client = tlsclient(&[], self.port, program);
        let output = client.arg(&self.file).run();
        if !output.err().is_empty() {
            return Err(Trouble::Other(output.err()));
        }
        if output.out() != format!("{}  -\n", self.digest) {
            return Err(Trouble::Payload);
        }
        let size = fs::metadata(&self.file).map_or(0, |data| data.len());
        self.bytes.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }

    /// Plaintext or worse: an alert that nothing protects, and the end.
    fn garbage(&self, random: &mut Random) -> Result<(), Trouble> {
        let mut garbage = noise(20 + random.below(2000), random.next());
        if random.below(2) == 0 {
            garbage.splice(..0, *b"GET / HTTP/1.0\r\n\r\n");
        }
        // A record type that does not exist.
        garbage[0] |= 0x40;
        let mut socket = connect(self.port)?;
        socket.write_all(&garbage).map_err(other)?;
        match rest(&mut socket)?[..] {
            [21, 3, _, 0, 2, 2, _] => Ok(()),
            ref bytes => Err(Trouble::Alert(format!("{bytes:x?} for garbage"))),
        }
    }

    fn abandon(&self, random: &mut Random) -> Result<(), Trouble> {
        let hello = hello(random.version());
        let cut = random.below(hello.len());
        let mut socket = connect(self.port)?;
        socket.write_all(&hello[..cut]).map_err(other)?;
        match random.below(40) {
            // The server's time limit ends the connection.
            0 => {}
            1..=12 => return Ok(()),
            13..=24 => {
                reset(socket);
                return Ok(());
            }
            _ => socket.shutdown(Shutdown::Write).map_err(other)?,
        }
        match rest(&mut socket)?.len() {
            0 => Ok(()),
            _ => Err(Trouble::Other("an answer to half a message".into())),
        }
    }
}

/// A pseudorandom sequence (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 8) as usize % limit
    }

    fn act(&mut self) -> Act {
        match self.below(100) {
            0..55 => Act::Echo,
            55..60 => Act::Program,
            60..70 => Act::Vanish,
            70..80 => Act::Spoil,
            80..90 => Act::Garbage,
            _ => Act::Abandon,
        }
    }

    fn version(&mut self) -> ProtocolVersion {
        [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3][self.below(2)]
    }

    fn payload(&mut self) -> Vec<u8> {
        let most = [1, 100, 5000, 70_000, 600_000][self.below(5)];
        noise(1 + self.below(most), self.next())
    }
}

/// All clients are idle with an open connection: there are two processes for
/// each, and none uses CPU time. Returns the memory of the largest.
fn check_pause(server: &Running) -> u64 {
    eventually("nothing but the clients' connections is left", || {
        (server.group().len() == 1 + 2 * CLIENTS).then_some(())
    });
    eventually("nobody is busy", || {
        let before = server.cpu();
        idle(QUIET);
        (server.cpu() == before).then_some(())
    });
    server.group().into_iter().map(memory).max().unwrap_or(0)
}

/// Observations during the run.
#[derive(Default)]
struct Seen {
    engines: Engines,
    pauses: u64,
    largest: u64,
}

impl Seen {
    /// Runs the clients for `time`, with a pause at the end of each part.
    fn run(&mut self, stage: &Stage, server: &Running, time: Duration) {
        let end = Instant::now() + time;
        std::thread::scope(|scope| {
            let _over = Over(stage);
            for number in 0..CLIENTS {
                scope.spawn(move || stage.client(number));
            }
            while Instant::now() < end {
                let part = end.min(Instant::now() + WORK);
                while Instant::now() < part {
                    idle(Duration::from_millis(200));
                    self.engines.collect();
                }
                stage.pause(|| self.largest = self.largest.max(check_pause(server)));
                self.pauses += 1;
            }
        });
    }

    /// What is left after every client has closed.
    fn rest(&mut self, server: &Running) -> Footprint {
        eventually("nothing is left but the server", || {
            self.engines.collect();
            let left = footprint(server);
            (left.processes == 1 && left.zombies == 0).then_some(left)
        })
    }
}

/// Ends the clients, also if a check has failed.
struct Over<'a>(&'a Stage);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
        if let Ok(mut pause) = self.0.pause.lock() {
            pause.0 = false;
        }
        self.0.changed.notify_all();
    }
}

fn report(stage: &Stage, seen: &Seen) {
    let done = stage.done.lock().unwrap();
    let troubles = stage.troubles.lock().unwrap();
    let count =
        |kind: fn(&Trouble) -> bool| troubles.iter().filter(|(_, trouble)| kind(trouble)).count();
    println!(
        "soak: {} connections of {CLIENTS} clients: {done:?}",
        done.values().sum::<u64>()
    );
    println!(
        "soak: {} MB came back",
        stage.bytes.load(Ordering::Relaxed) / 1_000_000
    );
    println!(
        "soak: {} wrong payloads, {} stalls, {} close_notify not answered, {} alerts missing, {} other troubles",
        count(|trouble| matches!(trouble, Trouble::Payload)),
        count(|trouble| matches!(trouble, Trouble::Stall(_))),
        count(|trouble| matches!(trouble, Trouble::CloseNotify)),
        count(|trouble| matches!(trouble, Trouble::Alert(_))),
        count(|trouble| matches!(trouble, Trouble::Other(_))),
    );
    println!(
        "soak: engines by exit code {:?}, by signal {:?}",
        seen.engines.codes, seen.engines.signals
    );
    println!(
        "soak: {} pauses without any CPU time; the largest process has {} KiB",
        seen.pauses, seen.largest
    );
    for (act, trouble) in troubles.iter().take(20) {
        println!("soak: {act:?}: {trouble}");
    }
}

#[test]
#[ignore = "it takes minutes: make soak"]
fn soak() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(Ok(600), |text| text.parse());
    let time = Duration::from_secs(seconds.unwrap());
    set_child_subreaper(true).unwrap();
    let server = cmd("s6-tlsserver -1Hv -K 10000 -c 400 -C 400 127.0.0.1 0 cat".split(' '))
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .deadline(time + 10 * DEADLINE)
        .start();
    let dir = TempDir::new();
    let stage = Stage::new(server.port(), &dir);
    let mut seen = Seen::default();
    // Tables grow to their size once.
    seen.run(&stage, &server, Duration::from_secs(1));
    let (before, memory_before) = (seen.rest(&server), memory(server.pid()));
    stage.over.store(false, Ordering::Relaxed);
    seen.run(&stage, &server, time);
    let (after, memory_after) = (seen.rest(&server), memory(server.pid()));
    report(&stage, &seen);
    println!("soak: before {before:?}, {memory_before} KiB; after {after:?}, {memory_after} KiB");
    assert!(stage.troubles.lock().unwrap().is_empty());
    assert!(seen.engines.signals.is_empty());
    assert_eq!(before, after);
    assert!(memory_after <= memory_before + SLACK);
    server.signal(Signal::SIGTERM);
    check_log(&server.finish().success().err());
}

/// The messages of the server and the engines: why handshakes failed, and how
/// the program ended, or the engine if there was no program yet.
fn check_log(log: &str) {
    let mut ends = BTreeMap::<&str, u64>::new();
    for line in log.lines() {
        let end = line.split_once(": info: end pid ");
        let Some((_, how)) = end.and_then(|(_, end)| end.split_once(' ')) else {
            let known = line.starts_with("s6-tlsd-io: fatal: ") || line.contains(": info: ");
            assert!(known, "{line:?}");
            continue;
        };
        let (how, _) = how.split_once(" count").unwrap();
        *ends.entry(how).or_default() += 1;
        // A launcher reports that a signal killed its engine.
        let code = how.strip_prefix("exitcode ").map(str::parse::<u8>);
        assert!(code.is_none_or(|code| code.unwrap() < 128), "{line:?}");
    }
    println!("soak: programs by end {ends:?}");
}
