//! One peer's turn: its server, the load, and the figures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};

use crate::client::{self, Offer, Stream, Target};
use crate::measure::Size;
use crate::peers::{Kind, Peer, Service};
use crate::results::median;
use crate::server::{Cost, Server};
use crate::work::Work;
use crate::{Result, processes, start};

/// Time enough to open any number of connections.
const LONG: Duration = Duration::from_secs(60);

/// A row's name and a figure.
pub type Figures = Vec<(&'static str, f64)>;

/// One thing to measure.
#[derive(Clone, Copy)]
pub enum Task {
    /// Connections one after the other, with full handshakes.
    Handshakes(&'static Handshakes),
    /// Connections one after the other, with resumed sessions.
    Resumed,
    /// Many bytes.
    Bulk(Way, Piece),
    /// Few bytes, there and back.
    Ping,
    /// The memory of connections that have transferred little.
    Idle,
    /// The memory of connections after a large transfer.
    IdleAfter,
    /// Connections beside few and many that are open.
    Growth,
    /// Very many connections.
    Held,
    /// The client.
    Start,
}

/// A kind of full handshake, and its rows.
pub struct Handshakes {
    /// Connections/s, CPU and page faults.
    rows: [&'static str; 3],
    /// The protocol.
    version: &'static rustls::SupportedProtocolVersion,
    /// The name of the server's key.
    key: &'static str,
    /// Whether the client shows a certificate.
    client_certificate: bool,
    /// Whether keys are exchanged by X25519MLKEM768.
    hybrid: bool,
    /// What runs.
    chain: Chain,
}

/// What is between the network and the program, and the program.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Chain {
    /// No more than is needed, and echo.
    Plain,
    /// As `Plain`, with the smallest program.
    Smallest,
    /// A change of identity.
    Identity,
    /// Rules on addresses.
    Access,
    /// The key in another process.
    Guarded,
    /// As `Guarded`, with the pair from a directory of so many.
    Directory(usize),
}

/// Full handshakes of TLS 1.3 with a P-256 key, in the rows that begin with `$id`.
macro_rules! handshakes {
    ($id:literal) => {
        Handshakes {
            rows: [
                concat!($id, ".rate"),
                concat!($id, ".cpu"),
                concat!($id, ".faults"),
            ],
            version: &TLS13,
            key: "p256",
            client_certificate: false,
            hybrid: false,
            chain: Chain::Plain,
        }
    };
}

/// The full handshakes. The first is the base of all others.
pub static HANDSHAKES: [Handshakes; 13] = [
    handshakes!("tls13"),
    Handshakes {
        hybrid: true,
        ..handshakes!("hybrid")
    },
    Handshakes {
        version: &TLS12,
        ..handshakes!("tls12")
    },
    Handshakes {
        key: "rsa",
        ..handshakes!("rsa")
    },
    Handshakes {
        key: "ed25519",
        ..handshakes!("ed25519")
    },
    Handshakes {
        client_certificate: true,
        ..handshakes!("client")
    },
    Handshakes {
        chain: Chain::Smallest,
        ..handshakes!("smallest")
    },
    Handshakes {
        chain: Chain::Identity,
        ..handshakes!("identity")
    },
    Handshakes {
        chain: Chain::Access,
        ..handshakes!("access")
    },
    Handshakes {
        chain: Chain::Guarded,
        ..handshakes!("guarded")
    },
    Handshakes {
        chain: Chain::Directory(10),
        ..handshakes!("sni10")
    },
    Handshakes {
        chain: Chain::Directory(1000),
        ..handshakes!("sni1000")
    },
    Handshakes {
        chain: Chain::Directory(10000),
        ..handshakes!("sni10000")
    },
];

/// A direction, as the client sees it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Way {
    Down,
    Up,
    Both,
}

/// How much the program reads or writes at a time.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Piece {
    /// As most programs do: 8 KiB.
    Ordinary,
    /// 64 KiB.
    Large,
}

