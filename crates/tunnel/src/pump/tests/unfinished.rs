//! A peer of TLS 1.2 that sends an encrypted alert between its change_cipher_spec and its
//! Finished.

use std::cell::{Cell, RefCell};

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage,
    OutboundPlainMessage, Tls12AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 as SUITE;
use rustls::version::TLS12;
use rustls::{
    ClientConnection, Connection, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    ServerConnection, SupportedCipherSuite, Tls12CipherSuite,
};

use super::attacker::*;
use super::*;

const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const USER_CANCELED: [u8; 2] = [1, 90];

thread_local! {
    /// The alert that the peer sends. Cipher suites live for ever, and cannot hold it.
    static ALERT: Cell<[u8; 2]> = const { Cell::new(CLOSE_NOTIFY) };
    /// Its record, once the peer has its keys.
    static SEALED: RefCell<Vec<u8>> = RefCell::default();
}

/// An AEAD algorithm whose encrypters use the first number of a key for the alert.
struct AlertFirst(&'static dyn Tls12AeadAlgorithm);

/// An encrypter whose first number is used.
struct OneLater(Box<dyn MessageEncrypter>);

impl Tls12AeadAlgorithm for AlertFirst {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        let mut encrypter = self.0.encrypter(key, iv, extra);
        let payload = ALERT.get();
        let alert = OutboundPlainMessage {
            typ: ContentType::Alert,
            version: ProtocolVersion::TLSv1_2,
            payload: payload[..].into(),
        };
        SEALED.set(encrypter.encrypt(alert, 0).unwrap().encode());
        Box::new(OneLater(encrypter))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl MessageEncrypter for OneLater {
    fn encrypt(
        &mut self,
        record: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        self.0.encrypt(record, number + 1)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}

fn provider() -> CryptoProvider {
    let SupportedCipherSuite::Tls12(of) = SUITE else {
        panic!("another version");
    };
    let suite = Tls12CipherSuite {
        common: rustls::CipherSuiteCommon { ..of.common },
        aead_alg: Box::leak(Box::new(AlertFirst(of.aead_alg))),
        ..*of
    };
    CryptoProvider {
        cipher_suites: vec![SupportedCipherSuite::Tls12(Box::leak(Box::new(suite)))],
        ..rustls::crypto::ring::default_provider()
    }
}

fn client() -> Connection {
    let config = testing::client_config(provider(), &[&TLS12], testing::Verifier::any());
    let connection = ClientConnection::new(config.into(), testing::server_name());
    connection.unwrap().into()
}

fn server() -> Connection {
    let config = testing::server_config(provider(), &[&TLS12]);
    ServerConnection::new(config.into()).unwrap().into()
}

/// The records that the peer sends now, with the alert after its change_cipher_spec, and
/// after that only if it `finishes`.
fn records(peer: &mut Connection, finishes: bool) -> Vec<u8> {
    const CHANGE_CIPHER_SPEC: &[u8] = &[20, 3, 3, 0, 1, 1];
    let mut bytes = Vec::new();
    while peer.wants_write() {
        peer.write_tls(&mut bytes).unwrap();
    }
    let length = CHANGE_CIPHER_SPEC.len();
    let spec = (bytes.windows(length)).position(|bytes| bytes == CHANGE_CIPHER_SPEC);
    if let Some(at) = spec {
        let finished = bytes.split_off(at + length);
        bytes.extend(SEALED.take());
        bytes.extend(finished.into_iter().take_while(|_| finishes));
    }
    bytes
}

/// Both directions: our side with a peer that sends `alert`, until neither sends more.
fn meetings(alert: [u8; 2], finishes: bool) -> [Attack; 2] {
    ALERT.set(alert);
    let pairs = [
        (Attack::on_server(), client()),
        (Attack::on_client(), server()),
    ];
    pairs.map(|(mut attack, mut peer)| {
        while attack.engine.outcome.is_none() {
            let bytes = records(&mut peer, finishes);
            attack.send(&bytes);
            let answer = attack.answer();
            peer.read_tls(&mut &answer[..]).unwrap();
            peer.process_new_packets().unwrap();
            if bytes.is_empty() && answer.is_empty() {
                break;
            }
        }
        attack
    })
}

#[test]
fn encrypted_close_notify_before_finished_ends_the_handshake() {
    for finishes in [false, true] {
        for mut attack in meetings(CLOSE_NOTIFY, finishes) {
            attack.fails(EndReason::Left);
            assert!(!attack.engine.established);
            let text = attack.end().1;
            assert_eq!(text, "handshake failed: remote sent alert close_notify");
            assert_eq!(attack.answer(), b"", "an alert is not answered");
        }
    }
}

#[test]
fn other_encrypted_warning_before_finished_is_ignored() {
    for attack in meetings(USER_CANCELED, true) {
        assert!(attack.engine.established);
        assert_eq!(attack.engine.outcome, None);
    }
}
