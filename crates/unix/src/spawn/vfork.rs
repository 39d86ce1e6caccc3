//! A child that runs only until it execs, started without copying the parent
//! where the system can do that.

use nix::errno::Errno;
use nix::unistd::Pid;

use super::wait;

/// The stack of a child between its start and its exec.
#[cfg(target_os = "linux")]
const STACK: usize = 16384;

/// Runs `child` in a new process, with descriptors and signal actions of its
/// own, and returns when it has execed. If it could not, `child` returns why,
/// which is the error. It takes no memory, and leaves no signal that has a
/// handler unblocked: the memory is ours.
///
/// This is vfork(2) on a stack of its own, so that our frames stay as they
/// are.
#[cfg(target_os = "linux")]
pub(crate) fn until_exec(child: &dyn Fn() -> Errno) -> Result<Pid, Errno> {
    use nix::sched::{CloneFlags, clone};
    let failure = std::cell::Cell::new(None);
    let run = Box::new(|| {
        failure.set(Some(child()));
        127
    });
    let mut stack = [0; STACK];
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: CLONE_VFORK suspends us until the child uses our memory no
    // more, as if `child` had been called here; it needs a small part of its
    // stack.
    let pid = unsafe { clone(run, &mut stack, flags, Some(libc::SIGCHLD)) }?;
    match failure.get() {
        None => Ok(pid),
        Some(errno) => wait(pid).and(Err(errno)),
    }
}

/// The same with a copy of the process, which tells its failure by a pipe
/// that exec closes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn until_exec(child: &dyn Fn() -> Errno) -> Result<Pid, Errno> {
    use crate::fork::{Forked, fork};
    let (failure, told) = crate::fd::pipe()?;
    match fork()? {
        Forked::Parent(pid) => {
            drop(told);
            let mut errno = [0; 4];
            match crate::fd::read(&failure, &mut errno)? {
                0 => Ok(pid),
                _ => wait(pid).and(Err(Errno::from_raw(i32::from_ne_bytes(errno)))),
            }
        }
        Forked::Child => {
            let errno = child() as i32;
            let _ = crate::fd::write_all(&told, &errno.to_ne_bytes());
            crate::entry::exit(127)
        }
    }
}
