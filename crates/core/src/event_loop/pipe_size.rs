//! How much the pipes to and from the program hold.

use std::os::fd::BorrowedFd;

use tunnel::throughput::Size;
#[cfg(target_os = "linux")]
use unix::Errno;

/// A pipe that can be resized.
#[cfg(target_os = "linux")]
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

    /// Whether `size` is more than it has now.
    pub fn would_grow(&self, size: Size) -> bool {
        size == Size::Large && self.size == Size::Small && self.former < LARGE
    }

    /// Whether its user may have [`ROOM`] more bytes in pipes. Only for a pipe
    /// that nobody else writes to: a program that waits would fill it.
    pub fn has_room(&self, fd: BorrowedFd<'_>) -> bool {
        let now = match self.size {
            Size::Small => self.former,
            Size::Large => self.former.max(LARGE),
        };
        let room = set(fd, ROOM).is_ok();
        if room {
            let _ = set(fd, now);
        }
        room
    }

    /// Gives the pipe `fd` another size, unless it is to grow where there is no
    /// `room`. False if it holds too much to become small now.
    pub fn resize(&mut self, fd: BorrowedFd<'_>, size: Size, room: bool) -> bool {
        if size == self.size || self.former >= LARGE {
            return true;
        }
        let done = match size {
            Size::Small => set(fd, self.former),
            Size::Large if room => set(fd, LARGE),
            Size::Large => Ok(()),
        };
        if size == Size::Small && done == Err(Errno::EBUSY) {
            return false;
        }
        // Where it could not grow it is not tried again during this flow.
        self.size = size;
        true
    }
}

/// Sets how many bytes a pipe holds. Without privileges a user has so many
/// pages for pipes in all (pipe(7)): EPERM. EBUSY if it holds more.
#[cfg(target_os = "linux")]
fn set(fd: BorrowedFd<'_>, bytes: i32) -> Result<(), Errno> {
    use nix::fcntl::{FcntlArg, fcntl};
    fcntl(fd, FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)
}

/// How many bytes a pipe holds while data flow.
#[cfg(target_os = "linux")]
const LARGE: i32 = Size::Large.pipe() as i32;

/// How many bytes there must be room for before a pipe grows, so that some are
/// left to others: the most that fs.pipe-max-size allows without privileges,
/// unless it was changed.
#[cfg(target_os = "linux")]
const ROOM: i32 = 1 << 20;

/// No pipe can be resized elsewhere.
#[cfg(not(target_os = "linux"))]
pub enum Pipe {}

#[cfg(not(target_os = "linux"))]
impl Pipe {
    pub fn of(_: BorrowedFd<'_>) -> Option<Self> {
        None
    }

    pub fn would_grow(&self, _: Size) -> bool {
        match *self {}
    }

    pub fn has_room(&self, _: BorrowedFd<'_>) -> bool {
        match *self {}
    }

    pub fn resize(&mut self, _: BorrowedFd<'_>, _: Size, _: bool) -> bool {
        match *self {}
    }
}
