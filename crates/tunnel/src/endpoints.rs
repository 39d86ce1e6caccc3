//! The four ends of a tunnel, and how a pump uses them.

use std::ops::{Index, IndexMut};

use unix::Errno;

use crate::throughput::Size;

/// One of the four descriptors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The network, for reading.
    NetIn,
    /// The network, for writing.
    NetOut,
    /// The program's output, for reading.
    AppIn,
    /// The program's input, for writing.
    AppOut,
}

impl End {
    /// All ends.
    pub const ALL: [Self; 4] = [Self::NetIn, Self::NetOut, Self::AppIn, Self::AppOut];
}

/// One value for each end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "they are the ends")]
pub struct PerEnd<T> {
    pub net_in: T,
    pub net_out: T,
    pub app_in: T,
    pub app_out: T,
}

impl<T> PerEnd<T> {
    /// Calls `make` for each end, in the order of [`End::ALL`].
    pub fn from_fn(mut make: impl FnMut(End) -> T) -> Self {
        Self {
            net_in: make(End::NetIn),
            net_out: make(End::NetOut),
            app_in: make(End::AppIn),
            app_out: make(End::AppOut),
        }
    }
}

impl<T> Index<End> for PerEnd<T> {
    type Output = T;

    fn index(&self, end: End) -> &T {
        match end {
            End::NetIn => &self.net_in,
            End::NetOut => &self.net_out,
            End::AppIn => &self.app_in,
            End::AppOut => &self.app_out,
        }
    }
}

impl<T> IndexMut<End> for PerEnd<T> {
    fn index_mut(&mut self, end: End) -> &mut T {
        match end {
            End::NetIn => &mut self.net_in,
            End::NetOut => &mut self.net_out,
            End::AppIn => &mut self.app_in,
            End::AppOut => &mut self.app_out,
        }
    }
}

/// The ends that a pump reads and writes. Nothing blocks: EAGAIN says that an end
/// is not ready.
pub trait Ends {
    /// Reads; 0 is the end of the stream.
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Writes some of `bytes`.
    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno>;
    /// Closes the end. Its reader sees the end of the stream, even if another
    /// process holds the same open file.
    fn close(&mut self, end: End);
    /// Changes the size of the pipe between this end and the program, if it is one
    /// and the system allows it. False if the pipe holds too much to shrink now.
    fn resize(&mut self, end: End, size: Size) -> bool;
}

/// What to wait for at an end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Interest {
    /// Nothing.
    #[default]
    None,
    /// The other side to close.
    Hangup,
    /// Bytes to read, or the end of the stream.
    Read,
    /// Space to write.
    Write,
}

/// Which interest was met.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ready {
    /// [`Interest::Hangup`]: the other side has closed.
    Hangup,
    /// [`Interest::Read`] or [`Interest::Write`]: the call does not block, though
    /// it may fail.
    Usable,
}

impl Interest {
    /// What the end is ready for when this interest is met; None for [`Interest::None`].
    pub fn met(self) -> Option<Ready> {
        match self {
            Self::None => None,
            Self::Hangup => Some(Ready::Hangup),
            Self::Read | Self::Write => Some(Ready::Usable),
        }
    }
}
