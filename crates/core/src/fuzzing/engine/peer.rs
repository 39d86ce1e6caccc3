//! A peer that speaks TLS: rustls makes its messages, and the input changes their records before
//! they are encrypted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use rustls::crypto::cipher::{
    AeadKey, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage,
    OutboundPlainMessage, Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{
    CipherSuiteCommon, ClientConfig, ClientConnection, Connection, ConnectionTrafficSecrets,
    ContentType, Error, ServerConfig, ServerConnection, SupportedCipherSuite, Tls12CipherSuite,
    Tls13CipherSuite,
};
use tunnel::testing::{Verifier, Versions, server_name};

use super::edits::{Edits, HANDSHAKE, Record};
use super::fixed::{Random, SECP256R1, X25519};

/// Where the numbers of encrypted records begin.
const ENCRYPTED: u8 = 128;

/// The description of an alert (RFC 8446 section 6).
const CLOSE_NOTIFY: u8 = 0;

/// What the peer has made and sent. It belongs to a thread, because rustls takes only cipher
/// suites with the lifetime `'static`.
#[derive(Default)]
struct Sending {
    edits: Edits,
    plain: u8,
    encrypted: u8,
    /// For each record that rustls has encrypted and not sent yet: what is sent in its place.
    replacements: VecDeque<Vec<u8>>,
    flow: Flow,
}

/// Content of records, as it was made and as it is sent.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Handshake messages of rustls: those in plaintext and those in encrypted records, which
    /// are made first.
    pub made: [Vec<u8>; 2],
    /// Those that are sent instead.
    pub handshake: [Vec<u8>; 2],
    /// The data that are sent.
    pub data: Vec<u8>,
    /// A record was changed.
    pub edited: bool,
    /// A close_notify is sent in plaintext, or before the first encrypted handshake message.
    pub closed_early: bool,
}

thread_local! {
    static SENDING: RefCell<Sending> = RefCell::default();
}

/// What the peer has made and sent so far.
pub fn flow() -> Flow {
    SENDING.with_borrow(|sending| sending.flow.clone())
}

impl Sending {
    /// What is sent in place of `record`, encrypted or not.
    fn replace(&mut self, encrypted: bool, record: Record) -> Vec<Record> {
        let counter = if encrypted {
            &mut self.encrypted
        } else {
            &mut self.plain
        };
        let number = (*counter).min(ENCRYPTED - 1);
        *counter = number + 1;
        let base = if encrypted { ENCRYPTED } else { 0 };
        if record.0 == HANDSHAKE {
            self.flow.made[usize::from(encrypted)].extend(&record.1);
        }
        let records = self.edits.apply(base + number, record.clone());
        self.flow.edited |= records != [record];
        for record in &records {
            let (typ, content) = if encrypted {
                inner(record)
            } else {
                (record.0, &record.1[..])
            };
            match ContentType::from(typ) {
                ContentType::Handshake => {
                    self.flow.handshake[usize::from(encrypted)].extend(content);
                }
                ContentType::ApplicationData => self.flow.data.extend(content),
                ContentType::Alert if matches!(content, [_, CLOSE_NOTIFY]) => {
                    let in_handshake = !encrypted || self.flow.handshake[1].is_empty();
                    self.flow.closed_early |= in_handshake;
                }
                _ => {}
            }
        }
        records
    }
}

/// The type and the content that an encrypted record has for its receiver: in TLS 1.3 a type of 0
/// is padding, and the type is the last byte before that (RFC 8446 section 5.4). TLS 1.2 has no
/// such type.
fn inner((typ, content): &Record) -> (u8, &[u8]) {
    if *typ != 0 {
        return (*typ, content);
    }
    let padding = content.iter().rev().take_while(|byte| **byte == 0).count();
    match content[..content.len() - padding].split_last() {
        Some((typ, content)) => (*typ, content),
        None => (0, &[]),
    }
}

/// What kind of peer it is.
pub struct Kind<'a> {
    pub versions: Versions<'a>,
    pub protocols: Vec<Vec<u8>>,
    /// A client: its first key share is of a group that the server lacks.
    pub retries: bool,
    /// A client: it has a certificate.
    pub certified: bool,
    /// Its certificate is not that of the engine.
    pub foreign: bool,
    /// It sends these as further certificates of its chain.
    pub appended: Vec<u8>,
}

