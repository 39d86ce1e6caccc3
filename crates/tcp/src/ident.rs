//! IDENT (RFC 1413): asks the peer's host for the user of a connection.

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cli::address::{Address, Endpoint, parse_port, unmapped_ends};
use cli::id::IdentClient;
use cli::message::has_control;
use cli::{Context, Fatal};
use unix::net::{Kind, bind, connect, outcome, send, socket};
use unix::tasks::{Task, Waits, turn};
use unix::{Errno, fd};

use crate::deadline::deadline;

const PORT: u16 = 113;
const MAX_REPLY: usize = 1024;
const MAX_NAME: usize = 511;

/// The reply of an IDENT server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The user's name, without control characters.
    User(Vec<u8>),
    /// An error; its text for messages.
    Error(&'static str),
}

/// The time limit for an IDENT server in a program without one. The peer controls
/// the server: without a limit it could keep the program, and its place among the
/// connections, forever.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// The deadline for an IDENT server in a program with this deadline.
pub fn until(deadline: Option<Instant>) -> Instant {
    deadline.unwrap_or_else(|| Instant::now() + DEFAULT_LIMIT)
}

/// A query to an IDENT server. As a task it runs beside others.
pub struct Query {
    socket: OwnedFd,
    send: Vec<u8>,
    received: Vec<u8>,
    ports: (u16, u16),
    until: Instant,
    required: bool,
    result: Option<Result<Reply, Errno>>,
}

impl Query {
    /// Starts a query to the host of `remote` about the connection between `remote`
    /// and `local`. It fails with ETIMEDOUT at `until`, and with EPROTO for a
    /// malformed reply.
    pub fn new(remote: Endpoint, local: Endpoint, until: Instant) -> Result<Self, Errno> {
        let ports = (remote.port, local.port);
        let at = |end: Endpoint, port| Endpoint { port, ..end }.socket_address();
        let (server, own) = (at(remote, PORT)?, at(local, 0)?);
        let socket = socket(Kind::Stream, server.ip())?;
        bind(&socket, own)?;
        connect(&socket, server)?;
        Ok(Self {
            socket,
            send: format!("{} , {}\r\n", ports.0, ports.1).into_bytes(),
            received: Vec::new(),
            ports,
            until,
            required: false,
            result: None,
        })
    }

    /// The same query. As a task it ends the others when it ends without a user, if
    /// a user is `required`.
    pub fn required(self, required: bool) -> Self {
        Self { required, ..self }
    }

    /// The query as a task, if it was started.
    pub fn task(query: &mut Option<Result<Self, Errno>>) -> Option<&mut dyn Task> {
        match query {
            Some(Ok(query)) => Some(query),
            _ => None,
        }
    }

    /// Waits until the query has ended.
    pub fn finish(mut self) -> Result<Reply, Errno> {
        while turn(&mut [&mut self], None)? {}
        self.result.unwrap_or(Err(Errno::ETIMEDOUT))
    }

    /// Takes one step. None if the query has to wait.
    fn go_on(&mut self) -> Result<Option<Reply>, Errno> {
        if !self.send.is_empty() {
            outcome(&self.socket)?;
            let sent = send(&self.socket, &self.send)?;
            self.send.drain(..sent);
            return Ok(None);
        }
        let mut piece = [0; MAX_REPLY];
        let count = fd::read(&self.socket, &mut piece)?;
        self.received.extend_from_slice(&piece[..count]);
        if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            if end < MAX_REPLY {
                return parse(&self.received[..end], self.ports).map(Some);
            }
        }
        match (count, self.received.len()) {
            (0, _) => Ok(Some(Reply::Error("unknown error"))),
            (_, MAX_REPLY..) => Err(Errno::EPROTO),
            _ => Ok(None),
        }
    }
}

impl Task for Query {
    fn is_finished(&self) -> bool {
        self.result.is_some()
    }

    fn wait<'a>(&'a self, waits: &mut Waits<'a>) {
        if self.send.is_empty() {
            waits.readable(self.socket.as_fd());
        } else {
            waits.writable(self.socket.as_fd());
        }
        waits.until(self.until);
    }

    fn step(&mut self, now: Instant) {
        match self.go_on() {
            Ok(None) | Err(Errno::EAGAIN | Errno::ENOTCONN) => {
                if now >= self.until {
                    self.result = Some(Err(Errno::ETIMEDOUT));
                }
            }
            Ok(Some(reply)) => self.result = Some(Ok(reply)),
            Err(errno) => self.result = Some(Err(errno)),
        }
    }

    fn ends_all(&self) -> bool {
        let user = matches!(self.result, Some(Ok(Reply::User(_))));
        self.required && self.result.is_some() && !user
    }
}

