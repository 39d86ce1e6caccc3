//! Notes between the protection of records and the session of one connection,
//! about what rustls's interface does not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustls::AlertDescription;

/// The notes of one connection. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct RecordStatus(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    undecryptable: AtomicBool,
    alerted: AtomicBool,
    /// 0, which is close_notify and no error, stands for none.
    alert: AtomicU8,
}

impl RecordStatus {
    /// Whether the last record that was to be decrypted could not be, and no
    /// call has told so before.
    ///
    /// rustls drops such a record while it skips early data (RFC 8446 section
    /// 4.2.10). Its unbuffered interface does not count the bytes of a dropped
    /// record among those to discard until a record that it takes follows.
    pub fn take_undecryptable(&self) -> bool {
        self.0.undecryptable.swap(false, Ordering::Relaxed)
    }

    /// Whether a fatal alert was encrypted.
    pub fn alerted(&self) -> bool {
        self.0.alerted.load(Ordering::Relaxed)
    }

    /// The next fatal alert that is encrypted is to say this: rustls cannot be
    /// asked for it.
    pub fn set_alert(&self, description: AlertDescription) {
        self.0.alert.store(description.into(), Ordering::Relaxed);
    }

    /// A fatal alert with this description is encrypted: what it is to say.
    pub fn alert(&self, description: u8) -> u8 {
        self.0.alerted.store(true, Ordering::Relaxed);
        match self.0.alert.load(Ordering::Relaxed) {
            0 => description,
            other => other,
        }
    }

    /// A record was `decrypted` or not.
    pub fn note(&self, decrypted: bool) {
        self.0.undecryptable.store(!decrypted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_says_what_it_is_told_to() {
        let records = RecordStatus::default();
        assert!(!records.alerted());
        assert_eq!(records.alert(50), 50);
        assert!(records.alerted());
        records.set_alert(AlertDescription::InternalError);
        assert_eq!(records.clone().alert(50), 80);
    }

    #[test]
    fn only_the_last_record_counts_and_it_is_told_once() {
        let records = RecordStatus::default();
        assert!(!records.take_undecryptable());
        records.note(false);
        records.note(true);
        assert!(!records.take_undecryptable());
        records.note(true);
        records.note(false);
        assert!(records.clone().take_undecryptable());
        assert!(!records.take_undecryptable());
    }
}
