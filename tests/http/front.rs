//! A web server behind haproxy or s6-tlsserver, and its client.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustls::{ClientConnection, SupportedProtocolVersion};

use crate::util::tls::{client_config, serve};
use crate::util::{DEADLINE, Running, TempDir, certs, cmd, eventually, free_port};

/// A version of TLS, as rustls calls it.
pub type Version = &'static SupportedProtocolVersion;

/// Something that terminates TLS before the web server.
pub struct Front {
    pub name: &'static str,
    _dir: TempDir,
    _haproxy: Option<Running>,
    /// What runs the web server, and has its line on standard error.
    server: Running,
    pub port: u16,
}

/// The web server's command: it serves `data`.
fn web_server(dir: &TempDir, data: &[u8]) -> [String; 3] {
    let data = dir.file("data", data);
    let program = dir.file("backend.py", include_str!("backend.py"));
    ["python3", program.to_str().unwrap(), data.to_str().unwrap()].map(str::to_owned)
}

impl Front {
    pub fn haproxy(data: &[u8]) -> Self {
        let (dir, port) = (TempDir::new(), free_port());
        let server = cmd(["s6-tcpserver", "-1", "127.0.0.1", "0"])
            .args(web_server(&dir, data))
            .start();
        let pair = ["p256.pem", "p256.key"].map(|name| certs().read(name));
        let pair = dir.file("pair.pem", pair.concat());
        let config = format!(
            "defaults\n mode tcp\n timeout connect 50s\n timeout client 50s\n timeout server 50s\n\
             listen x\n bind 127.0.0.1:{port} ssl crt {}\n server s 127.0.0.1:{}\n",
            pair.display(),
            server.port()
        );
        let config = dir.file("haproxy.cfg", config);
        let haproxy = cmd(["haproxy", "-f"]).arg(config).start();
        eventually("haproxy listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        // That connection was one without a handshake, which haproxy does not pass on.
        Self {
            name: "haproxy",
            _dir: dir,
            _haproxy: Some(haproxy),
            server,
            port,
        }
    }

    pub fn ours(data: &[u8]) -> Self {
        let dir = TempDir::new();
        let program = web_server(&dir, data);
        let program: Vec<&str> = program.iter().map(String::as_str).collect();
        let (server, port) = serve(&["-S"], "p256", &program);
        Self {
            name: "s6-tlsserver",
            _dir: dir,
            _haproxy: None,
            server,
            port,
        }
    }

    /// What both ends see of a connection on which the client does this.
    pub fn see(&self, version: Version, act: impl FnOnce(&mut Client)) -> Seen {
        let before = self.server.stderr.len();
        let mut client = Client::connect(self.port, version);
        act(&mut client);
        Seen {
            sent: client.sent,
            received: client.received,
            end: client.end,
            backend: self.backend(before),
        }
    }

    /// The line of the web server that comes after this many bytes.
    pub fn backend(&self, before: usize) -> String {
        let line = self.server.stderr.wait(Instant::now() + DEADLINE, |bytes| {
            let text = String::from_utf8_lossy(&bytes[before..]);
            let line = text.lines().find(|line| line.starts_with("backend: "));
            line.filter(|_| text.ends_with('\n')).map(str::to_owned)
        });
        line.unwrap_or_else(|| self.server.fail("the web server did not end"))
    }
}

/// What both ends saw of a connection.
pub struct Seen {
    /// What the client sent.
    pub sent: Vec<u8>,
    /// What the client received.
    pub received: Vec<u8>,
    /// How it ended for the client, if the client waited for that.
    pub end: Option<&'static str>,
    /// What the web server said.
    pub backend: String,
}

/// A client with a completed handshake.
pub struct Client {
    tls: ClientConnection,
    pub network: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
    end: Option<&'static str>,
}

impl Client {
    fn connect(port: u16, version: Version) -> Self {
        let config = client_config(&[version]).with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut network = TcpStream::connect(("127.0.0.1", port)).unwrap();
        network.set_read_timeout(Some(DEADLINE)).unwrap();
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut network).unwrap();
        }
        Self {
            tls,
            network,
            sent: Vec::new(),
            received: Vec::new(),
            end: None,
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.sent.extend_from_slice(bytes.as_ref());
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.network);
        stream.write_all(bytes.as_ref()).unwrap();
        stream.flush().unwrap();
    }

    /// Reads until this many bytes have arrived.
    pub fn receive(&mut self, count: usize) {
        let before = self.received.len();
        self.received.resize(before + count, 0);
        rustls::Stream::new(&mut self.tls, &mut self.network)
            .read_exact(&mut self.received[before..])
            .unwrap();
    }

    /// Reads to the end, and says how it comes.
    pub fn receive_all(&mut self) {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.network);
        let end = match stream.read_to_end(&mut self.received) {
            Ok(_) => "close_notify",
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => "end of file",
            Err(error) if error.kind() == ErrorKind::ConnectionReset => "reset",
            Err(error) => panic!("{error}"),
        };
        self.end = Some(end);
        let after = self.network.read(&mut [0]);
        assert!(matches!(after, Ok(0)), "after {end}: {after:?}");
    }

    /// Ends our direction, by a close_notify.
    pub fn close_notify(&mut self) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.network).unwrap();
        }
    }

    /// Ends our direction of the TCP connection.
    pub fn shutdown(&mut self) {
        self.network.shutdown(Shutdown::Write).unwrap();
    }
}
