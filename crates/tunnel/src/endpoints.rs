//! The four ends of a tunnel, and what a pump wants of them.

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
    /// What the program writes.
    AppIn,
    /// What the program reads.
    AppOut,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NetIn, Self::NetOut, Self::AppIn, Self::AppOut];
}

/// One thing for each end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "they are the ends")]
pub struct PerEnd<T> {
    pub net_in: T,
    pub net_out: T,
    pub app_in: T,
    pub app_out: T,
}

impl<T> PerEnd<T> {
    /// What `make` makes for each end, in the order of [`End::ALL`].
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

/// What a pump is connected to. Nothing here blocks: EAGAIN says that an end
/// is not ready.
pub trait Ends {
    /// Reads; 0 is the end.
    fn read(&mut self, end: End, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Writes some of `bytes`.
    fn write(&mut self, end: End, bytes: &[u8]) -> Result<usize, Errno>;
    /// Closes for good. Whoever reads from it sees the end, even if others
    /// hold the same open file.
    fn close(&mut self, end: End);
    /// Has the system hold more or less between the program and this end, if
    /// it can and will. False if it holds too much to be made smaller now.
    fn resize(&mut self, end: End, size: Size) -> bool;
}

/// What an end is to be watched for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Interest {
    /// Nothing.
    #[default]
    None,
    /// Only that its other side is gone.
    Hangup,
    /// Bytes to read, or the end.
    Read,
    /// Space to write.
    Write,
}

/// What has come of the interest in an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ready {
    /// Its other side is gone, and that was all that was asked.
    Hangup,
    /// A read or a write will do something, if only fail.
    Usable,
}

impl Interest {
    /// What it means that something has happened to an end with this
    /// interest.
    pub fn met(self) -> Option<Ready> {
        match self {
            Self::None => None,
            Self::Hangup => Some(Ready::Hangup),
            Self::Read | Self::Write => Some(Ready::Usable),
        }
    }
}
