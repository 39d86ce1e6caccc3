//! How much the pipes to and from the program hold.

use std::os::fd::BorrowedFd;

use crate::tunnel::flow::Size;

/// A pipe that can be resized.
pub struct Pipe {
    /// How many bytes it held at first.
    former: i32,
    size: Size,
}

#[cfg(target_os = "linux")]
impl Pipe {
    /// What `fd` is, if it is a pipe.
    pub fn of(fd: BorrowedFd<'_>) -> Option<Self> {
        use nix::fcntl::{FcntlArg, fcntl};
        Some(Self {
            former: fcntl(fd, FcntlArg::F_GETPIPE_SZ).ok()?,
            size: Size::Small,
        })
    }

    /// Gives the pipe `fd` another size. The kernel may refuse to enlarge it,
    /// for a user has so many pages for pipes in all, and to make it smaller
    /// than what is in it.
    pub fn resize(&mut self, fd: BorrowedFd<'_>, size: Size) {
        use nix::fcntl::{FcntlArg, fcntl};
        let large = i32::try_from(Size::Large.chunk()).unwrap_or(i32::MAX);
        if size == self.size || self.former >= large {
            return;
        }
        let bytes = match size {
            Size::Small => self.former,
            Size::Large => large,
        };
        let done = fcntl(fd, FcntlArg::F_SETPIPE_SZ(bytes));
        // What it holds will leave; nobody asks again for what is too much.
        if done.is_ok() || size == Size::Large {
            self.size = size;
        }
    }
}

/// Elsewhere pipes are as large as they are.
#[cfg(not(target_os = "linux"))]
impl Pipe {
    pub fn of(_: BorrowedFd<'_>) -> Option<Self> {
        None
    }

    pub fn resize(&mut self, _: BorrowedFd<'_>, size: Size) {
        self.size = size;
    }
}
