//! The four descriptors of an engine.
//!
//! Other processes share them and may go on using them. So a socket is never
//! switched to non-blocking mode: each call asks for that by a flag. A terminal is
//! opened anew, because a process that is stopped by a key restores nothing. Other
//! descriptors are switched, and get their former flags back before they are closed.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Instant;

use cli::Fatal;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::{Mode, SFlag, fstat};
use tunnel::endpoints::{End, Ends, Interest, PerEnd, Ready};
use tunnel::throughput::Size;
use unix::Errno;
use unix::poll::timeout;

use crate::event_loop::pipe_size::Pipe;

/// The descriptors that are still open.
pub struct Descriptors(PerEnd<Option<Descriptor>>);

struct Descriptor {
    fd: OwnedFd,
    socket: bool,
    /// The size of the pipe, if it is one to or from the program.
    pipe: Option<Pipe>,
    /// The first end that is the same open file, and so has the same flags.
    group: End,
    /// The former flags, if they were changed.
    former: Option<OFlag>,
}

impl Descriptors {
    /// Takes over the descriptors with these numbers. Two ends may have the same number.
    pub fn new(numbers: PerEnd<RawFd>) -> Result<Self, Fatal> {
        let mut descriptors = Self(PerEnd::default());
        for (i, end) in End::ALL.into_iter().enumerate() {
            let number = numbers[end];
            // If a terminal was opened anew, the number is no longer valid.
            let same = (End::ALL[..i].iter())
                .find(|other| numbers[**other] == number)
                .and_then(|same| descriptors.0[*same].as_ref());
            let descriptor = match same {
                Some(same) => same.for_another(end),
                None => {
                    unix::fd::take_inherited(number).and_then(|fd| Descriptor::inherited(fd, end))
                }
            };
            let failed = |errno| Fatal::system(&format!("use descriptor {number}"), errno);
            descriptors.0[end] = Some(descriptor.map_err(failed)?);
        }
        descriptors
            .set_nonblocking()
            .map_err(|errno| Fatal::system("set descriptors non-blocking", errno))?;
        Ok(descriptors)
    }

    /// Their numbers.
    pub fn numbers(&self) -> PerEnd<Option<RawFd>> {
        PerEnd::from_fn(|end| Some(self.0[end].as_ref()?.fd.as_raw_fd()))
    }

    /// The numbers of the sockets.
    pub fn sockets(&self) -> Vec<RawFd> {
        self.numbers_of(|descriptor| descriptor.socket)
    }

    /// The numbers of those whose flags are restored before they are closed.
    pub fn switched(&self) -> Vec<RawFd> {
        self.numbers_of(|descriptor| descriptor.former.is_some())
    }

    /// The numbers of the pipes that [`Ends::resize`] may resize.
    pub fn pipes(&self) -> Vec<RawFd> {
        self.numbers_of(|descriptor| descriptor.pipe.is_some())
    }

    fn numbers_of(&self, wanted: impl Fn(&Descriptor) -> bool) -> Vec<RawFd> {
        let open = End::ALL.into_iter().filter_map(|end| self.0[end].as_ref());
        open.filter(|descriptor| wanted(descriptor))
            .map(|descriptor| descriptor.fd.as_raw_fd())
            .collect()
    }

    fn pipe(&self, end: End) -> Option<(BorrowedFd<'_>, &Pipe)> {
        let descriptor = self.0[end].as_ref()?;
        Some((descriptor.fd.as_fd(), descriptor.pipe.as_ref()?))
    }

    /// Whether a pipe may grow and still leave room for other pipes of the user. Only
    /// the pipe to the program can be asked; without it the system alone decides.
    fn has_room(&self) -> bool {
        let pipe = self.pipe(End::AppOut);
        pipe.is_none_or(|(fd, pipe)| pipe.has_room(fd))
    }

