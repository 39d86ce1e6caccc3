//! A peer that follows the protocol to the end of the handshake and then
//! floods: rustls makes the handshake, and records that rustls would never
//! send are made with the keys it had.

use std::sync::Arc;

use rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundPlainMessage,
};
use rustls::crypto::ring::cipher_suite as suites;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, Connection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig,
    SupportedCipherSuite, SupportedProtocolVersion,
};

use super::*;

type Version = &'static SupportedProtocolVersion;

/// Our side, with nothing between it and a connection of rustls's buffered
/// kind.
struct Attack {
    engine: Engine,
    now: Instant,
    /// What the other side sent first.
    hello: Vec<u8>,
    /// How much of what our side sent has been looked at.
    heard: usize,
}

/// What the other side holds once its handshake is over.
struct Keys {
    seal: Box<dyn MessageEncrypter>,
    sealed: u64,
    open: Box<dyn MessageDecrypter>,
    opened: u64,
}

impl Attack {
    fn new(session: Session) -> Self {
        let now = Instant::now();
        let ends = std::array::from_fn(|_| stream(1 << 24, usize::MAX));
        let mut engine = Engine::new(session, Common::default(), ends, now);
        engine.turn(true, now);
        Self {
            engine,
            now,
            hello: Vec::new(),
            heard: 0,
        }
    }

    fn on_server() -> Self {
        Self::new(server::test_session(KEY, CERTIFICATE))
    }

    fn on_client() -> Self {
        Self::new(client::test_session(CERTIFICATE))
    }

    /// Sends bytes, and lets our side do what there is to do.
    fn send(&mut self, bytes: &[u8]) {
        self.engine.ends.0[0].borrow_mut().bytes.extend(bytes);
        while self.engine.turn(false, self.now) {}
    }

    /// What our side has sent since it was last asked.
    fn answer(&mut self) -> Vec<u8> {
        let pipe = self.engine.ends.0[1].borrow();
        let answer = pipe.record[self.heard..].to_vec();
        self.heard = pipe.record.len();
        answer
    }

