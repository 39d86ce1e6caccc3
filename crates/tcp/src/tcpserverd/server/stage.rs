//! Whether the server listens.

use std::net::TcpListener;
use std::time::Instant;

/// The stage of a server's life.
pub enum Stage {
    /// It accepts connections on this socket.
    Listening(TcpListener),
    /// It waits for the end of its connections until then.
    Draining(Instant),
}

impl Stage {
    /// Whether it accepts connections.
    pub fn is_listening(&self) -> bool {
        matches!(self, Self::Listening(_))
    }

    /// When the wait for connections ends.
    pub fn end(&self) -> Option<Instant> {
        match self {
            Self::Listening(_) => None,
            Self::Draining(end) => Some(*end),
        }
    }
}
