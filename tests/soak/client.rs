//! The clients: TLS by rustls in this process, on non-blocking sockets, with a
//! time limit for every step.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, ProtocolVersion, SupportedProtocolVersion,
};

use crate::util::DEADLINE;
use crate::util::tls::client_config;

/// What went wrong.
pub enum Trouble {
    /// A step did not end in time.
    Stall(&'static str),
    /// Other bytes came back than were sent, or too few.
    Payload,
    /// The close_notify was not answered.
    CloseNotify,
    /// A violation was not answered by the right alert.
    Alert(String),
    /// Something else.
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stall(step) => write!(f, "{step} took too long"),
            Self::Payload => f.write_str("other bytes came back than were sent, or too few"),
            Self::CloseNotify => f.write_str("the close_notify was not answered"),
            Self::Alert(alert) => write!(f, "the wrong alert: {alert}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

type Result<T> = std::result::Result<T, Trouble>;

/// How a client ends its side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Close {
    /// Not at all.
    Not,
    /// With a close_notify.
    Alert,
    /// With a close_notify and the end of the stream.
    Both,
    /// With the end of the stream only.
    Stream,
}

/// A connection.
pub struct Client {
    tls: ClientConnection,
    socket: TcpStream,
    /// The server's stream has ended.
    ended: bool,
}

/// One that trusts the tests' CA and speaks only this version.
fn config(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    Arc::new(client_config(&[version]).with_no_client_auth())
}

/// A new session.
fn session(version: ProtocolVersion) -> ClientConnection {
    static CONFIGS: LazyLock<[Arc<ClientConfig>; 2]> =
        LazyLock::new(|| [&rustls::version::TLS12, &rustls::version::TLS13].map(config));
    let config = &CONFIGS[usize::from(version == ProtocolVersion::TLSv1_3)];
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

/// A connected socket.
pub fn connect(port: u16) -> Result<TcpStream> {
    let socket = TcpStream::connect(("127.0.0.1", port)).map_err(other)?;
    socket.set_read_timeout(Some(DEADLINE)).map_err(other)?;
    Ok(socket)
}

/// The first message of a handshake.
pub fn hello(version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    session(version).write_tls(&mut bytes).unwrap();
    bytes
}

/// What comes until the stream ends.
pub fn rest(socket: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Trouble::Stall("the end")),
        Err(error) => Err(other(error)),
    }
}

/// Closes it so that the server sees a reset.
pub fn reset(socket: TcpStream) {
    let now = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&socket, sockopt::Linger, &now).unwrap();
}

impl Client {
    /// Connects, and shakes hands.
    pub fn new(port: u16, version: ProtocolVersion) -> Result<Self> {
        let socket = connect(port)?;
        socket.set_nonblocking(true).map_err(other)?;
        let mut client = Self {
            tls: session(version),
            socket,
            ended: false,
        };
        client.drive("the handshake", |client| {
            Ok(!client.tls.is_handshaking() && !client.tls.wants_write())
        })?;
        Ok(client)
    }

    /// Sends `data` while it reads it back, and ends its side when all is
    /// sent; then everything has come back, and the server has ended too.
    pub fn exchange(&mut self, data: &[u8], close: Close) -> Result<()> {
        let (mut sent, mut got, mut closed) = (0, 0, close == Close::Not);
        let mut shut = matches!(close, Close::Not | Close::Alert);
        self.drive("an exchange", |client| {
            if sent < data.len() && !client.tls.wants_write() {
                sent += client.tls.writer().write(&data[sent..]).map_err(other)?;
            }
            if sent == data.len() && !closed {
                closed = true;
                if close != Close::Stream {
                    client.tls.send_close_notify();
                }
            }
            if closed && !shut && !client.tls.wants_write() {
                shut = true;
                client.socket.shutdown(Shutdown::Write).map_err(other)?;
            }
            let over = client.echoed(data, &mut got)?;
            match (over, close) {
                (None, Close::Not) => Ok(got == data.len()),
                (None, _) => Ok(false),
                _ if got < data.len() => Err(Trouble::Payload),
                (Some(false), Close::Alert | Close::Both) => Err(Trouble::CloseNotify),
                _ => Ok(true),
            }
        })?;
        if close == Close::Not {
            return Ok(());
        }
        self.drive("the end of the stream", |client| client.at_end())
    }