/// Reads a reply line, without its LF.
fn parse(line: &[u8], ports: (u16, u16)) -> Result<Reply, Errno> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut fields = line.splitn(4, |byte| *byte == b':');
    let mut field = || fields.next().ok_or(Errno::EPROTO);
    let (pair, kind, detail) = (field()?, trim(field()?), field()?);
    let mut numbers = pair
        .split(|byte| *byte == b',')
        .map(|text| parse_port(trim(text)));
    let asked = [Some(ports.0), Some(ports.1)];
    if [numbers.next().flatten(), numbers.next().flatten()] != asked || numbers.next().is_some() {
        return Err(Errno::EPROTO);
    }
    match kind {
        b"USERID" => {
            let name = match field()? {
                [b' ' | b'\t', name @ ..] => name,
                name => name,
            };
            // The client's host chooses the name, which gets into a variable and
            // from there into logs and terminals.
            if has_control(name) || name.len() > MAX_NAME {
                return Err(Errno::EPROTO);
            }
            Ok(Reply::User(name.to_vec()))
        }
        b"ERROR" => match trim(detail) {
            b"NO-USER" => Ok(Reply::Error("no such user")),
            b"HIDDEN-USER" => Ok(Reply::Error("identification denied")),
            b"INVALID-PORT" => Ok(Reply::Error("invalid port")),
            b"UNKNOWN-ERROR" => Ok(Reply::Error("unknown error")),
            [b'X', ..] => Ok(Reply::Error("X-error-token")),
            _ => Err(Errno::EPROTO),
        },
        _ => Err(Errno::EPROTO),
    }
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// `s6-ident-client`. See doc/s6-ident-client.md.
pub fn main(context: &mut Context) -> Result<u8, Fatal> {
    let (given, operands) = context.options()?;
    let mut timeout = 0;
    for (IdentClient::Timeout, option) in given.each::<IdentClient>()? {
        timeout = option.number();
    }
    let [remote_ip, remote_port, local_ip, local_port, ..] = &operands[..] else {
        return Err(context.usage());
    };
    let end = |address, number| {
        Ok::<_, Fatal>(Endpoint {
            address: self::address(address)?,
            port: port(number)?,
        })
    };
    let given_ends = [end(remote_ip, remote_port)?, end(local_ip, local_port)?];
    let is_v6 = |end: &Endpoint| end.address.ip.is_v6();
    let [remote, local] = unmapped_ends(given_ends)
        .filter(|[remote, local]| is_v6(remote) == is_v6(local))
        .ok_or_else(|| Fatal::user("address family mismatch"))?;
    remote.address.find_interface()?;
    local.address.find_interface()?;
    let limit = Duration::from_millis(timeout.into());
    let until = until(deadline(Instant::now(), limit));
    match Query::new(remote, local, until).and_then(Query::finish) {
        Ok(Reply::User(mut name)) => {
            name.push(b'\n');
            print(&name).map_err(|errno| Fatal::system("write to stdout", errno))?;
            Ok(0)
        }
        Ok(Reply::Error(why)) => {
            context.warn(&format!("ident server replied: {why}"));
            Ok(1)
        }
        Err(errno) => {
            let timed_out = Instant::now() >= until;
            let code = if timed_out { 99 } else { Fatal::SYSTEM };
            Err(Fatal::unable(code, "ask the ident server", errno))
        }
    }
}

fn print(bytes: &[u8]) -> Result<(), Errno> {
    let _quiet = unix::signal::ignore_sigpipe();
    let stdout = fd::take_inherited(1)?;
    fd::write_all(&stdout, bytes)
}

fn address(text: &std::ffi::OsStr) -> Result<Address, Fatal> {
    Address::parse(text.as_encoded_bytes())
        .ok_or_else(|| Fatal::user(format!("invalid IP address: {}", text.to_string_lossy())))
}

fn port(text: &std::ffi::OsStr) -> Result<u16, Fatal> {
    parse_port(text.as_encoded_bytes())
        .ok_or_else(|| Fatal::user(format!("invalid port number: {}", text.to_string_lossy())))
}

#[cfg(test)]
mod tests;
