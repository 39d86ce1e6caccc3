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
use crate::overheard::Overheard;

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
        let ends = PerEnd::from_fn(|_| Line::stream(1 << 24, usize::MAX));
        let mut engine = Engine::new(session, Rules::default(), ends, now);
        engine.start(now);
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
        self.engine.line(End::NetIn).bytes.extend(bytes);
        while self.engine.turn(self.now) {}
    }

    /// What our side has sent since it was last asked.
    fn answer(&mut self) -> Vec<u8> {
        let answer = self.engine.line(End::NetOut).record[self.heard..].to_vec();
        self.heard += answer.len();
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
        loop {
            if let Some(ending) = &self.engine.ending {
                return (ending.code, ending.text.clone());
            }
            self.now = self.engine.pump.deadline().expect("it would stay for ever");
            self.engine.turn(self.now);
        }
    }

    /// Fails unless this is how our side ends, after a failure of TLS.
    fn fails(&mut self, word: Word) {
        let (code, line) = self.end();
        assert_eq!(code, 98, "{line}");
        let ending = self.engine.ending.as_ref();
        assert_eq!(ending.map(|ending| ending.word), Some(word), "{line}");
    }

    /// The same, and its last record is a fatal alert.
    fn cut_off(&mut self, keys: &mut Keys, word: Word) {
        self.fails(word);
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
        assert_eq!(attack.engine.ending, None);
        let program = attack.engine.line(End::AppOut);
        assert_eq!(program.record, [b'x'; 10]);
        drop(program);
        attack.send(&keys.flood(1000, ContentType::ApplicationData, b""));
        attack.cut_off(&mut keys, Word::Flood);
    }
}

#[test]
fn what_came_before_a_flood_is_delivered() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    let mut bytes = keys.seal(ContentType::ApplicationData, b"good");
    bytes.extend(keys.flood(1000, ContentType::ApplicationData, b""));
    attack.send(&bytes);
    attack.cut_off(&mut keys, Word::Flood);
    let program = attack.engine.line(End::AppOut);
    assert_eq!(program.record, b"good");
}

#[test]
fn warnings_are_taken_for_a_while() {
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS12));
    let no_certificate = [1, 41];
    attack.send(&keys.flood(4, ContentType::Alert, &no_certificate));
    assert_eq!(attack.engine.ending, None);
    attack.send(&keys.flood(100, ContentType::Alert, &no_certificate));
    attack.cut_off(&mut keys, Word::Flood);
    // TLS 1.3 has no such thing, but for this one.
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.send(&keys.flood(100, ContentType::Alert, &[1, 90]));
    attack.cut_off(&mut keys, Word::Flood);
}

#[test]
fn a_change_of_cipher_is_refused_after_the_handshake() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.send(&[20, 3, 3, 0, 1, 1].repeat(100));
        attack.cut_off(&mut keys, Word::ProtocolError);
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
    attack.fails(Word::HandshakeFailed);
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
    attack.cut_off(&mut keys, Word::Flood);
    // The other way round a server asks for it, by itself or many at once.
    for pieces in [[100, 1], [1, 100]] {
        let (mut attack, mut keys) = met(Attack::on_client(), server(&TLS12));
        let request = [0, 0, 0, 0];
        attack.send(&keys.seal(ContentType::Handshake, &request));
        assert_eq!(keys.open_all(&attack.answer()), no_renegotiation);
        let requests = request.repeat(pieces[1]);
        attack.send(&keys.flood(pieces[0], ContentType::Handshake, &requests));
        attack.cut_off(&mut keys, Word::Flood);
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
        assert_eq!(attack.engine.ending, None);
        for _ in 0..100 {
            connection.refresh_traffic_keys().unwrap();
        }
        let error = attack.carry(&mut connection).unwrap_err();
        assert!(
            matches!(error, rustls::Error::AlertReceived(_)),
            "{error:?}"
        );
        attack.fails(Word::Flood);
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
    assert_eq!(attack.engine.ending, None);
    attack.send(&keys.flood(200, ContentType::Handshake, &ticket(2000)));
    attack.cut_off(&mut keys, Word::Flood);
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
    attack.fails(Word::HandshakeFailed);
    assert_eq!(attack.answer(), [21, 3, 3, 0, 2, 2, 50]);
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
    attack.engine.line(End::AppOut).reader_gone = true;
    attack.engine.line(End::AppIn).bytes.extend(b"said");
    while attack.engine.turn(attack.now) {}
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
    attack.engine.pump.rules.idle = Some(Duration::from_millis(1000));
    let program = Rc::clone(&attack.engine.lines.ends.app_out);
    program.borrow_mut().capacity = 100;
    let data = keys.seal(ContentType::ApplicationData, &[7; 2000]);
    attack.send(&data);
    for _ in 0..19 {
        attack.now += Duration::from_millis(300);
        program.borrow_mut().bytes.clear();
        attack.send(&[]);
        assert!(attack.engine.ending.is_none());
    }
    assert_eq!(program.borrow().record.len(), 2000);
}

