//! A peer that may violate the protocol after the handshake. rustls does the
//! handshake; its keys then encrypt records that rustls would never send.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundPlainMessage,
};
use rustls::crypto::ring::cipher_suite as suites;
use rustls::version::{TLS12, TLS13};
use rustls::{
    Connection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite,
    SupportedProtocolVersion,
};

use super::*;

pub type Version = &'static SupportedProtocolVersion;

/// Our side, connected directly to a buffered connection of rustls.
pub struct Attack {
    pub engine: Simulation,
    pub now: Instant,
    /// What the peer sent first.
    pub hello: Vec<u8>,
    /// How many bytes of our side [`Attack::answer`] has returned.
    answered: usize,
}

/// The peer's keys after the handshake.
pub struct Keys {
    seal: Box<dyn MessageEncrypter>,
    sealed: u64,
    open: Box<dyn MessageDecrypter>,
    opened: u64,
}

impl Attack {
    pub fn new(session: Session) -> Self {
        let now = Instant::now();
        let ends = PerEnd::from_fn(|_| Pipe::stream(1 << 24, usize::MAX));
        let mut engine = Simulation::new(session, Rules::default(), ends, now);
        engine.start(now);
        Self {
            engine,
            now,
            hello: Vec::new(),
            answered: 0,
        }
    }

    pub fn on_server() -> Self {
        Self::new(testing::server_session())
    }

    pub fn on_client() -> Self {
        Self::new(testing::client_session())
    }

    /// Sends bytes, and lets our side take its steps.
    pub fn send(&mut self, bytes: &[u8]) {
        self.engine.pipe(End::NetIn).bytes.extend(bytes);
        while self.engine.step(self.now) {}
    }

    /// What our side has sent since the last call.
    pub fn answer(&mut self) -> Vec<u8> {
        let answer = self.engine.pipe(End::NetOut).record[self.answered..].to_vec();
        self.answered += answer.len();
        answer
    }

    /// Carries bytes between the two until neither sends more.
    pub fn carry(&mut self, connection: &mut Connection) -> Result<(), rustls::Error> {
        loop {
            let mut bytes = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut bytes).unwrap();
            }
            if self.hello.is_empty() {
                self.hello.clone_from(&bytes);
            }
            self.send(&bytes);
            let answer = self.answer();
            if bytes.is_empty() && answer.is_empty() {
                return Ok(());
            }
            let mut rest = &answer[..];
            while !rest.is_empty() {
                connection.read_tls(&mut rest).unwrap();
                connection.process_new_packets()?;
            }
        }
    }

    /// Lets time pass until our side has ended. The exit code and the message.
    pub fn end(&mut self) -> (u8, String) {
        loop {
            if let Some(outcome) = &self.engine.outcome {
                return (outcome.code(), outcome.text.clone());
            }
            self.now = self.engine.pump.deadline().expect("no deadline");
            self.engine.step(self.now);
        }
    }

    /// Asserts that our side ends with 98 for this reason.
    pub fn fails(&mut self, reason: EndReason) {
        let (code, text) = self.end();
        assert_eq!(code, 98, "{text}");
        let outcome = self.engine.outcome.as_ref();
        assert_eq!(
            outcome.map(|outcome| outcome.reason),
            Some(reason),
            "{text}"
        );
    }

    /// Asserts that our side ends with 98 for this reason, and a fatal alert.
    pub fn cut_off(&mut self, keys: &mut Keys, reason: EndReason) {
        self.fails(reason);
        let last = keys.open_all(&self.answer()).pop();
        let last = last.expect("nothing was sent");
        assert!(
            matches!(last, (ContentType::Alert, ref alert) if alert[0] == 2),
            "{last:?}"
        );
    }
}

/// Only suites whose keys [`met`] takes over.
fn chacha20() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            suites::TLS13_CHACHA20_POLY1305_SHA256,
            suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        ..rustls::crypto::ring::default_provider()
    }
}

pub fn client(version: Version) -> Connection {
    let verifier = testing::Verifier::any();
    let mut config = testing::client_config(chacha20(), &[version], verifier);
    config.enable_secret_extraction = true;
    let connection = rustls::ClientConnection::new(Arc::new(config), testing::server_name());
    connection.unwrap().into()
}

pub fn server(version: Version) -> Connection {
    let mut config = testing::server_config(chacha20(), &[version]);
    config.enable_secret_extraction = true;
    let connection = rustls::ServerConnection::new(Arc::new(config));
    connection.unwrap().into()
}

/// Our side and the peer's keys after a handshake.
pub fn met(mut attack: Attack, mut connection: Connection) -> (Attack, Keys) {
    attack.carry(&mut connection).unwrap();
    assert!(attack.engine.established && !connection.is_handshaking());
    (attack, keys(connection))
}

/// The keys of a peer that has completed its handshake.
pub fn keys(connection: Connection) -> Keys {
    let suite = connection.negotiated_cipher_suite().unwrap();
    let secrets = connection.dangerous_extract_secrets().unwrap();
    let [seal, open] = [secrets.tx.1, secrets.rx.1].map(|secrets| match secrets {
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
        _ => panic!("another suite"),
    });
    let (seal, open) = match suite {
        SupportedCipherSuite::Tls12(suite) => (
            suite.aead_alg.encrypter(seal.0, seal.1.as_ref(), &[]),
            suite.aead_alg.decrypter(open.0, open.1.as_ref()),
        ),
        SupportedCipherSuite::Tls13(suite) => (
            suite.aead_alg.encrypter(seal.0, seal.1),
            suite.aead_alg.decrypter(open.0, open.1),
        ),
    };
    Keys {
        seal,
        sealed: secrets.tx.0,
        open,
        opened: secrets.rx.0,
    }
}

impl Keys {
    /// One record.
    pub fn seal(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let record = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_2,
            payload: payload.into(),
        };
        let record = self.seal.encrypt(record, self.sealed).unwrap();
        self.sealed += 1;
        record.encode()
    }

    /// The same record `count` times.
    pub fn flood(&mut self, count: usize, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        (0..count).flat_map(|_| self.seal(typ, payload)).collect()
    }

    pub fn open_all(&mut self, mut bytes: &[u8]) -> Vec<(ContentType, Vec<u8>)> {
        let mut records = Vec::new();
        while let [typ, _, _, high, low, rest @ ..] = bytes {
            let (payload, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            let mut payload = payload.to_vec();
            let version = ProtocolVersion::TLSv1_2;
            let record = InboundOpaqueMessage::new((*typ).into(), version, &mut payload);
            let record = self.open.decrypt(record, self.opened).unwrap();
            self.opened += 1;
            records.push((record.typ, record.payload.to_vec()));
            bytes = rest;
        }
        records
    }
}

pub const BOTH: [Version; 2] = [&TLS12, &TLS13];
