//! The sizes of the pipes to and from the program.

use std::os::fd::BorrowedFd;

use tunnel::throughput::Size;
#[cfg(target_os = "linux")]
use unix::Errno;

/// A pipe that can be resized.
#[cfg(target_os = "linux")]
pub struct Pipe {
    /// Its size at the start, in bytes.
    former: i32,
    size: Size,
}

#[cfg(target_os = "linux")]
impl Pipe {
    /// The pipe `fd`; None if it is none.
    pub fn of(fd: BorrowedFd<'_>) -> Option<Self> {
        use nix::fcntl::{FcntlArg, fcntl};
        Some(Self {
            former: fcntl(fd, FcntlArg::F_GETPIPE_SZ).ok()?,
            size: Size::Small,
        })
    }

    /// Whether `size` is larger than its size now.
    pub fn would_grow(&self, size: Size) -> bool {
        size == Size::Large && self.size == Size::Small && self.former < LARGE
    }

    /// Whether its user may have [`ROOM`] more bytes in pipes: the pipe gets that size for
    /// a moment. No other process may write to the pipe, because a waiting program would
    /// fill it then.
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

    /// Gives the pipe `fd` another size; it grows only if there is `room`. False if it
    /// holds too much to shrink now.
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
        // If it could not grow, that is not tried again while these data flow.
        self.size = size;
        true
    }
}

/// Sets the size of a pipe in bytes. EPERM if an unprivileged user would have too
/// many pages in pipes (pipe(7)), EBUSY if the pipe holds more.
#[cfg(target_os = "linux")]
fn set(fd: BorrowedFd<'_>, bytes: i32) -> Result<(), Errno> {
    use nix::fcntl::{FcntlArg, fcntl};
    fcntl(fd, FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)
}

/// The size of a pipe while data flow, in bytes.
#[cfg(target_os = "linux")]
const LARGE: i32 = Size::Large.pipe() as i32;

/// How many bytes there must be room for before a pipe grows, so that other pipes can
/// grow, too: the default of fs.pipe-max-size.
#[cfg(target_os = "linux")]
const ROOM: i32 = 1 << 20;

/// Other systems cannot resize pipes.
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsFd;

    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    #[test]
    fn a_look_for_room_leaves_the_size() {
        for former in [4096, 65536, LARGE, 2 * LARGE] {
            let (reader, _writer) = unix::fd::pipe().unwrap();
            let fd = reader.as_fd();
            let size = || fcntl(fd, FcntlArg::F_GETPIPE_SZ).unwrap();
            set(fd, former).unwrap();
            let mut pipe = Pipe::of(fd).unwrap();
            let room = pipe.has_room(fd);
            assert_eq!(size(), former);
            assert!(pipe.resize(fd, Size::Large, room));
            let large = if room { former.max(LARGE) } else { former };
            assert_eq!(size(), large);
            if room {
                pipe.has_room(fd);
                assert_eq!(size(), large);
            }
            assert!(pipe.resize(fd, Size::Small, room));
            assert_eq!(size(), former);
        }
    }
    #[test]
    fn only_a_small_pipe_can_grow_and_only_where_there_is_room() {
        for (former, grows) in [(4096, true), (LARGE, false), (2 * LARGE, false)] {
            let (reader, _writer) = unix::fd::pipe().unwrap();
            let fd = reader.as_fd();
            set(fd, former).unwrap();
            let mut pipe = Pipe::of(fd).unwrap();
            assert!(!pipe.would_grow(Size::Small));
            assert_eq!(pipe.would_grow(Size::Large), grows, "{former}");
            assert!(pipe.resize(fd, Size::Large, false));
            assert_eq!(fcntl(fd, FcntlArg::F_GETPIPE_SZ), Ok(former));
            // It is not asked for again while these data flow.
            assert!(!pipe.would_grow(Size::Large));
        }
    }
}
