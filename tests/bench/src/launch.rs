//! How each server is told to serve a program.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::Result;
use crate::peers::{Kind, Peer};
use crate::services::{Chain, Service};
use crate::work::{self, Work};

/// A number that is nobody's user and group id.
const NOBODY: &str = "65534";

/// The command lines of a server and of what stands behind it, and their environment.
pub struct Launch {
    /// The programs and their arguments.
    pub servers: Vec<Vec<OsString>>,
    /// All of their environment.
    pub env: Vec<(&'static str, OsString)>,
}

/// Where a server listens, and where what is behind it does.
pub type Ports = [u16; 2];

impl Peer {
    /// How to serve that. Only servers in front of another one use the second port.
    pub fn launch(&self, service: &Service<'_>, ports: Ports, work: &Work) -> Result<Launch> {
        let [port, behind] = ports;
        let mut env = vec![("PATH", std::env::var_os("PATH").unwrap_or_default())];
        let servers = match self.kind {
            Kind::Suite | Kind::Reference => {
                env = self.variables(service, work)?;
                vec![self.tlsserver(service, port, work)]
            }
            Kind::Floor => vec![self.tcpserver(service, port)],
            Kind::Stunnel => vec![self.stunnel(service, port, work)?],
            Kind::Ncat => vec![self.ncat(service, port, work)],
            Kind::Socat => vec![self.socat(service, port, work)],
            Kind::Hitch => vec![
                self.hitch(service, ports, work)?,
                self.tcpserver(service, behind),
            ],
            Kind::Haproxy => vec![
                self.haproxy(service, ports, work)?,
                self.tcpserver(service, behind),
            ],
        };
        Ok(Launch { servers, env })
    }

    /// The environment of an s6-tlsserver.
    fn variables(
        &self,
        service: &Service<'_>,
        work: &Work,
    ) -> Result<Vec<(&'static str, OsString)>> {
        let mut path = self.file.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let file = |name: &str| work.file(name).into_os_string();
        let mut env = vec![
            ("PATH", path),
            ("KEYFILE", file(&format!("{}.key", service.key))),
            ("CERTFILE", file(&format!("{}.pem", service.key))),
            ("CAFILE", file("ca.pem")),
        ];
        if service.tickets {
            env.push(("TICKETKEYFILE", file("tickets")));
        }
        if service.pairs > 0 {
            env.push(("SNIDIR", work.pairs(service.pairs)?.into()));
        }
        Ok(env)
    }

    fn tlsserver(&self, service: &Service<'_>, port: u16, work: &Work) -> Vec<OsString> {
        let mut argv = vec![self.file.join("s6-tlsserver").into(), "-Hq".into()];
        if service.client_certificate {
            argv.push("-y".into());
        }
        let rules = work.file("rules").display().to_string();
        let options = match service.chain {
            Chain::Identity => &["-u", NOBODY, "-g", NOBODY][..],
            Chain::Access => &["-i", &rules],
            Chain::Guarded => &["--key-guard"],
            Chain::Directory(_) => &["--mandatory-sni"],
            Chain::Plain | Chain::Smallest => &[],
        };
        argv.extend(options.iter().map(OsString::from));
        serving(argv, port, service.program)
    }

    /// s6-tcpserver and the program.
    fn tcpserver(&self, service: &Service<'_>, port: u16) -> Vec<OsString> {
        let argv = vec![self.backend.join("s6-tcpserver").into()];
        let mut program = Vec::new();
        if service.chain == Chain::Identity {
            program.extend(["s6-applyuidgid", "-u", NOBODY, "-g", NOBODY]);
        }
        program.extend(service.program);
        serving(argv, port, &program)
    }

    fn stunnel(&self, service: &Service<'_>, port: u16, work: &Work) -> Result<Vec<OsString>> {
        let mut lines = "foreground = yes\npid =\ndebug = err\n".to_owned();
        if service.chain == Chain::Identity {
            writeln!(lines, "setuid = {NOBODY}\nsetgid = {NOBODY}")?;
        }
        let program = found(service.program[0]);
        let serve = format!(
            "key = {}\ncert = {}\nexec = {}\nexecArgs = {}",
            pem(work, service.key, "key"),
            pem(work, service.key, "pem"),
            program.display(),
            service.program.join(" ")
        );
        writeln!(lines, "[bench]\naccept = 127.0.0.1:{port}\n{serve}")?;
        if service.client_certificate {
            writeln!(lines, "CAfile = {}", pem(work, "ca", "pem"))?;
            lines += "verifyChain = yes\nrequireCert = yes\n";
        }
        for name in work::names(service.pairs) {
            writeln!(lines, "[{name}]\nsni = bench:{name}\n{serve}")?;
        }
        let file = work.file("stunnel.conf");
        fs::write(&file, lines)?;
        Ok(vec![self.file.clone().into(), file.into()])
    }

