//! The load: TLS connections by rustls, or plain ones.

use std::io::{self, BufReader, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore,
    StreamOwned, SupportedProtocolVersion,
};

use crate::Result;
use crate::hybrid::X25519MlKem768;

/// How many connections are made at the same time.
pub const THREADS: usize = 4;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Size of reads and writes.
const BLOCK: usize = 65536;

/// The line that the servers' program sends to a client.
pub const GREETING: &str = "ok";

/// What can go wrong with a transfer.
const EARLY: &str = "the connection ended early";

/// What a client offers.
pub struct Offer<'a> {
    /// Protocol versions.
    pub versions: &'a [&'static SupportedProtocolVersion],
    /// Whether it has a certificate.
    pub certificate: bool,
    /// Whether it offers X25519MLKEM768 before the other groups.
    pub hybrid: bool,
    /// Whether it resumes sessions.
    pub resumption: bool,
}

/// Where to connect, and how.
#[derive(Clone)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// None: without TLS.
    pub tls: Option<Arc<ClientConfig>>,
}

/// The configuration of a client that trusts the authority in `dir`. All
/// peers are made to use AES-256-GCM. The groups are those of browsers; the key
/// share is for the first one.
pub fn config(dir: &Path, offer: &Offer<'_>) -> Result<ClientConfig> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| {
        use CipherSuite::*;
        matches!(
            suite.suite(),
            TLS13_AES_256_GCM_SHA384
                | TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
                | TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        )
    });
    let classical = [
        ring::kx_group::X25519,
        ring::kx_group::SECP256R1,
        ring::kx_group::SECP384R1,
    ];
    provider.kx_groups = classical.to_vec();
    if offer.hybrid {
        provider.kx_groups.insert(0, &X25519MlKem768);
    }
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("ca.pem"))?)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(offer.versions)?
        .with_root_certificates(roots);
    let mut config = if offer.certificate {
        let chain = vec![CertificateDer::from_pem_file(dir.join("client.pem"))?];
        let key = PrivateKeyDer::from_pem_file(dir.join("client.key"))?;
        builder.with_client_auth_cert(chain, key)?
    } else {
        builder.with_no_client_auth()
    };
    if !offer.resumption {
        config.resumption = Resumption::disabled();
    }
    Ok(config)
}

/// The name in every certificate.
pub fn server_name() -> Result<ServerName<'static>> {
    Ok(ServerName::try_from("localhost")?)
}

/// What arrives is read in large pieces: rustls itself asks for small ones.
pub struct Wire(BufReader<TcpStream>);

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a whole connection was.
pub struct Visit {
    /// Whether it resumed a session.
    pub resumed: bool,
    /// The group of its key exchange.
    pub group: Option<NamedGroup>,
}

