//! The I/O of one query: over UDP, and over TCP if the answer was truncated.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use cli::address::{Address, Endpoint};
use unix::net::{Kind, connect, outcome, send, socket};
use unix::tasks::{Task, Waits};
use unix::{Errno, fd};

use crate::exchange::Exchange;
use crate::message::{Message, Reply};
use crate::{Answer, Config, Failure, Query};

const PORT: u16 = 53;

/// The size of the buffer for an answer. Answers over UDP have at most 1232 bytes, which queries
/// for DNSSEC announce, or 512 bytes, the default.
const DATAGRAM: usize = 4096;

/// The maximum number of actions in one step: more than all servers in all rounds, each
/// of which may fail at once.
const BURST: usize = 256;

/// A query that is in progress.
pub(crate) struct Conversation {
    exchange: Exchange,
    message: Message,
    packet: Vec<u8>,
    state: State,
    until: Instant,
    /// The servers that could be reached and failed, and how.
    failed: Vec<(Address, Failure)>,
}

enum State {
    /// The next server has to be queried.
    Start,
    /// The query was sent over UDP.
    Datagram(OwnedFd),
    /// The query goes over TCP.
    Stream {
        socket: OwnedFd,
        /// The rest to be sent.
        send: Vec<u8>,
        /// What was received so far.
        received: Vec<u8>,
    },
    /// The query has ended.
    Done(Result<Answer, Failure>),
}

impl Conversation {
    /// A conversation for `query`. Nothing is sent yet.
    pub(crate) fn new(config: &Config, query: &Query, now: Instant) -> Self {
        let mut id = [0; 2];
        let random = getrandom::fill(&mut id);
        let message = Message::new(query, u16::from_be_bytes(id));
        let mut conversation = Self {
            exchange: Exchange::new(config),
            packet: Vec::new(),
            message,
            state: State::Start,
            until: now,
            failed: Vec::new(),
        };
        match (conversation.message.encode(), random) {
            (_, Err(_)) => conversation.end(Err(Failure::System(Errno::EIO))),
            (Err(failure), _) => conversation.end(Err(failure)),
            (Ok(packet), Ok(())) => conversation.packet = packet,
        }
        if let Some(answer) = query.without_asking() {
            conversation.end(Ok(answer));
        }
        conversation
    }

    /// The result, if the query has ended.
    pub(crate) fn result(&self) -> Option<&Result<Answer, Failure>> {
        match &self.state {
            State::Done(result) => Some(result),
            _ => None,
        }
    }

    fn end(&mut self, result: Result<Answer, Failure>) {
        self.state = State::Done(result);
    }

    /// Goes on with the next server.
    fn failed(&mut self, failure: Failure) {
        let absent = matches!(failure, Failure::System(_))
            && matches!(self.state, State::Start | State::Datagram(_));
        if !absent {
            self.note(failure);
        }
        self.exchange.failed(failure);
        self.state = State::Start;
    }

    /// Goes on with the next server, and never asks the current one again.
    fn refused(&mut self) {
        self.note(Failure::Refused);
        self.exchange.refused();
        self.state = State::Start;
    }

    /// Notes that the current server failed.
    fn note(&mut self, failure: Failure) {
        if let Ok((server, _)) = self.exchange.current() {
            self.failed.push((server, failure));
        }
    }

    /// Takes what the current server says. That records are not secure does not count after the
    /// failure of another server: this may be the refusal of one that validates, and the
    /// current server may not validate.
    fn answered(&mut self, mut result: Result<Answer, Failure>) {
        if let (Ok(Answer::Secured(said)), Ok((server, _))) = (&mut result, self.exchange.current())
        {
            said.server = Some(server);
            let mut others = self.failed.iter().filter(|(failed, _)| *failed != server);
            if let Some((_, failure)) = others.next().filter(|_| !said.authentic) {
                self.exchange.failed(*failure);
                self.state = State::Start;
                return;
            }
        }
        self.end(result);
    }

    /// Sends the query to the current server over UDP.
    fn start(&mut self, now: Instant) {
        let (server, timeout) = match self.exchange.current() {
            Ok(current) => current,
            Err(failure) => return self.end(Err(failure)),
        };
        self.until = now + timeout;
        let asked = begin(Kind::Datagram, server).and_then(|socket| {
            send(&socket, &self.packet)?;
            Ok(socket)
        });
        match asked {
            Ok(socket) => self.state = State::Datagram(socket),
            Err(errno) => self.failed(Failure::System(errno)),
        }
    }

