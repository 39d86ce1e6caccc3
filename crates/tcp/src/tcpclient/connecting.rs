//! Connecting to the first of several addresses that accepts.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cli::address::{Address, Endpoint, Ip};
use cli::{Context, Fatal};
use unix::Errno;
use unix::net::{Kind, bind, connect, outcome, socket};
use unix::tasks::{Task, Waits, earlier, turn};

/// The addresses to try, and the limits.
pub struct Attempts<'a> {
    /// The remote addresses, in the order in which they are tried.
    pub addresses: &'a [Address],
    /// The remote port.
    pub port: u16,
    /// The time limit of one attempt in the first and in the second round; 0 for no
    /// second round.
    pub rounds: [Duration; 2],
    /// The local address and port; None and 0 for any.
    pub local: (Option<Address>, u16),
    /// The deadline for all attempts.
    pub deadline: Option<Instant>,
}

/// Why an attempt failed.
enum Failure {
    /// The socket could not be bound to the local address.
    Bind(Errno),
    /// There is no connection to the remote address.
    Connect(Errno),
}

impl Attempts<'_> {
    /// The first connection that succeeds, as a non-blocking socket.
    pub fn connect(&self, context: &Context) -> Result<OwnedFd, Fatal> {
        self.first(context, |address, limit| self.attempt(address, limit))
    }

    /// Does as [`Self::connect`] up to the connection itself: nothing is sent.
    pub fn check(&self, context: &Context) -> Result<(), Fatal> {
        self.first(context, |address, _| self.prepare(address).map(drop))
    }

    /// What `attempt` returns for the first address for which it succeeds. None is tried after the
    /// deadline. Each address that was tried in vain is named once, when it will not be tried again.
    fn first<T>(
        &self,
        context: &Context,
        attempt: impl Fn(Address, Duration) -> Result<T, Failure>,
    ) -> Result<T, Fatal> {
        let mut unbound = None;
        let mut tried = false;
        // Why addresses cannot be reached, as far as nobody has been told.
        let mut untold = vec![None; self.addresses.len()];
        let tell = |address, errno| {
            context.warn_unable(&format!("connect to {address} port {}", self.port), errno);
        };
        for (last, limit, i) in self.turns().take_while(|_| !self.is_over()) {
            let address = self.addresses[i];
            match attempt(address, limit) {
                Ok(made) => return Ok(made),
                Err(Failure::Bind(errno)) => unbound = Some(errno),
                Err(Failure::Connect(errno)) => {
                    tried = true;
                    untold[i] = Some(errno);
                    if last {
                        tell(address, errno);
                        untold[i] = None;
                    }
                }
            }
        }
        for (address, errno) in self.addresses.iter().zip(untold) {
            if let Some(errno) = errno {
                tell(*address, errno);
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

    /// Whether the deadline has passed.
    fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline <= Instant::now())
    }

    /// For each attempt whether its address will not be tried again, the time limit, and which
    /// address it is.
    fn turns(&self) -> impl Iterator<Item = (bool, Duration, usize)> {
        let addresses = 0..self.addresses.len();
        let round = move |(last, limit)| addresses.clone().map(move |i| (last, limit, i));
        self.limits().into_iter().flat_map(round)
    }

    /// For each round whether it is the last, and the time limit of an attempt.
    fn limits(&self) -> Vec<(bool, Duration)> {
        let [first, second] = self.rounds;
        if self.addresses.len() == 1 {
            return vec![(true, first + second)];
        }
        if second.is_zero() {
            return vec![(true, first)];
        }
        vec![(false, first), (true, second)]
    }

    /// Binds the socket to the local address and port, for a peer in the family of
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

    /// A socket that is bound to the local address, and the remote address.
    fn prepare(&self, address: Address) -> Result<(OwnedFd, SocketAddr), Failure> {
        let port = self.port;
        let remote = Endpoint { address, port }
            .socket_address()
            .map_err(Failure::Connect)?;
        let socket = socket(Kind::Stream, remote.ip()).map_err(Failure::Connect)?;
        if self.local.0.is_some() || self.local.1 != 0 {
            self.bind(&socket, address.ip).map_err(Failure::Bind)?;
        }
        Ok((socket, remote))
    }

    fn attempt(&self, address: Address, limit: Duration) -> Result<OwnedFd, Failure> {
        let (socket, remote) = self.prepare(address)?;
        let until = earlier(self.deadline, Some(Instant::now() + limit));
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

/// A connection attempt.
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
            // Without a peer the attempt goes on.
            Ok(()) => unix::net::remote_address(&self.socket).ok().map(|_| Ok(())),
            Err(errno) => Some(Err(errno)),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const SECONDS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(58)];

    fn attempts(addresses: &[Address], rounds: [Duration; 2]) -> Attempts<'_> {
        Attempts {
            addresses,
            port: 443,
            rounds,
            local: (None, 0),
            deadline: None,
        }
    }

    fn addresses(count: u8) -> Vec<Address> {
        (1..=count).map(|n| Ip::V4([127, 0, 0, n]).into()).collect()
    }

    #[test]
    fn each_address_has_two_rounds_and_one_alone_has_the_time_of_both() {
        let limits = |count, rounds| attempts(&addresses(count), rounds).limits();
        let [first, second] = SECONDS;
        assert_eq!(limits(1, SECONDS), [(true, first + second)]);
        assert_eq!(limits(2, SECONDS), [(false, first), (true, second)]);
        assert_eq!(limits(2, [first, Duration::ZERO]), [(true, first)]);
    }

    /// The result of attempts of which the n-th fails with this, and how many were made.
    fn tried(failure: impl Fn(usize) -> Option<Failure>) -> (Result<Address, Fatal>, usize) {
        let context = Context {
            verbosity: 0,
            ..Context::new(&cli::tables::TCPCLIENT, Vec::new(), unix::Env::default())
        };
        let made = RefCell::new(0);
        let addresses = addresses(2);
        let result = attempts(&addresses, SECONDS).first(&context, |address, _| {
            *made.borrow_mut() += 1;
            failure(*made.borrow()).map_or(Ok(address), Err)
        });
        (result, made.into_inner())
    }

    #[test]
    fn the_first_address_that_accepts_counts_and_a_second_round_follows() {
        let refused = Errno::ECONNREFUSED;
        for successful in 1..=4 {
            let fails = |n| (n < successful).then_some(Failure::Connect(refused));
            let expected = addresses(2)[(successful - 1) % 2];
            assert_eq!(tried(fails), (Ok(expected), successful));
        }
        let none = Fatal::new(111, "unable to connect to a suitable IP address");
        assert_eq!(tried(|_| Some(Failure::Connect(refused))), (Err(none), 4));
    }

    #[test]
    fn after_the_deadline_no_address_is_tried() {
        let context = Context::new(&cli::tables::TCPCLIENT, Vec::new(), unix::Env::default());
        let addresses = addresses(2);
        for rounds in [SECONDS, [SECONDS[0], Duration::ZERO]] {
            let deadline = Instant::now();
            let over = Attempts {
                deadline: Some(deadline),
                ..attempts(&addresses, rounds)
            };
            let none = Fatal::new(111, "unable to connect to a suitable IP address");
            let result = over.first(&context, |address, _| Ok(address));
            assert_eq!(result, Err(none));
        }
    }

    #[test]
    fn a_local_address_that_cannot_be_had_is_the_error_if_nothing_was_tried() {
        let taken = Errno::EADDRINUSE;
        let unbound = Fatal::system("bind socket", taken);
        assert_eq!(tried(|_| Some(Failure::Bind(taken))).0, Err(unbound));
        let mixed = tried(|n| match n {
            1 => Some(Failure::Connect(Errno::ECONNREFUSED)),
            _ => Some(Failure::Bind(taken)),
        });
        let none = Fatal::new(111, "unable to connect to a suitable IP address");
        assert_eq!(mixed.0, Err(none));
    }
}