    /// Waits until an end is ready as `interest` says, or until `deadline`.
    pub fn wait(
        &self,
        interest: PerEnd<Interest>,
        deadline: Option<Instant>,
    ) -> Result<PerEnd<Option<Ready>>, Fatal> {
        let events = |end: End| match interest[end] {
            Interest::None => None,
            Interest::Hangup => Some(PollFlags::empty()),
            Interest::Read => Some(PollFlags::POLLIN),
            Interest::Write => Some(PollFlags::POLLOUT),
        };
        let watch = |end| Some(PollFd::new(self.0[end].as_ref()?.fd.as_fd(), events(end)?));
        let mut watched: Vec<PollFd<'_>> = End::ALL.into_iter().filter_map(watch).collect();
        match poll(&mut watched, timeout(deadline, Instant::now())) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Fatal::system("poll", errno)),
        }
        let mut watched = watched.iter();
        Ok(PerEnd::from_fn(|end| {
            watch(end)?;
            let happened = watched.next()?.any().unwrap_or(true);
            interest[end].met().filter(|_| happened)
        }))
    }

    /// Acknowledges at once what was received, where the system can. Until the last message of its
    /// handshake is acknowledged, a peer may hold back its first data (RFC 896).
    pub fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Some(end) = self.0.net_in.as_ref().filter(|end| end.socket) {
            let _ = unix::net::acknowledge(&end.fd);
        }
    }

    /// Switches everything but sockets to non-blocking mode.
    fn set_nonblocking(&mut self) -> Result<(), Errno> {
        let mut before = PerEnd::from_fn(|_| OFlag::empty());
        for end in End::ALL {
            if let Some(descriptor) = self.0[end].as_ref().filter(|end| !end.socket) {
                before[end] = flags(descriptor.fd.as_fd())?;
            }
        }
        for (i, end) in End::ALL.into_iter().enumerate() {
            let Some(descriptor) = self.0[end].as_mut().filter(|end| !end.socket) else {
                continue;
            };
            let before = before[end];
            if before.contains(OFlag::O_NONBLOCK) {
                continue;
            }
            if flags(descriptor.fd.as_fd())?.contains(OFlag::O_NONBLOCK) {
                // The change of another end has changed this one, so both are the same open file:
                // the last of the ends that were changed and are the same file.
                let mut others = End::ALL[..i].iter().rev();
                let same = others.find(|other| self.shares(**other, end));
                if let (Some(same), Some(descriptor)) = (same, self.0[end].as_mut()) {
                    descriptor.group = *same;
                    descriptor.former = Some(before);
                }
                continue;
            }
            let flags = FcntlArg::F_SETFL(before | OFlag::O_NONBLOCK);
            fcntl(&descriptor.fd, flags)?;
            descriptor.former = Some(before);
        }
        Ok(())
    }

    /// Whether two ends are the same file, and the flags of the first were changed.
    fn shares(&self, first: End, second: End) -> bool {
        let file = |end: End| {
            let stat = fstat(&self.0[end].as_ref()?.fd).ok()?;
            Some((stat.st_dev, stat.st_ino))
        };
        let changed = self.0[first]
            .as_ref()
            .is_some_and(|end| end.former.is_some());
        changed && file(first).is_some() && file(first) == file(second)
    }

    /// Restores the flags of `end`, unless another end is the same open file.
    fn restore(&self, end: End) {
        let Some(descriptor) = &self.0[end] else {
            return;
        };
        let mut others = (End::ALL.into_iter())
            .filter(|other| *other != end)
            .filter_map(|other| self.0[other].as_ref());
        if others.any(|other| other.group == descriptor.group) {
            return;
        }
        if let Some(former) = descriptor.former {
            let _ = fcntl(&descriptor.fd, FcntlArg::F_SETFL(former));
        }
    }
}

impl Ends for Descriptors {
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno> {
        let Some(descriptor) = &self.0[end] else {
            return Ok(0);
        };
        if descriptor.socket {
            unix::net::receive_at_once(&descriptor.fd, buf)
        } else {
            nix::unistd::read(&descriptor.fd, buf)
        }
    }

    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(descriptor) = &self.0[end] else {
            return Err(Errno::EPIPE);
        };
        if descriptor.socket {
            unix::net::send_at_once(&descriptor.fd, bytes)
        } else {
            nix::unistd::write(&descriptor.fd, bytes)
        }
    }

    fn close(&mut self, end: End) {
        self.resize(end, Size::Small);
        self.restore(end);
        if let Some(descriptor) = self.0[end].take() {
            if descriptor.socket && matches!(end, End::NetOut | End::AppOut) {
                let _ = unix::net::end_sending(&descriptor.fd);
            }
        }
    }

    fn resize(&mut self, end: End, size: Size) -> bool {
        let grows = self
            .pipe(end)
            .is_some_and(|(_, pipe)| pipe.would_grow(size));
        let room = grows && self.has_room();
        match &mut self.0[end] {
            Some(Descriptor {
                fd,
                pipe: Some(pipe),
                ..
            }) => pipe.resize(fd.as_fd(), size, room),
            _ => true,
        }
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        for end in End::ALL {
            self.resize(end, Size::Small);
            self.restore(end);
            self.0[end] = None;
        }
    }
}

impl Descriptor {
    /// Makes an end of the inherited `fd`. A terminal is opened anew.
    fn inherited(fd: OwnedFd, end: End) -> Result<Self, Errno> {
        let kind = kind(fd.as_fd())?;
        let own = (kind == SFlag::S_IFCHR).then(|| terminal(fd.as_fd()));
        Ok(Self::of(own.flatten().unwrap_or(fd), kind, end))
    }

    /// A duplicate for another end.
    fn for_another(&self, end: End) -> Result<Self, Errno> {
        let fd = unix::fd::duplicate_above(&self.fd, 3)?;
        let kind = kind(fd.as_fd())?;
        Ok(Self::of(fd, kind, end))
    }

    fn of(fd: OwnedFd, kind: SFlag, end: End) -> Self {
        let pipe = kind == SFlag::S_IFIFO && matches!(end, End::AppIn | End::AppOut);
        Self {
            pipe: pipe.then(|| Pipe::of(fd.as_fd())).flatten(),
            fd,
            socket: kind == SFlag::S_IFSOCK,
            group: end,
            former: None,
        }
    }
}

/// The file type of `fd`.
fn kind(fd: BorrowedFd<'_>) -> Result<SFlag, Errno> {
    Ok(SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT)
}

/// Opens the terminal `fd` anew, with flags of its own. None if it is no terminal, or
/// the master of a pseudo-terminal: opening its file would make a new one.
fn terminal(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let path = nix::unistd::ttyname(fd).ok()?;
    if path.ends_with("ptmx") {
        return None;
    }
    let access = flags(fd).ok()? & OFlag::O_ACCMODE;
    let own = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    nix::fcntl::open(&path, access | own, Mode::empty()).ok()
}

fn flags(fd: BorrowedFd<'_>) -> Result<OFlag, Errno> {
    fcntl(fd, FcntlArg::F_GETFL).map(OFlag::from_bits_retain)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
