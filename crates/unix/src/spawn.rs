//! Starting a child without copying the parent, and waiting for it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::Pid;

use crate::exec::{Image, c_strings, search};
use crate::vfork::until_exec;
use crate::{Env, fd, signal};

/// A child to be started. It inherits what the parent has, but for what is
/// said here; and what the parent catches has its default action.
pub struct Child<'a> {
    argv: &'a [OsString],
    env: &'a Env,
    descriptors: Vec<(BorrowedFd<'a>, RawFd)>,
    open_mask: bool,
}

impl<'a> Child<'a> {
    /// A child that runs `argv`, found like [`crate::exec::exec`] finds it.
    pub fn new(argv: &'a [OsString], env: &'a Env) -> Self {
        Self {
            argv,
            env,
            descriptors: Vec::new(),
            open_mask: false,
        }
    }

    /// The child has `fd` open as `number`. Later calls see the effect of
    /// earlier ones, as with dup2.
    pub fn descriptor(mut self, fd: BorrowedFd<'a>, number: RawFd) -> Self {
        self.descriptors.push((fd, number));
        self
    }

    /// The child starts with no signal blocked.
    pub fn open_mask(mut self) -> Self {
        self.open_mask = true;
        self
    }

    /// No less than the memory that [`Child::spawn`] takes for a while: for
    /// copies of the arguments, for the program's path once for each place
    /// where it may be, and for the lists of all these.
    pub fn memory(&self) -> usize {
        const EACH: usize = 128;
        let len = |text: &OsString| text.len() + EACH;
        let args: usize = self.argv.iter().map(len).sum();
        let env = self.env.entries().len() * EACH;
        let path = self.env.get("PATH").map_or(&[][..], OsStr::as_bytes);
        let places = 2 + path.iter().filter(|byte| **byte == b':').count();
        args + env + 2 * (path.len() + places * self.argv.first().map_or(EACH, len))
    }

    /// Starts the child. The error tells why nothing runs.
    pub fn spawn(self) -> Result<Pid, Errno> {
        let args = c_strings(self.argv)?;
        let image = Image::new(&args, self.env);
        // No handler may run in a child that shares our memory.
        let mut former = SigSet::empty();
        let all = Some(&SigSet::all());
        nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, all, Some(&mut former))?;
        let mask = if self.open_mask {
            SigSet::empty()
        } else {
            former
        };
        let result = search(&self.argv[0], self.env, |paths| {
            until_exec(&|| match self.prepare(&mask) {
                Ok(()) => image.exec(paths),
                Err(errno) => errno,
            })
        });
        former.thread_set_mask()?;
        result
    }

    /// In the child: makes everything as it was asked for.
    fn prepare(&self, mask: &SigSet) -> Result<(), Errno> {
        for (fd, number) in &self.descriptors {
            fd::copy_to(fd, *number)?;
        }
        signal::reset_caught();
        mask.thread_set_mask()
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
