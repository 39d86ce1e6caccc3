//! rustls's cipher suites, changed in four ways: TLS 1.2 has a higher limit of records, empty
//! handshake records and a close_notify during the handshake are refused, and [`RecordStatus`]
//! learns of records and may change an alert.
//!
//! The limit is a public field of a suite. rustls has no other place for the rest.

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, OutboundChunks, OutboundOpaqueMessage, OutboundPlainMessage,
    Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    AlertDescription, CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error,
    SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};

use crate::explain::Violation;
use crate::record_status::RecordStatus;

/// How many records a TLS 1.2 connection encrypts before it ends: TLS 1.2 has no
/// key update. An attacker's advantage is then at most 2^-44
/// (draft-irtf-cfrg-aead-limits, AES-GCM, records of full size).
///
/// Upstream (doc/upstream.md, The end of a key in TLS 1.2): rustls then queues a
/// close_notify, though data are left.
const TLS12_RECORDS: u64 = 1 << 32;

/// `suites` as the engines use them, for the one connection that `records` is of.
/// TLS 1.3 updates its keys at rustls's limits.
pub fn strict(
    suites: &[SupportedCipherSuite],
    records: &RecordStatus,
) -> Vec<SupportedCipherSuite> {
    let limit = |suite: &SupportedCipherSuite| match suite {
        SupportedCipherSuite::Tls12(_) => TLS12_RECORDS,
        SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
    };
    let suites = suites.iter();
    suites.map(|of| suite(*of, limit(of), records)).collect()
}

/// `of` with another limit of records. An engine makes its suites once.
///
/// Upstream (doc/upstream.md, Leaked cipher suites): the suite is leaked, because
/// rustls takes only static ones.
pub fn suite(
    of: SupportedCipherSuite,
    confidentiality_limit: u64,
    records: &RecordStatus,
) -> SupportedCipherSuite {
    let common = |of: &CipherSuiteCommon| CipherSuiteCommon {
        suite: of.suite,
        hash_provider: of.hash_provider,
        confidentiality_limit,
    };
    match of {
        SupportedCipherSuite::Tls12(of) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&of.common),
                aead_alg: Box::leak(Box::new(Strict::new(of.aead_alg, records))),
                ..*of
            })))
        }
        SupportedCipherSuite::Tls13(of) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&of.common),
                aead_alg: Box::leak(Box::new(Strict::new(of.aead_alg, records))),
                ..*of
            })))
        }
    }
}

/// An AEAD algorithm, or its encrypter, which sends the alert that `records` asks for.
///
/// Upstream (doc/upstream.md, Sending an alert): rustls chooses each alert itself.
struct Strict<T> {
    of: T,
    records: RecordStatus,
}

impl<T> Strict<T> {
    fn new(of: T, records: &RecordStatus) -> Self {
        let records = records.clone();
        Self { of, records }
    }
}

/// A decrypter that reports whether a record could be decrypted, and refuses handshake
/// records without content (RFC 8446 section 5.1), which rustls takes for the beginning
/// of a message, a close_notify before the peer's Finished, which rustls ignores as a
/// warning in TLS 1.2, and unknown types in records of TLS 1.3.
///
/// Upstream (doc/upstream.md, Checks of the handshake): rustls accepts such records.
///
/// Upstream (doc/upstream.md, Dropped records of early data): rustls does not report
/// which records it could not decrypt.
struct StrictDecrypter {
    of: Box<dyn MessageDecrypter>,
    records: RecordStatus,
    /// TLS 1.2: the peer's Finished has not begun. No other handshake message is
    /// encrypted, and rustls refuses an alert between the pieces of one.
    before_finished: bool,
}

impl MessageDecrypter for StrictDecrypter {
    fn decrypt<'a>(
        &mut self,
        record: InboundOpaqueMessage<'a>,
        number: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let decrypted = self.of.decrypt(record, number);
        self.records.set_decrypted(decrypted.is_ok());
        let record = decrypted?;
        match (record.typ, record.payload) {
            (ContentType::Handshake, []) => return Err(empty_handshake()),
            (ContentType::Handshake, _) => self.before_finished = false,
            (ContentType::Heartbeat | ContentType::Unknown(_), _) => {
                return Err(Violation::ContentType.into());
            }
            (ContentType::Alert, [_, CLOSE_NOTIFY]) if self.before_finished => {
                return Err(Error::AlertReceived(AlertDescription::CloseNotify));
            }
            _ => {}
        }
        Ok(record)
    }
}

/// The description of a close_notify alert (RFC 8446 section 6).
const CLOSE_NOTIFY: u8 = 0;

/// The level of an alert that ends the connection (RFC 8446 section 6).
const FATAL: u8 = 2;

impl MessageEncrypter for Strict<Box<dyn MessageEncrypter>> {
    fn encrypt(
        &mut self,
        record: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        if record.typ == ContentType::Alert {
            if let [FATAL, description] = record.payload.to_vec()[..] {
                let alert = [FATAL, self.records.encrypt_alert(description)];
                let payload = OutboundChunks::Single(&alert);
                return self
                    .of
                    .encrypt(OutboundPlainMessage { payload, ..record }, number);
            }
        }
        self.of.encrypt(record, number)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.of.encrypted_payload_len(payload_len)
    }
}

/// The error for a handshake record without content.
pub fn empty_handshake() -> Error {
    Error::InappropriateMessage {
        expect_types: Vec::new(),
        got_type: ContentType::Handshake,
    }
}

impl Tls12AeadAlgorithm for Strict<&'static dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Strict::new(
            self.of.encrypter(key, iv, extra),
            &self.records,
        ))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(StrictDecrypter {
            of: self.of.decrypter(key, iv),
            records: self.records.clone(),
            before_finished: true,
        })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.of.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.of.extract_keys(key, iv, explicit)
    }
}

impl Tls13AeadAlgorithm for Strict<&'static dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Strict::new(self.of.encrypter(key, iv), &self.records))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(StrictDecrypter {
            of: self.of.decrypter(key, iv),
            records: self.records.clone(),
            before_finished: false,
        })
    }

    fn key_len(&self) -> usize {
        self.of.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.of.extract_keys(key, iv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring::cipher_suite;
    use rustls::{ContentType, ProtocolVersion};

    /// rustls asks for this length before it encrypts, to see whether there is space.
    #[test]
    fn length_of_an_encrypted_record_is_the_one_that_was_foretold() {
        let records = RecordStatus::default();
        let of = cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
        let SupportedCipherSuite::Tls13(suite) = suite(of, 100, &records) else {
            panic!("another version");
        };
        let key = AeadKey::from([7; 32]);
        let mut encrypter = suite.aead_alg.encrypter(key, Iv::from([7; 12]));
        for length in [0, 2, 16384] {
            let payload = vec![7; length];
            let record = OutboundPlainMessage {
                typ: ContentType::ApplicationData,
                version: ProtocolVersion::TLSv1_3,
                payload: payload.as_slice().into(),
            };
            let encrypted = encrypter.encrypt(record, 1).unwrap().encode();
            let foretold = encrypter.encrypted_payload_len(length);
            assert_eq!(encrypted.len(), 5 + foretold);
        }
    }
}
