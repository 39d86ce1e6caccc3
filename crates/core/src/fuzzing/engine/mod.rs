//! A whole connection of an engine with a hostile peer that speaks TLS.

mod edits;
mod fixed;
mod peer;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::address::{Endpoint, Ip};
use cli::{ClientCertificate, EngineOptions};
use pki::read;
use rustls::Connection;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use tunnel::endpoints::{End, PerEnd};
use tunnel::handshake_facts::HandshakeFacts;
use tunnel::outcome::EndReason;
use tunnel::pump::Rules;
use tunnel::session::Session;
use tunnel::simulator::{Pipe, Simulation};
use tunnel::testing::{self, server_name};

use self::edits::Edits;
use self::peer::Kind;
use super::log_line;
use crate::credentials::acme::Protocols;
use crate::credentials::resolver::Certificates;
use crate::credentials::sessions::{Sessions, Versions};
use crate::credentials::ticketer::TicketKeys;
use crate::keyguard::{KeyLocation, PrivateMaterial};
use crate::report::log_line::LogLine;
use crate::report::notification;
use crate::verify::policy::VerificationPolicy;
use crate::verify::trust_anchors::Anchors;
use crate::{client, crypto, exit, server};

/// A private key and its self-signed certificate for localhost. Its signatures are deterministic.
const PAIR: &[u8] = include_bytes!("../../testdata/ed25519.pem");

/// The data of the peer, each a record.
const DATA: [&[u8]; 3] = [b"first", b"second", b"the third"];

const BOTH: testing::Versions<'static> = &[&TLS13, &TLS12];

/// More than any connection moves.
const PLENTY: usize = 1 << 30;

/// Two bytes of options, the size of pieces, the length of bytes that follow the peer's
/// certificate and these, and changes to the peer's records. For every input:
///
/// - the connection ends, with an exit code that blames the peer;
/// - nothing depends on how the bytes of the peer are split;
/// - a handshake with a changed message is never completed;
/// - the program gets only data that the peer has sent;
/// - message, log line and notification are well-formed.
pub fn engine(input: &[u8]) -> bool {
    let [options, more, size, length, rest @ ..] = input else {
        return false;
    };
    let (appended, rest) = rest.split_at(usize::from(*length).min(rest.len()));
    let script = Script {
        options: u16::from_be_bytes([*options, *more]),
        appended,
        edits: Edits::parse(rest),
    };
    let whole = script.run(PLENTY);
    let pieces = script.run(usize::from(*size).max(1));
    assert_eq!(whole.summary(), pieces.summary(), "in pieces of {size}");
    assert!(whole == pieces, "in pieces of {size}: {}", whole.text);
    whole.established
}

/// Key and certificate.
fn pair() -> CertifiedKey {
    let key = read::private_key(PAIR).unwrap();
    let chain = read::certificates(PAIR).unwrap();
    CertifiedKey::new(chain, crypto::signing_key(&key).unwrap())
}

/// Key and certificate, and after that certificate one that is only these bytes.
fn chain(appended: &[u8]) -> CertifiedKey {
    let mut pair = pair();
    if !appended.is_empty() {
        pair.cert.push(CertificateDer::from(appended).into_owned());
    }
    pair
}

/// What an input asks for.
struct Script<'a> {
    options: u16,
    appended: &'a [u8],
    edits: Edits,
}

/// What can be seen of a connection.
#[derive(Eq, PartialEq)]
struct Seen {
    established: bool,
    code: u8,
    reason: EndReason,
    text: String,
    /// What the program has received.
    received: Vec<u8>,
    /// The content types and lengths of the records that were sent. Tickets contain random bytes.
    sent: Vec<[u8; 3]>,
    notification: Vec<u8>,
}

impl Seen {
    fn summary(&self) -> (u8, EndReason, &str, usize) {
        (self.code, self.reason, &self.text, self.sent.len())
    }
}

