//! How long the client takes from its start to its first bytes.

use std::ffi::OsString;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use unix::Env;
use unix::spawn::{Child, wait};

use crate::Result;
use crate::results::median;

/// The rows, and where Debian has its trust anchors.
pub const ANCHORS: [(&str, &str, &str); 2] = [
    ("start.file", "CAFILE", "/etc/ssl/certs/ca-certificates.crt"),
    ("start.dir", "CADIR", "/etc/ssl/certs"),
];

/// The median of the milliseconds from before the exec of `s6-tlsc` in `bin`
/// to the arrival of its ClientHello. None without trust anchors.
pub fn time(bin: &Path, variable: &str, anchors: &str, starts: usize) -> Result<Option<f64>> {
    if !Path::new(anchors).exists() {
        return Ok(None);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut argv = vec![bin.join("s6-tlsc").into_os_string()];
    argv.extend(["-k", "localhost", "true"].map(OsString::from));
    let mut path = bin.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut env = Env::inherited();
    env.set("PATH", path);
    env.unset("CADIR");
    env.set(variable, anchors);
    // Hides its message about the end.
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null")?;

    let mut times = Vec::with_capacity(starts);
    for _ in 0..starts {
        let near = TcpStream::connect(listener.local_addr()?)?;
        let (mut far, _) = listener.accept()?;
        far.set_read_timeout(Some(Duration::from_secs(10)))?;
        let started = Instant::now();
        let pid = Child::new(&argv, &env)
            .descriptor(null.as_fd(), 2)
            .descriptor(near.as_fd(), 6)
            .descriptor(near.as_fd(), 7)
            .spawn()?;
        let mut kind = [0];
        let arrived = far.read_exact(&mut kind);
        times.push(started.elapsed().as_secs_f64() * 1e3);
        drop(far);
        drop(near);
        wait(pid)?;
        arrived?;
        if kind != [22] {
            return Err("the client's first record is no handshake".into());
        }
    }
    Ok(median(times))
}
