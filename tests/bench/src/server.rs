//! A server under test.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peers::Peer;
use crate::processes::{self, Process};
use crate::services::Service;
use crate::work::Work;
use crate::{Result, reaper};

/// How long a server may take to listen: some read 10,000 certificates before.
const START: Duration = Duration::from_secs(60);

/// How long its connections may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at processes.
const MOMENT: Duration = Duration::from_millis(30);

/// What a server and all that it started have cost.
pub struct Cost {
    /// Of CPU.
    pub seconds: f64,
    /// Page faults.
    pub faults: f64,
}

/// A server that runs. When it is dropped it is ended.
pub struct Server {
    reaper: Child,
    accounts: BufReader<ChildStdout>,
    address: SocketAddr,
    log: PathBuf,
    /// Processes of the server without any connection.
    alone: usize,
    /// What its start cost.
    start: Cost,
}

impl Server {
    /// Starts the peer's server, and waits until it listens.
    pub fn start(peer: &Peer, service: &Service<'_>, work: &Work) -> Result<Self> {
        let [address, behind] = free_addresses()?;
        let launch = peer.launch(service, [address.port(), behind.port()], work)?;
        let log = work.file("server.log");
        let mut reaper = Command::new(std::env::current_exe()?)
            .arg(reaper::MODE)
            .args(launch.servers.join(&OsString::from(reaper::AND)))
            .env_clear()
            .envs(launch.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let accounts = reaper.stdout.take().ok_or("no standard output")?;
        let mut server = Self {
            reaper,
            accounts: BufReader::new(accounts),
            address,
            log,
            alone: 0,
            start: Cost {
                seconds: 0.0,
                faults: 0.0,
            },
        };
        let ports = [address, behind].map(|address| address.port());
        server.listening(&ports[..launch.servers.len()])?;
        server.alone = server.settled();
        if let Some(stdin) = &mut server.reaper.stdin {
            stdin.write_all(b".")?;
        }
        server.start = server.account()?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All its processes.
    pub fn processes(&self) -> Vec<Process> {
        processes::below(self.reaper.id())
    }

    /// Waits until the processes of the connections have ended, then ends the
    /// server. Returns the cost of all its processes, without that of its start.
    pub fn stop(mut self) -> Result<Cost> {
        let until = Instant::now() + PATIENCE;
        while self.processes().len() > self.alone && Instant::now() < until {
            std::thread::sleep(MOMENT);
        }
        drop(self.reaper.stdin.take());
        let all = self.account()?;
        Ok(Cost {
            seconds: all.seconds - self.start.seconds,
            faults: all.faults - self.start.faults,
        })
    }

    /// The next account of the reaper.
    fn account(&mut self) -> Result<Cost> {
        let mut printed = String::new();
        self.accounts.read_line(&mut printed)?;
        let numbers = printed.trim().split(' ').map(str::parse::<u32>);
        let numbers: Vec<u32> = numbers.filter_map(|number| number.ok()).collect();
        let [microseconds, faults, _] = numbers[..] else {
            return Err(self.failure("no accounts").into());
        };
        Ok(Cost {
            seconds: f64::from(microseconds) / 1e6,
            faults: f64::from(faults),
        })
    }

    /// How many processes the server has once it starts no more: some fork after they
    /// listen.
    fn settled(&self) -> usize {
        let mut count = self.processes().len();
        loop {
            std::thread::sleep(MOMENT);
            let before = std::mem::replace(&mut count, self.processes().len());
            if before == count {
                return count;
            }
        }
    }

    fn listening(&mut self, ports: &[u16]) -> Result<()> {
        let until = Instant::now() + START;
        while !ports.iter().all(|port| processes::listens(*port)) {
            if self.reaper.try_wait()?.is_some() {
                return Err(self.failure("ends before it listens").into());
            }
            if Instant::now() > until {
                return Err(format!("does not listen within {} s", START.as_secs()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// `what`, and the last line of its messages.
    fn failure(&self, what: &str) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last = log.lines().last().unwrap_or("it says nothing");
        format!("{what}: {last}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        let _ = self.reaper.wait();
    }
}

/// Two ports that were free a moment ago.
fn free_addresses() -> Result<[SocketAddr; 2]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (bind()?, bind()?);
    Ok([one.local_addr()?, other.local_addr()?])
}
