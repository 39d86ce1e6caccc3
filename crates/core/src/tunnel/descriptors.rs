//! The four descriptors of an engine.
//!
//! They are shared with other processes, which may go on using them. So a
//! socket is never switched to non-blocking mode: each call asks for that by
//! itself. A terminal is opened anew, for whoever is stopped by a key puts
//! nothing back. Other descriptors are switched, and get their former flags
//! back before they are closed.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Instant;

use cli::Fatal;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, shutdown};
use nix::sys::stat::{Mode, SFlag, fstat};
use unix::Errno;

use crate::tunnel::pump::{End, Ends, Interest};

/// The descriptors that are still open, in the order of [`End`].
pub struct Descriptors([Option<Descriptor>; 4]);

struct Descriptor {
    fd: OwnedFd,
    socket: bool,
    /// Which descriptors are the same open file, and thus have one set of
    /// flags: the lowest end among them.
    group: usize,
    /// The flags before, if they were changed.
    former: Option<OFlag>,
}

impl Descriptors {
    /// Takes over the descriptors with these numbers; a number may be there
    /// twice.
    pub fn new(numbers: [RawFd; 4]) -> Result<Self, Fatal> {
        let mut ends = [None, None, None, None];
        for (i, number) in numbers.into_iter().enumerate() {
            let fd = if numbers[..i].contains(&number) {
                unix::fd::duplicate(number)
            } else {
                unix::fd::claim(number)
            };
            let descriptor = fd.and_then(|fd| Descriptor::new(fd, i));
            ends[i] = Some(
                descriptor
                    .map_err(|errno| Fatal::system(&format!("use descriptor {number}"), errno))?,
            );
        }
        let mut descriptors = Self(ends);
        descriptors
            .stop_blocking()
            .map_err(|errno| Fatal::system("set descriptors non-blocking", errno))?;
        Ok(descriptors)
    }

    /// Their numbers.
    pub fn numbers(&self) -> [Option<RawFd>; 4] {
        let number = |end: &Option<Descriptor>| Some(end.as_ref()?.fd.as_raw_fd());
        self.0.each_ref().map(number)
    }

