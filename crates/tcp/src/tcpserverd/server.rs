//! The event loop of s6-tcpserverd.

mod drain;
mod log;
mod stage;

use std::ffi::OsString;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use cli::address::{Endpoint, Ip};
use cli::{ConnectionLimits, Context, Fatal};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use unix::spawn::{self, Child, Ended};
use unix::{Errno, Pid, Signal, fd, signal};

use super::client_key::ClientKey;
use super::fullness::Fullness;
use super::table::Table;
use super::throttle::Throttle;
use stage::Stage;

const LISTENER: Token = Token(0);
const WAKE: Token = Token(1);

/// The first pause after an error. Each further one is twice as long, up to
/// [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// The memory of a connection without that for its child: an entry in the table,
/// messages, variables.
const MEMORY: usize = 16 << 10;

/// What a server does after it has handled signals.
enum Next {
    GoOn,
    /// Stop listening, and wait for the end of connections, at most so long.
    Drain(Duration),
    Quit,
}

fn poll_failure(error: io::Error) -> Fatal {
    Fatal::system("poll", unix::errno::of(&error))
}

/// Whom a server accepts, and how it ends.
pub struct Rules {
    /// How many connections there may be.
    pub limits: ConnectionLimits,
    /// How often a client may connect.
    pub throttle: Option<Throttle>,
    /// How long it waits for the end of connections after SIGTERM; None: not at all.
    pub drain: Option<Duration>,
}

/// A running server.
pub struct Server<'a> {
    context: &'a mut Context,
    stage: Stage,
    local: Endpoint,
    prog: Vec<OsString>,
    limits: ConnectionLimits,
    throttle: Option<Throttle>,
    drain: Option<Duration>,
    table: Table,
    fullness: Fullness,
    /// Connections may be waiting: accept has not returned EAGAIN since the last
    /// event. Events are edge-triggered.
    ready: bool,
    /// The end of a pause: nothing is accepted before it.
    resume: Option<Instant>,
    pause: Duration,
    /// The memory of a connection.
    need: usize,
}

impl<'a> Server<'a> {
    /// A server on `listener`, which is bound to `local`.
    pub fn new(
        context: &'a mut Context,
        listener: TcpListener,
        local: Endpoint,
        prog: Vec<OsString>,
        rules: Rules,
    ) -> Self {
        context.env.set("PROTO", "TCP");
        context.env.set("TCPLOCALPORT", local.port.to_string());
        let need = MEMORY + Child::new(&prog, &context.env).memory();
        Self {
            context,
            stage: Stage::Listening(listener),
            local,
            prog,
            limits: rules.limits,
            throttle: rules.throttle,
            drain: rules.drain,
            table: Table::default(),
            fullness: Fullness::new(rules.limits.total as usize),
            ready: true,
            resume: None,
            pause: FIRST_PAUSE,
            need,
        }
    }

