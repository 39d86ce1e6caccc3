//! The event loop of s6-tcpserverd.

use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use cli::address::{Endpoint, Ip};
use cli::{ConnectionLimits, Context, Fatal};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use unix::spawn::{Child, Ended};
use unix::{Errno, Pid, Signal, fd, signal, spawn};

use super::fullness::{Change, Fullness};
use super::table::Table;

const LISTENER: Token = Token(0);
const WAKE: Token = Token(1);

/// The first pause after an error. Each further one is twice as long, up to
/// [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// The memory of a connection without that for its child: an entry in the table,
/// messages, variables.
const MEMORY: usize = 16 << 10;

/// A running server.
pub struct Server<'a> {
    context: &'a mut Context,
    listener: TcpListener,
    local: Endpoint,
    prog: Vec<OsString>,
    limits: ConnectionLimits,
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
        limits: ConnectionLimits,
    ) -> Self {
        context.env.set("PROTO", "TCP");
        context.env.set("TCPLOCALPORT", local.port.to_string());
        let need = MEMORY + Child::new(&prog, &context.env).memory();
        Self {
            context,
            listener,
            local,
            prog,
            limits,
            table: Table::default(),
            fullness: Fullness::new(limits.total as usize),
            ready: true,
            resume: None,
            pause: FIRST_PAUSE,
            need,
        }
    }

    /// Serves until a signal ends the server. `wake` becomes readable with signals.
    pub fn run(mut self, wake: BorrowedFd<'_>) -> Result<u8, Fatal> {
        self.status();
        let poll_failure = |e: std::io::Error| Fatal::system("poll", unix::errno::of(&e));
        let mut poll = Poll::new().map_err(poll_failure)?;
        let registry = poll.registry();
        registry
            .register(
                &mut SourceFd(&self.listener.as_raw_fd()),
                LISTENER,
                Interest::READABLE,
            )
            .and_then(|()| {
                registry.register(&mut SourceFd(&wake.as_raw_fd()), WAKE, Interest::READABLE)
            })
            .map_err(poll_failure)?;
        let mut events = Events::with_capacity(2);
        loop {
            if self.obey_signals() {
                self.context.info("exiting");
                return Ok(0);
            }
            self.accept_all()?;
            self.note_fullness();
            let timeout = self
                .resume
                .map(|at| at.saturating_duration_since(Instant::now()));
            match poll.poll(&mut events, timeout) {
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
    }

    /// Handles the caught signals. True if the server has to quit.
    fn obey_signals(&mut self) -> bool {
        let caught = signal::take();
        if caught.has(Signal::SIGCHLD) {
            self.reap();
        }
        if caught.has(Signal::SIGABRT) {
            self.context
                .info("received SIGABRT, sending SIGKILL to all connections and quitting");
            self.signal_all(&[Signal::SIGKILL]);
            return true;
        }
        let soft = [Signal::SIGTERM, Signal::SIGCONT];
        if caught.has(Signal::SIGQUIT) {
            self.context.info(
                "received SIGQUIT, sending SIGTERM and SIGCONT to all connections and quitting",
            );
            self.signal_all(&soft);
            return true;
        }
        if caught.has(Signal::SIGHUP) {
            self.context
                .info("received SIGHUP, sending SIGTERM and SIGCONT to all connections");
            self.signal_all(&soft);
        }
        let quit = caught.has(Signal::SIGTERM);
        if quit {
            self.context.info("received SIGTERM, quitting");
        }
        quit
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
            if let Some(count) = self.table.remove(pid) {
                // This may have freed the resource that an accept lacked.
                self.resume = None;
                self.log_end(pid, ended, count);
            }
        }
    }

    /// Accepts while connections wait, the limit allows it and no signal is pending.
    fn accept_all(&mut self) -> Result<(), Fatal> {
        if self.resume.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        self.resume = None;
        while self.ready && self.table.len() < self.limits.total as usize {
            // Before a connection is accepted, reserves all memory that it needs until its end:
            // lack of memory would end the server, which then no longer counts its children.
            if let Err(errno) = unix::heap::reserve(self.need) {
                self.pause_after("allocate memory", errno);
                break;
            }
            match self.listener.accept() {
                Ok((connection, peer)) => {
                    self.pause = FIRST_PAUSE;
                    self.admit(connection, peer.into());
                }
                Err(e) => self.accept_failed(unix::errno::of(&e))?,
            }
            if self.resume.is_some() || signal::pending() {
                break;
            }
        }
        Ok(())
    }

    /// Warns when the limit of connections is reached and when it is left. Called
    /// after accept, so that a server with waiting clients stays full.
    fn note_fullness(&mut self) {
        let (count, maximum) = (self.table.len(), self.limits.total);
        let text = match self.fullness.note(count) {
            Some(Change::Reached) => {
                format!("limit of {maximum} connections reached: further clients wait")
            }
            Some(Change::Left) => {
                format!("below the limit of {maximum} connections again: {count}")
            }
            None => return,
        };
        self.context.warn(&text);
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

    /// Starts the program for a connection, or closes it at the limit of its address.
    fn admit(&mut self, connection: TcpStream, peer: Endpoint) {
        let peer = peer.unmapped();
        let count = self.table.count(peer.address);
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
                let count = self.table.add(pid, peer.address);
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

    fn status(&self) {
        self.info(|| format!("status: {}/{}", self.table.len(), self.limits.total));
    }

    fn log_accept(&self, peer: Endpoint, pid: Pid, count: u32) {
        let Endpoint { address, port } = peer;
        self.info(|| {
            format!(
                "accept {address}_{port} pid {pid} count {count}/{}",
                self.limits.per_address
            )
        });
        self.status();
    }

    fn log_reject(&self, peer: Endpoint, count: u32) {
        let Endpoint { address, port } = peer;
        let text = format!(
            "reject {address}_{port} count {count}/{}",
            self.limits.per_address
        );
        self.context.say(1, "info", &text);
    }

    fn log_end(&self, pid: Pid, ended: Ended, count: u32) {
        self.info(|| {
            let how = match ended {
                Ended::Exited(code) => format!("exitcode {code}"),
                Ended::Signaled(number) => format!("signal {number}"),
            };
            format!(
                "end pid {pid} {how} count {count}/{}",
                self.limits.per_address
            )
        });
        self.status();
    }

    /// Prints an info; formats its text only if it is wanted.
    fn info(&self, text: impl FnOnce() -> String) {
        if self.context.verbosity >= 2 {
            self.context.info(&text());
        }
    }
}

#[cfg(test)]
mod tests;
