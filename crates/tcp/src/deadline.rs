//! The deadline that a time limit sets.

use std::time::{Duration, Instant};

/// The moment `limit` after `start`; None if `limit` is 0, which means no limit.
pub fn deadline(start: Instant, limit: Duration) -> Option<Instant> {
    if limit.is_zero() {
        return None;
    }
    start.checked_add(limit)
}
