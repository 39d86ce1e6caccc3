//! One peer's turn: its server, the load, and the figures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustls::NamedGroup;
use rustls::version::{TLS12, TLS13};

use crate::client::{self, Offer, Stream, Target};
use crate::measure::Size;
use crate::peers::{Kind, Peer};
use crate::results::median;
use crate::server::{Cost, Server};
use crate::services::{Chain, Handshakes, Service};
use crate::work::Work;
use crate::{Result, processes, start};

/// Time enough to open any number of connections.
const LONG: Duration = Duration::from_secs(60);

/// A row's name and a figure.
pub type Figures = Vec<(&'static str, f64)>;

/// What a turn gave.
#[derive(Default)]
pub struct Taken {
    /// Its figures.
    pub figures: Figures,
    /// What readers have to know about them, or why there are none.
    pub note: Option<String>,
}

impl Taken {
    fn nothing(note: &str) -> Self {
        Self {
            figures: Vec::new(),
            note: Some(note.to_owned()),
        }
    }
}

impl From<Figures> for Taken {
    fn from(figures: Figures) -> Self {
        Self {
            figures,
            note: None,
        }
    }
}

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
    /// The figures of the task.
    pub fn measure(&self, task: Task) -> Result<Taken> {
        match task {
            Task::Handshakes(kind) => self.handshakes(kind),
            Task::Resumed => self.resumed(),
            Task::Bulk(way, piece) => self.bulk(way, piece).map(Taken::from),
            Task::Ping => self.ping().map(Taken::from),
            Task::Idle => self.idle().map(Taken::from),
            Task::IdleAfter => self.idle_after().map(Taken::from),
            Task::Growth => self.growth().map(Taken::from),
            Task::Held => self.held().map(Taken::from),
            Task::Start => self.start(),
        }
    }

    /// A server for `program` with the P-256 key, and how to connect to it.
    fn serve(&self, program: &[&str]) -> Result<(Server, Target)> {
        let service = Service {
            key: "p256",
            client_certificate: false,
            chain: Chain::Plain,
            pairs: 0,
            tickets: false,
            program,
        };
        let offer = Offer {
            versions: &[&TLS13, &TLS12],
            certificate: false,
            hybrid: false,
            resumption: false,
        };
        self.served(&service, &offer)
    }

    fn served(&self, service: &Service<'_>, offer: &Offer<'_>) -> Result<(Server, Target)> {
        let server = Server::start(self.peer, service, self.work)?;
        let target = self.target(&server, offer)?;
        Ok((server, target))
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

    fn handshakes(&self, kind: &Handshakes) -> Result<Taken> {
        let smallest = self.work.smallest();
        let program = match (kind.chain, &smallest) {
            (Chain::Smallest, None) => return Err("cc cannot compile the smallest program".into()),
            (Chain::Smallest, Some(program)) => &[program.as_str()][..],
            _ => &["echo", client::GREETING],
        };
        let service = Service {
            key: kind.key,
            client_certificate: kind.client_certificate,
            chain: kind.chain,
            pairs: match kind.chain {
                Chain::Directory(index) => self.size.pairs[index],
                _ => 0,
            },
            tickets: false,
            program,
        };
        let offer = Offer {
            versions: &[kind.version],
            certificate: kind.client_certificate,
            hybrid: kind.hybrid,
            resumption: false,
        };
        let (server, target) = self.served(&service, &offer)?;
        let group = target.visit()?.group;
        if kind.hybrid && group != Some(NamedGroup::X25519MLKEM768) {
            return Ok(Taken::nothing("its library has no X25519MLKEM768"));
        }
        let load = client::load(self.size.time, || Ok(target.clone()), visit)?;
        Ok(Taken {
            figures: figures(kind.rows, &load, 1, server.stop()?)?,
            note: group.filter(|_| !kind.hybrid).and_then(unusual),
        })
    }

    fn resumed(&self) -> Result<Taken> {
        let service = Service {
            key: "p256",
            client_certificate: false,
            chain: Chain::Plain,
            pairs: 0,
            tickets: true,
            program: &["echo", client::GREETING],
        };
        let offer = Offer {
            versions: &[&TLS13],
            certificate: false,
            hybrid: false,
            resumption: true,
        };
        let (server, target) = self.served(&service, &offer)?;
        target.visit()?;
        if !target.visit()?.resumed {
            return Ok(Taken::nothing("does not resume sessions"));
        }
        let own = || self.target(&server, &offer);
        let load = client::load(self.size.time, own, visit)?;
        let rows = ["resumed.rate", "resumed.cpu", "resumed.faults"];
        Ok(figures(rows, &load, 2, server.stop()?)?.into())
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

    /// Over several connections: how fast one is depends on where the scheduler puts
    /// its processes.
    fn ping(&self) -> Result<Figures> {
        let (connections, pings) = self.size.pings;
        let (_server, target) = self.serve(&["cat"])?;
        let mut times = Vec::with_capacity(connections * pings);
        for _ in 0..connections {
            let mut stream = target.connect()?;
            for _ in 0..pings {
                let started = Instant::now();
                stream.ping(&mut [b'.'; 64])?;
                times.push(started.elapsed().as_secs_f64() * 1e6);
            }
            stream.close();
        }
        let time = median(times);
        Ok(time.into_iter().map(|time| ("ping", time)).collect())
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
        let with = |time: Option<Duration>| -> Result<(u32, f64)> {
            let (server, target) = self.serve(&["cat"])?;
            let held = client::hold(&target, open, LONG)?;
            let own = || Ok(target.clone());
            let load = time.map(|time| client::load(time, own, Target::echo));
            let connections = load.transpose()?.map_or(0, |load| load.connections);
            held.into_iter().for_each(Stream::close);
            Ok((connections, server.stop()?.seconds))
        };
        let (_, alone) = with(None)?;
        let (connections, all) = with(Some(self.size.time))?;
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

    fn start(&self) -> Result<Taken> {
        let mut taken = Taken::default();
        for anchors in &start::ANCHORS {
            match start::time(self.peer, anchors, self.work, self.size.starts)? {
                Some(time) => taken.figures.push((anchors.row, time)),
                None => taken.note = Some(format!("no figure for {}", anchors.variable)),
            }
        }
        Ok(taken)
    }
}

fn visit(target: &Target) -> Result<()> {
    target.visit().map(|_| ())
}

/// The figures of a load and of so many connections before it.
fn figures(
    rows: [&'static str; 3],
    load: &client::Load,
    before: u32,
    spent: Cost,
) -> Result<Figures> {
    let all = f64::from(load.connections + before);
    let [rate, cpu, faults] = rows;
    Ok(vec![
        (rate, f64::from(load.connections) / load.seconds),
        (cpu, spent.seconds * 1e3 / all),
        (faults, spent.faults / all),
    ])
}

/// The note about a group that not all servers use.
fn unusual(group: NamedGroup) -> Option<String> {
    let first = NamedGroup::X25519;
    (group != first)
        .then(|| format!("exchanges keys by {group:?}, which takes a second ClientHello"))
}

/// Private KiB of each process of the server, without the programs that it
/// serves.
fn private(server: &Server) -> BTreeMap<u32, u64> {
    let own = server.processes().into_iter().filter(|p| p.name != "cat");
    own.map(|process| (process.pid, processes::private_kib(process.pid)))
        .collect()
}