    /// Carries everything between the two until neither has more to say.
    fn carry(&mut self, connection: &mut Connection) -> Result<(), rustls::Error> {
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

    /// Lets time pass until our side is done.
    fn end(&mut self) -> (u8, String) {
        while self.engine.result.is_none() {
            self.now = self.engine.pump.deadline().expect("it would stay for ever");
            self.engine.turn(false, self.now);
        }
        match self.engine.result.as_ref().unwrap() {
            Ok(()) => (0, String::new()),
            Err(fatal) => (fatal.code(), fatal.line("it").unwrap()),
        }
    }

    /// Fails unless our side was cut off by itself with this line, and its
    /// last record is a fatal alert.
    fn cut_off(&mut self, keys: &mut Keys, words: &str) {
        let (code, line) = self.end();
        assert_eq!(code, 98, "{line}");
        assert!(line.contains(words), "{line}");
        let last = keys.open_all(&self.answer()).pop();
        let last = last.expect("nothing was said");
        assert!(
            matches!(last, (ContentType::Alert, ref alert) if alert[0] == 2),
            "{last:?}"
        );
    }
}

fn client(version: Version) -> Connection {
    let provider = Arc::new(rustls::crypto::CryptoProvider {
        cipher_suites: vec![
            suites::TLS13_CHACHA20_POLY1305_SHA256,
            suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        ..rustls::crypto::ring::default_provider()
    });
    let verifier = crate::peer::verify::ServerVerifier {
        anchors: None,
        name: None,
        algorithms: provider.signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name);
    connection.unwrap().into()
}

fn server(version: Version) -> Connection {
    let key = crate::files::pem::private_key(KEY).unwrap();
    let chain = crate::files::pem::certificates(CERTIFICATE).unwrap();
    let mut provider = rustls::crypto::ring::default_provider();
    provider
        .cipher_suites
        .retain(|suite| matches!(suite.suite(), suite if format!("{suite:?}").contains("CHACHA")));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.clone_key())
        .unwrap();
    config.send_tls13_tickets = 0;
    config.enable_secret_extraction = true;
    let connection = rustls::ServerConnection::new(Arc::new(config));
    connection.unwrap().into()
}

/// Our side and the other one's keys after a good handshake.
fn met(mut attack: Attack, mut connection: Connection) -> (Attack, Keys) {
    attack.carry(&mut connection).unwrap();
    assert!(attack.engine.established && !connection.is_handshaking());
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
    let keys = Keys {
        seal,
        sealed: secrets.tx.0,
        open,
        opened: secrets.rx.0,
    };
    (attack, keys)
}

impl Keys {
    /// One record.
    fn seal(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
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
    fn flood(&mut self, count: usize, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        (0..count).flat_map(|_| self.seal(typ, payload)).collect()
    }

    fn open_all(&mut self, mut bytes: &[u8]) -> Vec<(ContentType, Vec<u8>)> {
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

const BOTH: [Version; 2] = [&TLS12, &TLS13];

#[test]
fn empty_records_are_taken_for_a_while() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        for _ in 0..10 {
            attack.send(&keys.flood(20, ContentType::ApplicationData, b""));
            attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
        }
        assert_eq!(attack.engine.result, None);
        let program = attack.engine.ends.0[End::AppOut as usize].borrow();
        assert_eq!(program.record, [b'x'; 10]);
        drop(program);
        attack.send(&keys.flood(1000, ContentType::ApplicationData, b""));
        attack.cut_off(&mut keys, "too many empty records");
    }
}

#[test]
fn what_came_before_a_flood_is_delivered() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    let mut bytes = keys.seal(ContentType::ApplicationData, b"good");
    bytes.extend(keys.flood(1000, ContentType::ApplicationData, b""));
    attack.send(&bytes);
    attack.cut_off(&mut keys, "too many empty records");
    let program = attack.engine.ends.0[End::AppOut as usize].borrow();
    assert_eq!(program.record, b"good");
}

#[test]
fn warnings_are_taken_for_a_while() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS12));
    let no_certificate = [1, 41];
    attack.send(&keys.flood(4, ContentType::Alert, &no_certificate));
    assert_eq!(attack.engine.result, None);
    attack.send(&keys.flood(100, ContentType::Alert, &no_certificate));
    attack.cut_off(&mut keys, "too many warning alerts");
    // TLS 1.3 has no such thing, but for this one.
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.send(&keys.flood(100, ContentType::Alert, &[1, 90]));
    attack.cut_off(&mut keys, "too many warning alerts");
}

#[test]
fn a_change_of_cipher_is_refused_after_the_handshake() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.send(&[20, 3, 3, 0, 1, 1].repeat(100));
        attack.cut_off(&mut keys, "remote violated the protocol");
    }
}

#[test]
fn changes_of_cipher_are_counted_in_the_handshake() {
    let mut attack = Attack::on_server();
    let mut connection = client(&TLS13);
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    attack.send(&hello);
    attack.send(&[20, 3, 3, 0, 1, 1].repeat(100));
    let (code, line) = attack.end();
    assert_eq!(code, 98);
    assert!(line.contains("change_cipher_spec out of place"), "{line}");
    let mut answer = &attack.answer()[..];
    connection.read_tls(&mut answer).unwrap();
    let error = connection.process_new_packets().unwrap_err();
    assert!(
        matches!(error, rustls::Error::AlertReceived(_)),
        "{error:?}"
    );
}

#[test]
fn renegotiation_is_refused_once_and_then_cut_off() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS12));
    let hello = attack.hello[5..].to_vec();
    attack.send(&keys.seal(ContentType::Handshake, &hello));
    let no_renegotiation = [(ContentType::Alert, vec![1, 100])];
    assert_eq!(keys.open_all(&attack.answer()), no_renegotiation);
    attack.send(&keys.flood(100, ContentType::Handshake, &hello));
    attack.cut_off(&mut keys, "too many renegotiations");
    // The other way round a server asks for it, by itself or many at once.
    for pieces in [[100, 1], [1, 100]] {
        let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS12));
        let request = [0, 0, 0, 0];
        attack.send(&keys.seal(ContentType::Handshake, &request));
        assert_eq!(keys.open_all(&attack.answer()), no_renegotiation);
        let requests = request.repeat(pieces[1]);
        attack.send(&keys.flood(pieces[0], ContentType::Handshake, &requests));
        attack.cut_off(&mut keys, "too many renegotiations");
    }
}

