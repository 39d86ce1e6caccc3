//! The keys and certificates of the tests, made by openssl.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use super::{TempDir, cmd};

const SCRIPT: &str = include_str!("certs.sh");

/// The directory of everything `certs.sh` makes.
pub struct Certs(PathBuf);

/// The certificates, made when they are first asked for, in cargo's directory
/// for files of tests. They stay there for the next run.
pub fn certs() -> &'static Certs {
    static CERTS: LazyLock<Certs> = LazyLock::new(|| Certs(made()));
    &CERTS
}

impl Certs {
    /// The path of `name`.
    pub fn path(&self, name: &str) -> String {
        let path = self.0.join(name);
        assert!(path.exists(), "certs.sh makes no {name}");
        path.to_str().unwrap().to_owned()
    }

    /// The content of `name`.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// SHA-256 of the DER form of the certificate `name`.pem, in lower-case
    /// hex.
    pub fn hash(&self, name: &str) -> String {
        let file = self.path(&format!("{name}.pem"));
        let argv = [
            "openssl",
            "x509",
            "-noout",
            "-fingerprint",
            "-sha256",
            "-in",
        ];
        let line = cmd(argv).arg(file).run().success().out();
        let (_, hex) = line.trim().split_once('=').unwrap();
        hex.replace(':', "").to_lowercase()
    }
}

fn made() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let ready = root.join("certs");
    if fs::read_to_string(ready.join("script")).is_ok_and(|script| script == SCRIPT) {
        return ready;
    }
    let dir = TempDir::new();
    cmd(["sh", "-c", SCRIPT]).cwd(dir.path()).run().success();
    let new = root.join(format!("certs.{}", std::process::id()));
    fs::create_dir_all(&new).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), new.join(entry.file_name())).unwrap();
    }
    fs::write(new.join("script"), SCRIPT).unwrap();
    // Another run may have been quicker; what it made is as good.
    let _ = fs::remove_dir_all(&ready);
    if fs::rename(&new, &ready).is_err() {
        let _ = fs::remove_dir_all(&new);
    }
    ready
}
