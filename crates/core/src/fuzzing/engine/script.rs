//! What an input asks for: the two sides and their options.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::{ClientCertificate, EngineOptions, Pin};
use rustls::Connection;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use tunnel::endpoints::PerEnd;
use tunnel::handshake_facts::HandshakeFacts;
use tunnel::pump::Rules;
use tunnel::session::Session;
use tunnel::simulator::{Pipe, Simulation};
use tunnel::testing::{self, server_name};

use super::edits::Edits;
use super::fixed;
use super::own::Own;
use super::peer::{self, Kind};
use super::world::{Seen, World};
use super::{DATA, PAIR, PLENTY, pair};
use crate::credentials::acme::Protocols;
use crate::credentials::resolver::Certificates;
use crate::credentials::sessions::{Sessions, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::fuzzing::chain::dane;
use crate::keyguard::{KeyLocation, PrivateMaterial};
use crate::report::notification::PeerInfo;
use crate::report::peer_info::Verification;
use crate::verify::policy::VerificationPolicy;
use crate::verify::trust_anchors::Anchors;
use crate::{client, crypto, server, setup};

const BOTH: testing::Versions<'static> = &[&TLS13, &TLS12];

/// The option `--max-record`.
const MAX_RECORD: u32 = 512;

/// The longest record of that option. Encryption adds at most 24 bytes (RFC 5288 section 3).
const LONGEST: u16 = MAX_RECORD as u16 + 24;

/// What an input asks for.
pub struct Script<'a> {
    pub options: u16,
    pub appended: &'a [u8],
    pub edits: Edits,
}

