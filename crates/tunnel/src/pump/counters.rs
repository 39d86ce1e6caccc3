//! What has moved, and when.

use std::time::Instant;

/// How many bytes the network may bring without any for the program. All
/// messages of a handshake together have space in it; after that it is what
/// key updates, tickets and padding may cost. What rustls counts by itself
/// (empty records, key updates, warnings, renegotiations) ends earlier.
const MAX_WITHOUT_DATA: usize = 256 << 10;

/// What has moved in a connection.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Bytes of cleartext that the network has brought.
    pub received: u64,
    /// Bytes of cleartext that were encrypted for the network.
    pub sent: u64,
    /// When the network last brought anything.
    pub last_read: Instant,
    /// When a byte of cleartext last moved, in either direction.
    pub last_data: Instant,
    /// What the network has brought since it last brought cleartext.
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

    /// The network has brought `count` bytes of TLS.
    pub fn read(&mut self, count: usize) {
        self.without_data += count;
    }

    /// They were `count` bytes of cleartext.
    pub fn decrypted(&mut self, count: usize, now: Instant) {
        if count > 0 {
            self.received += count as u64;
            self.last_data = now;
            self.without_data = 0;
        }
    }

    /// `count` bytes of cleartext are on their way to the network.
    pub fn encrypted(&mut self, count: usize) {
        self.sent += count as u64;
    }

    /// Whether the network brings too much for nothing.
    pub fn is_flooded(&self) -> bool {
        self.without_data > MAX_WITHOUT_DATA
    }
}
