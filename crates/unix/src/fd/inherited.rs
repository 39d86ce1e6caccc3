//! Closing inherited descriptors.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::close;

/// Closes every inherited descriptor that was not taken, except standard error. The
/// caller guarantees that this process owns none above `highest`.
pub fn close_inherited(highest: RawFd) -> Result<(), Errno> {
    let highest = highest.max(2);
    // `close` skips descriptors that are ours. Listing the open ones takes much
    // longer.
    for number in (0..=highest).filter(|number| *number != 2) {
        close(number);
    }
    match close_above(highest) {
        // An old kernel, or a container whose seccomp profile lacks the call.
        Err(Errno::ENOSYS | Errno::EPERM) => close_each_above(highest),
        result => result,
    }
}

#[cfg(target_os = "linux")]
fn close_above(highest: RawFd) -> Result<(), Errno> {
    let (first, flags) = (highest as libc::c_uint + 1, 0 as libc::c_uint);
    // Called by number: not every C library has a function for it.
    // SAFETY: the call takes numbers and touches no memory. The caller guarantees
    // that nobody owns these descriptors.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    Errno::result(result).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn close_above(_highest: RawFd) -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// Closes descriptors one by one: those that /proc lists, or all numbers up to the
/// limit if there is no /proc.
fn close_each_above(highest: RawFd) -> Result<(), Errno> {
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        let names = entries.map_while(Result::ok).map(|entry| entry.file_name());
        let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
        let above: Vec<RawFd> = numbers.filter(|number| *number > highest).collect();
        above.into_iter().for_each(close);
        return Ok(());
    }
    close_numbers_above(highest)
}

/// Closes all numbers up to the limit. What was opened before the limit was lowered may stay open.
fn close_numbers_above(highest: RawFd) -> Result<(), Errno> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = RawFd::try_from(limit).map_err(|_| Errno::ERANGE)?;
    (highest + 1..limit).for_each(close);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{check, inherit, pipe};
    use super::*;

    /// Whether `close_above_699` closes an inherited descriptor, and leaves ours open.
    fn check_closing(close_above_699: impl Fn()) {
        let (ours, other) = pipe().unwrap();
        // Far above the descriptors of other tests.
        let copy = super::super::duplicate_above(&other, 700).unwrap();
        let kept = super::super::duplicate_above(&other, 700).unwrap();
        let inherited = inherit(copy).unwrap();
        close_above_699();
        assert_eq!(check(inherited), Err(Errno::EBADF));
        for open in [&other, &kept] {
            assert_eq!(super::super::write_all(open, b"x"), Ok(()));
        }
        drop(ours);
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no F_SETFD")]
    fn owned_descriptors_stay_open_when_closed_one_by_one() {
        check_closing(|| close_each_above(699).unwrap());
        // Without /proc. Both in one test: another one must not take the numbers.
        check_closing(|| close_numbers_above(699).unwrap());
    }
}
