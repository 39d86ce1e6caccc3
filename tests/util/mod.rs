//! The harness: starting programs with exactly the state they are to inherit,
//! waiting with deadlines, and leaving nothing behind.
#![allow(dead_code, unused_imports)]

mod capture;
pub mod certs;
mod dir;
mod dns;
mod net;
mod numbers;
mod process;
pub mod relay;
pub mod resolver;
mod run;
pub mod stat;
pub mod tls;

pub use capture::Capture;
pub use certs::{Certs, certs};
pub use dir::{TempDir, mounted};
pub use dns::{Answer, DnsServer};
pub use net::{
    accept, free_port, ident_listener, is_listened_on, listener, listens, process_listens_on,
    refused_port, tcp_pair,
};
pub use numbers::Numbers;
pub use process::{Output, Running};
pub use run::{Cmd, cmd};
pub use unix::spawn::Ended;

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, open};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;

/// How long anything may take unless a test says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The directory of the programs under test.
pub fn bin_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("UNDER_TEST") {
        return dir.into();
    }
    // The test binary is in deps/, beside which cargo puts the programs.
    let mut dir = std::env::current_exe().unwrap();
    dir.pop();
    dir.pop();
    dir
}

/// PATH for the programs: those under test first.
pub fn path() -> OsString {
    let mut path = bin_dir().into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or("/usr/bin:/bin".into()));
    path.push(":/usr/sbin:/sbin");
    path
}

/// The file that `name` is found as in `path`.
pub fn find_in(name: &str, path: &OsString) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into());
    }
    std::env::split_paths(path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Whether all of `peers` are installed. If not the test has to return: it
/// does not apply here. In CI nothing may be missing.
#[must_use]
pub fn need(peers: &[&str]) -> bool {
    for peer in peers {
        if find_in(peer, &path()).is_some() {
            continue;
        }
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "there is no {peer}"
        );
        skip(&format!("no {peer}"));
        return false;
    }
    true
}

/// Says that this test, or a part of it, does not apply here, and why. The line is also added
/// to the file that the variable `SKIPPED_TESTS` names, if there is one.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    let line = format!("SKIPPED {test}: {why}\n");
    // Past the capture of libtest, so that it is always seen.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("SKIPPED_TESTS") {
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// A pipe: reading end, writing end.
pub fn pipe() -> (OwnedFd, OwnedFd) {
    unix::fd::pipe().unwrap()
}

/// A new terminal. Unlike openpty(3) it has close-on-exec, so that programs
/// that other tests start meanwhile do not inherit it.
pub fn terminal() -> Terminal {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = open(ptsname_r(&master).unwrap().as_str(), flags, Mode::empty()).unwrap();
    Terminal {
        master: master.into(),
        slave,
    }
}

/// The two ends of a terminal.
pub struct Terminal {
    /// Where its screen and its keyboard are.
    pub master: OwnedFd,
    /// What programs have open.
    pub slave: OwnedFd,
}

/// Lets time pass, for tests that prove that nothing happens, and for the
/// pace of [`eventually`].
pub fn idle(time: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv_timeout(time);
}

/// What `probe` finds, as soon as it does: for states of the system that no
/// event announces. Fails after [`DEADLINE`].
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "not within the deadline: {what}");
        idle(Duration::from_millis(3));
    }
}

/// `count` bytes that look random, the same ones for the same `seed`.
pub fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// SHA-256 of `bytes` in hex, as openssl sees it.
pub fn sha256(bytes: &[u8]) -> String {
    let output = cmd(["openssl", "dgst", "-sha256", "-r"])
        .input(bytes)
        .run()
        .success();
    output.out()[..64].to_owned()
}
