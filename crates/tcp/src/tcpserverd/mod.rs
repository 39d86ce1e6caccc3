//! `s6-tcpserverd`: serves a program on a listening socket. See
//! doc/s6-tcpserverd.md.

mod connections;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use cli::{Context, Fatal, Grammar, Parser, switch, value};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use unix::spawn::{Child, Ended};
use unix::{Errno, errno};

use crate::address::Endpoint;
use connections::{Connections, Refused};

static GRAMMAR: Grammar = Grammar {
    synopsis: "[ -v verbosity ] [ -1 ] [ -c maxconn ] [ -C localmaxconn ] prog...",
    options: &[&[
        value('v', "verbosity"),
        switch('1', "notify"),
        value('c', "maxconn"),
        value('C', "localmaxconn"),
    ]],
    long: false,
};

/// The most connections that can be asked for.
const CEILING: u32 = 16384;

/// How long nothing is accepted after an error that lasts.
const PAUSE: Duration = Duration::from_millis(200);

/// What the server catches, and children get the default of.
const CAUGHT: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGABRT,
    Signal::SIGCHLD,
    Signal::SIGPIPE,
];

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);

/// The program.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (mut max, mut local_max, mut notify) = (40, 40, false);
    let mut parser = Parser::new(&GRAMMAR, std::mem::take(&mut context.args));
    while let Some(opt) = parser.next()? {
        match opt.name {
            "verbosity" => context.verbosity = opt.unsigned()?,
            "notify" => notify = true,
            "maxconn" => max = opt.unsigned()?,
            _ => local_max = opt.unsigned()?,
        }
    }
    let prog = parser.operands(1)?;
    let max = max.clamp(1, CEILING);
    let connections = Connections::new(max, local_max.clamp(1, max));
    let (listener, local) = listener()?;
    let signals =
        unix::signal::catch(&CAUGHT).map_err(|errno| Fatal::system("catch signals", errno))?;
    context.info(&format!(
        "starting - bound to ip {} port {}",
        local.ip, local.port
    ));
    announce(notify, local.port);
    context.env.set("PROTO", "TCP");
    context.env.set("TCPLOCALIP", local.ip.to_string());
    context.env.set("TCPLOCALPORT", local.port.to_string());
    Server {
        context,
        prog,
        listener,
        signals,
        connections,
        acceptable: true,
        paused_until: None,
    }
    .run()
}

/// The socket on descriptor 0 and its address.
fn listener() -> Result<(TcpListener, Endpoint), Fatal> {
    let socket = unix::fd::claim(0).map_err(|_| not_a_socket())?;
    let listener = TcpListener::from(socket);
    let local = listener
        .local_addr()
        .map_err(|error| match errno::of(&error) {
            Errno::ENOTSOCK => not_a_socket(),
            // Rust's own error for a family that is not of the Internet has no
            // number.
            Errno::EIO => Fatal::system("get local socket information", Errno::EAFNOSUPPORT),
            errno => Fatal::system("get local socket information", errno),
        })?;
    let set_up = listener
        .set_nonblocking(true)
        .map_err(|error| errno::of(&error))
        .and_then(|()| fcntl(&listener, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop));
    set_up.map_err(|errno| Fatal::system("set up stdin", errno))?;
    Ok((listener, local.into()))
}

fn not_a_socket() -> Fatal {
    Fatal::user("stdin is not a socket")
}

/// Tells the port if asked to, and closes descriptor 1 in any case.
fn announce(notify: bool, port: u16) {
    let Ok(stdout) = unix::fd::claim(1) else {
        return;
    };
    if notify {
        // A full pipe would never be emptied by somebody who waits for us.
        let flags = fcntl(&stdout, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
        if let Ok(flags) = flags {
            let _ = fcntl(&stdout, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK));
            let _ = unix::fd::write_all(&stdout, format!("{port}\n").as_bytes());
            let _ = fcntl(&stdout, FcntlArg::F_SETFL(flags));
        }
    }
}

struct Server<'a> {
    context: &'a mut Context,
    prog: Vec<std::ffi::OsString>,
    listener: TcpListener,
    signals: OwnedFd,
    connections: Connections,
    /// There may be connections to accept; events only tell when there are
    /// new ones.
    acceptable: bool,
    paused_until: Option<Instant>,
}

