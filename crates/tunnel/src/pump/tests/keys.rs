//! The limit of records of a key.

use rustls::Connection;
use rustls::version::{TLS12, TLS13};

use crate::handshake_facts::HandshakeFacts;

use super::attacker::*;
use super::*;

/// A server whose keys encrypt this many records.
fn limited(records: u64) -> Session {
    let provider = rustls::crypto::ring::default_provider();
    let cipher_suites = provider.cipher_suites.iter();
    let facts = HandshakeFacts::default();
    let notes = facts.records();
    let provider = rustls::crypto::CryptoProvider {
        cipher_suites: cipher_suites
            .map(|suite| crate::suites::suite(*suite, records, notes))
            .collect(),
        ..provider
    };
    let config = testing::server_config(provider, rustls::DEFAULT_VERSIONS);
    testing::server_session_of(config, facts, false)
}

/// A program sends 100 pieces of this size. Our side, the client, and how many
/// bytes the client has received.
fn past_the_limit(version: Version, records: u64, size: usize) -> (Attack, Connection, usize) {
    let mut attack = Attack::new(limited(records));
    attack.engine.pump.rules.notify = true;
    let mut client = client(version);
    attack.carry(&mut client).unwrap();
    let mut received = 0;
    for _ in 0..100 {
        let program = Rc::clone(&attack.engine.pipes.ends.app_in);
        program.borrow_mut().bytes.extend(vec![b'x'; size]);
        attack.send(&[]);
        let answer = attack.answer();
        let mut rest = &answer[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
            let mut bytes = vec![0; 1 << 16];
            received += std::io::Read::read(&mut client.reader(), &mut bytes).unwrap_or(0);
        }
    }
    (attack, client, received)
}

#[test]
fn tls13_key_at_its_limit_is_updated() {
    for size in [1, 16384, 50_000] {
        let (attack, _, received) = past_the_limit(&TLS13, 20, size);
        assert_eq!(attack.engine.outcome, None);
        assert_eq!(received, 100 * size);
    }
}

#[test]
fn tls12_key_at_its_limit_ends_the_connection() {
    // One record was the handshake's. 50000 bytes are three full ones and a
    // small one.
    for (size, all) in [
        (1, 19),
        (16384, 19 * 16384),
        (50_000, 4 * 50_000 + 3 * 16384),
    ] {
        let (mut attack, mut client, received) = past_the_limit(&TLS12, 20, size);
        // A close_notify would hide that data are missing.
        assert!(attack.engine.pump.rules.notify);
        assert_eq!(received, all);
        attack.fails(EndReason::ProtocolError);
        let pipe = attack.engine.pipe(End::NetOut);
        assert!(pipe.ended, "the network is open");
        assert_eq!(client.read_tls(&mut &b""[..]).unwrap(), 0);
        let end = std::io::Read::read(&mut client.reader(), &mut [0]);
        let cut = std::io::ErrorKind::UnexpectedEof;
        assert_eq!(end.unwrap_err().kind(), cut, "a good end");
    }
}