#[test]
fn key_updates_are_taken_for_a_while() {
    for (mut attack, mut connection) in [
        (Attack::on_server(), client(&TLS13)),
        (Attack::on_client(), server(&TLS13)),
    ] {
        attack.carry(&mut connection).unwrap();
        for _ in 0..4 {
            for _ in 0..20 {
                connection.refresh_traffic_keys().unwrap();
            }
            std::io::Write::write_all(&mut connection.writer(), b"x").unwrap();
            attack.carry(&mut connection).unwrap();
        }
        assert_eq!(attack.engine.result, None);
        for _ in 0..100 {
            connection.refresh_traffic_keys().unwrap();
        }
        let error = attack.carry(&mut connection).unwrap_err();
        assert!(
            matches!(error, rustls::Error::AlertReceived(_)),
            "{error:?}"
        );
        let (code, line) = attack.end();
        assert_eq!(code, 98);
        assert!(line.contains("too many key updates"), "{line}");
    }
}

/// A ticket that nobody asked for (RFC 8446 section 4.6.1).
fn ticket(size: u16) -> Vec<u8> {
    let length = u32::from(size) + 4 + 4 + 1 + 2 + 2;
    let mut message = vec![4];
    message.extend(&length.to_be_bytes()[1..]);
    message.extend([0, 0, 0, 9, 0, 0, 0, 0, 0]);
    message.extend(size.to_be_bytes());
    message.resize(message.len() + usize::from(size), 7);
    message.extend([0, 0]);
    message
}

#[test]
fn tickets_are_taken_for_a_while() {
    let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS13));
    attack.send(&keys.flood(30, ContentType::Handshake, &ticket(2000)));
    attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
    attack.send(&keys.flood(60, ContentType::Handshake, &ticket(2000)));
    assert_eq!(attack.engine.result, None);
    attack.send(&keys.flood(200, ContentType::Handshake, &ticket(2000)));
    attack.cut_off(&mut keys, "remote sent too much that is no data");
}

#[test]
fn a_message_in_tiny_pieces_is_refused() {
    let mut attack = Attack::on_server();
    // It claims 60000 bytes, which is within the limit.
    let mut hello = vec![22, 3, 1, 0, 4, 1, 0, 0xea, 0x60];
    hello.extend([22, 3, 3, 0, 1, 0].repeat(20_000));
    attack.send(&hello);
    let (code, line) = attack.end();
    assert_eq!((code, attack.answer()), (98, vec![21, 3, 3, 0, 2, 2, 50]));
    assert!(line.contains("in too many pieces"), "{line}");
}

#[test]
fn a_message_that_claims_more_than_64_kib_is_refused() {
    let mut attack = Attack::on_server();
    attack.send(&[22, 3, 1, 0, 4, 1, 1, 0, 0]);
    let (code, line) = attack.end();
    assert_eq!((code, attack.answer()), (98, vec![21, 3, 3, 0, 2, 2, 50]));
    assert!(
        line.contains("handshake message of more than 64 KiB"),
        "{line}"
    );
}

/// A ClientHello of 1024 bytes that begins in one piece and goes on in one
/// that looks like records.
fn hello_in_pieces() -> Vec<Vec<u8>> {
    let begin = [&[1, 0, 4, 0, 3, 3][..], &[0; 32]].concat();
    vec![piece(&begin), piece(&[CLOSE_NOTIFY, &[0; 50]].concat())]
}

const CLOSE_NOTIFY: &[u8] = &[21, 3, 3, 0, 2, 1, 0];

fn piece(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[22, 3, 1], &length[..], body].concat()
}