/// The configuration of a client, which keeps tickets.
pub fn client_config(kind: Kind<'_>) -> Arc<ClientConfig> {
    let mut provider = provider();
    if kind.retries {
        provider.kx_groups.insert(0, &SECP256R1);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(kind.versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::any()));
    let mut config = if kind.certified {
        let pair = super::chain(kind.foreign, &kind.appended);
        config.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)))
    } else {
        config.with_no_client_auth()
    };
    config.alpn_protocols = kind.protocols;
    Arc::new(config)
}

/// A client that makes these changes.
pub fn client(config: Arc<ClientConfig>, edits: Edits) -> Connection {
    start(edits);
    let connection = ClientConnection::new(config, server_name());
    connection.unwrap().into()
}

/// A server that makes these changes.
pub fn server(kind: Kind<'_>, edits: Edits) -> Connection {
    start(edits);
    let pair = super::chain(kind.foreign, &kind.appended);
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(kind.versions)
        .unwrap();
    let mut config = if kind.certified {
        builder.with_client_cert_verifier(Arc::new(Verifier::any()))
    } else {
        builder.with_no_client_auth()
    }
    .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = kind.protocols;
    ServerConnection::new(Arc::new(config)).unwrap().into()
}

fn start(edits: Edits) {
    let sending = Sending {
        edits,
        ..Sending::default()
    };
    SENDING.set(sending);
}

/// What the peer sends now, with the changes.
pub fn flush(connection: &mut Connection) -> Vec<u8> {
    let mut made = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut made).unwrap();
    }
    SENDING.with_borrow_mut(|sending| {
        let mut records = split(&made);
        // Once a side encrypts it encrypts all that follows.
        let encrypted = records.split_off(records.len() - sending.replacements.len());
        drop(encrypted);
        let mut sent = Vec::new();
        for (header, content) in records {
            for (typ, content) in sending.replace(false, (header[0], content.to_vec())) {
                sent.push(typ);
                sent.extend(&header[1..3]);
                sent.extend((content.len() as u16).to_be_bytes());
                sent.extend(content);
            }
        }
        sent.extend(sending.replacements.drain(..).flatten());
        sent
    })
}

/// The headers and contents of records.
pub fn split(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut records = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(5) {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let (content, rest) = rest.split_at(length);
        records.push((header, content));
        bytes = rest;
    }
    records
}

/// ring's suites, whose encrypters make the changes.
fn provider() -> CryptoProvider {
    static SUITES: OnceLock<Vec<SupportedCipherSuite>> = OnceLock::new();
    let of = ring::default_provider();
    let suites = SUITES.get_or_init(|| of.cipher_suites.iter().map(changing).collect());
    CryptoProvider {
        cipher_suites: suites.clone(),
        kx_groups: vec![&X25519],
        secure_random: &Random,
        ..of
    }
}

fn changing(of: &SupportedCipherSuite) -> SupportedCipherSuite {
    let common = |of: &CipherSuiteCommon| CipherSuiteCommon { ..*of };
    match of {
        SupportedCipherSuite::Tls12(of) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&of.common),
                aead_alg: Box::leak(Box::new(Changing(of.aead_alg))),
                ..**of
            })))
        }
        SupportedCipherSuite::Tls13(of) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&of.common),
                aead_alg: Box::leak(Box::new(Changing(of.aead_alg))),
                ..**of
            })))
        }
    }
}

/// An AEAD algorithm whose encrypters make the changes.
struct Changing<T>(T);

struct ChangingEncrypter {
    of: Box<dyn MessageEncrypter>,
    /// The number of the next record that is sent.
    next: u64,
}

impl MessageEncrypter for ChangingEncrypter {
    /// The changed records wait in [`SENDING`]; the result is not sent.
    fn encrypt(
        &mut self,
        record: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let version = record.version;
        let made = (u8::from(record.typ), record.payload.to_vec());
        let records = SENDING.with_borrow_mut(|sending| sending.replace(true, made));
        let mut sent = Vec::new();
        for (typ, content) in &records {
            let record = OutboundPlainMessage {
                typ: ContentType::from(*typ),
                version,
                payload: content[..].into(),
            };
            sent.extend(self.of.encrypt(record, self.next)?.encode());
            self.next += 1;
        }
        SENDING.with_borrow_mut(|sending| sending.replacements.push_back(sent));
        self.of.encrypt(record, number)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.of.encrypted_payload_len(payload_len)
    }
}

fn boxed(of: Box<dyn MessageEncrypter>) -> Box<dyn MessageEncrypter> {
    Box::new(ChangingEncrypter { of, next: 0 })
}

impl Tls12AeadAlgorithm for Changing<&'static dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        boxed(self.0.encrypter(key, iv, extra))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

impl Tls13AeadAlgorithm for Changing<&'static dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        boxed(self.0.encrypter(key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}