    fn ncat(&self, service: &Service<'_>, port: u16, work: &Work) -> Vec<OsString> {
        let program = found(service.program[0]);
        let mut command = program.display().to_string();
        for argument in &service.program[1..] {
            command = format!("{command} {argument}");
        }
        let (key, cert) = (pem(work, service.key, "key"), pem(work, service.key, "pem"));
        let port = port.to_string();
        let mut argv = vec![self.file.clone().into()];
        argv.extend(["--ssl", "--ssl-key", &key, "--ssl-cert", &cert].map(OsString::from));
        if service.chain == Chain::Access {
            argv.extend(["--allow", "127.0.0.1"].map(OsString::from));
        }
        let rest = ["-k", "-m", "1200", "--exec", &command, "-l", "127.0.0.1"];
        argv.extend(rest.map(OsString::from));
        argv.push(port.into());
        argv
    }

    fn socat(&self, service: &Service<'_>, port: u16, work: &Work) -> Vec<OsString> {
        let verify = if service.client_certificate {
            format!("verify=1,cafile={}", pem(work, "ca", "pem"))
        } else {
            "verify=0".to_owned()
        };
        let mut listen = format!(
            "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=128,key={},cert={},{verify}",
            pem(work, service.key, "key"),
            pem(work, service.key, "pem"),
        );
        if service.chain == Chain::Access {
            listen += ",range=127.0.0.1/32";
        }
        let mut exec = format!("EXEC:{}", service.program.join(" "));
        if service.chain == Chain::Identity {
            exec += &format!(",setgid={NOBODY},setuid={NOBODY}");
        }
        vec![self.file.clone().into(), listen.into(), exec.into()]
    }

    fn hitch(&self, service: &Service<'_>, ports: Ports, work: &Work) -> Result<Vec<OsString>> {
        let [port, behind] = ports;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let mut lines = format!(
            "frontend = \"[127.0.0.1]:{port}\"\nbackend = \"[127.0.0.1]:{behind}\"\n\
             workers = {workers}\n"
        );
        if nix::unistd::geteuid().is_root() {
            lines += "user = \"nobody\"\n";
        }
        if service.client_certificate {
            writeln!(
                lines,
                "client-verify = required\nclient-verify-ca = \"{}\"",
                pem(work, "ca", "pem")
            )?;
        }
        if service.pairs > 0 {
            let directory = work.combined(service.pairs)?;
            writeln!(lines, "pem-dir = \"{}/\"", directory.display())?;
            lines += "sni-nomatch-abort = on\n";
        } else {
            writeln!(lines, "pem-file = \"{}\"", pem(work, service.key, "both"))?;
        }
        let file = work.file("hitch.conf");
        fs::write(&file, lines)?;
        let mut config = OsString::from("--config=");
        config.push(file);
        Ok(vec![self.file.clone().into(), config])
    }

    fn haproxy(&self, service: &Service<'_>, ports: Ports, work: &Work) -> Result<Vec<OsString>> {
        let [port, behind] = ports;
        let mut lines = "global\n  maxconn 1200\n".to_owned();
        if service.chain == Chain::Identity {
            writeln!(lines, "  uid {NOBODY}\n  gid {NOBODY}")?;
        }
        lines += "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 60s\n";
        lines += "  timeout server 60s\nlisten bench\n";
        let crt = if service.pairs > 0 {
            format!("{} strict-sni", work.combined(service.pairs)?.display())
        } else {
            pem(work, service.key, "both")
        };
        write!(lines, "  bind 127.0.0.1:{port} ssl crt {crt}")?;
        if service.client_certificate {
            write!(lines, " ca-file {} verify required", pem(work, "ca", "pem"))?;
        }
        lines += "\n";
        if service.chain == Chain::Access {
            lines += "  tcp-request connection reject unless { src 127.0.0.1 }\n";
        }
        writeln!(lines, "  server program 127.0.0.1:{behind}")?;
        let file = work.file("haproxy.cfg");
        fs::write(&file, lines)?;
        let options = ["-db", "-q", "-f"].map(OsString::from);
        let mut argv = vec![self.file.clone().into()];
        argv.extend(options);
        argv.push(file.into());
        Ok(argv)
    }
}

/// Appends what both super-servers are told about themselves, and the program.
fn serving(mut argv: Vec<OsString>, port: u16, program: &[&str]) -> Vec<OsString> {
    argv.extend(["-c", "1200", "-C", "1200", "127.0.0.1"].map(OsString::from));
    argv.push(port.to_string().into());
    argv.extend(program.iter().map(OsString::from));
    argv
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
