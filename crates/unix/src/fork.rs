//! A copy of the process, for a helper that outlives our exec.

use nix::errno::Errno;
use nix::unistd::{ForkResult, Pid};

/// Which side of a [`fork`] this is.
pub enum Side {
    /// The process that called, with the pid of the new one.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Copies the process. Its callers have one thread, so that the child may do
/// whatever the parent may.
pub fn fork() -> Result<Side, Errno> {
    // SAFETY: the programs of this project start no threads, so no lock can
    // be held by one that the child does not have.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Side::Parent(child)),
        ForkResult::Child => Ok(Side::Child),
    }
}
