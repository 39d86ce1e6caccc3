//! fork(2), for helpers that outlive an exec or keep secrets from this process.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
#[cfg(target_os = "linux")]
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{ForkResult, Pid};

/// The two processes after a [`fork`].
pub enum Forked {
    /// The calling process, with the pid of the child.
    Parent(Pid),
    /// The child.
    Child,
}

/// Forks the process. EBUSY if it has other threads: the child would have only the
/// calling one, and another could hold a lock that the child waits for.
///
/// Only Linux can check that. The programs of this project start no threads.
pub fn fork() -> Result<Forked, Errno> {
    if has_threads() {
        return Err(Errno::EBUSY);
    }
    // SAFETY: there is no other thread that could hold a lock, so the child may
    // do whatever the parent may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent(child)),
        ForkResult::Child => Ok(Forked::Child),
    }
}

/// Forks the process. The child need not be waited for. It has to notice by itself,
/// or by [`EndsWithPeer`], when this process ends.
pub fn fork_companion() -> Result<Forked, Errno> {
    crate::signal::forget_children();
    fork()
}

/// While this lives, the kernel kills this process as soon as the peer closes its end of
/// a pipe or socket: also during a system call that waits for a file, and whatever
/// the user ids of both processes are. On other systems than Linux nothing
/// happens.
///
/// Nothing may be sent through it, even before: the kernel signals data only after a
/// reader can have them, so the signal can come when they have been read.
pub struct EndsWithPeer<'a>(
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))] BorrowedFd<'a>,
);

#[cfg(target_os = "linux")]
impl<'a> EndsWithPeer<'a> {
    /// The peer has the other end of `lifeline`. EPIPE if data or the end have come
    /// already.
    pub fn over(lifeline: BorrowedFd<'a>) -> Result<Self, Errno> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        /// The command that chooses the signal (fcntl(2)). The crate libc has no name
        /// for it with musl.
        const F_SETSIG: libc::c_int = 10;
        let set = |what, value: libc::c_int| {
            // SAFETY: these commands take numbers and touch no memory.
            Errno::result(unsafe { libc::fcntl(lifeline.as_raw_fd(), what, value) })
        };
        set(libc::F_SETOWN, nix::unistd::getpid().as_raw())?;
        // SIGKILL, since the parent may have blocked SIGIO.
        set(F_SETSIG, libc::SIGKILL)?;
        let bound = Self(lifeline);
        bound.notify(true)?;
        let mut polled = [PollFd::new(lifeline, PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::ZERO)? {
            0 => Ok(bound),
            _ => Err(Errno::EPIPE),
        }
    }

    /// Whether the kernel sends the signal.
    fn notify(&self, wanted: bool) -> Result<(), Errno> {
        let mut flags = OFlag::from_bits_retain(fcntl(self.0, FcntlArg::F_GETFL)?);
        flags.set(OFlag::O_ASYNC, wanted);
        fcntl(self.0, FcntlArg::F_SETFL(flags)).map(drop)
    }
}

#[cfg(target_os = "linux")]
impl Drop for EndsWithPeer<'_> {
    fn drop(&mut self) {
        let _ = self.notify(false);
    }
}

#[cfg(not(target_os = "linux"))]
impl<'a> EndsWithPeer<'a> {
    /// The peer has the other end of `lifeline`.
    pub fn over(lifeline: BorrowedFd<'a>) -> Result<Self, Errno> {
        Ok(Self(lifeline))
    }
}

/// Whether there are other threads: then unshare(2) cannot take this one out of
/// the thread group. Otherwise the call changes nothing.
#[cfg(target_os = "linux")]
fn has_threads() -> bool {
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_THREAD) == Err(Errno::EINVAL)
}

#[cfg(not(target_os = "linux"))]
fn has_threads() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "miri has no fork")]
    fn fork_is_refused_with_threads() {
        std::thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || receiver.recv());
            assert!(matches!(fork(), Err(Errno::EBUSY)));
            drop(sender);
        });
    }
}
