//! The names of version, cipher suite and group that programs and logs get.

use rustls::{CipherSuite, CommonState, HandshakeKind, NamedGroup, ProtocolVersion};

/// The version as OpenSSL names it.
pub fn protocol(state: &CommonState) -> Option<&'static str> {
    match state.protocol_version()? {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// The cipher suite as OpenSSL names it, which programs know.
pub fn cipher(state: &CommonState) -> Option<&'static str> {
    cipher_name(state.negotiated_cipher_suite()?.suite())
}

/// The group as IANA's registry of TLS Supported Groups names it. None if there was
/// no key exchange.
pub fn group(state: &CommonState) -> Option<&'static str> {
    group_name(state.negotiated_key_exchange_group()?.name())
}

/// Whether an earlier session was resumed, once that is known.
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

#[cfg(test)]
mod tests {
    use tunnel::record_status::RecordStatus;

    use super::*;
    use crate::crypto;

    #[test]
    fn every_suite_and_group_of_the_provider_has_a_name() {
        let provider = crypto::provider(&cli::Group::ALL, &RecordStatus::default());
        for suite in &provider.cipher_suites {
            assert!(cipher_name(suite.suite()).is_some(), "{suite:?}");
        }
        for kx in &provider.kx_groups {
            assert!(group_name(kx.name()).is_some(), "{kx:?}");
        }
    }
}
