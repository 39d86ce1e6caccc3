//! The peer's certificates after resumption.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, ProducesTickets};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig};

use super::attacker::*;
use super::*;
use crate::handshake_facts::HandshakeFacts;

/// Accepts any session as a ticket.
#[derive(Debug)]
struct Credulous;

impl ProducesTickets for Credulous {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        3600
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        Some(cipher.to_vec())
    }
}

fn session(verifier: Arc<dyn ClientCertVerifier>, asks: bool) -> Session {
    let key = testing::private_key();
    let chain = testing::chain();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    config.ticketer = Arc::new(Credulous);
    testing::server_session_of(config, HandshakeFacts::default(), asks)
}

/// A client that has a certificate and keeps its sessions.
fn somebody(version: Version) -> Arc<ClientConfig> {
    let key = testing::private_key();
    let chain = testing::chain();
    let verifier = testing::Verifier::any();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key.clone_key())
        .unwrap();
    Arc::new(config)
}

/// The kind of the handshake of this client and server, and the server after it.
fn meet(client: &Arc<ClientConfig>, server: Session) -> (HandshakeKind, Attack) {
    let client = ClientConnection::new(Arc::clone(client), testing::server_name()).unwrap();
    let mut attack = Attack::new(server);
    attack.carry(&mut client.into()).unwrap();
    let kind = attack.engine.pump.session().state().handshake_kind();
    (kind.unwrap(), attack)
}

#[test]
fn client_not_asked_for_a_certificate_has_none_after_resumption() {
    for version in [&TLS12, &TLS13] {
        let client = somebody(version);
        let asking = Arc::new(testing::Verifier::any());
        let (kind, first) = meet(&client, session(asking, true));
        assert_eq!(kind, HandshakeKind::Full);
        assert_eq!(first.engine.pump.session().peer_chain().len(), 1);
        let (kind, second) = meet(&client, session(Arc::new(NoClientAuth), false));
        assert_eq!(kind, HandshakeKind::Resumed, "{version:?}");
        let second = second.engine.pump.session();
        assert!(second.state().peer_certificates().is_some());
        assert!(second.peer_chain().is_empty());
    }
}