    /// Connects to the current server over TCP (RFC 7766).
    fn start_stream(&mut self) {
        let Ok((server, _)) = self.exchange.current() else {
            return;
        };
        match begin(Kind::Stream, server) {
            Ok(socket) => {
                let length = u16::try_from(self.packet.len()).unwrap_or_default();
                self.state = State::Stream {
                    socket,
                    send: [&length.to_be_bytes()[..], &self.packet].concat(),
                    received: Vec::new(),
                };
            }
            Err(errno) => {
                self.note(Failure::System(errno));
                self.failed(Failure::System(errno));
            }
        }
    }

    /// Goes on as far as possible, but not forever: a server that never stops sending
    /// must not keep the caller from checking its deadline.
    fn turn(&mut self, now: Instant) {
        for _ in 0..BURST {
            if !self.go_on(now) {
                return;
            }
        }
    }

    /// Takes one action. True if the next may be possible at once.
    fn go_on(&mut self, now: Instant) -> bool {
        let reply = match &mut self.state {
            State::Start => {
                self.start(now);
                return true;
            }
            State::Done(_) => return false,
            State::Datagram(socket) => {
                let mut packet = [0; DATAGRAM];
                match fd::read(&*socket, &mut packet) {
                    Ok(count) => self.message.decode(&packet[..count], false),
                    Err(Errno::EAGAIN) => return false,
                    Err(errno) => Reply::Broken(Failure::System(errno)),
                }
            }
            State::Stream {
                socket,
                send,
                received,
            } => match stream(socket, send, received) {
                Ok(Some(packet)) => self.message.decode(&packet, true),
                Ok(None) => return false,
                Err(Errno::EAGAIN) => return false,
                Err(errno) => Reply::Broken(Failure::System(errno)),
            },
        };
        match reply {
            Reply::Foreign if matches!(self.state, State::Stream { .. }) => {
                self.failed(Failure::Malformed);
            }
            Reply::Foreign => {}
            Reply::Final(result) => self.answered(result),
            Reply::Truncated => self.start_stream(),
            Reply::Broken(failure) => self.failed(failure),
            Reply::Unwilling => self.refused(),
        }
        true
    }
}

impl Task for Conversation {
    fn is_finished(&self) -> bool {
        self.result().is_some()
    }

    fn wait<'a>(&'a self, waits: &mut Waits<'a>) {
        match &self.state {
            State::Done(_) => return,
            State::Start => {}
            State::Datagram(socket) => waits.readable(socket.as_fd()),
            State::Stream { socket, send, .. } if send.is_empty() => {
                waits.readable(socket.as_fd());
            }
            State::Stream { socket, .. } => waits.writable(socket.as_fd()),
        }
        waits.until(self.until);
    }

    fn step(&mut self, now: Instant) {
        self.turn(now);
        if self.result().is_none() && now >= self.until {
            self.failed(Failure::TimedOut);
            self.turn(now);
        }
    }
}

/// A socket that connects to a server, or is connected already.
fn begin(kind: Kind, server: Address) -> Result<OwnedFd, Errno> {
    let endpoint = Endpoint {
        address: server,
        port: PORT,
    };
    let address = endpoint.socket_address()?;
    let socket = socket(kind, address.ip())?;
    connect(&socket, address)?;
    Ok(socket)
}

/// Goes on over TCP. Returns the answer without its length once it is complete.
fn stream(
    socket: &OwnedFd,
    to_send: &mut Vec<u8>,
    received: &mut Vec<u8>,
) -> Result<Option<Vec<u8>>, Errno> {
    if !to_send.is_empty() {
        outcome(socket)?;
        let sent = match send(socket, to_send) {
            // The socket is still connecting: wait for the next event.
            Err(Errno::ENOTCONN) => return Err(Errno::EAGAIN),
            result => result?,
        };
        to_send.drain(..sent);
        return Ok(None);
    }
    let mut piece = [0; DATAGRAM];
    match fd::read(socket, &mut piece)? {
        0 => return Err(Errno::EPIPE),
        count => received.extend_from_slice(&piece[..count]),
    }
    if let Some((length, packet)) = received.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        if let Some(packet) = packet.get(..length) {
            return Ok(Some(packet.to_vec()));
        }
    }
    Ok(None)
}

#[cfg(test)]
pub(crate) mod tests;