#[test]
fn an_alert_inside_a_message_in_pieces_is_none() {
    let rest = piece(&[0; 1024]);
    let third = piece(&[0; 20]);
    let many = vec![
        piece(CLOSE_NOTIFY),
        piece(&CLOSE_NOTIFY.repeat(3)),
        rest.clone(),
    ];
    let bytes = rest.iter().map(|byte| vec![*byte]).collect();
    for more in [
        vec![third.clone(), rest.clone()],
        vec![third, piece(&[9; 20]), rest],
        many,
        bytes,
    ] {
        let mut attack = Attack::on_server();
        for part in hello_in_pieces().iter().chain(&more) {
            attack.send(part);
        }
        let (code, line) = attack.end();
        assert_eq!(code, 98);
        assert!(!line.contains("close_notify"), "{line}");
        assert_eq!(attack.answer()[..6], [21, 3, 3, 0, 2, 2]);
    }
}

#[test]
fn an_alert_behind_pieces_of_a_message_counts() {
    for bytewise in [false, true] {
        let mut attack = Attack::on_server();
        hello_in_pieces().iter().for_each(|part| attack.send(part));
        let sizes = if bytewise { 1 } else { CLOSE_NOTIFY.len() };
        CLOSE_NOTIFY
            .chunks(sizes)
            .for_each(|part| attack.send(part));
        let (code, line) = attack.end();
        assert_eq!(code, 98);
        assert!(line.contains("close_notify"), "{line}");
    }
}

#[test]
fn what_the_program_has_said_survives_a_rest_before_the_handshake() {
    let mut attack = Attack::on_server();
    // It reads nothing any more, so it is listened to.
    attack.engine.ends.0[End::AppOut as usize]
        .borrow_mut()
        .reader_gone = true;
    attack.engine.ends.0[End::AppIn as usize]
        .borrow_mut()
        .bytes
        .extend(b"said");
    while attack.engine.turn(false, attack.now) {}
    attack.engine.pump.release();
    let mut client = client(&TLS13);
    attack.carry(&mut client).unwrap();
    let mut heard = [0; 4];
    std::io::Read::read_exact(&mut client.reader(), &mut heard).unwrap();
    assert_eq!(&heard, b"said");
}

#[test]
fn a_slow_reader_puts_off_the_idle_limit() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.engine.pump.options.idle_timeout = 1000;
    let program = Rc::clone(&attack.engine.ends.0[End::AppOut as usize]);
    program.borrow_mut().capacity = 100;
    let data = keys.seal(ContentType::ApplicationData, &[7; 2000]);
    attack.send(&data);
    for _ in 0..19 {
        attack.now += Duration::from_millis(300);
        program.borrow_mut().bytes.clear();
        attack.send(&[]);
        assert!(attack.engine.result.is_none());
    }
    assert_eq!(program.borrow().record.len(), 2000);
}

#[test]
fn what_is_no_data_does_not_put_off_the_idle_limit() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pump.options.idle_timeout = 1000;
        let step = Duration::from_millis(300);
        // Data does.
        for _ in 0..10 {
            attack.now += step;
            attack.send(&keys.seal(ContentType::ApplicationData, b"x"));
        }
        let last = attack.now;
        attack.now += step;
        attack.send(&keys.seal(ContentType::ApplicationData, b""));
        let record = keys.seal(ContentType::ApplicationData, b"never whole");
        for byte in record {
            attack.now += step;
            attack.send(&[byte]);
            if attack.engine.result.is_some() {
                break;
            }
        }
        assert!(attack.now - last <= Duration::from_millis(1200));
        assert_eq!(attack.end().1, "it: fatal: connection idle for too long\n");
    }
}

#[test]
fn a_violation_after_our_own_close_notify_is_an_error_without_an_alert() {
    for version in BOTH {
        for bad in [false, true] {
            let (mut attack, mut keys) = met(Attack::on_server(), client(version));
            attack.engine.pump.options.close_notify = true;
            attack.engine.ends.0[End::AppIn as usize].borrow_mut().ended = true;
            attack.send(&[]);
            let close_notify = (ContentType::Alert, vec![1, 0]);
            assert_eq!(keys.open_all(&attack.answer()), [close_notify]);
            attack.send(&match bad {
                false => keys.flood(100, ContentType::ApplicationData, b""),
                true => [&[23, 3, 3, 0, 100][..], &[7; 100]].concat(),
            });
            let (code, line) = attack.end();
            assert_eq!(code, 98, "{line}");
            assert_eq!(attack.answer(), b"", "something after the end");
        }
    }
}
