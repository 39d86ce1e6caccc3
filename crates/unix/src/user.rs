//! User and group ids.

use nix::errno::Errno;
use nix::unistd::{Gid, Uid};

/// The real user id of the process.
pub fn real_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// The id -1: system calls take it as "do not change", and succeed without any
/// effect.
const UNCHANGED: u32 = u32::MAX;

/// Sets real, effective and saved group id. EINVAL for the id -1.
pub fn set_gid(gid: u32) -> Result<(), Errno> {
    if gid == UNCHANGED {
        return Err(Errno::EINVAL);
    }
    #[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd"))]
    return nix::unistd::setresgid(Gid::from_raw(gid), Gid::from_raw(gid), Gid::from_raw(gid));
    #[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")))]
    return nix::unistd::setgid(Gid::from_raw(gid));
}

/// Sets real, effective and saved user id. EINVAL for the id -1.
pub fn set_uid(uid: u32) -> Result<(), Errno> {
    if uid == UNCHANGED {
        return Err(Errno::EINVAL);
    }
    #[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd"))]
    return nix::unistd::setresuid(Uid::from_raw(uid), Uid::from_raw(uid), Uid::from_raw(uid));
    #[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")))]
    return nix::unistd::setuid(Uid::from_raw(uid));
}

/// Whether the process has supplementary groups.
pub fn has_groups() -> bool {
    // SAFETY: with a size of 0 the list is only counted, and nothing is written.
    unsafe { libc::getgroups(0, std::ptr::null_mut()) > 0 }
}

/// Sets the supplementary groups; an empty list leaves none.
pub fn set_groups(groups: &[u32]) -> Result<(), Errno> {
    // nix leaves setgroups out on macOS, where opendirectoryd may add groups.
    // SAFETY: the call reads `groups.len()` ids from a list of that length.
    let result = unsafe { libc::setgroups(groups.len() as _, groups.as_ptr()) };
    Errno::result(result).map(drop)
}
