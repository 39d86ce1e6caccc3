//! Starting a child without a copy of the parent, and waiting for it.

mod mask;
mod vfork;
mod wait;

use std::ffi::{OsStr, OsString};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::exec::{Image, c_strings, search};
use crate::{Env, fd, signal};
use mask::Mask;
use vfork::until_exec;

pub use wait::{Ended, reap_any, wait};

/// A child to be started. It inherits everything from the parent except what the
/// methods change; signals that the parent catches have their default action.
pub struct Child<'a> {
    argv: &'a [OsString],
    env: &'a Env,
    descriptors: Vec<(BorrowedFd<'a>, RawFd)>,
    open_mask: bool,
}

impl<'a> Child<'a> {
    /// A child that runs `argv`, found as by [`crate::exec::exec`].
    pub fn new(argv: &'a [OsString], env: &'a Env) -> Self {
        Self {
            argv,
            env,
            descriptors: Vec::new(),
            open_mask: false,
        }
    }

    /// Opens `fd` as `number` in the child. The copies are made one after the
    /// other, as with dup2.
    pub fn descriptor(mut self, fd: BorrowedFd<'a>, number: RawFd) -> Self {
        self.descriptors.push((fd, number));
        self
    }

    /// Starts the child with no signal blocked.
    pub fn open_mask(mut self) -> Self {
        self.open_mask = true;
        self
    }

    /// An upper bound of the bytes that [`Child::spawn`] allocates while it runs: for
    /// copies of the arguments, the candidate paths of the program, and the lists of
    /// both.
    pub fn memory(&self) -> usize {
        const EACH: usize = 128;
        let len = |text: &OsString| text.len() + EACH;
        let args: usize = self.argv.iter().map(len).sum();
        let env = self.env.entries().len() * EACH;
        let path = self.env.get("PATH").map_or(&[][..], OsStr::as_bytes);
        let places = 2 + path.iter().filter(|byte| **byte == b':').count();
        args + env + 2 * (path.len() + places * self.argv.first().map_or(EACH, len))
    }

    /// Starts the child. An error means that no program runs.
    pub fn spawn(self) -> Result<Pid, Errno> {
        let args = c_strings(self.argv)?;
        let image = Image::new(&args, self.env);
        // No handler may run in the child while it shares our memory.
        let former = mask::block_all()?;
        let mask = if self.open_mask {
            Mask::empty()
        } else {
            former
        };
        let result = search(&self.argv[0], self.env, |paths| {
            until_exec(&|| match self.prepare(&mask) {
                Ok(()) => image.exec(paths),
                Err(errno) => errno,
            })
        });
        former.set()?;
        result
    }

    /// In the child: sets up descriptors and signals.
    fn prepare(&self, mask: &Mask) -> Result<(), Errno> {
        for (fd, number) in &self.descriptors {
            // SAFETY: this is the child, which execs or exits. The parent's
            // descriptors do not change.
            unsafe { fd::replace(fd, *number) }?;
        }
        signal::reset_caught();
        mask.set()
    }
}
