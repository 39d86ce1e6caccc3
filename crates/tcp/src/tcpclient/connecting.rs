//! Connecting to the first of several addresses that lets us.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cli::{Context, Fatal};
use unix::Errno;
use unix::net::{Kind, bind, connect, outcome, socket};
use unix::tasks::{Task, Waits, earlier, turn};

use cli::address::{Address, Endpoint, Ip};

/// What is to be tried.
pub struct Attempts<'a> {
    /// The addresses, in their order.
    pub addresses: &'a [Address],
    /// The port.
    pub port: u16,
    /// How long one attempt may take in the first and the second round; no
    /// second round for 0.
    pub rounds: [Duration; 2],
    /// Our own address and port, where they matter.
    pub local: (Option<Address>, u16),
    /// When all attempts are over.
    pub deadline: Option<Instant>,
}

/// Why there is no connection.
enum Failure {
    /// The local address cannot be had.
    Bind(Errno),
    Connect(Errno),
}

impl Attempts<'_> {
    /// The first connection that is made, in non-blocking mode.
    pub fn connect(&self, context: &Context) -> Result<OwnedFd, Fatal> {
        let mut unbound = None;
        let mut tried = false;
        for (last, patience) in self.patience() {
            for address in self.addresses {
                match self.attempt(*address, patience) {
                    Ok(socket) => return Ok(socket),
                    Err(Failure::Bind(errno)) => unbound = Some(errno),
                    Err(Failure::Connect(errno)) => {
                        tried = true;
                        if last {
                            let what = format!("connect to {address} port {}", self.port);
                            context.warn_unable(&what, errno);
                        }
                    }
                }
            }
        }
        match unbound {
            Some(errno) if !tried => Err(Fatal::system("bind socket", errno)),
            _ => Err(Fatal::new(
                Fatal::SYSTEM,
                "unable to connect to a suitable IP address",
            )),
        }
    }

    /// How long an attempt may take, round by round, and which round is the
    /// last.
    fn patience(&self) -> Vec<(bool, Duration)> {
        let [first, second] = self.rounds;
        if self.addresses.len() == 1 {
            return vec![(true, first + second)];
        }
        if second.is_zero() {
            return vec![(true, first)];
        }
        vec![(false, first), (true, second)]
    }

    /// Gives the socket our own address and port, for a peer of the family of
    /// `ip`.
    fn bind(&self, socket: &OwnedFd, ip: Ip) -> Result<(), Errno> {
        let any = match ip {
            Ip::V4(_) => Ip::V4([0; 4]),
            Ip::V6(_) => Ip::V6([0; 16]),
        };
        let (address, port) = self.local;
        let address = address.unwrap_or(any.into());
        bind(socket, Endpoint { address, port }.socket_address()?)
    }

    fn attempt(&self, address: Address, patience: Duration) -> Result<OwnedFd, Failure> {
        let port = self.port;
        let remote = Endpoint { address, port }.socket_address();
        let remote = remote.map_err(Failure::Connect)?;
        let socket = socket(Kind::Stream, remote.ip()).map_err(Failure::Connect)?;
        if self.local.0.is_some() || self.local.1 != 0 {
            self.bind(&socket, address.ip).map_err(Failure::Bind)?;
        }
        let until = earlier(self.deadline, Some(Instant::now() + patience));
        let mut attempt = Attempt {
            socket,
            result: None,
        };
        match connect(&attempt.socket, remote) {
            Ok(true) => return Ok(attempt.socket),
            Ok(false) => {}
            Err(errno) => return Err(Failure::Connect(errno)),
        }
        while turn(&mut [&mut attempt], until).map_err(Failure::Connect)? {}
        match attempt.result {
            Some(Ok(())) => Ok(attempt.socket),
            Some(Err(errno)) => Err(Failure::Connect(errno)),
            None => Err(Failure::Connect(Errno::ETIMEDOUT)),
        }
    }
}

/// A connection that is being made.
struct Attempt {
    socket: OwnedFd,
    result: Option<Result<(), Errno>>,
}

impl Task for Attempt {
    fn is_finished(&self) -> bool {
        self.result.is_some()
    }

    fn wait<'a>(&'a self, waits: &mut Waits<'a>) {
        waits.writable(self.socket.as_fd());
    }

    fn step(&mut self, _now: Instant) {
        self.result = match outcome(&self.socket) {
            // Without a peer there is no connection yet.
            Ok(()) => unix::net::remote_address(&self.socket).ok().map(|_| Ok(())),
            Err(errno) => Some(Err(errno)),
        };
    }
}
