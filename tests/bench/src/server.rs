//! A server under test.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peers::{Peer, Service};
use crate::processes::{self, Process};
use crate::work::Work;
use crate::{Result, reaper};

/// How long a server may take to listen, or its connections to end.
const PATIENCE: Duration = Duration::from_secs(10);

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
    address: SocketAddr,
    log: PathBuf,
    /// Processes of the server without any connection.
    alone: usize,
}

impl Server {
    /// Starts the peer's server, and waits until it listens. None if the peer
    /// cannot do what is asked.
    pub fn start(peer: &Peer, service: &Service<'_>, work: &Work) -> Result<Option<Self>> {
        let address = free_address()?;
        let Some(launch) = peer.launch(service, address.port(), work)? else {
            return Ok(None);
        };
        let log = work.file("server.log");
        let reaper = Command::new(std::env::current_exe()?)
            .arg(reaper::MODE)
            .args(launch.argv)
            .env_clear()
            .envs(launch.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let mut server = Self {
            reaper,
            address,
            log,
            alone: 0,
        };
        server.listening()?;
        server.alone = server.processes().len();
        Ok(Some(server))
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
    /// server. Returns the cost of all its processes.
    pub fn stop(mut self) -> Result<Cost> {
        let until = Instant::now() + PATIENCE;
        while self.processes().len() > self.alone && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(30));
        }
        drop(self.reaper.stdin.take());
        let mut printed = String::new();
        if let Some(mut stdout) = self.reaper.stdout.take() {
            stdout.read_to_string(&mut printed)?;
        }
        let numbers = printed.trim().split(' ').map(str::parse::<u32>);
        let numbers: Vec<u32> = numbers.filter_map(|number| number.ok()).collect();
        let [microseconds, faults] = numbers[..] else {
            return Err(self.failure("no accounts").into());
        };
        Ok(Cost {
            seconds: f64::from(microseconds) / 1e6,
            faults: f64::from(faults),
        })
    }

    fn listening(&mut self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !processes::listens(self.address.port()) {
            if self.reaper.try_wait()?.is_some() || Instant::now() > until {
                return Err(self.failure("does not listen").into());
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

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
