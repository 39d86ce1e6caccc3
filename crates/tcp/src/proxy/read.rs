//! Reads the header, and no byte beyond it.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use cli::Fatal;
use nix::errno::Errno;
use nix::poll::PollFlags;
use unix::{fd, poll};

use crate::deadline::deadline;

/// The source of a header.
pub struct Input<'a> {
    source: Source<'a>,
    deadline: Option<Instant>,
}

enum Source<'a> {
    Descriptor(BorrowedFd<'a>),
    /// Bytes in memory, of which one read gives no more than this many.
    #[cfg(any(test, feature = "fuzzing"))]
    Memory(&'a [u8], usize),
}

impl Input<'_> {
    /// Descriptor 0. `timeout` is the limit for the whole header in milliseconds; 0 is no
    /// limit.
    pub fn stdin(timeout: u32) -> Self {
        Self {
            source: Source::Descriptor(fd::stdin()),
            deadline: deadline(Instant::now(), Duration::from_millis(timeout.into())),
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fatal> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fatal> {
        self.fill_checked(bytes, |_| Ok(()))
    }

    /// Fills `bytes`. After each read `check` gets the bytes so far; its error ends
    /// this.
    pub fn fill_checked(
        &mut self,
        bytes: &mut [u8],
        check: impl Fn(&[u8]) -> Result<(), Fatal>,
    ) -> Result<(), Fatal> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.some(&mut bytes[filled..]) {
                Ok(0) => {
                    let message = "unable to read PROXY header: unexpected end of input";
                    return Err(Fatal::new(Fatal::SYSTEM, message));
                }
                Ok(count) => {
                    filled += count;
                    check(&bytes[..filled])?;
                }
                // From a non-blocking descriptor: wait again.
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(Fatal::system("read PROXY header", errno)),
            }
        }
        Ok(())
    }

    /// Waits for the next bytes; 0 at the end.
    fn some(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        match &mut self.source {
            Source::Descriptor(fd) => {
                poll::ready(*fd, PollFlags::POLLIN, self.deadline)?;
                fd::read(*fd, bytes)
            }
            #[cfg(any(test, feature = "fuzzing"))]
            Source::Memory(rest, size) => {
                let count = rest.len().min(bytes.len()).min(*size);
                let (piece, tail) = rest.split_at(count);
                bytes[..count].copy_from_slice(piece);
                *rest = tail;
                Ok(count)
            }
        }
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl<'a> Input<'a> {
    /// Bytes in memory, read one at a time.
    pub fn memory(bytes: &'a [u8]) -> Self {
        Self::in_pieces(bytes, 1)
    }

    /// Bytes in memory, of which one read gives no more than `size`.
    pub fn in_pieces(bytes: &'a [u8], size: usize) -> Self {
        Self {
            source: Source::Memory(bytes, size),
            deadline: None,
        }
    }

    /// The number of bytes that were not read.
    pub fn left(&self) -> usize {
        match self.source {
            Source::Memory(rest, _) => rest.len(),
            Source::Descriptor(_) => 0,
        }
    }
}