    /// Checks what has come back; then whether the server has ended its
    /// side, and if so whether with a close_notify.
    fn echoed(&mut self, data: &[u8], got: &mut usize) -> Result<Option<bool>> {
        let mut buf = [0; 16384];
        loop {
            match self.tls.reader().read(&mut buf) {
                Ok(0) => return Ok(Some(true)),
                Ok(count) => {
                    if data.get(*got..*got + count) != Some(&buf[..count]) {
                        return Err(Trouble::Payload);
                    }
                    *got += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Some(false)),
                Err(error) => return Err(other(error)),
            }
        }
    }

    /// Whether the stream has ended; nothing may come before.
    fn at_end(&mut self) -> Result<bool> {
        if !self.ended {
            match self.socket.read(&mut [0]) {
                Ok(0) => self.ended = true,
                Ok(_) => return Err(Trouble::Other("bytes after the close_notify".into())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(other(error)),
            }
        }
        Ok(self.ended)
    }

    /// Sends `data`.
    pub fn send(&mut self, data: &[u8]) -> Result<()> {
        self.tls.writer().write_all(data).map_err(other)?;
        self.drive("sending", |client| Ok(!client.tls.wants_write()))
    }

    /// How many bytes come until then.
    pub fn receive(&mut self, until: Instant) -> Result<u64> {
        let (mut buf, mut received) = ([0; 16384], 0);
        loop {
            match self.tls.reader().read(&mut buf) {
                Ok(0) => return Err(Trouble::Payload),
                Ok(count) => received += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(received);
                    }
                    self.move_bytes(left)?;
                }
                Err(error) => return Err(other(error)),
            }
        }
    }

    /// Sends some of `data`, then closes without close_notify.
    pub fn vanish(mut self, data: &[u8]) -> Result<()> {
        let (mut sent, mut got) = (0, 0);
        self.drive("sending", |client| {
            if sent < data.len() && !client.tls.wants_write() {
                sent += client.tls.writer().write(&data[sent..]).map_err(other)?;
            }
            client.echoed(data, &mut got)?;
            Ok(sent == data.len())
        })?;
        reset(self.socket);
        Ok(())
    }

    /// Sends an invalid record, for which an alert must come.
    pub fn spoil(mut self, garbage: &[u8]) -> Result<()> {
        let length = u16::try_from(garbage.len()).unwrap().to_be_bytes();
        let record = [&[23, 3, 3], &length[..], garbage].concat();
        self.socket.write_all(&record).map_err(other)?;
        let end = self.drive("an alert", |client| Ok(client.ended));
        match end {
            Err(Trouble::Alert(alert)) if alert == name(AlertDescription::BadRecordMac) => Ok(()),
            Err(trouble) => Err(trouble),
            Ok(()) => Err(Trouble::Alert("none for a bad record".into())),
        }
    }

    /// Reads and writes until `done`.
    fn drive(
        &mut self,
        what: &'static str,
        mut done: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<()> {
        let until = Instant::now() + DEADLINE;
        while !done(self)? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Trouble::Stall(what));
            }
            self.move_bytes(left)?;
        }
        Ok(())
    }

    /// Waits until something can be read or written, and does that.
    fn move_bytes(&mut self, left: Duration) -> Result<()> {
        let mut events = PollFlags::empty();
        if !self.ended {
            events |= PollFlags::POLLIN;
        }
        if self.tls.wants_write() {
            events |= PollFlags::POLLOUT;
        }
        let mut fds = [PollFd::new(self.socket.as_fd(), events)];
        let limit = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        poll(&mut fds, limit).map_err(other)?;
        let ready = fds[0].revents().unwrap_or(PollFlags::empty());
        if ready.contains(PollFlags::POLLOUT) && self.tls.wants_write() {
            passable(self.tls.write_tls(&mut self.socket))?;
        }
        if !self.ended && self.tls.wants_read() && ready.intersects(!PollFlags::POLLOUT) {
            if passable(self.tls.read_tls(&mut self.socket))? == Some(0) {
                self.ended = true;
            }
            match self.tls.process_new_packets() {
                Ok(_) => {}
                Err(rustls::Error::AlertReceived(alert)) => {
                    return Err(Trouble::Alert(name(alert)));
                }
                Err(error) => return Err(other(error)),
            }
        }
        Ok(())
    }
}

fn name(alert: AlertDescription) -> String {
    format!("{alert:?}")
}

/// How many bytes, unless it was too early.
fn passable(result: std::io::Result<usize>) -> Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(other(error)),
    }
}

/// A trouble that has no name.
pub fn other(error: impl fmt::Display) -> Trouble {
    Trouble::Other(error.to_string())
}
