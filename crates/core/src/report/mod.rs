//! What the program is told about the connection once the handshake is over.

pub mod explain;

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ProtocolVersion};

use crate::crypto;
use crate::tunnel::session::Session;
use crate::x509::Certificate;

/// The notification: strings ended by NUL, `NAME=value` to set a variable and
/// `NAME` to unset it, and one more NUL at the very end.
pub fn block(session: &Session, server_name: Option<&str>) -> Vec<u8> {
    let certificate = session.peer_certificate();
    let mut block = Vec::new();
    let mut say = |name: &str, value: Option<&str>| {
        block.extend_from_slice(name.as_bytes());
        if let Some(value) = value {
            block.push(b'=');
            block.extend_from_slice(value.as_bytes());
        }
        block.push(0);
    };
    say("SSL_PROTOCOL", session.protocol().and_then(protocol));
    say("SSL_CIPHER", session.cipher_suite().and_then(cipher));
    say("SSL_TLS_SNI_SERVERNAME", server_name);
    say("SSL_PEER_CERT_HASH", certificate.map(hash).as_deref());
    let subject = certificate.and_then(|der| Certificate::parse(der)?.subject().line());
    say("SSL_PEER_CERT_SUBJECT", subject.as_deref());
    block.push(0);
    block
}

fn protocol(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// The suite's name as OpenSSL has it, which is what programs know.
fn cipher(suite: CipherSuite) -> Option<&'static str> {
    use CipherSuite as S;
    Some(match suite {
        S::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        S::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        S::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        S::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        S::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        S::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        S::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        S::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        S::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

/// `SHA256:` and the digest of the certificate in lower-case hex.
fn hash(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::from("SHA256:");
    for byte in crypto::sha256(certificate) {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256_in_hex() {
        assert_eq!(
            hash(&CertificateDer::from(b"abc".to_vec())),
            "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn every_suite_of_the_provider_has_a_name() {
        for suite in &crypto::provider(&[]).cipher_suites {
            assert!(cipher(suite.suite()).is_some(), "{suite:?}");
        }
    }
}
