//! The servers that are compared.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::work;

/// A directory with the reference's programs.
const REFERENCE: &str = "PEER";

/// Which server.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Kind {
    /// s6-tlsserver of this project.
    Suite,
    /// s6-tlsserver of s6-networking.
    Reference,
    /// s6-tcpserver, without TLS.
    Floor,
    /// stunnel in exec mode: a thread and a process for each connection.
    Stunnel,
    /// Ncat: two processes.
    Ncat,
    /// socat: two processes.
    Socat,
    /// hitch in front of s6-tcpserver.
    Hitch,
    /// haproxy in front of s6-tcpserver.
    Haproxy,
}

/// A server to be measured.
pub struct Peer {
    /// Its name in the table.
    pub name: &'static str,
    /// Which it is.
    pub kind: Kind,
    /// Its version, in its own words.
    pub version: String,
    /// The program, or the directory of programs.
    pub file: PathBuf,
    /// The directory with our s6-tcpserver, for those in front of it.
    pub backend: PathBuf,
}

/// Ours in `bin` first, the floor last, and between them what is installed,
/// with ours in `other`, another build, and the reference, if PEER names it.
pub fn all(bin: &Path, other: Option<&Path>) -> Result<Vec<Peer>> {
    has_server(bin)?;
    let suite = |name, kind, file: &Path, version: String| Peer {
        name,
        kind,
        version,
        file: file.to_owned(),
        backend: bin.to_owned(),
    };
    let version = concat!("s6-tls ", env!("CARGO_PKG_VERSION"));
    let mut peers = vec![suite("s6-tls", Kind::Suite, bin, version.to_owned())];
    for (name, kind, argument) in [
        ("stunnel", Kind::Stunnel, "-version"),
        ("ncat", Kind::Ncat, "--version"),
        ("socat", Kind::Socat, "-V"),
        ("hitch", Kind::Hitch, "--version"),
        ("haproxy", Kind::Haproxy, "-v"),
    ] {
        let file = work::find(name);
        let version = file.as_deref().map(|file| version_of(file, argument));
        let version = version.unwrap_or_else(|| format!("{name} is not installed"));
        peers.push(suite(name, kind, &file.unwrap_or_default(), version));
    }
    if let Some(other) = other {
        let version = format!("{version} for the host's C library");
        peers.push(suite("s6-tls, host's libc", Kind::Suite, other, version));
    }
    if let Some(dir) = reference() {
        has_server(Path::new(&dir))?;
        let version = format!("s6-networking in {}", dir.to_string_lossy());
        peers.push(suite(
            "s6-networking",
            Kind::Reference,
            Path::new(&dir),
            version,
        ));
    }
    let version = "s6-tcpserver of s6-tls, straight to the program".to_owned();
    peers.push(suite("no TLS", Kind::Floor, bin, version));
    Ok(peers)
}

fn reference() -> Option<OsString> {
    std::env::var_os(REFERENCE).filter(|dir| !dir.is_empty())
}

fn has_server(dir: &Path) -> Result<()> {
    if dir.join("s6-tlsserver").is_file() {
        return Ok(());
    }
    Err(format!("{}: no s6-tlsserver there", dir.display()).into())
}

/// The first line with a number in it that the program prints.
fn version_of(file: &Path, argument: &str) -> String {
    let printed = Command::new(file).arg(argument).output();
    let printed = printed.map_or_else(
        |_| Vec::new(),
        |output| [output.stdout, output.stderr].concat(),
    );
    let printed = String::from_utf8_lossy(&printed);
    let line = printed
        .lines()
        .find(|line| line.contains(|c: char| c.is_ascii_digit()));
    let line = line.unwrap_or("version unknown");
    let end = [" on ", " (", " - ", " 20"]
        .iter()
        .filter_map(|mark| line.find(mark))
        .min();
    line[..end.unwrap_or(line.len())].to_owned()
}

impl Peer {
    /// Whether it is there at all.
    pub fn installed(&self) -> bool {
        self.file.exists()
    }
}
