//! Early data (0-RTT), which a server never accepts: RFC 8446 section 4.2.10.

use std::io::Write;
use std::sync::Arc;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::server::ServerSessionMemoryCache;
use rustls::{ClientConfig, ClientConnection, Connection, NamedGroup};

use super::attacker::*;
use super::*;

/// A client's tickets, changed so that it sends early data, and the group of its
/// first key share.
#[derive(Debug)]
struct Hopeful {
    tickets: ClientSessionMemoryCache,
    share: NamedGroup,
}

impl ClientSessionStore for Hopeful {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        Some(self.share)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.tickets.insert_tls13_ticket(name, ticket);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut ticket = self.tickets.take_tls13_ticket(name)?;
        ticket._private_set_max_early_data_size(u32::MAX);
        Some(ticket)
    }
}

/// How a client sends early data.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// The ticket is ours, not another server's.
    ours: bool,
    /// The group of the first key share: our server has only X25519.
    share: NamedGroup,
    /// How many bytes of early data there are, and how many in a record.
    size: usize,
    record: usize,
    /// How many bytes the network carries at once.
    piece: usize,
}

impl Attempt {
    const ORDINARY: Self = Self {
        ours: false,
        share: NamedGroup::X25519,
        size: 65536,
        record: 16384,
        piece: usize::MAX,
    };

    fn server(self) -> Attack {
        let tickets = self.ours.then(testing::ticketer);
        Attack::new(testing::server_session_with(tickets))
    }

    fn config(self) -> Arc<ClientConfig> {
        let verifier = testing::Verifier::any();
        let tls13 = &rustls::version::TLS13;
        let mut config = testing::client_config(default_provider(), &[tls13], verifier);
        config.enable_early_data = true;
        config.max_fragment_size = Some(self.record + 5);
        config.resumption = Resumption::store(Arc::new(Hopeful {
            tickets: ClientSessionMemoryCache::new(8),
            share: self.share,
        }));
        Arc::new(config)
    }

    /// Our server after a client has sent early data and, if connected, `after`;
    /// and whether the session was resumed.
    fn run(self) -> (Attack, bool) {
        let config = self.config();
        let mut first = client(&config);
        if self.ours {
            self.server().carry(&mut first).unwrap();
        } else {
            other_server(&mut first);
        }
        let mut connection = client(&config);
        connection.set_buffer_limit(None);
        let Connection::Client(client) = &mut connection else {
            unreachable!()
        };
        let mut early_data = client.early_data().expect("there is no ticket");
        early_data.write_all(&vec![b'e'; self.size]).unwrap();
        let mut attack = self.server();
        self.shake_hands(&mut attack, &mut connection);
        let resumed = connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        if let Connection::Client(client) = &connection {
            assert!(!client.is_early_data_accepted(), "{self:?}");
        }
        if attack.engine.established {
            connection.writer().write_all(b"after").unwrap();
            attack.carry(&mut connection).unwrap();
        }
        (attack, resumed)
    }

    fn shake_hands(self, attack: &mut Attack, connection: &mut Connection) {
        while connection.is_handshaking() && attack.engine.outcome.is_none() {
            let mut bytes = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut bytes).unwrap();
            }
            bytes
                .chunks(self.piece)
                .for_each(|piece| attack.send(piece));
            let answer = attack.answer();
            if bytes.is_empty() && answer.is_empty() {
                return;
            }
            let mut rest = &answer[..];
            while !rest.is_empty() {
                connection.read_tls(&mut rest).unwrap();
                if connection.process_new_packets().is_err() {
                    return;
                }
            }
        }
        attack.carry(connection).unwrap();
    }

    /// Asserts that the early data are skipped and the connection works.
    fn works(self) {
        let (attack, resumed) = self.run();
        assert_eq!(attack.engine.outcome, None, "{self:?}");
        assert!(attack.engine.established, "{self:?}");
        let received = &attack.engine.pipe(End::AppOut).record;
        assert_eq!(received, b"after", "{self:?}");
        assert_eq!(resumed, self.ours, "{self:?}");
    }
}

fn client(config: &Arc<ClientConfig>) -> Connection {
    let connection = ClientConnection::new(Arc::clone(config), testing::server_name());
    connection.unwrap().into()
}

/// The handshake with another server, which accepts early data.
fn other_server(client: &mut Connection) {
    let mut config = testing::server_config(default_provider(), rustls::DEFAULT_VERSIONS);
    config.send_tls13_tickets = 2;
    config.session_storage = ServerSessionMemoryCache::new(8);
    config.max_early_data_size = u32::MAX;
    let mut server = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    for _ in 0..4 {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets().unwrap();
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    assert!(!client.is_handshaking());
}

#[test]
fn early_data_are_skipped() {
    for ours in [false, true] {
        for share in [NamedGroup::X25519, NamedGroup::secp256r1] {
            for piece in [usize::MAX, 16406, 1000] {
                let attempt = Attempt {
                    ours,
                    share,
                    piece,
                    ..Attempt::ORDINARY
                };
                attempt.works();
                let size = 3;
                Attempt { size, ..attempt }.works();
            }
        }
    }
}

#[test]
fn early_data_in_records_of_any_size_are_skipped() {
    for record in [64, 1000, 16384] {
        for piece in [usize::MAX, 100_000, 1] {
            Attempt {
                record,
                piece,
                ..Attempt::ORDINARY
            }
            .works();
        }
    }
}

#[test]
fn early_data_beyond_the_limit_are_refused() {
    for share in [NamedGroup::X25519, NamedGroup::secp256r1] {
        let attempt = Attempt {
            share,
            size: 140_000,
            ..Attempt::ORDINARY
        };
        let (mut attack, _) = attempt.run();
        assert!(attack.engine.pipe(End::AppOut).record.is_empty());
        let (code, text) = attack.end();
        assert_eq!(code, 98, "{text}");
    }
}