    /// Serves until a signal ends the server. `wake` becomes readable with signals.
    pub fn run(mut self, wake: BorrowedFd<'_>) -> Result<u8, Fatal> {
        unix::memory::reserve_stack();
        self.status();
        let mut poll = Poll::new().map_err(poll_failure)?;
        self.register(poll.registry(), wake).map_err(poll_failure)?;
        let mut events = Events::with_capacity(2);
        loop {
            match self.obey_signals() {
                Next::Quit => break,
                Next::Drain(limit) => self.begin_drain(limit, poll.registry())?,
                Next::GoOn => {}
            }
            if self.is_drained() {
                break;
            }
            self.accept_all()?;
            self.note_fullness();
            self.report_refusals();
            match poll.poll(&mut events, self.timeout()) {
                Err(e) if unix::errno::of(&e) != Errno::EINTR => return Err(poll_failure(e)),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.ready = true,
                    _ => while matches!(fd::read(wake, &mut [0; 64]), Ok(1..)) {},
                }
            }
        }
        self.report_all_refusals();
        self.context.info("exiting");
        Ok(0)
    }

    /// Has `registry` watch the listening socket and `wake`.
    fn register(&self, registry: &Registry, wake: BorrowedFd<'_>) -> io::Result<()> {
        if let Stage::Listening(listener) = &self.stage {
            let mut listener = SourceFd(&listener.as_raw_fd());
            registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        }
        registry.register(&mut SourceFd(&wake.as_raw_fd()), WAKE, Interest::READABLE)
    }

    /// The time until something has to be done without an event; None if there is nothing.
    fn timeout(&self) -> Option<Duration> {
        let report = self.throttle.as_ref().and_then(Throttle::due);
        let all = [self.resume, self.stage.end(), report];
        let next = all.into_iter().flatten().min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Handles the caught signals.
    fn obey_signals(&mut self) -> Next {
        let caught = signal::take();
        if caught.has(Signal::SIGCHLD) {
            self.reap();
        }
        if caught.has(Signal::SIGABRT) {
            self.context
                .info("received SIGABRT, sending SIGKILL to all connections and quitting");
            self.signal_all(&[Signal::SIGKILL]);
            return Next::Quit;
        }
        let soft = [Signal::SIGTERM, Signal::SIGCONT];
        if caught.has(Signal::SIGQUIT) {
            self.context.info(
                "received SIGQUIT, sending SIGTERM and SIGCONT to all connections and quitting",
            );
            self.signal_all(&soft);
            return Next::Quit;
        }
        if caught.has(Signal::SIGHUP) {
            self.context
                .info("received SIGHUP, sending SIGTERM and SIGCONT to all connections");
            self.signal_all(&soft);
        }
        if caught.has(Signal::SIGTERM) {
            return self.terminate();
        }
        Next::GoOn
    }

    /// Signals all children. A child keeps its pid until it is reaped, so no other
    /// process is hit.
    fn signal_all(&self, signals: &[Signal]) {
        for pid in self.table.pids() {
            for signal in signals {
                let _ = signal::send(pid, *signal);
            }
        }
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, ended))) = spawn::reap_any() {
            self.forget(pid, ended);
        }
    }

    /// Notes the end of a child.
    fn forget(&mut self, pid: Pid, ended: Ended) {
        if let Some(count) = self.table.remove(pid) {
            // This may have freed the resource that an accept lacked.
            self.resume = None;
            self.log_end(pid, ended, count);
        }
    }

    /// Accepts while connections wait, the limit allows it and no signal is pending.
    fn accept_all(&mut self) -> Result<(), Fatal> {
        if self.resume.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        self.resume = None;
        while self.may_accept() {
            self.accept_one()?;
            if signal::pending() {
                break;
            }
        }
        Ok(())
    }

    /// Whether connections may be waiting, and the limit and the last error allow to accept one.
    fn may_accept(&self) -> bool {
        let room = self.table.len() < self.limits.total as usize;
        self.ready && room && self.resume.is_none()
    }

    /// Accepts a connection, if one waits.
    fn accept_one(&mut self) -> Result<(), Fatal> {
        let Stage::Listening(listener) = &self.stage else {
            self.ready = false;
            return Ok(());
        };
        // Before a connection is accepted, reserves the memory that it needs until its end:
        // lack of memory would end the server, which then no longer counts its children.
        if let Err(errno) = unix::heap::reserve(self.need) {
            self.pause_after("allocate memory", errno);
            return Ok(());
        }
        match listener.accept() {
            Ok((connection, peer)) => {
                self.pause = FIRST_PAUSE;
                self.admit(connection, peer.into());
                Ok(())
            }
            Err(e) => self.accept_failed(unix::errno::of(&e)),
        }
    }

    fn accept_failed(&mut self, errno: Errno) -> Result<(), Fatal> {
        match errno {
            Errno::EAGAIN => self.ready = false,
            Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EBADF | Errno::ENOTSOCK => {
                return Err(Fatal::system("accept", errno));
            }
            Errno::ECONNABORTED
            | Errno::EPROTO
            | Errno::EPERM
            | Errno::ENETDOWN
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::ETIMEDOUT => self.context.warn_unable("accept", errno),
            _ => self.pause_after("accept", errno),
        }
        Ok(())
    }

    /// Pauses after an error that lasts for a while, such as a lack of memory.
    fn pause_after(&mut self, what: &str, errno: Errno) {
        self.context.warn_unable(what, errno);
        self.resume = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Starts the program for a connection, or closes it at a limit of its client.
    fn admit(&mut self, connection: TcpStream, peer: Endpoint) {
        let peer = peer.unmapped();
        // Before the limit of -C: clients that it refuses count for the rate, because each has a
        // line in the log, and only the rate bounds these lines.
        if self.is_too_soon(peer) {
            return;
        }
        let prefix = self.limits.ipv6_prefix.unwrap_or(u8::MAX);
        let client = ClientKey::new(peer.address, prefix);
        let count = self.table.count(client);
        if count >= self.limits.per_address {
            self.log_reject(peer, count);
            return;
        }
        self.describe(peer, count + 1);
        let child = Child::new(&self.prog, &self.context.env)
            .descriptor(connection.as_fd(), 0)
            .descriptor(connection.as_fd(), 1)
            .open_mask();
        match child.spawn() {
            Ok(pid) => {
                let count = self.table.add(pid, client);
                self.log_accept(peer, pid, count);
            }
            Err(errno) => {
                let name = self.prog[0].to_string_lossy();
                self.context.warn_unable(&format!("spawn {name}"), errno);
            }
        }
    }

    /// Sets the variables of the connection. For an IPv4 client of the IPv6 wildcard
    /// address, the local address is the IPv4 wildcard.
    fn describe(&mut self, peer: Endpoint, count: u32) {
        let local = match (self.local.address.ip, peer.address.ip) {
            (Ip::V6(ip), Ip::V4(_)) if ip == [0; 16] => Ip::V4([0; 4]).into(),
            _ => self.local.unmapped().address,
        };
        let env = &mut self.context.env;
        env.set("TCPLOCALIP", local.to_string());
        env.set("TCPREMOTEIP", peer.address.to_string());
        env.set("TCPREMOTEPORT", peer.port.to_string());
        env.set("TCPCONNNUM", count.to_string());
    }
}

#[cfg(test)]
mod tests;