impl Task {
    /// How a note calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshakes(kind) => kind.rows[0],
            Self::Resumed => "resumed",
            Self::Bulk(Way::Down, _) => "download",
            Self::Bulk(Way::Up, _) => "upload",
            Self::Bulk(Way::Both, _) => "full duplex",
            Self::Ping => "ping-pong",
            Self::Idle => "idle",
            Self::IdleAfter => "idle after a transfer",
            Self::Growth => "growth",
            Self::Held => "held",
            Self::Start => "client",
        }
    }
}

/// One peer's turn at one task.
pub struct Turn<'a> {
    /// How much of it.
    pub size: &'a Size,
    /// Where its files are.
    pub work: &'a Work,
    /// Whose turn it is.
    pub peer: &'a Peer,
}

impl Turn<'_> {
    /// The figures of the task, none if it is not for this peer.
    pub fn measure(&self, task: Task) -> Result<Figures> {
        let floor = self.peer.kind == Kind::Floor;
        match task {
            Task::Handshakes(kind)
                if !floor
                    || kind.rows[0] == HANDSHAKES[0].rows[0]
                    || kind.chain == Chain::Smallest =>
            {
                self.handshakes(kind)
            }
            Task::Resumed if !floor => self.resumed(),
            // It would deadlock: it writes to the program while the program
            // writes to it.
            Task::Bulk(Way::Both, _) | Task::IdleAfter if self.peer.kind == Kind::Ncat => {
                Ok(Vec::new())
            }
            Task::Bulk(way, piece) => self.bulk(way, piece),
            Task::Ping => self.ping(),
            Task::Idle => self.idle(),
            Task::IdleAfter => self.idle_after(),
            // It takes some 50 ms for each connection, most of them waiting.
            Task::Growth | Task::Held if self.peer.kind == Kind::Socat => Ok(Vec::new()),
            Task::Growth => self.growth(),
            Task::Held => self.held(),
            Task::Start if self.peer.kind == Kind::Suite => self.start(),
            _ => Ok(Vec::new()),
        }
    }

    /// A server for `program` with the P-256 key, and how to connect to it.
    fn serve(&self, program: &[&str]) -> Result<(Server, Target)> {
        let service = Service {
            key: "p256",
            client_certificate: false,
            options: &[],
            env: &[],
            program,
        };
        let offer = Offer {
            versions: &[&TLS13, &TLS12],
            certificate: false,
            hybrid: false,
            resumption: false,
        };
        let served = self.served(&service, &offer)?;
        served.ok_or_else(|| "cannot serve".into())
    }

    fn served(&self, service: &Service<'_>, offer: &Offer<'_>) -> Result<Option<(Server, Target)>> {
        let Some(server) = Server::start(self.peer, service, self.work)? else {
            return Ok(None);
        };
        let target = self.target(&server, offer)?;
        Ok(Some((server, target)))
    }

    fn target(&self, server: &Server, offer: &Offer<'_>) -> Result<Target> {
        let tls = (self.peer.kind != Kind::Floor)
            .then(|| client::config(self.work.path(), offer))
            .transpose()?;
        Ok(Target {
            address: server.address(),
            tls: tls.map(Into::into),
        })
    }

    fn handshakes(&self, kind: &Handshakes) -> Result<Figures> {
        let smallest = self.work.smallest();
        let rules = self.work.file("rules").display().to_string();
        let program = match (kind.chain, &smallest) {
            (Chain::Smallest, None) => return Err("cc cannot compile the smallest program".into()),
            (Chain::Smallest, Some(program)) => &[program.as_str()][..],
            _ => &["echo", client::GREETING],
        };
        let options = match kind.chain {
            Chain::Identity if !nix::unistd::geteuid().is_root() => return Ok(Vec::new()),
            Chain::Identity => &["-u", "65534", "-g", "65534"][..],
            Chain::Access => &["-i", &rules],
            Chain::Guarded => &["--key-guard"],
            Chain::Directory(_) => &["--mandatory-sni"],
            Chain::Plain | Chain::Smallest => &[],
        };
        let directory = match kind.chain {
            Chain::Directory(pairs) => Some(self.work.pairs(pairs)?),
            _ => None,
        };
        let env: Vec<_> = directory
            .map(|path| ("SNIDIR", path.into()))
            .into_iter()
            .collect();
        let service = Service {
            key: kind.key,
            client_certificate: kind.client_certificate,
            options,
            env: &env,
            program,
        };
        let offer = Offer {
            versions: &[kind.version],
            certificate: kind.client_certificate,
            hybrid: kind.hybrid,
            resumption: false,
        };
        let Some((server, target)) = self.served(&service, &offer)? else {
            return Ok(Vec::new());
        };
        // OpenSSL has the hybrid group from 3.5 on.
        if kind.hybrid && target.visit().is_err() {
            return Ok(Vec::new());
        }
        let load = client::load(self.size.time, || Ok(target.clone()), visit)?;
        figures(kind.rows, &load, server.stop()?)
    }

    fn resumed(&self) -> Result<Figures> {
        let service = Service {
            key: "p256",
            client_certificate: false,
            options: &[],
            env: &[("TICKETKEYFILE", self.work.file("tickets").into())],
            program: &["echo", client::GREETING],
        };
        let offer = Offer {
            versions: &[&TLS13],
            certificate: false,
            hybrid: false,
            resumption: true,
        };
        let Some((server, target)) = self.served(&service, &offer)? else {
            return Ok(Vec::new());
        };
        target.visit()?;
        if !target.visit()? {
            return Ok(Vec::new());
        }
        let own = || self.target(&server, &offer);
        let load = client::load(self.size.time, own, visit)?;
        figures(
            ["resumed.rate", "resumed.cpu", "resumed.faults"],
            &load,
            server.stop()?,
        )
    }

    fn bulk(&self, way: Way, piece: Piece) -> Result<Figures> {
        let blocks = self.size.blocks.to_string();
        let bytes = self.size.blocks * 65536;
        let (count, all) = (format!("count={blocks}"), bytes.to_string());
        let script = |name| self.work.file(name).display().to_string();
        let (server, target) = match (way, piece) {
            (Way::Down, Piece::Ordinary) => self.serve(&["head", "-c", &all, "/dev/zero"])?,
            (Way::Down, Piece::Large) => {
                self.serve(&["dd", "if=/dev/zero", "bs=64k", &count, "status=none"])?
            }
            (Way::Up, Piece::Ordinary) => self.serve(&["sh", &script("read"), &all])?,
            (Way::Up, Piece::Large) => self.serve(&["sh", &script("upload"), &blocks])?,
            (Way::Both, _) => self.serve(&["cat"])?,
        };
        let mut stream = target.connect()?;
        let started = Instant::now();
        match way {
            Way::Down => stream.receive(bytes)?,
            Way::Up => {
                stream.send(bytes)?;
                stream.receive(client::GREETING.len() as u64 + 1)?;
            }
            Way::Both => stream.both(bytes)?,
        }
        let seconds = started.elapsed().as_secs_f64();
        stream.close();
        let spent = server.stop()?.seconds;
        let moved = bytes as f64 / 1e9 * if way == Way::Both { 2.0 } else { 1.0 };
        let [cpu, rate] = match (way, piece) {
            (Way::Down, Piece::Ordinary) => ["down.cpu", "down.rate"],
            (Way::Down, Piece::Large) => ["down64.cpu", "down64.rate"],
            (Way::Up, Piece::Ordinary) => ["up.cpu", "up.rate"],
            (Way::Up, Piece::Large) => ["up64.cpu", "up64.rate"],
            (Way::Both, _) => ["both.cpu", "both.rate"],
        };
        Ok(vec![(cpu, spent / moved), (rate, moved / seconds)])
    }

    fn ping(&self) -> Result<Figures> {
        let (_server, target) = self.serve(&["cat"])?;
        let mut stream = target.connect()?;
        let mut times = Vec::with_capacity(self.size.pings);
        for _ in 0..self.size.pings {
            let started = Instant::now();
            stream.ping(&mut [b'.'; 64])?;
            times.push(started.elapsed().as_secs_f64() * 1e6);
        }
        stream.close();
        Ok(median(times)
            .into_iter()
            .map(|time| ("ping", time))
            .collect())
    }

    fn idle(&self) -> Result<Figures> {
        let (server, target) = self.serve(&["cat"])?;
        let before = private(&server);
        let held = client::hold(&target, self.size.idle, LONG)?;
        Ok(vec![("idle", self.grown(&server, &before, &held))])
    }

    fn idle_after(&self) -> Result<Figures> {
        let (connections, bytes) = self.size.used;
        let (server, target) = self.serve(&["cat"])?;
        let before = private(&server);
        let mut held = client::hold(&target, connections, LONG)?;
        for stream in &mut held {
            stream.both(bytes)?;
        }
        Ok(vec![("idle.after", self.grown(&server, &before, &held))])
    }

    /// How much the server has grown per idle connection: by new processes, and
    /// by old ones that have become larger. A process that has forked shares
    /// memory that was private before.
    fn grown(&self, server: &Server, before: &BTreeMap<u32, u64>, held: &[Stream]) -> f64 {
        std::thread::sleep(self.size.rest);
        let kib = private(server).into_iter().map(|(pid, now)| {
            let before = before.get(&pid).copied().unwrap_or_default();
            now.saturating_sub(before)
        });
        kib.sum::<u64>() as f64 / held.len() as f64
    }

    fn growth(&self) -> Result<Figures> {
        let [few, many] = self.size.open;
        Ok(vec![
            ("growth.few", self.cost_beside(few)?),
            ("growth.many", self.cost_beside(many)?),
        ])
    }

    /// CPU ms of a connection while `open` others are open. The cost of the
    /// open ones is measured separately and subtracted.
    fn cost_beside(&self, open: usize) -> Result<f64> {
        let with = |time| -> Result<(u32, f64)> {
            let (server, target) = self.serve(&["cat"])?;
            let held = client::hold(&target, open, LONG)?;
            let load = client::load(time, || Ok(target.clone()), Target::echo)?;
            held.into_iter().for_each(Stream::close);
            Ok((load.connections, server.stop()?.seconds))
        };
        let (_, alone) = with(Duration::ZERO)?;
        let (connections, all) = with(self.size.time)?;
        Ok((all - alone) * 1e3 / f64::from(connections))
    }

    fn held(&self) -> Result<Figures> {
        let (_server, target) = self.serve(&["cat"])?;
        let mut held = client::hold(&target, self.size.held, LONG)?;
        let mut alive = 0;
        for stream in &mut held {
            alive += u32::from(stream.ping(b".".to_vec().as_mut()).is_ok());
        }
        Ok(vec![("held", f64::from(alive))])
    }

    fn start(&self) -> Result<Figures> {
        let mut figures = Vec::new();
        for (row, variable, anchors) in start::ANCHORS {
            let time = start::time(&self.peer.file, variable, anchors, self.size.starts)?;
            figures.extend(time.map(|time| (row, time)));
        }
        Ok(figures)
    }
}

fn visit(target: &Target) -> Result<()> {
    target.visit().map(|_| ())
}

fn figures(rows: [&'static str; 3], load: &client::Load, spent: Cost) -> Result<Figures> {
    let connections = f64::from(load.connections);
    if load.connections == 0 {
        return Err("no connection".into());
    }
    let [rate, cpu, faults] = rows;
    Ok(vec![
        (rate, connections / load.seconds),
        (cpu, spent.seconds * 1e3 / connections),
        (faults, spent.faults / connections),
    ])
}

/// Private KiB of each process of the server, without the programs that it
/// serves.
fn private(server: &Server) -> BTreeMap<u32, u64> {
    let own = server.processes().into_iter().filter(|p| p.name != "cat");
    own.map(|process| (process.pid, processes::private_kib(process.pid)))
        .collect()
}
