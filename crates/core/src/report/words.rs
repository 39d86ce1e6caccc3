//! The names of what was agreed on, as programs and logs know them.

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, HandshakeKind, NamedGroup, ProtocolVersion};

use crate::crypto;

/// The version's name as OpenSSL has it.
pub fn protocol(state: &CommonState) -> Option<&'static str> {
    match state.protocol_version()? {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// The suite's name as OpenSSL has it, which is what programs know.
pub fn cipher(state: &CommonState) -> Option<&'static str> {
    cipher_name(state.negotiated_cipher_suite()?.suite())
}

/// The group's name in IANA's registry of TLS Supported Groups; None if there
/// was no key exchange.
pub fn group(state: &CommonState) -> Option<&'static str> {
    group_name(state.negotiated_key_exchange_group()?.name())
}

/// Whether an earlier session goes on, once that is known.
pub fn is_resumed(state: &CommonState) -> Option<bool> {
    Some(state.handshake_kind()? == HandshakeKind::Resumed)
}

fn cipher_name(suite: CipherSuite) -> Option<&'static str> {
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

fn group_name(group: NamedGroup) -> Option<&'static str> {
    Some(match group {
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "secp256r1",
        NamedGroup::secp384r1 => "secp384r1",
        _ => return None,
    })
}

/// `SHA256:` and the digest of the certificate in lower-case hex.
pub fn hash(certificate: &CertificateDer<'_>) -> String {
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
    fn all_that_the_provider_can_agree_on_has_a_name() {
        let provider = crypto::provider(&cli::Group::ALL);
        for suite in &provider.cipher_suites {
            assert!(cipher_name(suite.suite()).is_some(), "{suite:?}");
        }
        for kx in &provider.kx_groups {
            assert!(group_name(kx.name()).is_some(), "{kx:?}");
        }
    }
}
