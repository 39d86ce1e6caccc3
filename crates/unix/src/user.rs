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

/// Runs `action` with other effective ids and supplementary groups, and then restores those of the
/// process. A uid or gid of 0, and groups of None, stay. Needs root. An error says what failed.
pub fn with_effective<T>(
    uid: u32,
    gid: u32,
    groups: Option<&[u32]>,
    action: impl FnOnce() -> T,
) -> Result<T, (&'static str, Errno)> {
    let (own_uid, own_gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let own_groups = supplementary_groups().map_err(|errno| ("get groups", errno))?;
    let result = change(uid, gid, groups).map(|()| action());
    let restored = nix::unistd::seteuid(own_uid)
        .and_then(|()| nix::unistd::setegid(own_gid))
        .and_then(|()| groups.map_or(Ok(()), |_| set_groups(&own_groups)));
    // What failed first is what the caller has to know.
    let result = result?;
    restored.map_err(|errno| ("take back ids", errno))?;
    Ok(result)
}

/// Sets the user id last: without the former one the others could not be changed.
fn change(uid: u32, gid: u32, groups: Option<&[u32]>) -> Result<(), (&'static str, Errno)> {
    let checked = |id| {
        if id == UNCHANGED {
            Err(Errno::EINVAL)
        } else {
            Ok(id)
        }
    };
    if let Some(groups) = groups {
        set_groups(groups).map_err(|errno| ("set supplementary group list", errno))?;
    }
    if gid != 0 {
        let set = checked(gid).and_then(|gid| nix::unistd::setegid(Gid::from_raw(gid)));
        set.map_err(|errno| ("setgid", errno))?;
    }
    if uid != 0 {
        let set = checked(uid).and_then(|uid| nix::unistd::seteuid(Uid::from_raw(uid)));
        set.map_err(|errno| ("setuid", errno))?;
    }
    Ok(())
}

/// The supplementary groups of the process.
fn supplementary_groups() -> Result<Vec<u32>, Errno> {
    // SAFETY: with a size of 0 the list is only counted, and nothing is written.
    let count = Errno::result(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: the list has room for `count` ids.
    let count = Errno::result(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups)
}

/// The effective user and group id of the process.
pub fn effective_ids() -> [u32; 2] {
    [
        nix::unistd::geteuid().as_raw(),
        nix::unistd::getegid().as_raw(),
    ]
}
