//! The signals that are blocked.

use nix::errno::Errno;
#[cfg(not(target_os = "linux"))]
use nix::sys::signal::{SigSet, SigmaskHow};

/// Blocks all signals, and returns the former mask.
pub(crate) fn block_all() -> Result<Mask, Errno> {
    Mask::all().replace()
}

/// The signals of a mask as the kernel has them. The C library hides those that it
/// uses itself: what glibc has as SIGRTMIN is one of these to musl, which would drop
/// it from a mask that a program of glibc has left us.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mask([u64; WORDS]);

/// MIPS has 128 signals, the other architectures have 64.
#[cfg(target_os = "linux")]
const WORDS: usize = if cfg!(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6"
)) {
    2
} else {
    1
};

#[cfg(target_os = "linux")]
impl Mask {
    /// Blocks nothing.
    pub(crate) fn empty() -> Self {
        Self([0; WORDS])
    }

    fn all() -> Self {
        Self([u64::MAX; WORDS])
    }

    /// Makes this the mask.
    pub(crate) fn set(&self) -> Result<(), Errno> {
        self.replace().map(drop)
    }

    /// Makes this the mask, and returns the former one.
    fn replace(&self) -> Result<Self, Errno> {
        let mut former = Self::empty();
        let (new, old) = (self.0.as_ptr(), former.0.as_mut_ptr());
        let how = libc::SIG_SETMASK as libc::c_long;
        let size = size_of_val(&self.0);
        // SAFETY: both sets have the size that is passed.
        Errno::result(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, new, old, size) })?;
        Ok(former)
    }
}

/// The signals of a mask.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask(SigSet);

#[cfg(not(target_os = "linux"))]
impl Mask {
    /// Blocks nothing.
    pub(crate) fn empty() -> Self {
        Self(SigSet::empty())
    }

    fn all() -> Self {
        Self(SigSet::all())
    }

    /// Makes this the mask.
    pub(crate) fn set(&self) -> Result<(), Errno> {
        self.0.thread_set_mask()
    }

    /// Makes this the mask, and returns the former one.
    fn replace(&self) -> Result<Self, Errno> {
        self.0.thread_swap_mask(SigmaskHow::SIG_SETMASK).map(Self)
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;
    use crate::Env;
    use crate::spawn::{Child, Ended, wait};

    /// The signals that `SigBlk` of a child names.
    fn blocked_in_a_child(open: bool) -> u128 {
        let argv = ["sed", "-n", "s/^SigBlk://p", "/proc/self/status"].map(OsString::from);
        let env = Env::inherited();
        let (reader, writer) = crate::fd::pipe().unwrap();
        let mut child = Child::new(&argv, &env).descriptor(writer.as_fd(), 1);
        if open {
            child = child.open_mask();
        }
        let pid = child.spawn().unwrap();
        drop(writer);
        let mut text = String::new();
        std::fs::File::from(reader)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(wait(pid), Ok(Ended::Exited(0)));
        u128::from_str_radix(text.trim(), 16).unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no clone")]
    fn parent_and_child_keep_signals_that_the_c_library_reserves() {
        /// SIGRTMIN of glibc, and SIGUSR1 on most architectures.
        const SIGNALS: u64 = 1 << (34 - 1) | 1 << (10 - 1);
        let mut mask = Mask::empty();
        mask.0[0] = SIGNALS;
        let former = mask.replace().unwrap();
        let inherited = blocked_in_a_child(false);
        let open = blocked_in_a_child(true);
        let restored = former.replace();
        assert_eq!(inherited, SIGNALS.into());
        assert_eq!(open, 0);
        assert_eq!(restored, Ok(mask));
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no masks")]
    fn all_signals_are_blocked_that_can_be() {
        let former = block_all().unwrap();
        let all = former.replace().unwrap();
        let open = all.0.map(u64::count_zeros);
        assert_eq!(open.iter().sum::<u32>(), 2, "SIGKILL and SIGSTOP");
    }
}