impl Server<'_> {
    fn run(mut self) -> Result<u8, Fatal> {
        let failed = |error: std::io::Error| Fatal::system("poll", errno::of(&error));
        let mut poll = Poll::new().map_err(failed)?;
        for (fd, token) in [
            (self.listener.as_raw_fd(), LISTENER),
            (self.signals.as_raw_fd(), SIGNALS),
        ] {
            let source = &mut SourceFd(&fd);
            poll.registry()
                .register(source, token, Interest::READABLE)
                .map_err(failed)?;
        }
        let mut events = Events::with_capacity(2);
        self.status();
        loop {
            self.accept_all()?;
            match poll.poll(&mut events, self.pause()) {
                Ok(()) => {}
                Err(error) if errno::of(&error) == Errno::EINTR => {}
                Err(error) => return Err(failed(error)),
            }
            self.acceptable |= events.iter().any(|event| event.token() == LISTENER);
            if self
                .paused_until
                .is_some_and(|until| Instant::now() >= until)
            {
                self.paused_until = None;
            }
            if self.take_signals() {
                self.context.info("exiting");
                return Ok(0);
            }
        }
    }

    /// How long to wait: without limit, unless accepting pauses.
    fn pause(&self) -> Option<Duration> {
        let until = self.paused_until?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    fn accept_all(&mut self) -> Result<(), Fatal> {
        while self.acceptable && self.paused_until.is_none() && !self.connections.full() {
            match self.listener.accept() {
                Ok((socket, remote)) => self.serve(socket.into(), remote),
                Err(error) => self.not_accepted(errno::of(&error))?,
            }
        }
        Ok(())
    }

    fn not_accepted(&mut self, errno: Errno) -> Result<(), Fatal> {
        match errno {
            Errno::EAGAIN => self.acceptable = false,
            Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EBADF | Errno::ENOTSOCK => {
                return Err(Fatal::system("accept", errno));
            }
            Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                self.context.warn_unable("accept", errno);
                self.paused_until = Some(Instant::now() + PAUSE);
            }
            // The connection was gone before it was taken.
            Errno::ECONNABORTED | Errno::EINTR => {}
            errno => self.context.warn_unable("accept", errno),
        }
        Ok(())
    }

    /// Starts the program for a connection.
    fn serve(&mut self, socket: OwnedFd, remote: SocketAddr) {
        let Endpoint { ip, port } = remote.into();
        let count = match self.connections.admit(ip) {
            Ok(count) => count,
            Err(Refused { count }) => {
                let max = self.connections.local_max();
                self.context.say(
                    1,
                    "info",
                    &format!("reject {ip}_{port} count {count}/{max}"),
                );
                return;
            }
        };
        let env = &mut self.context.env;
        env.set("TCPREMOTEIP", ip.to_string());
        env.set("TCPREMOTEPORT", port.to_string());
        env.set("TCPCONNNUM", count.to_string());
        let child = Child::new(&self.prog, env)
            .descriptor(socket.as_fd(), 0)
            .descriptor(socket.as_fd(), 1)
            .default_signals(&CAUGHT);
        match child.spawn() {
            Ok(pid) => {
                self.connections.add(pid, ip);
                if self.context.verbosity >= 2 {
                    let max = self.connections.local_max();
                    self.context
                        .info(&format!("accept {ip}_{port} pid {pid} count {count}/{max}"));
                    self.status();
                }
            }
            Err(errno) => {
                let name = self.prog[0].to_string_lossy().into_owned();
                self.context.warn_unable(&format!("spawn {name}"), errno);
            }
        }
    }

    fn status(&self) {
        if self.context.verbosity >= 2 {
            self.context.info(&format!("status: {}", self.connections));
        }
    }

    /// Does what the signals say that have come; true if that is to exit.
    fn take_signals(&mut self) -> bool {
        let mut numbers = [0; 64];
        let count = unix::fd::read(&self.signals, &mut numbers).unwrap_or(0);
        let mut exit = false;
        let mut reap = false;
        for number in &numbers[..count] {
            match Signal::try_from(i32::from(*number)) {
                Ok(Signal::SIGCHLD) => reap = true,
                Ok(signal) => exit |= self.obey(signal),
                Err(_) => {}
            }
        }
        if reap {
            self.reap();
        }
        exit
    }

    fn obey(&mut self, signal: Signal) -> bool {
        let (what, send, exit): (_, &[Signal], _) = match signal {
            Signal::SIGTERM => ("quitting", &[], true),
            Signal::SIGHUP => (
                "sending SIGTERM and SIGCONT to all connections",
                &[Signal::SIGTERM, Signal::SIGCONT],
                false,
            ),
            Signal::SIGQUIT => (
                "sending SIGTERM and SIGCONT to all connections and quitting",
                &[Signal::SIGTERM, Signal::SIGCONT],
                true,
            ),
            Signal::SIGABRT => (
                "sending SIGKILL to all connections and quitting",
                &[Signal::SIGKILL],
                true,
            ),
            _ => return false,
        };
        self.context
            .info(&format!("received {}, {what}", signal.as_str()));
        for pid in self.connections.pids() {
            for signal in send {
                let _ = kill(pid, *signal);
            }
        }
        exit
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, ended))) = unix::spawn::reap_any() {
            let Some(count) = self.connections.remove(pid) else {
                continue;
            };
            if self.context.verbosity >= 2 {
                let max = self.connections.local_max();
                let how = match ended {
                    Ended::Exited(code) => format!("exitcode {code}"),
                    Ended::Signaled(number) => format!("signal {number}"),
                };
                self.context
                    .info(&format!("end pid {pid} {how} count {count}/{max}"));
                self.status();
            }
        }
    }
}
