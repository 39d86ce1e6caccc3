//! Signing with keys of type id-RSASSA-PSS (RFC 4055). ring signs with the RSA key inside, but
//! takes no key of that type.

use std::fmt;
use std::sync::Arc;

use pki::rsa_pss::{PssHash, PssKey};
use ring::rand::SystemRandom;
use ring::signature::{self, KeyPair, RsaEncoding, RsaKeyPair};
use rustls::pki_types::{AlgorithmIdentifier, PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

/// rsa_pss_pss_sha512, rsa_pss_pss_sha384 and rsa_pss_pss_sha256 (RFC 8446 section 4.2.3).
///
/// Upstream (doc/upstream.md, Keys of type RSASSA-PSS): rustls has no names for them, and leaves
/// them out in TLS 1.2.
pub const SCHEMES: [SignatureScheme; 3] = [
    SignatureScheme::Unknown(0x080b),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x0809),
];

const ID_RSASSA_PSS: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");

/// The signing key of `key`. None if it is not of this type, or cannot be used.
pub fn signing_key(key: &PrivateKeyDer<'_>) -> Option<Arc<dyn SigningKey>> {
    signing_key_for(key, PssKey::of(key)?.hashes)
}

/// The signer of `key` that uses no other hashes than these. None if it may use none of them, too.
pub fn signing_key_for(
    key: &PrivateKeyDer<'_>,
    allowed: &[PssHash],
) -> Option<Arc<dyn SigningKey>> {
    let PssKey { hashes, key } = PssKey::of(key)?;
    let hashes: Vec<_> = hashes
        .iter()
        .filter(|hash| allowed.contains(hash))
        .copied()
        .collect();
    if hashes.is_empty() {
        return None;
    }
    let key = Arc::new(RsaKeyPair::from_der(key).ok()?);
    Some(Arc::new(RsaPssKey { hashes, key }))
}

struct RsaPssKey {
    /// The hashes that it may use, the preferred one first.
    hashes: Vec<PssHash>,
    key: Arc<RsaKeyPair>,
}

impl fmt::Debug for RsaPssKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaPssKey")
    }
}

impl SigningKey for RsaPssKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut hashes = self.hashes.iter().copied();
        let hash = hashes.find(|hash| offered.contains(&scheme(*hash)))?;
        let key = Arc::clone(&self.key);
        Some(Box::new(RsaPssSigner { hash, key }))
    }

    /// The key, without the parameters of the algorithm.
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(public_key_to_spki(&ID_RSASSA_PSS, self.key.public_key()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

struct RsaPssSigner {
    hash: PssHash,
    key: Arc<RsaKeyPair>,
}

impl fmt::Debug for RsaPssSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RsaPssSigner").field(&self.hash).finish()
    }
}

impl Signer for RsaPssSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let encoding: &dyn RsaEncoding = match self.hash {
            PssHash::Sha256 => &signature::RSA_PSS_SHA256,
            PssHash::Sha384 => &signature::RSA_PSS_SHA384,
            PssHash::Sha512 => &signature::RSA_PSS_SHA512,
        };
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| Error::General("signing failed".to_owned()))?;
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        scheme(self.hash)
    }
}

fn scheme(hash: PssHash) -> SignatureScheme {
    let [sha512, sha384, sha256] = SCHEMES;
    match hash {
        PssHash::Sha256 => sha256,
        PssHash::Sha384 => sha384,
        PssHash::Sha512 => sha512,
    }
}
