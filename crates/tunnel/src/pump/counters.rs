//! How much data have moved, and when.

use std::time::Instant;

/// How many bytes the network may bring without data for the program. It is
/// enough for all messages of a handshake; after that it limits key updates,
/// tickets and padding. rustls has lower limits of its own for empty records, key
/// updates, warning alerts and renegotiations.
const MAX_WITHOUT_DATA: usize = 256 << 10;

/// The counters and times of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Bytes of application data that were decrypted.
    pub received: u64,
    /// Bytes of application data that were encrypted.
    pub sent: u64,
    /// When bytes last came from the network.
    pub last_read: Instant,
    /// When application data last moved, in either direction.
    pub last_data: Instant,
    /// Bytes from the network since application data last came.
    without_data: usize,
}

impl Counters {
    /// Nothing has moved before `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            received: 0,
            sent: 0,
            last_read: now,
            last_data: now,
            without_data: 0,
        }
    }

    /// `count` bytes have come from the network.
    pub fn read(&mut self, count: usize) {
        self.without_data += count;
    }

    /// `count` bytes of application data were decrypted.
    pub fn decrypted(&mut self, count: usize, now: Instant) {
        if count > 0 {
            self.received += count as u64;
            self.last_data = now;
            self.without_data = 0;
        }
    }

    /// `count` bytes of application data were encrypted.
    pub fn encrypted(&mut self, count: usize) {
        self.sent += count as u64;
    }

    /// Whether too many bytes have come without application data.
    pub fn is_flooded(&self) -> bool {
        self.without_data > MAX_WITHOUT_DATA
    }
}
