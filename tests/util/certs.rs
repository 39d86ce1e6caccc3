//! The keys and certificates of the tests, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::{Ended, TempDir, cmd};

/// The time limit for making them. A busy machine needs minutes, and no test's
/// own deadline includes this.
const LIMIT: Duration = Duration::from_secs(600);

const SCRIPT: &str = include_str!("certs.sh");

/// The directory of everything `certs.sh` makes.
pub struct Certs(PathBuf);

/// The certificates, made when they are first asked for, in cargo's directory
/// for files of tests. They stay there for the next run. `make test` asks for
/// them before all other tests.
pub fn certs() -> &'static Certs {
    static CERTS: Once<Certs> = Once::new();
    CERTS.get(|| made().map(Certs))
}

/// What is made once for all tests. If that fails, the test that asked first
/// tells why, and the others only that it has failed.
pub struct Once<T>(OnceLock<Option<T>>);

impl<T> Once<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What `make` has made, now or before.
    pub fn get(&self, make: impl FnOnce() -> Result<T, String>) -> &T {
        let mut why = "not there: another test tells why".to_owned();
        let made = self.0.get_or_init(|| match make() {
            Ok(made) => Some(made),
            Err(error) => {
                why = error;
                None
            }
        });
        made.as_ref().unwrap_or_else(|| panic!("{why}"))
    }
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

fn made() -> Result<PathBuf, String> {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let ready = root.join("certs");
    let are_ready = || fs::read_to_string(ready.join("script")).is_ok_and(|text| text == SCRIPT);
    if are_ready() {
        return Ok(ready);
    }
    let dir = TempDir::new();
    run(SCRIPT, dir.path(), LIMIT).map_err(|why| format!("certs.sh: {why}"))?;
    let new = root.join(format!("certs.{}", std::process::id()));
    fs::create_dir_all(&new).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), new.join(entry.file_name())).unwrap();
    }
    fs::write(new.join("script"), SCRIPT).unwrap();
    // Another run may have been faster: its files are as good, and in use.
    if !are_ready() {
        let _ = fs::remove_dir_all(&ready);
        let _ = fs::rename(&new, &ready);
    }
    let _ = fs::remove_dir_all(&new);
    Ok(ready)
}

/// Runs `script` in `dir`, for no longer than `limit`; or what became of it.
pub fn run(script: &str, dir: &Path, limit: Duration) -> Result<(), String> {
    let seconds = format!("{}", limit.as_secs_f64());
    let script = cmd(["timeout", &seconds, "sh", "-c", script]).cwd(dir);
    // Our deadline must not end it before its own limit does.
    let output = script.deadline(2 * limit + super::DEADLINE).run();
    match output.ended {
        Ended::Exited(0) => Ok(()),
        Ended::Exited(124) => Err(format!("took more than {seconds} s")),
        ended => Err(format!("{ended:?}: {}{}", output.out(), output.err())),
    }
}