#[test]
fn what_is_no_data_does_not_put_off_the_idle_limit() {
    for version in BOTH {
        let (mut attack, mut keys) = met(Attack::on_server(), client(version));
        attack.engine.pump.rules.idle = Some(Duration::from_millis(1000));
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
            if attack.engine.ending.is_some() {
                break;
            }
        }
        assert!(attack.now - last <= Duration::from_millis(1200));
        assert_eq!(attack.end().1, "connection idle for too long");
    }
}

#[test]
fn a_violation_after_our_own_close_notify_is_an_error_without_an_alert() {
    for version in BOTH {
        for bad in [false, true] {
            let (mut attack, mut keys) = met(Attack::on_server(), client(version));
            attack.engine.pump.rules.notify = true;
            attack.engine.line(End::AppIn).ended = true;
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

#[test]
fn a_fatal_alert_after_our_end_without_close_notify_is_an_end_like_any() {
    const DECODE_ERROR: [u8; 2] = [2, 50];
    for version in BOTH {
        for (notify, enforce, code) in [
            (false, false, 0),
            (false, true, 98),
            (true, false, 98),
            (true, true, 98),
        ] {
            let (mut attack, mut keys) = met(Attack::on_server(), client(version));
            attack.engine.pump.rules.notify = notify;
            attack.engine.pump.rules.enforce = enforce;
            attack.send(&keys.seal(ContentType::ApplicationData, b"good"));
            attack.engine.line(End::AppIn).ended = true;
            attack.send(&[]);
            attack.send(&keys.seal(ContentType::Alert, &DECODE_ERROR));
            let (ended, line) = attack.end();
            assert_eq!(ended, code, "{notify} {enforce} {line}");
            let why = if notify {
                "decode_error"
            } else {
                "without a close_notify"
            };
            assert!(code == 0 || line.contains(why), "{line}");
            let program = attack.engine.line(End::AppOut);
            assert!(program.ended && program.record == b"good");
        }
    }
    // While there still is something to send it is what it says.
    let (mut attack, mut keys) = met(Attack::on_server(), client(&TLS13));
    attack.send(&keys.seal(ContentType::Alert, &DECODE_ERROR));
    assert_eq!(attack.end().0, 98);
}

#[test]
fn a_handshake_record_without_content_is_an_unexpected_message() {
    for version in BOTH {
        for (attack, connection) in [
            (Attack::on_server(), client(version)),
            (Attack::on_client(), server(version)),
        ] {
            let (mut attack, mut keys) = met(attack, connection);
            let mut bytes = keys.seal(ContentType::ApplicationData, b"good");
            bytes.extend(keys.seal(ContentType::Handshake, b""));
            bytes.extend(keys.seal(ContentType::ApplicationData, b"never"));
            attack.send(&bytes);
            let program = attack.engine.line(End::AppOut);
            assert_eq!(program.record, b"good");
            drop(program);
            let (code, line) = attack.end();
            assert_eq!(code, 98, "{line}");
            assert!(line.contains("unexpected message"), "{line}");
            let last = keys.open_all(&attack.answer()).pop();
            assert_eq!(last, Some((ContentType::Alert, vec![2, 10])));
        }
    }
}

#[test]
fn a_handshake_record_without_content_is_refused_in_the_handshake() {
    let empty = [22, 3, 3, 0, 0];
    for mut attack in [Attack::on_server(), Attack::on_client()] {
        attack.answer();
        attack.send(&empty);
        let (code, line) = attack.end();
        assert_eq!((code, attack.answer()), (98, vec![21, 3, 3, 0, 2, 2, 10]));
        assert!(line.contains("unexpected message"), "{line}");
    }
    // Between the messages, too, and one byte after the other.
    let mut attack = Attack::on_server();
    hello_in_pieces().iter().for_each(|part| attack.send(part));
    empty.iter().for_each(|byte| attack.send(&[*byte]));
    let (code, line) = attack.end();
    assert_eq!(code, 98);
    assert!(line.contains("unexpected message"), "{line}");
}

/// A server whose keys are good for so many records.
fn limited(records: u64) -> Session {
    let provider = rustls::crypto::ring::default_provider();
    let cipher_suites = provider.cipher_suites.iter();
    let provider = rustls::crypto::CryptoProvider {
        cipher_suites: cipher_suites
            .map(|suite| crate::crypto::suites::suite(*suite, records))
            .collect(),
        ..provider
    };
    let key = crate::files::pem::private_key(KEY).unwrap();
    let chain = crate::files::pem::certificates(CERTIFICATE).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.clone_key())
        .unwrap();
    config.send_tls13_tickets = 0;
    let connection = rustls::server::UnbufferedServerConnection::new(Arc::new(config));
    Session::Server(Box::new(connection.unwrap()), Overheard::default())
}

/// What a program says in pieces of this size, and what the peer hears of it.
fn past_the_limit(version: Version, records: u64, size: usize) -> (Attack, Connection, usize) {
    let mut attack = Attack::new(limited(records));
    let mut client = client(version);
    attack.carry(&mut client).unwrap();
    let mut heard = 0;
    for _ in 0..100 {
        let program = Rc::clone(&attack.engine.lines.ends.app_in);
        program.borrow_mut().bytes.extend(vec![b'x'; size]);
        attack.send(&[]);
        let answer = attack.answer();
        let mut rest = &answer[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
            let mut bytes = vec![0; 1 << 16];
            heard += std::io::Read::read(&mut client.reader(), &mut bytes).unwrap_or(0);
        }
    }
    (attack, client, heard)
}

#[test]
fn tls_1_3_takes_new_keys_when_the_old_ones_are_used_up() {
    for size in [1, 16384, 50_000] {
        let (attack, _, heard) = past_the_limit(&TLS13, 20, size);
        assert_eq!(attack.engine.ending, None);
        assert_eq!(heard, 100 * size);
    }
}

#[test]
fn tls_1_2_ends_with_an_error_when_its_key_is_used_up() {
    // One record was the handshake's. 50000 bytes are three full ones and a
    // small one.
    for (size, all) in [
        (1, 19),
        (16384, 19 * 16384),
        (50_000, 4 * 50_000 + 3 * 16384),
    ] {
        let (mut attack, mut client, heard) = past_the_limit(&TLS12, 20, size);
        assert_eq!(heard, all);
        let (code, line) = attack.end();
        assert_eq!(code, 98);
        assert!(line.contains("one key"), "{line}");
        let pipe = attack.engine.line(End::NetOut);
        assert!(pipe.ended, "the peer is not told");
        assert_eq!(client.read_tls(&mut &b""[..]).unwrap(), 0);
        let end = std::io::Read::read(&mut client.reader(), &mut [0]);
        let cut = std::io::ErrorKind::UnexpectedEof;
        assert_eq!(end.unwrap_err().kind(), cut, "it looks like a good end");
    }
}
