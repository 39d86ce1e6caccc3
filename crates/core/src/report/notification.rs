//! The notification to the program once the handshake is over.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pki::x509::Certificate;
use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use tunnel::handshake_facts::HandshakeFacts;

use crate::crypto;
use crate::report::channel_binding::exporter::Exporter;
use crate::report::channel_binding::server_end_point;
use crate::report::env_block::EnvBlock;
use crate::report::labels;
use crate::report::peer_info::{self, Verification};

/// What `--peer-info` needs besides the session.
pub struct PeerInfo {
    /// The source of the channel binding `tls-exporter`.
    pub exporter: Arc<Exporter>,
    /// How the peer's certificate was judged, if it sent one.
    pub verification: Verification,
    /// In a server: which certificate it has shown.
    pub server_facts: Option<HandshakeFacts>,
}

/// The notification, in the format of [`EnvBlock`]. `chain` is the peer's, empty if it
/// sent none. The ALPN variable is there only if `alpn` was to be negotiated.
pub fn write(
    state: &CommonState,
    chain: &[CertificateDer<'static>],
    server_name: Option<&str>,
    alpn: bool,
    peer_info: Option<&PeerInfo>,
) -> Vec<u8> {
    let mut env_block = EnvBlock::default();
    env_block.set("SSL_PROTOCOL", labels::protocol(state));
    env_block.set("SSL_CIPHER", labels::cipher(state));
    env_block.set("SSL_TLS_SNI_SERVERNAME", server_name);
    let hash = chain.first().map(|der| crypto::fingerprint(der));
    env_block.set("SSL_PEER_CERT_HASH", hash.as_deref());
    let subject = (chain.first()).and_then(|der| Certificate::parse(der)?.subject().line());
    env_block.set("SSL_PEER_CERT_SUBJECT", subject.as_deref());
    if alpn {
        env_block.set_bytes("SSL_ALPN_PROTOCOL", state.alpn_protocol());
    }
    if let Some(peer_info) = peer_info {
        env_block.set("SSL_GROUP", labels::group(state));
        peer_info.add(&mut env_block, labels::is_resumed(state), chain);
    }
    env_block.finish()
}

impl PeerInfo {
    fn add(
        &self,
        env_block: &mut EnvBlock,
        resumed: Option<bool>,
        chain: &[CertificateDer<'static>],
    ) {
        let resumed = match resumed {
            Some(true) => "Resumed",
            _ => "Initial",
        };
        env_block.set("SSL_SESSION_RESUMED", Some(resumed));
        let exported = self.exporter.value().map(|value| STANDARD.encode(value));
        env_block.set("SSL_CB_TLS_EXPORTER", exported.as_deref());
        let (prefix, server) = match &self.server_facts {
            Some(facts) => ("SSL_CLIENT", facts.certificate()),
            None => ("SSL_SERVER", chain.first().cloned()),
        };
        let end_point = server
            .and_then(|der| server_end_point::of_certificate(&der))
            .map(|digest| STANDARD.encode(digest));
        env_block.set("SSL_CB_TLS_SERVER_END_POINT", end_point.as_deref());
        peer_info::add(env_block, prefix, chain, self.verification);
    }
}
