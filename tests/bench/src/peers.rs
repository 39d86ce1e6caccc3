//! The servers that are compared, and how each is told to serve a program.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::work::{self, Work};

/// A directory with the reference's programs.
const REFERENCE: &str = "S6_NETWORKING_BIN";

/// Which server.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Kind {
    /// s6-tlsserver, ours or the reference's.
    Suite,
    /// s6-tcpserver, without TLS.
    Floor,
    /// stunnel in exec mode: a thread and a process for each connection.
    Stunnel,
    /// Ncat: two processes.
    Ncat,
    /// socat: two processes.
    Socat,
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
}

/// What a server is to serve.
pub struct Service<'a> {
    /// The name of key and certificate.
    pub key: &'a str,
    /// Whether clients have to show a certificate.
    pub client_certificate: bool,
    /// What else s6-tlsserver is told: other servers cannot do that.
    pub options: &'a [&'a str],
    /// What else its environment has.
    pub env: &'a [(&'static str, OsString)],
    /// The program and its arguments, without blanks.
    pub program: &'a [&'a str],
}

/// A server's command line and environment.
pub struct Launch {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// All of its environment.
    pub env: Vec<(&'static str, OsString)>,
}

/// Ours in `bin` first, the floor last, and between them what is installed,
/// with ours in `other`, another build.
pub fn all(bin: &Path, other: Option<&Path>) -> Result<Vec<Peer>> {
    if !bin.join("s6-tlsserver").is_file() {
        return Err(format!("{}: no s6-tlsserver there", bin.display()).into());
    }
    let suite = |name, kind, file: &Path, version: String| Peer {
        name,
        kind,
        version,
        file: file.to_owned(),
    };
    let version = concat!("s6-tls ", env!("CARGO_PKG_VERSION"));
    let mut peers = vec![suite("s6-tls", Kind::Suite, bin, version.to_owned())];
    for (name, kind, argument) in [
        ("stunnel", Kind::Stunnel, "-version"),
        ("ncat", Kind::Ncat, "--version"),
        ("socat", Kind::Socat, "-V"),
    ] {
        let file = work::find(name);
        let version = file.as_deref().map(|file| version_of(file, argument));
        peers.push(Peer {
            name,
            kind,
            version: version.unwrap_or_else(|| format!("{name} is not installed")),
            file: file.unwrap_or_default(),
        });
    }
    if let Some(other) = other {
        let version = format!("{version} for the host's C library");
        peers.push(suite("s6-tls, host's libc", Kind::Suite, other, version));
    }
    if let Some(dir) = std::env::var_os(REFERENCE) {
        let version = format!("s6-networking in {}", dir.to_string_lossy());
        peers.push(suite(
            "s6-networking",
            Kind::Suite,
            Path::new(&dir),
            version,
        ));
    }
    let version = "s6-tcpserver of s6-tls, straight to the program".to_owned();
    peers.push(suite("no TLS", Kind::Floor, bin, version));
    Ok(peers)
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
    let end = [" on ", " ("]
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

    /// How to serve that on `port`. None if it cannot do what is asked.
    pub fn launch(&self, service: &Service<'_>, port: u16, work: &Work) -> Result<Option<Launch>> {
        if !service.options.is_empty() && self.kind != Kind::Suite {
            return Ok(None);
        }
        let mut env = vec![("PATH", std::env::var_os("PATH").unwrap_or_default())];
        let argv = match self.kind {
            Kind::Suite => {
                let mut path = self.file.clone().into_os_string();
                path.push(":");
                path.push(&env[0].1);
                let file = |name: &str| work.file(name).into_os_string();
                env = vec![
                    ("PATH", path),
                    ("KEYFILE", file(&format!("{}.key", service.key))),
                    ("CERTFILE", file(&format!("{}.pem", service.key))),
                    ("CAFILE", file("ca.pem")),
                ];
                env.extend_from_slice(service.env);
                self.suite(service, port)
            }
            Kind::Floor => self.suite(service, port),
            Kind::Stunnel => self.stunnel(service, port, work)?,
            Kind::Socat => self.socat(service, port, work),
            Kind::Ncat if service.client_certificate => return Ok(None),
            Kind::Ncat => self.ncat(service, port, work),
        };
        Ok(Some(Launch { argv, env }))
    }

    fn suite(&self, service: &Service<'_>, port: u16) -> Vec<OsString> {
        let floor = self.kind == Kind::Floor;
        let name = if floor {
            "s6-tcpserver"
        } else {
            "s6-tlsserver"
        };
        let mut argv = vec![self.file.join(name).into_os_string()];
        if !floor {
            argv.push("-Hq".into());
        }
        if service.client_certificate {
            argv.push("-y".into());
        }
        argv.extend(service.options.iter().map(OsString::from));
        argv.extend(["-c", "1200", "-C", "1200", "127.0.0.1"].map(OsString::from));
        argv.push(port.to_string().into());
        argv.extend(service.program.iter().map(OsString::from));
        argv
    }

    fn stunnel(&self, service: &Service<'_>, port: u16, work: &Work) -> Result<Vec<OsString>> {
        let program = found(service.program[0]);
        let mut lines = vec![
            "foreground = yes".to_owned(),
            "pid =".to_owned(),
            "debug = err".to_owned(),
            "[bench]".to_owned(),
            format!("accept = 127.0.0.1:{port}"),
            format!("key = {}", pem(work, service.key, "key")),
            format!("cert = {}", pem(work, service.key, "pem")),
            format!("exec = {}", program.display()),
            format!("execArgs = {}", service.program.join(" ")),
        ];
        if service.client_certificate {
            lines.push(format!("CAfile = {}", pem(work, "ca", "pem")));
            lines.push("verifyChain = yes".to_owned());
            lines.push("requireCert = yes".to_owned());
        }
        let file = work.file("stunnel.conf");
        fs::write(&file, lines.join("\n") + "\n")?;
        Ok(vec![self.file.clone().into(), file.into()])
    }

    fn ncat(&self, service: &Service<'_>, port: u16, work: &Work) -> Vec<OsString> {
        let program = found(service.program[0]);
        let mut command = program.display().to_string();
        for argument in &service.program[1..] {
            command = format!("{command} {argument}");
        }
        let mut argv = vec![self.file.clone().into()];
        let (key, cert) = (pem(work, service.key, "key"), pem(work, service.key, "pem"));
        let port = port.to_string();
        let options = [
            "--ssl",
            "--ssl-key",
            &key,
            "--ssl-cert",
            &cert,
            "-k",
            "-m",
            "1200",
            "--exec",
            &command,
            "-l",
            "127.0.0.1",
            &port,
        ];
        argv.extend(options.map(OsString::from));
        argv
    }

    fn socat(&self, service: &Service<'_>, port: u16, work: &Work) -> Vec<OsString> {
        let verify = if service.client_certificate {
            format!("verify=1,cafile={}", pem(work, "ca", "pem"))
        } else {
            "verify=0".to_owned()
        };
        let listen = format!(
            "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=128,key={},cert={},{verify}",
            pem(work, service.key, "key"),
            pem(work, service.key, "pem"),
        );
        let exec = format!("EXEC:{}", service.program.join(" "));
        vec![self.file.clone().into(), listen.into(), exec.into()]
    }
}

/// The path of a program, for those who do not look in PATH.
fn found(program: &str) -> PathBuf {
    if program.contains('/') {
        program.into()
    } else {
        work::find(program).unwrap_or_default()
    }
}

/// The path of a file of the working directory, which holds no blanks.
fn pem(work: &Work, name: &str, kind: &str) -> String {
    work.file(&format!("{name}.{kind}")).display().to_string()
}