/// A connection.
pub enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS; the handshake is over.
    Tls(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(buf),
            Self::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

impl Target {
    /// Connects, up to the end of the handshake.
    pub fn connect(&self) -> Result<Stream> {
        let tcp = TcpStream::connect(self.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        let Some(config) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let mut connection = ClientConnection::new(config.clone(), server_name()?)?;
        let mut wire = Wire(BufReader::with_capacity(BLOCK, tcp));
        while connection.is_handshaking() {
            connection.complete_io(&mut wire)?;
        }
        let stream = StreamOwned::new(connection, wire);
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// A whole connection: takes the greeting and waits for the end.
    pub fn visit(&self) -> Result<Visit> {
        let mut stream = self.connect()?;
        let mut text = Vec::new();
        // Some servers end it without a close_notify, or with a reset.
        let ended = stream.read_to_end(&mut text);
        if text.trim_ascii_end() != GREETING.as_bytes() {
            ended?;
            return Err("no greeting".into());
        }
        let visit = stream.facts();
        stream.close();
        Ok(visit)
    }

    /// A whole connection to a server that echoes: one line, there and back.
    pub fn echo(&self) -> Result<()> {
        let mut stream = self.connect()?;
        stream.ping(&mut [b'.'; 3])?;
        stream.close();
        Ok(())
    }
}

impl Stream {
    /// Sends the bytes and waits for as many.
    pub fn ping(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.write_all(bytes)?;
        self.flush()?;
        Ok(self.read_exact(bytes)?)
    }

    /// Receives `count` bytes.
    pub fn receive(&mut self, count: u64) -> Result<()> {
        let mut block = vec![0; BLOCK];
        let mut left = count;
        while left > 0 {
            match self.read(&mut block)? as u64 {
                0 => return Err(EARLY.into()),
                got => left = left.checked_sub(got).ok_or("too many bytes")?,
            }
        }
        Ok(())
    }

    /// Sends `count` bytes.
    pub fn send(&mut self, count: u64) -> Result<()> {
        let block = vec![b'x'; BLOCK];
        let mut left = count;
        while left > 0 {
            let size = left.min(BLOCK as u64);
            self.write_all(&block[..size as usize])?;
            left -= size;
        }
        Ok(self.flush()?)
    }

    /// Sends `count` bytes and receives as many at the same time.
    pub fn both(&mut self, count: u64) -> Result<()> {
        match self {
            Self::Plain(tcp) => {
                let mut sender = Self::Plain(tcp.try_clone()?);
                std::thread::scope(|scope| {
                    let sending = scope.spawn(move || sender.send(count));
                    self.receive(count)?;
                    sending.join().map_err(|_| "the sender failed")?
                })
            }
            Self::Tls(tls) => {
                tls.sock.0.get_ref().set_nonblocking(true)?;
                let result = both_ways(&mut tls.conn, &mut tls.sock, count);
                tls.sock.0.get_ref().set_nonblocking(false)?;
                result
            }
        }
    }

    /// Sends a close_notify if the peer is still there.
    pub fn close(self) {
        if let Self::Tls(mut tls) = self {
            tls.conn.send_close_notify();
            let _ = tls.conn.write_tls(&mut tls.sock);
        }
    }

    fn facts(&self) -> Visit {
        let tls = match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(&tls.conn),
        };
        let group = tls.and_then(|tls| tls.negotiated_key_exchange_group());
        Visit {
            resumed: tls.and_then(|tls| tls.handshake_kind()) == Some(HandshakeKind::Resumed),
            group: group.map(|group| group.name()),
        }
    }
}

/// One thread that does both, whatever is possible first.
fn both_ways(tls: &mut ClientConnection, wire: &mut Wire, count: u64) -> Result<()> {
    let mut block = vec![b'x'; BLOCK];
    let (mut unsent, mut missing) = (count, count);
    while missing > 0 {
        if unsent > 0 && !tls.wants_write() {
            let size = unsent.min(BLOCK as u64) as usize;
            unsent -= tls.writer().write(&block[..size])? as u64;
        }
        let mut wanted = PollFlags::POLLIN;
        wanted.set(PollFlags::POLLOUT, tls.wants_write());
        let mut fds = [PollFd::new(wire.0.get_ref().as_fd(), wanted)];
        if poll(&mut fds, PollTimeout::try_from(PATIENCE)?)? == 0 {
            return Err("nothing moves".into());
        }
        let ready = fds[0].revents().unwrap_or(PollFlags::empty());
        if ready.contains(PollFlags::POLLOUT) {
            unless_blocked(tls.write_tls(wire))?;
        }
        if ready.intersects(PollFlags::POLLIN | PollFlags::POLLHUP) {
            let got = take(tls, wire, &mut block)?;
            missing = missing.checked_sub(got).ok_or("too many bytes")?;
        }
    }
    Ok(())
}

/// How many bytes of plaintext have arrived.
fn take(tls: &mut ClientConnection, wire: &mut Wire, block: &mut [u8]) -> Result<u64> {
    let mut count = 0;
    loop {
        if unless_blocked(tls.read_tls(wire))? == Some(0) {
            return Err(EARLY.into());
        }
        tls.process_new_packets()?;
        while let Some(got) = unless_blocked(tls.reader().read(block))? {
            if got == 0 {
                return Err(EARLY.into());
            }
            count += got as u64;
        }
        if wire.0.buffer().is_empty() {
            return Ok(count);
        }
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}

/// What a load was.
pub struct Load {
    /// Whole connections.
    pub connections: u32,
    /// From the first to the end of the last.
    pub seconds: f64,
}

/// Repeats `connect` in all threads for this time, at least once in each. Each thread
/// has its own target, which keeps its own sessions.
pub fn load(
    time: Duration,
    target: impl Fn() -> Result<Target> + Sync,
    connect: impl Fn(&Target) -> Result<()> + Sync,
) -> Result<Load> {
    let started = Instant::now();
    let until = started + time;
    let work = || -> Result<u32> {
        let target = target()?;
        let mut count = 0;
        while count == 0 || Instant::now() < until {
            connect(&target)?;
            count += 1;
        }
        Ok(count)
    };
    let connections = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a client failed")?);
        counts.sum::<Result<u32>>()
    })?;
    Ok(Load {
        connections,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Opens `count` connections to a server that echoes, in all threads, and has
/// each echo a byte. As many as there are when the time is over.
pub fn hold(target: &Target, count: usize, time: Duration) -> Result<Vec<Stream>> {
    let until = Instant::now() + time;
    let work = |share: usize| -> Result<Vec<Stream>> {
        let mut held = Vec::with_capacity(share);
        while held.len() < share && Instant::now() < until {
            let mut stream = target.connect()?;
            stream.ping(b".".to_vec().as_mut())?;
            held.push(stream);
        }
        Ok(held)
    };
    std::thread::scope(|scope| {
        let shares = (0..THREADS).map(|thread| (count + thread) / THREADS);
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || work(share)))
            .collect();
        let mut held = Vec::with_capacity(count);
        for thread in threads {
            held.extend(thread.join().map_err(|_| "a client failed")??);
        }
        Ok(held)
    })
}
