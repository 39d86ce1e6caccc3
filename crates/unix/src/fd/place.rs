//! Putting descriptors where the next program looks for them.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::is_ours;

/// Leaves `fd` open for the next program, under its number.
pub fn inherit(fd: OwnedFd) -> Result<RawFd, Errno> {
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(fd.into_raw_fd())
}

/// Moves `fd` to `number`, replacing what was there, and leaves it open for
/// the next program. EBUSY if another descriptor of ours is there.
pub fn move_to(fd: OwnedFd, number: RawFd) -> Result<(), Errno> {
    if fd.as_raw_fd() == number {
        return inherit(fd).map(drop);
    }
    copy_to(&fd, number)
}

/// Makes `number` a copy of `fd`, replacing what was there, and leaves it open
/// for the next program. EBUSY if a descriptor of ours is there.
pub fn copy_to(fd: impl AsFd, number: RawFd) -> Result<(), Errno> {
    if is_ours(number) == Ok(true) {
        return Err(Errno::EBUSY);
    }
    // SAFETY: whatever is open as `number`, this process does not own it.
    unsafe { replace(fd, number) }
}

/// Makes `number` a copy of `fd`, open for the next program, or leaves `fd`
/// itself open for it if that is its number.
///
/// # Safety
///
/// Nothing in this process owns `number`, or nothing uses it any more: the
/// process is a child that is about to exec.
pub(crate) unsafe fn replace(fd: impl AsFd, number: RawFd) -> Result<(), Errno> {
    let from = fd.as_fd().as_raw_fd();
    if from == number {
        return fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop);
    }
    // SAFETY: dup2 replaces `number` in one step, and the caller says that
    // nobody owns it.
    Errno::result(unsafe { libc::dup2(from, number) }).map(drop)
}
