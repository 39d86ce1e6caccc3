//! The deadline that a time limit sets.

use std::time::{Duration, Instant};

/// The moment `limit` after `start`; None if `limit` is 0, which means no limit.
pub fn deadline(start: Instant, limit: Duration) -> Option<Instant> {
    if limit.is_zero() {
        return None;
    }
    start.checked_add(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_0_is_no_limit() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(deadline(now, second), Some(now + second));
        assert_eq!(deadline(now, Duration::ZERO), None);
    }
}
