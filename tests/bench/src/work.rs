//! The directory for everything the benchmark makes and throws away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// What a server runs that takes an upload: as many blocks of 64 KiB as its
/// argument says.
const UPLOAD: &str = "dd of=/dev/null bs=64k count=\"$1\" iflag=fullblock status=none; echo ok\n";

/// The directory. It is removed in the end.
pub struct Work(PathBuf);

impl Work {
    /// A new one, with keys and certificates.
    pub fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("s6-tls-bench.{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("create {}: {error}", path.display()))?;
        let work = Self(path);
        fs::write(work.file("upload"), UPLOAD)?;
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

/// The program `name`, found in PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}
