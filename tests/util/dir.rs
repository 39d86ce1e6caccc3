//! Directories that are removed when they are dropped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Ended, cmd, skip};

/// Whoever writes a program has it alone, whoever starts one shares it. A process
/// that is started while a file is open for writing has a copy of the descriptor until
/// it executes its program, and the file cannot be executed until then: ETXTBSY.
pub(super) static EXECUTABLES: RwLock<()> = RwLock::new(());

/// A new directory with everything in it.
pub struct TempDir(PathBuf);

impl TempDir {
    /// An empty directory.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("s6-tls.{}.{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        // Programs that drop their identity must be able to reach it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes the file `name`, directories included, and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes the file `name`, which nobody but its owner can read.
    pub fn secret(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Writes the program `name`.
    pub fn program(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let _no_start = EXECUTABLES.write();
        let path = self.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Copies the program `from` to `name`.
    pub fn copy_program(&self, from: &Path, name: &str) -> PathBuf {
        let _no_start = EXECUTABLES.write();
        let path = self.0.join(name);
        fs::copy(from, &path).unwrap();
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The beginning of a command line whose rest runs with these files in the place of
/// others. None, with a message, if this machine does not allow that.
pub fn mounted(files: &[(&Path, &str)]) -> Option<Vec<String>> {
    let mounts = files.iter().map(|(file, over)| {
        let file = file.display();
        format!("mount --bind {file} {over}; ")
    });
    let mounts: String = mounts.collect();
    let unshare = |script: String| ["unshare", "-m", "sh", "-ec", &script, "sh"].map(String::from);
    let probe = cmd(unshare(mounts.clone())).run();
    if probe.ended != Ended::Exited(0) {
        let why = probe.err();
        let ci = std::env::var_os("CI");
        assert!(ci.is_none_or(|ci| ci != "true"), "{why}");
        skip(&format!("no mount namespace: {why}"));
        return None;
    }
    Some(unshare(mounts + "exec \"$@\"").to_vec())
}
