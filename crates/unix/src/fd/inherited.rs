//! Closing what was inherited and is nobody's.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::close;

/// Closes every descriptor that was inherited and not claimed, but standard
/// error. This process owns none with a number above `highest`.
pub fn close_inherited(highest: RawFd) -> Result<(), Errno> {
    let highest = highest.max(2);
    // What is ours is passed over. To list what is open would take much longer.
    for number in (0..=highest).filter(|number| *number != 2) {
        close(number);
    }
    match close_above(highest) {
        // An old kernel; or the profile of a container that does not know it.
        Err(Errno::ENOSYS | Errno::EPERM) => close_each_above(highest),
        result => result,
    }
}

#[cfg(target_os = "linux")]
fn close_above(highest: RawFd) -> Result<(), Errno> {
    let (first, flags) = (highest as libc::c_uint + 1, 0 as libc::c_uint);
    // SAFETY: it takes numbers and touches no memory; that nobody owns these
    // descriptors is what the caller says. It is called by its number, since
    // not every C library has a function for it.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    Errno::result(result).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn close_above(_highest: RawFd) -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// One by one: those that the system lists, or all up to the limit if it lists
/// none.
fn close_each_above(highest: RawFd) -> Result<(), Errno> {
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        let names = entries.map_while(Result::ok).map(|entry| entry.file_name());
        let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
        let above: Vec<RawFd> = numbers.filter(|number| *number > highest).collect();
        above.into_iter().for_each(close);
        return Ok(());
    }
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = RawFd::try_from(limit).map_err(|_| Errno::ERANGE)?;
    (highest + 1..limit).for_each(close);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{check, inherit, pipe};
    use super::*;

    #[test]
    fn one_by_one_what_is_ours_stays() {
        let (ours, other) = pipe().unwrap();
        // Far above what other tests have.
        let inherited = super::super::duplicate_above(&other, 700).unwrap();
        let inherited = inherit(inherited).unwrap();
        close_each_above(699).unwrap();
        assert_eq!(check(inherited), Err(Errno::EBADF));
        assert_eq!(super::super::write_all(&other, b"x"), Ok(()));
        drop(ours);
    }
}
