//! A copy of the process, for a helper that outlives our exec or keeps what we
//! must not have.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
#[cfg(target_os = "linux")]
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{ForkResult, Pid};

/// Which side of a [`fork`] this is.
pub enum Forked {
    /// The process that called, with the pid of the new one.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Copies the process. EBUSY if it has threads: the copy has only the one that
/// called, and another could hold a lock that the copy waits for.
///
/// Where the system does not tell, there are none: the programs of this project
/// start no threads.
pub fn fork() -> Result<Forked, Errno> {
    if has_threads() {
        return Err(Errno::EBUSY);
    }
    // SAFETY: no other thread can hold a lock, so the child may do whatever
    // the parent may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent(child)),
        ForkResult::Child => Ok(Forked::Child),
    }
}

/// The same, and the copy is killed when this process ends, however it ends,
/// as long as neither of them has taken on another identity and this one may
/// send signals (Landlock). After that, and elsewhere than on Linux, the copy
/// outlives this process until it looks, but see [`EndsWithPeer`]. No one has to
/// wait for the copy.
pub fn fork_companion() -> Result<Forked, Errno> {
    crate::signal::forget_children();
    #[cfg(target_os = "linux")]
    let parent = nix::unistd::getpid();
    let forked = fork()?;
    #[cfg(target_os = "linux")]
    if matches!(forked, Forked::Child) {
        let bound = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
        // It may have ended before that.
        if bound.is_err() || nix::unistd::getppid() != parent {
            crate::entry::exit(0);
        }
    }
    Ok(forked)
}

/// While this lives, the kernel kills this process as soon as something comes
/// through a socket, be it only that the other end is closed: also in the middle
/// of a system call that waits for a file, whoever this process and the other
/// one are by then. Elsewhere than on Linux nothing happens.
pub struct EndsWithPeer<'a>(
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))] BorrowedFd<'a>,
);

#[cfg(target_os = "linux")]
impl<'a> EndsWithPeer<'a> {
    /// The peer is the other end of `socket`. EPIPE if something is there to be
    /// read, such as the end.
    pub fn over(socket: BorrowedFd<'a>) -> Result<Self, Errno> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        /// Which signal tells (fcntl(2)); musl's part of libc has no name for it.
        const F_SETSIG: libc::c_int = 10;
        let set = |what, value: libc::c_int| {
            // SAFETY: fcntl with these takes numbers and touches no memory.
            Errno::result(unsafe { libc::fcntl(socket.as_raw_fd(), what, value) })
        };
        set(libc::F_SETOWN, nix::unistd::getpid().as_raw())?;
        // Not SIGIO: whoever started us may have blocked that.
        set(F_SETSIG, libc::SIGKILL)?;
        let bound = Self(socket);
        bound.tell(true)?;
        let mut polled = [PollFd::new(socket, PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::ZERO)? {
            0 => Ok(bound),
            _ => Err(Errno::EPIPE),
        }
    }

    /// Whether the kernel is to tell of what comes.
    fn tell(&self, wanted: bool) -> Result<(), Errno> {
        let mut flags = OFlag::from_bits_retain(fcntl(self.0, FcntlArg::F_GETFL)?);
        flags.set(OFlag::O_ASYNC, wanted);
        fcntl(self.0, FcntlArg::F_SETFL(flags)).map(drop)
    }
}

#[cfg(target_os = "linux")]
impl Drop for EndsWithPeer<'_> {
    fn drop(&mut self) {
        let _ = self.tell(false);
    }
}

#[cfg(not(target_os = "linux"))]
impl<'a> EndsWithPeer<'a> {
    /// The peer is the other end of `socket`.
    pub fn over(socket: BorrowedFd<'a>) -> Result<Self, Errno> {
        Ok(Self(socket))
    }
}

/// Whether there are other threads: to be taken out of their group is an error
/// then, and changes nothing otherwise (unshare(2)).
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
    fn a_process_with_threads_is_not_copied() {
        std::thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || receiver.recv());
            assert!(matches!(fork(), Err(Errno::EBUSY)));
            drop(sender);
        });
    }
}