impl Script<'_> {
    pub fn bit(&self, number: u8) -> bool {
        self.options >> number & 1 != 0
    }

    /// A connection whose peer's bytes arrive in pieces of `size`.
    pub fn run(&self, size: usize) -> Seen {
        fixed::restart();
        let edits = self.edits.clone();
        if self.bit(0) {
            return self.connect(peer::server(self.kind(), edits), size);
        }
        let config = peer::client_config(self.kind());
        if self.resumes() {
            let first = peer::client(config.clone(), Edits::default());
            assert!(self.connect(first, PLENTY).established);
        }
        self.connect(peer::client(config, edits), size)
    }

    /// A connection with `peer`.
    fn connect(&self, mut peer: Connection, size: usize) -> Seen {
        let own = Own::new(self.bit(14));
        let session = if self.bit(0) {
            self.client(&own)
        } else {
            self.server(&own)
        };
        let rules = Rules {
            notify: self.bit(6),
            enforce: self.bit(7),
            handshake: Some(Duration::from_secs(5)),
            idle: Some(Duration::from_secs(9)),
        };
        let now = Instant::now();
        let pipes = PerEnd::from_fn(|_| Pipe::stream(PLENTY, usize::MAX));
        let mut world = World {
            engine: Simulation::new(session, rules, pipes, now),
            now,
            size,
            taken: 0,
            delivered: Vec::new(),
            alpn: self.bit(4),
            peer_info: own.exporter.map(|exporter| PeerInfo {
                exporter,
                verification: Verification::Verified,
                server_facts: (!self.bit(0)).then_some(own.facts),
            }),
            notification: Vec::new(),
        };
        world.engine.start(now);
        world.exchange(&mut peer);
        if !peer.is_handshaking() {
            world.check_exporter(&peer);
            world.answer(&mut peer);
            self.speak(&mut world, &mut peer);
        }
        let seen = world.end(now);
        let refused = self.foreign() && self.verifies();
        assert!(
            !(refused && seen.established),
            "a foreign certificate is accepted"
        );
        assert!(!self.bit(13) || seen.sent.iter().all(|record| record.length() <= LONGEST));
        seen
    }

    /// The peer sends data, and closes if it is polite.
    fn speak(&self, world: &mut World, peer: &mut Connection) {
        for (number, data) in (0..).zip(DATA) {
            // It fails if the engine has refused something.
            let _ = peer.writer().write_all(data);
            if self.bit(8) && number == 1 {
                let _ = peer.refresh_traffic_keys();
            }
        }
        if self.bit(9) {
            peer.send_close_notify();
        }
        world.exchange(peer);
    }

    /// The peer, with properties that do not depend on which side it is.
    fn kind(&self) -> Kind<'_> {
        let versions = match (self.bit(1), self.bit(2)) {
            (false, _) => BOTH,
            (true, false) => &BOTH[1..],
            (true, true) => &BOTH[..1],
        };
        let protocols: [&[u8]; 2] = [b"h2", b"x end=closed\n\xff"];
        Kind {
            versions,
            protocols: self.protocols(&protocols),
            retries: self.bit(5),
            certified: self.bit(3),
            foreign: self.foreign(),
            appended: self.appended.to_vec(),
        }
    }

    /// Whether the peer shows another certificate than ours.
    pub fn foreign(&self) -> bool {
        if self.bit(0) {
            self.bit(5)
        } else {
            self.bit(3) && self.bit(12)
        }
    }

    /// Whether the peer is a client with a ticket of another connection. If it has no certificate,
    /// the bytes that would follow that count only for this.
    pub fn resumes(&self) -> bool {
        !self.bit(0) && self.bit(12) && !self.bit(3) && !self.appended.is_empty()
    }

    /// Whether only our certificate is accepted.
    pub fn verifies(&self) -> bool {
        !self.bit(10) || self.bit(15) || self.bit(0) && self.bit(11)
    }

    fn protocols(&self, all: &[&[u8]]) -> Vec<Vec<u8>> {
        let all = if self.bit(4) { all } else { &[] };
        all.iter().map(|name| name.to_vec()).collect()
    }

    /// Anchors, pins, both or none; a client may have a TLSA record, too.
    fn policy(&self, facts: &HandshakeFacts) -> VerificationPolicy {
        let pin = || Pin::Certificate(crypto::sha256(&pair().cert[0]));
        VerificationPolicy {
            anchors: (!self.bit(10)).then(|| Anchors::parse(PAIR).unwrap()),
            pins: self.bit(15).then(pin).into_iter().collect(),
            dane: (self.bit(0) && self.bit(11)).then(|| dane((3, &pair().cert[0])).into()),
            facts: facts.clone(),
            ..VerificationPolicy::default()
        }
    }

    fn options(&self) -> EngineOptions {
        EngineOptions {
            alpn: self.protocols(&[b"x end=closed\n\xff"]),
            max_record: self.bit(13).then_some(MAX_RECORD),
            ..EngineOptions::default()
        }
    }

    fn server(&self, own: &Own) -> Session {
        let facts = own.facts.clone();
        let options = self.options();
        let asked = match (self.bit(3), self.bit(11)) {
            (false, _) => ClientCertificate::None,
            (true, false) => ClientCertificate::Optional,
            (true, true) => ClientCertificate::Mandatory,
        };
        let sessions = Sessions::new(TicketKeys::for_tests(), Versions::Both);
        let material = PrivateMaterial {
            certificates: Certificates::only(pair()),
            sessions: (self.bit(12) && !self.bit(3)).then_some(sessions),
        };
        let key = KeyLocation::InProcess(material);
        let protocols = Protocols::new(&options.alpn);
        let config = server::Config {
            provider: own.provider.clone(),
            verifier: server::verifier(self.policy(&facts), asked),
            credentials: server::server_credentials(key, &facts, &protocols, false).0,
            protocols: protocols.for_rustls(),
            max_fragment_size: setup::max_fragment_size(&options),
            exporter: own.exporter.clone(),
        };
        config.session(facts).unwrap_or_else(|_| unreachable!())
    }

    fn client(&self, own: &Own) -> Session {
        let facts = own.facts.clone();
        let certified = self
            .bit(3)
            .then(|| Arc::new(SingleCertAndKey::from(pair())) as _);
        let options = self.options();
        let config = client::Config {
            provider: own.provider.clone(),
            name: Some(server_name()),
            sent_name: Some(server_name()),
            policy: self.policy(&facts).into(),
            pair: certified,
            options: &options,
            exporter: own.exporter.clone(),
        };
        config.session(facts).unwrap_or_else(|_| unreachable!())
    }
}
