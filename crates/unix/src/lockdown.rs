//! What a process can take from itself for good.

use nix::errno::Errno;

/// From now on no memory is both writable and executable, or becomes
/// executable (Linux 6.3).
pub fn refuse_new_code() -> Result<(), Errno> {
    let flags = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    let none: libc::c_ulong = 0;
    // SAFETY: this prctl takes numbers and touches no memory.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_MDWE, flags, none, none, none) }).map(drop)
}

/// The version of Landlock that the kernel has.
pub fn landlock_version() -> Result<u32, Errno> {
    const VERSION: libc::c_uint = 1;
    let nothing: *const libc::c_void = std::ptr::null();
    let size: libc::size_t = 0;
    // SAFETY: with this flag the call takes no attributes and only answers.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, size, VERSION) };
    Ok(Errno::result(version)?.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;
    use crate::fork::{Side, fork};

    /// What `attempt` returns in a process of its own.
    fn alone(attempt: fn() -> bool) -> bool {
        match fork().unwrap() {
            // SAFETY: _exit has no preconditions.
            Side::Child => unsafe { libc::_exit(attempt().into()) },
            Side::Parent(pid) => matches!(waitpid(pid, None), Ok(WaitStatus::Exited(_, 1))),
        }
    }

    /// Whether memory can be had that is written first and executed then.
    fn new_code() -> bool {
        let (len, flags) = (4096, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let data = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping overlaps nothing, and nobody uses it.
        unsafe {
            let page = libc::mmap(std::ptr::null_mut(), len, data, flags, -1, 0);
            page != libc::MAP_FAILED
                && libc::mprotect(page, len, libc::PROT_READ | libc::PROT_EXEC) == 0
        }
    }

    #[test]
    fn memory_does_not_become_executable() {
        assert!(alone(new_code));
        let refused = || match refuse_new_code() {
            Ok(()) => !new_code(),
            Err(errno) => errno == Errno::EINVAL,
        };
        assert!(alone(refused));
    }
}
