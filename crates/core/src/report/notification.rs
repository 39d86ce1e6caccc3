//! What the program is told about the connection once the handshake is over.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::bindings::end_point;
use crate::report::bindings::exporter::Exporter;
use crate::report::peer_info::{self, Verification};
use crate::report::variables::Variables;
use crate::report::words;
use crate::tunnel::session::Session;
use crate::x509::Certificate;

/// What `--peer-info` needs besides the session.
pub struct PeerInfo {
    /// Where the keying material of this connection is exported to.
    pub exporter: Arc<Exporter>,
    /// How the peer's certificate was judged, if it has sent one.
    pub verification: Verification,
}

/// The notification. See [`Variables`] for its form.
pub fn write(
    session: &Session,
    server_name: Option<&str>,
    peer_info: Option<&PeerInfo>,
) -> Vec<u8> {
    let certificate = session.peer_chain().first();
    let mut variables = Variables::default();
    let protocol = session.protocol().and_then(words::protocol);
    variables.say("SSL_PROTOCOL", protocol);
    let cipher = session.cipher_suite().and_then(words::cipher);
    variables.say("SSL_CIPHER", cipher);
    variables.say("SSL_TLS_SNI_SERVERNAME", server_name);
    let hash = certificate.map(words::hash);
    variables.say("SSL_PEER_CERT_HASH", hash.as_deref());
    let subject = certificate.and_then(|der| Certificate::parse(der)?.subject().line());
    variables.say("SSL_PEER_CERT_SUBJECT", subject.as_deref());
    if let Some(peer_info) = peer_info {
        add(&mut variables, session, peer_info);
    }
    variables.finish()
}

fn add(variables: &mut Variables, session: &Session, peer_info: &PeerInfo) {
    variables.say("SSL_GROUP", session.group().and_then(words::group));
    let resumed = match session.is_resumed() {
        Some(true) => "Resumed",
        _ => "Initial",
    };
    variables.say("SSL_SESSION_RESUMED", Some(resumed));
    let exported = peer_info.exporter.value();
    let exported = exported.map(|value| STANDARD.encode(value));
    variables.say("SSL_CB_TLS_EXPORTER", exported.as_deref());
    let certificate = session.server_certificate();
    let end_point = certificate.and_then(|der| end_point::of_certificate(&der));
    let end_point = end_point.map(|digest| STANDARD.encode(digest));
    variables.say("SSL_CB_TLS_SERVER_END_POINT", end_point.as_deref());
    let prefix = match session.is_server() {
        true => "SSL_CLIENT",
        false => "SSL_SERVER",
    };
    let chain = session.peer_chain();
    peer_info::say(variables, prefix, chain, peer_info.verification);
}
