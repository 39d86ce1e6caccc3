//! A copy of the process, for a helper that outlives our exec or keeps what we
//! must not have.

use nix::errno::Errno;
use nix::unistd::{ForkResult, Pid};

/// Which side of a [`fork`] this is.
pub enum Side {
    /// The process that called, with the pid of the new one.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Copies the process. EBUSY if it has threads: the copy has only the one that
/// called, and another could hold a lock that the copy waits for.
///
/// Where the system does not tell how many threads there are, there is one: the
/// programs of this project start none.
pub fn fork() -> Result<Side, Errno> {
    if threads().is_some_and(|count| count > 1) {
        return Err(Errno::EBUSY);
    }
    // SAFETY: no other thread can hold a lock, so the child may do whatever
    // the parent may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Side::Parent(child)),
        ForkResult::Child => Ok(Side::Child),
    }
}

/// How many threads this process has: each is a directory, and a link to the
/// one that holds them.
fn threads() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let links = std::fs::metadata("/proc/self/task").ok()?.nlink();
    links.checked_sub(2)
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
