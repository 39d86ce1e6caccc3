//! Starting a child without copying the parent: posix_spawn(3).

use std::ffi::{CString, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{AccessFlags, Pid};

use crate::Env;
use crate::exec::{c_strings, search};

/// A child to be started. It inherits what the parent has, but for what is
/// said here.
pub struct Child<'a> {
    argv: &'a [OsString],
    env: &'a Env,
    descriptors: Vec<(RawFd, RawFd)>,
    default_signals: Option<&'a [Signal]>,
}

impl<'a> Child<'a> {
    /// A child that runs `argv`, found like [`crate::exec::exec`] finds it.
    pub fn new(argv: &'a [OsString], env: &'a Env) -> Self {
        Self {
            argv,
            env,
            descriptors: Vec::new(),
            default_signals: None,
        }
    }

    /// The child has `fd` open as `number`. Later calls see the effect of
    /// earlier ones, as with dup2.
    pub fn descriptor(mut self, fd: BorrowedFd<'_>, number: RawFd) -> Self {
        self.descriptors.push((fd.as_raw_fd(), number));
        self
    }

    /// The child starts with an empty signal mask and the default action for
    /// `signals`.
    pub fn default_signals(mut self, signals: &'a [Signal]) -> Self {
        self.default_signals = Some(signals);
        self
    }

    /// Starts the child. The error tells why nothing runs.
    pub fn spawn(self) -> Result<Pid, Errno> {
        let args = c_strings(self.argv)?;
        let mut actions = PosixSpawnFileActions::init()?;
        for (fd, number) in &self.descriptors {
            actions.add_dup2(*fd, *number)?;
        }
        let mut attributes = PosixSpawnAttr::init()?;
        if let Some(signals) = self.default_signals {
            let mut flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
            attributes.set_sigmask(&SigSet::empty())?;
            // Without a list the C library need not visit all signals.
            if !signals.is_empty() {
                let mut set = SigSet::empty();
                signals.iter().for_each(|signal| set.add(*signal));
                attributes.set_sigdefault(&set)?;
                flags |= PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
            }
            attributes.set_flags(flags)?;
        }
        let searched = !self.argv[0].as_encoded_bytes().contains(&b'/');
        search(&self.argv[0], self.env, |path: &CString| {
            // A look costs far less than a process that finds nothing to run.
            if searched {
                nix::unistd::access(path.as_c_str(), AccessFlags::F_OK)?;
            }
            posix_spawn(
                path.as_c_str(),
                &actions,
                &attributes,
                &args,
                self.env.entries(),
            )
        })
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It exited with this code.
    Exited(u8),
    /// This signal killed it.
    Signaled(u8),
}

/// Waits for the end of the child `pid`.
pub fn wait(pid: Pid) -> Result<Ended, Errno> {
    loop {
        match reap(Some(pid), 0) {
            Ok(Some((_, ended))) => return Ok(ended),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Takes note of one child that has ended, if there is one, without waiting.
/// ECHILD when there are no children at all.
pub fn reap_any() -> Result<Option<(Pid, Ended)>, Errno> {
    reap(None, libc::WNOHANG)
}

/// waitpid(2). nix's own does not know real-time signals and fails on a child
/// that one of them killed.
fn reap(pid: Option<Pid>, options: libc::c_int) -> Result<Option<(Pid, Ended)>, Errno> {
    let mut status = 0;
    let which = pid.map_or(-1, Pid::as_raw);
    // SAFETY: `status` is a valid place for the result.
    let pid = Errno::result(unsafe { libc::waitpid(which, &mut status, options) })?;
    if pid == 0 {
        return Ok(None);
    }
    let ended = if libc::WIFSIGNALED(status) {
        Ended::Signaled(libc::WTERMSIG(status) as u8)
    } else {
        Ended::Exited(libc::WEXITSTATUS(status) as u8)
    };
    Ok(Some((Pid::from_raw(pid), ended)))
}
