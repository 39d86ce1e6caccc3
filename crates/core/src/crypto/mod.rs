//! The cryptography of the engines: ring's, as rustls takes it, and what ring lacks.
//! No other part of this crate uses a cryptographic library directly.

mod groups;
mod hybrid;
pub mod rsa_pss;
pub mod sealing;

use std::sync::Arc;

use cli::{Group, Pin};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::Error;
use rustls::crypto::ring::{self as backend, sign};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use tunnel::record_status::RecordStatus;
use tunnel::suites;

/// The provider of one connection, of a client or a server, with these `groups`. A client sends a
/// key share for the first group; a server follows the client's order. In `records` the cipher
/// suites record what happens to records.
pub fn provider(groups: &[Group], records: &RecordStatus) -> Arc<CryptoProvider> {
    let provider = backend::default_provider();
    Arc::new(CryptoProvider {
        cipher_suites: suites::strict(&provider.cipher_suites, records),
        kx_groups: groups.iter().copied().map(groups::exchange).collect(),
        ..provider
    })
}

/// The signature algorithms that can be verified, in handshakes and certificates.
pub fn signature_algorithms() -> WebPkiSupportedAlgorithms {
    backend::default_provider().signature_verification_algorithms
}

/// Whether signatures by a key of this type can be verified. `algorithm` is the
/// content of an AlgorithmIdentifier.
pub fn can_verify(algorithm: &[u8]) -> bool {
    let mut known = signature_algorithms().all.iter();
    known.any(|known| known.public_key_alg_id().as_ref() == algorithm)
}

/// The signer of `key`. It does not keep the encoded bytes of the key.
pub fn signing_key(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, Error> {
    sign::any_supported_type(key).or_else(|error| rsa_pss::signing_key(key).ok_or(error))
}

/// A new private key, ECDSA P-256.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
pub fn new_key() -> PrivateKeyDer<'static> {
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    PrivateKeyDer::Pkcs8(key.unwrap().as_ref().to_vec().into())
}

/// Whether the system gives random bytes.
pub fn has_random_bytes() -> bool {
    SystemRandom::new().fill(&mut [0]).is_ok()
}

/// A hash of FIPS 180-4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The digest of `bytes` by `hash`.
pub fn digest(hash: Hash, bytes: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => &ring::digest::SHA256,
        Hash::Sha384 => &ring::digest::SHA384,
        Hash::Sha512 => &ring::digest::SHA512,
    };
    ring::digest::digest(algorithm, bytes).as_ref().to_vec()
}

/// The SHA-256 digest of `bytes` (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    digest
}

/// `SHA256:` and the digest of a certificate in lower-case hex, as `--pin` takes it.
pub fn fingerprint(certificate: &[u8]) -> String {
    Pin::Certificate(sha256(certificate)).text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_sha256_in_hex() {
        let expected = "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint(b"abc"), expected);
    }

    #[test]
    fn sha256_gives_the_example_of_the_standard() {
        let digest = sha256(b"abc");
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
    }
}
