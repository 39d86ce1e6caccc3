//! What is said about a connection: to the program once the handshake is over,
//! to logs at the end, and why it failed.

#[allow(dead_code, reason = "not asked for yet")]
pub mod bindings;
pub mod explain;
#[allow(dead_code, reason = "not asked for yet")]
pub mod log_line;
#[allow(dead_code, reason = "not asked for yet")]
mod names;
#[allow(dead_code, reason = "not asked for yet")]
pub mod peer_info;
pub mod variables;
mod words;

use rustls::CommonState;

use crate::report::variables::Variables;
use crate::x509::Certificate;

/// The notification. See [`Variables`] for its form.
pub fn block(session: &CommonState, server_name: Option<&str>) -> Vec<u8> {
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let mut block = Variables::default();
    let protocol = session.protocol_version().and_then(words::protocol);
    block.say("SSL_PROTOCOL", protocol);
    let suite = session.negotiated_cipher_suite();
    let cipher = suite.and_then(|suite| words::cipher(suite.suite()));
    block.say("SSL_CIPHER", cipher);
    block.say("SSL_TLS_SNI_SERVERNAME", server_name);
    let hash = certificate.map(words::hash);
    block.say("SSL_PEER_CERT_HASH", hash.as_deref());
    let subject = certificate.and_then(|der| Certificate::parse(der)?.subject().line());
    block.say("SSL_PEER_CERT_SUBJECT", subject.as_deref());
    block.finish()
}
