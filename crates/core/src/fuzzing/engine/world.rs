//! The engine, what is between it and its peer, and what can be seen of them.

use std::io::Read;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cli::address::{Endpoint, Ip};
use rustls::{Connection, HandshakeKind};
use tunnel::endpoints::End;
use tunnel::outcome::EndReason;
use tunnel::simulator::Simulation;

use super::{ANSWER, peer};
use crate::exit;
use crate::fuzzing::{check_block, log_line};
use crate::report::log_line::LogLine;
use crate::report::notification::{self, PeerInfo};

/// The label of the channel binding (RFC 9266 section 4.2).
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// The variable with its value.
const VARIABLE: &[u8] = b"SSL_CB_TLS_EXPORTER=";

/// What can be seen of a connection.
#[derive(Eq, PartialEq)]
pub struct Seen {
    pub established: bool,
    pub resumed: bool,
    pub code: u8,
    pub reason: EndReason,
    pub text: String,
    /// What the program has received.
    pub received: Vec<u8>,
    /// The records that were sent. Tickets contain random bytes.
    pub sent: Vec<Sent>,
    pub notification: Vec<Vec<u8>>,
}

/// The content type and the length of a record.
#[derive(Eq, PartialEq)]
pub struct Sent([u8; 3]);

impl Sent {
    pub fn length(&self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]])
    }
}

impl Seen {
    pub fn summary(&self) -> (u8, EndReason, &str, usize) {
        (self.code, self.reason, &self.text, self.sent.len())
    }
}

/// The engine, and what is between it and its peer.
pub struct World {
    pub engine: Simulation,
    pub now: Instant,
    /// The size of pieces.
    pub size: usize,
    /// How much of what the engine has sent the peer has received.
    pub taken: usize,
    /// What the peer has received of the program.
    pub delivered: Vec<u8>,
    pub alpn: bool,
    pub peer_info: Option<PeerInfo>,
    pub notification: Vec<u8>,
}

impl World {
    /// Carries bytes between the two until neither sends more.
    pub fn exchange(&mut self, peer: &mut Connection) {
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
                // It fails where the data end.
                let _ = peer.reader().read_to_end(&mut self.delivered);
            }
            assert!(ANSWER.starts_with(&self.delivered));
        }
    }

    /// The program sends its data. All that the peer has sent so far is processed: so what the
    /// engine sends does not depend on pieces.
    pub fn answer(&mut self, peer: &mut Connection) {
        self.engine.pipe(End::AppIn).bytes.extend(ANSWER);
        self.settle();
        self.exchange(peer);
    }

    /// The variable of the channel binding is what the peer exports (RFC 9266). There is none if
    /// a session of TLS 1.2 was resumed.
    pub fn check_exporter(&self, peer: &Connection) {
        let exported = peer.export_keying_material([0; 32], EXPORTER, Some(&[]));
        let wanted = self.peer_info.is_some() && self.engine.established;
        let (true, Ok(exported)) = (wanted, exported) else {
            return;
        };
        let variables = self.notification.split(|byte| *byte == 0);
        let mut values = variables.filter_map(|variable| variable.strip_prefix(VARIABLE));
        match values.next() {
            Some(value) => assert_eq!(value, STANDARD.encode(exported).as_bytes()),
            None => assert!(self.is_resumed()),
        }
    }

    fn is_resumed(&self) -> bool {
        let state = self.engine.pump.session().state();
        state.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The notification without what depends on the random bytes of a ticket.
    fn fixed_notification(&self) -> Vec<Vec<u8>> {
        let variables = self.notification.split(|byte| *byte == 0);
        let fixed =
            variables.filter(|variable| !(self.is_resumed() && variable.starts_with(VARIABLE)));
        fixed.map(<[u8]>::to_vec).collect()
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
        for (sent, made) in flow.handshake.iter().zip(&flow.made) {
            assert!(sent.starts_with(made), "a changed handshake is completed");
        }
        assert!(!flow.closed_early, "a handshake with an end is completed");
        let session = self.engine.pump.session();
        let name = session.asked_name();
        self.notification = notification::write(
            session.state(),
            session.peer_chain(),
            name.as_deref(),
            self.alpn,
            self.peer_info.as_ref(),
        );
        check_block(&self.notification, "SSL_");
    }

    /// Lets the network and the program end, and time pass.
    pub fn end(mut self, started: Instant) -> Seen {
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
        if code == 0 && !flow.edited {
            assert_eq!(self.delivered, ANSWER, "data of the program are lost");
        }
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
        line.tlsa(session.tlsa());
        line.end(reason);
        log_line::check(&line.to_string());
        let banned = log_line::banned(&log_line::whole(&line.to_string()));
        let at_fault = (code != 0 && reason != EndReason::Idle).then_some(remote.address.ip);
        assert_eq!(banned, at_fault, "{line}");
        let sent = self.engine.pipe(End::NetOut).record.clone();
        let sent = peer::split(&sent).into_iter();
        Seen {
            resumed: self.is_resumed(),
            established: self.engine.established,
            code,
            reason,
            text: outcome.text,
            received,
            sent: sent
                .map(|(header, _)| Sent([header[0], header[3], header[4]]))
                .collect(),
            notification: self.fixed_notification(),
        }
    }
}
