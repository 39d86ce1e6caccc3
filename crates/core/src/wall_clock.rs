//! The time of day, for certificates, revocation lists and tickets.

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The time of day.
pub fn now() -> UnixTime {
    UnixTime::since_unix_epoch(unix::clock::since_1970())
}

/// The clock of rustls. That of the standard library panics after 2038 where the
/// C library's time has 32 bits.
#[derive(Debug)]
pub struct WallClock;

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(now())
    }
}
