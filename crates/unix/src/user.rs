//! Giving up an identity for good.

use nix::errno::Errno;
use nix::unistd::{Gid, Uid};

/// The real user id of the process.
pub fn real_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// The id that stands for "leave it as it is": a system call that was asked
/// for it would succeed and change nothing.
const UNCHANGED: u32 = u32::MAX;

/// Sets real, effective and saved group id.
pub fn set_gid(gid: u32) -> Result<(), Errno> {
    if gid == UNCHANGED {
        return Err(Errno::EINVAL);
    }
    #[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd"))]
    return nix::unistd::setresgid(Gid::from_raw(gid), Gid::from_raw(gid), Gid::from_raw(gid));
    #[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd")))]
    return nix::unistd::setgid(Gid::from_raw(gid));
}

/// Sets real, effective and saved user id.
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
    // nix has no setgroups for macOS, where processes may have other groups by
    // opendirectoryd besides.
    // SAFETY: the list is read only, and so long.
    let result = unsafe { libc::setgroups(groups.len() as _, groups.as_ptr()) };
    Errno::result(result).map(drop)
}