impl Script<'_> {
    fn bit(&self, number: u8) -> bool {
        self.options >> number & 1 != 0
    }

    /// A connection whose peer's bytes arrive in pieces of `size`.
    fn run(&self, size: usize) -> Seen {
        fixed::restart();
        let (session, mut peer) = if self.bit(0) {
            (self.client(), peer::server(self.kind(), self.edits.clone()))
        } else {
            (self.server(), peer::client(self.kind(), self.edits.clone()))
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
            notification: Vec::new(),
        };
        world.engine.start(now);
        world.exchange(&mut peer);
        if !peer.is_handshaking() {
            self.speak(&mut world, &mut peer);
        }
        world.end(now)
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
            appended: self.appended.to_vec(),
        }
    }

    fn protocols(&self, all: &[&[u8]]) -> Vec<Vec<u8>> {
        let all = if self.bit(4) { all } else { &[] };
        all.iter().map(|name| name.to_vec()).collect()
    }

    fn policy(&self, facts: &HandshakeFacts) -> VerificationPolicy {
        VerificationPolicy {
            anchors: (!self.bit(10)).then(|| Anchors::parse(PAIR).unwrap()),
            facts: facts.clone(),
            ..VerificationPolicy::default()
        }
    }

    fn server(&self) -> Session {
        let (facts, provider) = facts_and_provider();
        let asked = match (self.bit(3), self.bit(11)) {
            (false, _) => ClientCertificate::None,
            (true, false) => ClientCertificate::Optional,
            (true, true) => ClientCertificate::Mandatory,
        };
        let sessions = Sessions::new(TicketKeys::for_tests(), Versions::Both);
        let material = PrivateMaterial {
            certificates: Certificates::only(pair()),
            sessions: self.bit(12).then_some(sessions),
        };
        let key = KeyLocation::InProcess(material);
        let protocols = Protocols::new(&self.protocols(&[b"x end=closed\n\xff"]));
        let config = server::Config {
            provider,
            verifier: server::verifier(self.policy(&facts), asked),
            credentials: server::server_credentials(key, &facts, &protocols, false).0,
            protocols: protocols.for_rustls(),
            max_fragment_size: None,
            exporter: None,
        };
        config.session(facts).unwrap_or_else(|_| unreachable!())
    }

    fn client(&self) -> Session {
        let (facts, provider) = facts_and_provider();
        let certified = self
            .bit(3)
            .then(|| Arc::new(SingleCertAndKey::from(pair())) as _);
        let options = EngineOptions {
            alpn: self.protocols(&[b"x end=closed\n\xff"]),
            ..EngineOptions::default()
        };
        let config = client::Config {
            provider,
            name: Some(server_name()),
            sent_name: Some(server_name()),
            policy: self.policy(&facts).into(),
            pair: certified,
            options: &options,
            exporter: None,
        };
        config.session(facts).unwrap_or_else(|_| unreachable!())
    }
}

fn facts_and_provider() -> (HandshakeFacts, Arc<CryptoProvider>) {
    let (facts, provider) = testing::facts_and_provider();
    let provider = CryptoProvider {
        kx_groups: vec![&fixed::X25519],
        secure_random: &fixed::Random,
        ..provider
    };
    (facts, Arc::new(provider))
}

/// The engine, and what is between it and its peer.
struct World {
    engine: Simulation,
    now: Instant,
    /// The size of pieces.
    size: usize,
    /// How much of what the engine has sent the peer has received.
    taken: usize,
    notification: Vec<u8>,
}

impl World {
    /// Carries bytes between the two until neither sends more.
    fn exchange(&mut self, peer: &mut Connection) {
        loop {
            let bytes = peer::flush(peer);
            for piece in bytes.chunks(self.size) {
                self.engine.pipe(End::NetIn).bytes.extend(piece);
                self.settle();
            }
            let answer = self.engine.pipe(End::NetOut).record[self.taken..].to_vec();
            self.taken += answer.len();
            if bytes.is_empty() && answer.is_empty() {
                return;
            }
            let mut rest = &answer[..];
            while !rest.is_empty() && peer.read_tls(&mut rest).is_ok_and(|count| count != 0) {
                if peer.process_new_packets().is_err() {
                    break;
                }
            }
        }
    }

