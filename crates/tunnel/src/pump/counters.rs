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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_begins_behind_the_limit_and_data_begin_the_count_again() {
        let mut counters = Counters::new(Instant::now());
        for _ in 0..2 {
            counters.read(MAX_WITHOUT_DATA);
            assert!(!counters.is_flooded());
            counters.decrypted(1, Instant::now());
        }
        counters.read(MAX_WITHOUT_DATA);
        // A record without data is not data.
        counters.decrypted(0, Instant::now());
        counters.read(1);
        assert!(counters.is_flooded());
    }

    #[test]
    fn bytes_of_both_directions_are_added_up() {
        let start = Instant::now();
        let mut counters = Counters::new(start);
        for (received, sent) in [(3, 40), (500, 6000)] {
            counters.decrypted(received, start);
            counters.encrypted(sent);
        }
        assert_eq!((counters.received, counters.sent), (503, 6040));
    }
}
