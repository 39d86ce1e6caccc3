//! What the cipher suites and the session of one connection tell each other about
//! records.
//!
//! Upstream (doc/upstream.md, Sending an alert): rustls takes no alert to send.
//!
//! Upstream (doc/upstream.md, Dropped records of early data): rustls does not say which
//! records it has dropped.
//!
//! This module can go when rustls does both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustls::AlertDescription;

/// The status of one connection's records. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct RecordStatus(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The last record could not be decrypted.
    undecryptable: AtomicBool,
    /// A fatal alert was encrypted.
    alerted: AtomicBool,
    /// The description for the next fatal alert. 0 is none: it would be
    /// close_notify, which is not fatal.
    alert: AtomicU8,
}

impl RecordStatus {
    /// Whether the last record could not be decrypted. True only once for each record.
    ///
    /// rustls drops such a record while it skips early data (RFC 8446 section
    /// 4.2.10). Its unbuffered interface does not count the dropped bytes in
    /// `discard` until a record follows that it can decrypt.
    pub fn take_undecryptable(&self) -> bool {
        self.0.undecryptable.swap(false, Ordering::Relaxed)
    }

    /// Whether a fatal alert was encrypted.
    pub fn alerted(&self) -> bool {
        self.0.alerted.load(Ordering::Relaxed)
    }

    /// Sets the description of the next fatal alert that is encrypted.
    pub fn set_alert(&self, description: AlertDescription) {
        self.0.alert.store(description.into(), Ordering::Relaxed);
    }

    /// A fatal alert is to be encrypted. Returns its description: this one, or
    /// the one that was set.
    pub fn encrypt_alert(&self, description: u8) -> u8 {
        self.0.alerted.store(true, Ordering::Relaxed);
        match self.0.alert.load(Ordering::Relaxed) {
            0 => description,
            other => other,
        }
    }

    /// Whether only `clones` of it are left. Then it is as new again.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn reset_if_only(&self, clones: usize) -> bool {
        let only = Arc::strong_count(&self.0) == clones;
        if only {
            self.0.undecryptable.store(false, Ordering::Relaxed);
            self.0.alerted.store(false, Ordering::Relaxed);
            self.0.alert.store(0, Ordering::Relaxed);
        }
        only
    }

    /// Records whether the last record could be decrypted.
    pub fn set_decrypted(&self, decrypted: bool) {
        self.0.undecryptable.store(!decrypted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alert_description_is_the_one_that_was_set() {
        let records = RecordStatus::default();
        assert!(!records.alerted());
        assert_eq!(records.encrypt_alert(50), 50);
        assert!(records.alerted());
        records.set_alert(AlertDescription::InternalError);
        assert_eq!(records.clone().encrypt_alert(50), 80);
    }

    #[test]
    fn status_is_reset_once_no_other_clone_is_left() {
        let records = RecordStatus::default();
        let session = records.clone();
        session.set_decrypted(false);
        session.set_alert(AlertDescription::InternalError);
        session.encrypt_alert(50);
        assert!(!records.reset_if_only(1));
        assert!(records.alerted());
        drop(session);
        assert!(records.reset_if_only(1));
        assert!(!records.alerted() && !records.take_undecryptable());
        assert_eq!(records.encrypt_alert(50), 50);
    }

    #[test]
    fn undecryptable_is_of_the_last_record_and_said_once() {
        let records = RecordStatus::default();
        assert!(!records.take_undecryptable());
        records.set_decrypted(false);
        records.set_decrypted(true);
        assert!(!records.take_undecryptable());
        records.set_decrypted(true);
        records.set_decrypted(false);
        assert!(records.clone().take_undecryptable());
        assert!(!records.take_undecryptable());
    }
}