    fn settle(&mut self) {
        let before = self.engine.established;
        while self.engine.step(self.now) {}
        if self.engine.established && !before {
            self.check_handshake();
        }
    }

    /// The handshake is complete: its messages are those that the peer has made.
    fn check_handshake(&mut self) {
        let flow = peer::flow();
        assert!(
            flow.handshake.starts_with(&flow.made),
            "a changed handshake is completed"
        );
        let session = self.engine.pump.session();
        let name = session.asked_name();
        self.notification = notification::write(
            session.state(),
            session.peer_chain(),
            name.as_deref(),
            true,
            None,
        );
        super::check_block(&self.notification, "SSL_");
    }

    /// Lets the network and the program end, and time pass.
    fn end(mut self, started: Instant) -> Seen {
        self.engine.pipe(End::AppIn).ended = true;
        self.settle();
        self.engine.pipe(End::NetIn).ended = true;
        self.settle();
        for _ in 0..10 {
            if self.engine.outcome.is_some() {
                return self.judge(started);
            }
            self.now = self.engine.pump.deadline().unwrap();
            self.settle();
        }
        panic!("the connection never ends");
    }

    /// Checks what is said of the end.
    fn judge(self, started: Instant) -> Seen {
        let outcome = self.engine.outcome.clone().unwrap();
        let (code, reason) = (outcome.code(), outcome.reason);
        assert!(matches!(code, 0 | 98), "{outcome:?}");
        assert_eq!(code == 0, reason == EndReason::Closed, "{outcome:?}");
        let flow = peer::flow();
        let received = self.engine.pipe(End::AppOut).record.clone();
        assert!(
            flow.data.starts_with(&received),
            "the program receives what was not sent"
        );
        assert!(received.is_empty() || self.engine.established);
        if let Err(fatal) = exit::result(outcome.clone(), 1) {
            let line = fatal.line("s6-tlsd-io").unwrap();
            assert_eq!(line.matches(char::is_control).count(), 1, "{line:?}");
            assert!(line.len() <= 4096 && line.ends_with('\n'), "{line:?}");
            assert_eq!(log_line::banned(&line), None, "{line:?}");
        }
        let remote = Endpoint {
            address: Ip::V4([192, 0, 2, 1]).into(),
            port: 4711,
        };
        let mut line = LogLine::new(started, Some(remote));
        let session = self.engine.pump.session();
        let name = session.asked_name();
        line.connection(session.state(), session.peer_chain(), name, [0, 0]);
        line.end(reason);
        log_line::check(&line.to_string());
        let banned = log_line::banned(&log_line::whole(&line.to_string()));
        let at_fault = (code != 0 && reason != EndReason::Idle).then_some(remote.address.ip);
        assert_eq!(banned, at_fault, "{line}");
        let sent = self.engine.pipe(End::NetOut).record.clone();
        let sent = peer::split(&sent).into_iter();
        Seen {
            established: self.engine.established,
            code,
            reason,
            text: outcome.text,
            received,
            sent: sent
                .map(|(header, _)| [header[0], header[3], header[4]])
                .collect(),
            notification: self.notification,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine() {
        inputs::run("engine", 700, super::engine);
    }

    #[test]
    fn handshake_without_changes_is_completed_with_all_options() {
        for options in (0..1 << 13).step_by(29) {
            let script = Script {
                options,
                appended: &[],
                edits: Edits::default(),
            };
            let seen = script.run(PLENTY);
            assert!(seen.established, "{options:#b}: {}", seen.text);
            assert_eq!(seen.received, DATA.concat(), "{options:#b}: {}", seen.text);
            let impolite = script.bit(7) && !script.bit(9);
            assert_eq!(seen.code, if impolite { 98 } else { 0 }, "{options:#b}");
        }
    }
}
