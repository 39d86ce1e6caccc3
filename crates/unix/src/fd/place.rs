//! Giving descriptors the numbers that the next program expects.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::is_ours;

/// Leaves `fd` open for the next program, under its number.
pub fn inherit(fd: OwnedFd) -> Result<RawFd, Errno> {
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(fd.into_raw_fd())
}

/// Moves `fd` to `number`, in place of an inherited descriptor there, and leaves it
/// open for the next program. EBUSY if this process owns another descriptor of that
/// number.
pub fn move_to(fd: OwnedFd, number: RawFd) -> Result<(), Errno> {
    if fd.as_raw_fd() == number {
        return inherit(fd).map(drop);
    }
    copy_to(&fd, number)
}

/// Makes `number` a copy of `fd`, in place of an inherited descriptor there, and
/// leaves it open for the next program. EBUSY if this process owns a descriptor of
/// that number.
pub fn copy_to(fd: impl AsFd, number: RawFd) -> Result<(), Errno> {
    if is_ours(number) == Ok(true) {
        return Err(Errno::EBUSY);
    }
    // SAFETY: this process does not own a descriptor `number`.
    unsafe { replace(fd, number) }
}

/// Makes `number` a copy of `fd`, open for the next program. If `fd` has that number
/// already, it is left open for the next program itself.
///
/// # Safety
///
/// Nothing in this process owns descriptor `number`, or the process is a child that
/// is about to exec.
pub(crate) unsafe fn replace(fd: impl AsFd, number: RawFd) -> Result<(), Errno> {
    let from = fd.as_fd().as_raw_fd();
    if from == number {
        return fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop);
    }
    // SAFETY: dup2 replaces `number` in one step, and the caller guarantees that
    // nobody uses it.
    Errno::result(unsafe { libc::dup2(from, number) }).map(drop)
}
