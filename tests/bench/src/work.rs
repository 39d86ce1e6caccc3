//! The directory for everything the benchmark makes and throws away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// What a server runs that takes an upload: as many blocks of 64 KiB as its
/// argument says.
const UPLOAD: &str = "dd of=/dev/null bs=64k count=\"$1\" iflag=fullblock status=none; echo ok\n";

/// The same with a program that reads as little at a time as most do.
const READ: &str = "head -c \"$1\" >/dev/null; echo ok\n";

/// A key for session tickets.
const TICKETS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// A program that writes three bytes and ends, without any library: what is
/// left is the server's alone.
const SMALLEST: &str = include_str!("smallest.c");

/// The directory. It is removed in the end.
pub struct Work(PathBuf);

impl Work {
    /// A new one, with keys and certificates.
    pub fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("s6-tls-bench.{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("create {}: {error}", path.display()))?;
        let work = Self(path);
        fs::write(work.file("upload"), UPLOAD)?;
        fs::write(work.file("read"), READ)?;
        fs::write(work.file("tickets"), TICKETS)?;
        fs::set_permissions(work.file("tickets"), PermissionsExt::from_mode(0o600))?;
        fs::create_dir_all(work.file("rules/ip4/127.0.0.1_32"))?;
        fs::write(work.file("rules/ip4/127.0.0.1_32/allow"), "")?;
        let made = Command::new("sh")
            .args(["-c", include_str!("certs.sh")])
            .current_dir(work.path())
            .stdin(Stdio::null())
            .status()?;
        if !made.success() {
            return Err("cannot make certificates with openssl".into());
        }
        Ok(work)
    }

    /// A directory of so many pairs, one of them for localhost.
    pub fn pairs(&self, count: usize) -> Result<PathBuf> {
        self.linked(count, "pairs", &[("p256.key", "key"), ("p256.pem", "crt")])
    }

    /// The same pairs, each in one file.
    pub fn combined(&self, count: usize) -> Result<PathBuf> {
        self.linked(count, "combined", &[("p256.both", "pem")])
    }

    fn linked(&self, count: usize, kind: &str, files: &[(&str, &str)]) -> Result<PathBuf> {
        let directory = self.file(&format!("{kind}.{count}"));
        if directory.exists() {
            return Ok(directory);
        }
        fs::create_dir(&directory)?;
        for name in names(count) {
            for (from, to) in files {
                fs::hard_link(self.file(from), directory.join(format!("{name}.{to}")))?;
            }
        }
        Ok(directory)
    }

    /// The path of the smallest program, which is compiled first. None where
    /// that is not possible.
    pub fn smallest(&self) -> Option<String> {
        let (source, program) = (self.file("smallest.c"), self.file("smallest"));
        if !program.exists() {
            fs::write(&source, SMALLEST).ok()?;
            let options = ["-O1", "-static", "-nostdlib", "-ffreestanding", "-o"];
            let mut compiler = Command::new("cc");
            compiler.args(options).arg(&program).arg(&source);
            let made = compiler.stderr(Stdio::null()).status().ok()?;
            made.success().then_some(())?;
        }
        Some(program.display().to_string())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// So many names, localhost the last of them.
pub fn names(count: usize) -> impl Iterator<Item = String> {
    let others = (1..count).map(|n| format!("host{n}.example"));
    others.chain((count > 0).then(|| "localhost".to_owned()))
}

/// The program `name`, found in PATH, or where only root looks for it.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}
