//! Notes between the protection of records and the session of one connection,
//! about what rustls's interface does not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The notes of one connection. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Records(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    undecryptable: AtomicBool,
}

impl Records {
    /// Whether the last record that was to be decrypted could not be, and no
    /// call has told so before.
    ///
    /// rustls drops such a record while it skips early data (RFC 8446 section
    /// 4.2.10). Its unbuffered interface does not count the bytes of a dropped
    /// record among those to discard until a record that it takes follows.
    pub fn take_undecryptable(&self) -> bool {
        self.0.undecryptable.swap(false, Ordering::Relaxed)
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
    fn only_the_last_record_counts_and_it_is_told_once() {
        let records = Records::default();
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
