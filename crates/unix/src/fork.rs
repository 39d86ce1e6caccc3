//! A copy of the process, for a helper that outlives our exec or keeps what we
//! must not have.

use nix::errno::Errno;
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
/// outlives this process until it looks. No one has to wait for the copy.
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
