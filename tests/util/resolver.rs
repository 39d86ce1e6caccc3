//! A validating resolver with signed zones of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Running, TempDir, cmd, need};

/// A zone.
pub struct Zone<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its records besides SOA and NS, in the form of zone files.
    pub records: &'a str,
    /// How it is signed.
    pub signed: Signed,
}

/// How a zone is signed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Signed {
    /// With valid signatures and NSEC3 records.
    Well,
    /// With signatures that have expired.
    Expired,
    /// Not at all.
    Not,
}

/// unbound on port 53 of an address of 127.0.0.0/8.
pub struct Validator {
    /// Where it listens.
    pub ip: Ipv4Addr,
    _process: Running,
    _dir: TempDir,
}

impl Validator {
    /// Serves these zones and nothing else. `spoil` changes the text of a zone after it was
    /// signed. None if a program is not installed.
    pub fn start(zones: &[Zone], spoil: impl Fn(String) -> String) -> Option<Self> {
        if !need(&["unbound", "ldns-keygen", "ldns-signzone"]) {
            return None;
        }
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let process = std::process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, 54, process[3], NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = TempDir::new();
        let mut config = format!(
            "server:\n interface: {ip}@53\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n \
             directory: \"{}\"\n pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n verbosity: 1\n \
             module-config: \"validator iterator\"\n local-zone: \"test.\" nodefault\n \
             num-threads: 1\nremote-control:\n control-enable: no\n",
            dir.path().display()
        );
        for zone in zones {
            config += &zone.write(&dir, &spoil);
        }
        let config = dir.file("unbound.conf", config);
        let process = cmd(["unbound", "-d", "-c"]).arg(config).start();
        process.wait_err("start of service");
        Some(Self {
            ip,
            _process: process,
            _dir: dir,
        })
    }
}

impl Zone<'_> {
    /// Makes the files of the zone. Returns its part of the configuration.
    fn write(&self, dir: &TempDir, spoil: &impl Fn(String) -> String) -> String {
        let Self { name, records, .. } = self;
        let soa = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n";
        dir.file(name, format!("$ORIGIN {name}.\n$TTL 60\n{soa}{records}"));
        let (file, anchor) = match self.signed {
            Signed::Not => (name.to_string(), String::new()),
            signed => {
                let key = sign(name, signed, dir);
                let signed = dir.path().join(format!("{name}.signed"));
                let text = fs::read_to_string(&signed).unwrap();
                fs::write(&signed, spoil(text)).unwrap();
                let anchor = format!("server:\n trust-anchor-file: \"{key}.key\"\n");
                (format!("{name}.signed"), anchor)
            }
        };
        format!(
            "{anchor}auth-zone:\n name: \"{name}\"\n zonefile: \"{file}\"\n for-downstream: no\n \
             for-upstream: yes\n fallback-enabled: no\n"
        )
    }
}

/// Signs a zone. Returns the name of the files of its key.
fn sign(name: &str, signed: Signed, dir: &TempDir) -> String {
    let keygen = cmd(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", name]);
    let key = keygen.cwd(dir.path()).run().success().out();
    let key = key.trim().to_owned();
    let dates = match signed {
        Signed::Expired => &["-i", "20200101", "-e", "20200201"][..],
        _ => &[],
    };
    let signer = cmd(["ldns-signzone", "-n"]).args(dates);
    let signer = signer.args(["-f", &format!("{name}.signed"), name, &key]);
    signer.cwd(dir.path()).run().success();
    key
}
