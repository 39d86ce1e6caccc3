//! How long a client takes from its start to its first bytes.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use unix::spawn::{Child, wait};
use unix::{Env, Signal};

use crate::Result;
use crate::peers::{Kind, Peer};
use crate::results::median;
use crate::work::Work;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a client finds its trust anchors.
pub struct Anchors {
    /// The row.
    pub row: &'static str,
    /// The variable that names them to us.
    pub variable: &'static str,
    /// Where Debian has them.
    path: &'static str,
    /// How stunnel and socat call them.
    stunnel: &'static str,
    socat: &'static str,
    /// How ncat does, which has no option for a directory.
    ncat: Option<&'static str>,
}

/// A file and a directory.
pub const ANCHORS: [Anchors; 2] = [
    Anchors {
        row: "start.file",
        variable: "CAFILE",
        path: "/etc/ssl/certs/ca-certificates.crt",
        stunnel: "CAfile",
        socat: "cafile",
        ncat: Some("--ssl-trustfile"),
    },
    Anchors {
        row: "start.dir",
        variable: "CADIR",
        path: "/etc/ssl/certs",
        stunnel: "CApath",
        socat: "capath",
        ncat: None,
    },
];

/// The median of the milliseconds from before the exec of the client to the arrival of
/// its ClientHello: `s6-tlsc` on a connection, others with the connecting. None
/// without trust anchors, or if the client cannot read them.
pub fn time(peer: &Peer, anchors: &Anchors, work: &Work, starts: usize) -> Result<Option<f64>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let argv = client(peer, anchors, work, port)?;
    let Some(argv) = argv.filter(|_| Path::new(anchors.path).exists()) else {
        return Ok(None);
    };
    let mut env = Env::inherited();
    if matches!(peer.kind, Kind::Suite | Kind::Reference) {
        let mut path = peer.file.as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        env.set("PATH", path);
        env.unset("CADIR");
        env.set(anchors.variable, anchors.path);
    }
    let times = (0..starts).map(|_| one(peer, &argv, &env, &listener));
    Ok(median(times.collect::<Result<_>>()?))
}

/// The client's command line. None if it cannot read such anchors.
fn client(peer: &Peer, anchors: &Anchors, work: &Work, port: u16) -> Result<Option<Vec<OsString>>> {
    let path = anchors.path;
    let (program, arguments) = match peer.kind {
        Kind::Stunnel => {
            let file = work.file("client.conf");
            let lines = format!(
                "client = yes\ndebug = err\nconnect = 127.0.0.1:{port}\n{} = {path}\n\
                 verifyChain = yes\n",
                anchors.stunnel
            );
            fs::write(&file, lines)?;
            (peer.file.clone(), vec![file.display().to_string()])
        }
        Kind::Socat => {
            let address = format!("OPENSSL:127.0.0.1:{port},{}={path}", anchors.socat);
            (peer.file.clone(), vec!["STDIO".to_owned(), address])
        }
        Kind::Ncat => {
            let Some(option) = anchors.ncat else {
                return Ok(None);
            };
            let rest = ["--ssl-verify", option, path, "127.0.0.1"].map(str::to_owned);
            let rest = rest.into_iter().chain([port.to_string()]);
            (peer.file.clone(), rest.collect())
        }
        _ => {
            let rest = ["-k", "localhost", "true"].map(str::to_owned);
            (peer.file.join("s6-tlsc"), rest.to_vec())
        }
    };
    let mut argv = vec![program.into_os_string()];
    argv.extend(arguments.into_iter().map(OsString::from));
    Ok(Some(argv))
}

/// One start.
fn one(peer: &Peer, argv: &[OsString], env: &Env, listener: &TcpListener) -> Result<f64> {
    // Hides messages about the end.
    let null = fs::OpenOptions::new().write(true).open("/dev/null")?;
    let connected = matches!(peer.kind, Kind::Suite | Kind::Reference);
    let near = connected.then(|| TcpStream::connect(listener.local_addr()?));
    let near = near.transpose()?;
    let (_open, program) = UnixStream::pair()?;
    let mut child = Child::new(argv, env).descriptor(null.as_fd(), 2);
    child = match &near {
        Some(near) => child
            .descriptor(near.as_fd(), 6)
            .descriptor(near.as_fd(), 7),
        None => child
            .descriptor(program.as_fd(), 0)
            .descriptor(program.as_fd(), 1),
    };
    let accepted = connected.then(|| listener.accept()).transpose()?;
    let started = Instant::now();
    let pid = child.spawn()?;
    let arrived = accepted.map_or_else(|| accept(listener), |(far, _)| Ok(far));
    let arrived = arrived.and_then(|far| first_byte(&far).map(|()| far));
    let time = started.elapsed().as_secs_f64() * 1e3;
    if !connected {
        unix::signal::send(pid, Signal::SIGKILL)?;
    }
    let ended = arrived.map(drop);
    drop(near);
    wait(pid)?;
    ended.map(|()| time)
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    if poll(&mut fds, PollTimeout::try_from(PATIENCE)?)? == 0 {
        return Err("the client does not connect".into());
    }
    Ok(listener.accept()?.0)
}

fn first_byte(mut far: &TcpStream) -> Result<()> {
    far.set_read_timeout(Some(PATIENCE))?;
    let mut kind = [0];
    far.read_exact(&mut kind)?;
    match kind {
        [22] => Ok(()),
        _ => Err("the client's first record is no handshake".into()),
    }
}
