//! What a process can take from itself for good.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

/// From now on no memory is both writable and executable, or becomes
/// executable (Linux 6.3).
pub fn refuse_new_code() -> Result<(), Errno> {
    let flags = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    let none: libc::c_ulong = 0;
    // SAFETY: this prctl takes numbers and touches no memory.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_MDWE, flags, none, none, none) }).map(drop)
}

/// Closes every descriptor but those in `keep`.
///
/// The caller names all that the process still owns; what else is open was
/// inherited, and is in nobody's hands.
pub fn close_others(keep: &[RawFd]) -> Result<(), Errno> {
    let mut kept: Vec<libc::c_uint> = keep.iter().map(|fd| *fd as libc::c_uint).collect();
    kept.sort_unstable();
    let mut next: libc::c_uint = 0;
    for fd in kept {
        if fd > next {
            close_range(next, fd - 1)?;
        }
        next = fd + 1;
    }
    close_range(next, libc::c_uint::MAX)
}

fn close_range(first: libc::c_uint, last: libc::c_uint) -> Result<(), Errno> {
    let flags: libc::c_uint = 0;
    // SAFETY: it takes numbers and touches no memory; that nobody owns these
    // descriptors is for the caller of `close_others` to say. It is called by
    // its number, since not every C library has a function for it.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    match Errno::result(result) {
        Ok(_) => Ok(()),
        Err(Errno::ENOSYS) => close_each(first, last),
        Err(errno) => Err(errno),
    }
}

/// The same before Linux 5.9, one by one as far as there can be any.
fn close_each(first: libc::c_uint, last: libc::c_uint) -> Result<(), Errno> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let end = RawFd::try_from(limit).map_err(|_| Errno::ERANGE)?;
    for fd in (first as RawFd)..=(last as RawFd & RawFd::MAX).min(end) {
        crate::fd::close(fd);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

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

    #[test]
    fn an_old_kernel_closes_one_by_one() {
        let closed = || {
            let (a, b) = crate::fd::pipe().unwrap();
            let (low, high) = (a.as_raw_fd(), b.as_raw_fd());
            close_each(high as libc::c_uint, libc::c_uint::MAX).unwrap();
            let right = crate::fd::check(low).is_ok() && crate::fd::check(high).is_err();
            std::mem::forget((a, b));
            right
        };
        assert!(alone(closed));
    }

    #[test]
    fn all_but_the_named_descriptors_are_closed() {
        let closed = || {
            let (a, b) = crate::fd::pipe().unwrap();
            let (c, d) = crate::fd::pipe().unwrap();
            let kept = [d.as_raw_fd(), 2, b.as_raw_fd()];
            let gone = [0, 1, a.as_raw_fd(), c.as_raw_fd()];
            close_others(&kept).unwrap();
            let open = |fd: &RawFd| crate::fd::check(*fd).is_ok();
            let right = kept.iter().all(open) && !gone.iter().any(open);
            std::mem::forget((a, b, c, d));
            right
        };
        assert!(alone(closed));
    }
}