    /// Waits until an end is ready for what `interest` says, or until
    /// `deadline`.
    pub fn wait(
        &self,
        interest: [Interest; 4],
        deadline: Option<Instant>,
    ) -> Result<[bool; 4], Fatal> {
        let mut watched = Vec::with_capacity(4);
        let mut which = Vec::with_capacity(4);
        for (i, (end, interest)) in self.0.iter().zip(interest).enumerate() {
            let events = match interest {
                Interest::None => continue,
                Interest::Hangup => PollFlags::empty(),
                Interest::Read => PollFlags::POLLIN,
                Interest::Write => PollFlags::POLLOUT,
            };
            if let Some(end) = end {
                watched.push(PollFd::new(end.fd.as_fd(), events));
                which.push(i);
            }
        }
        match poll(&mut watched, timeout(deadline)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Fatal::system("poll", errno)),
        }
        let mut ready = [false; 4];
        for (fd, i) in watched.iter().zip(which) {
            ready[i] = fd.any().unwrap_or(true);
        }
        Ok(ready)
    }

    /// Has what was received acknowledged at once, where the system can do
    /// that. A peer that has sent the last message of the handshake and does
    /// not hear of it would keep its first data back (RFC 896).
    pub fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Some(end) = self.0[End::NetIn as usize]
            .as_ref()
            .filter(|end| end.socket)
        {
            unix::net::acknowledge(&end.fd);
        }
    }

    /// Switches everything but sockets to non-blocking mode.
    fn stop_blocking(&mut self) -> Result<(), Errno> {
        let mut before = [OFlag::empty(); 4];
        for (i, end) in self.0.iter().enumerate() {
            if let Some(end) = end.as_ref().filter(|end| !end.socket) {
                before[i] = flags(end.fd.as_fd())?;
            }
        }
        for (i, before) in before.into_iter().enumerate() {
            let Some(end) = self.0[i].as_mut().filter(|end| !end.socket) else {
                continue;
            };
            if before.contains(OFlag::O_NONBLOCK) {
                continue;
            }
            if flags(end.fd.as_fd())?.contains(OFlag::O_NONBLOCK) {
                // Changing another end has changed this one: it is the same
                // open file as the nearest one that was changed.
                let same = (0..i).rev().find(|j| self.shares(*j, i));
                if let (Some(j), Some(end)) = (same, self.0[i].as_mut()) {
                    end.group = j;
                    end.former = Some(before);
                }
                continue;
            }
            fcntl(&end.fd, FcntlArg::F_SETFL(before | OFlag::O_NONBLOCK))?;
            end.former = Some(before);
        }
        Ok(())
    }

    /// Whether two ends are the same file, and that file was changed for the
    /// first of them.
    fn shares(&self, first: usize, second: usize) -> bool {
        let file = |i: usize| {
            let end = self.0[i].as_ref()?;
            let stat = fstat(&end.fd).ok()?;
            Some((stat.st_dev, stat.st_ino))
        };
        let changed = self.0[first]
            .as_ref()
            .is_some_and(|end| end.former.is_some());
        changed && file(first).is_some() && file(first) == file(second)
    }

    /// Puts back the flags of `end`, unless another open end needs them as
    /// they are.
    fn restore(&self, i: usize) {
        let Some(end) = &self.0[i] else { return };
        let shared = |other: &Descriptor| other.group == end.group;
        let others = self.0.iter().enumerate().filter(|(j, _)| *j != i);
        if others.filter_map(|(_, other)| other.as_ref()).any(shared) {
            return;
        }
        if let Some(former) = end.former {
            let _ = fcntl(&end.fd, FcntlArg::F_SETFL(former));
        }
    }
}

impl Ends for Descriptors {
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno> {
        let Some(descriptor) = &self.0[end as usize] else {
            return Ok(0);
        };
        if descriptor.socket {
            recv(descriptor.fd.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT)
        } else {
            nix::unistd::read(&descriptor.fd, buf)
        }
    }

    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(descriptor) = &self.0[end as usize] else {
            return Err(Errno::EPIPE);
        };
        if descriptor.socket {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            send(descriptor.fd.as_raw_fd(), bytes, flags)
        } else {
            nix::unistd::write(&descriptor.fd, bytes)
        }
    }

    fn close(&mut self, end: End) {
        self.restore(end as usize);
        if let Some(descriptor) = self.0[end as usize].take() {
            if descriptor.socket && matches!(end, End::NetOut | End::AppOut) {
                let _ = shutdown(descriptor.fd.as_raw_fd(), Shutdown::Write);
            }
        }
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        for i in 0..self.0.len() {
            self.restore(i);
            self.0[i] = None;
        }
    }
}

impl Descriptor {
    fn new(fd: OwnedFd, group: usize) -> Result<Self, Errno> {
        let kind = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
        let own = (kind == SFlag::S_IFCHR).then(|| terminal(fd.as_fd()));
        Ok(Self {
            fd: own.flatten().unwrap_or(fd),
            socket: kind == SFlag::S_IFSOCK,
            group,
            former: None,
        })
    }
}

/// The terminal that `fd` is, with flags that nobody shares.
fn terminal(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let path = nix::unistd::ttyname(fd).ok()?;
    let access = flags(fd).ok()? & OFlag::O_ACCMODE;
    let own = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    nix::fcntl::open(&path, access | own, Mode::empty()).ok()
}

fn flags(fd: BorrowedFd<'_>) -> Result<OFlag, Errno> {
    fcntl(fd, FcntlArg::F_GETFL).map(OFlag::from_bits_retain)
}

/// The time until `deadline` for poll, rounded up so that it has passed when
/// poll returns.
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let millis = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}
