//! A pair and what trusts it, for tests.
#![allow(clippy::unwrap_used, reason = "the test data is usable")]

#[cfg(test)]
use cli::Context;
use pki::read;
use rustls::sign::CertifiedKey;

use crate::crypto;

/// The private key, ECDSA P-256.
pub const KEY: &[u8] = include_bytes!("../../pki/src/testdata/key.pem");

/// Its certificate, for localhost, which is its own issuer.
pub const CERTIFICATE: &[u8] = include_bytes!("../../pki/src/testdata/certificate.pem");

/// A program without arguments and variables.
#[cfg(test)]
pub fn context() -> Context {
    Context {
        program: &cli::tables::TLSD_IO,
        prog: "prog".to_owned(),
        args: Vec::new(),
        env: unix::Env::default(),
        verbosity: 1,
    }
}

/// Both.
pub fn pair() -> CertifiedKey {
    let key = read::private_key(KEY).unwrap();
    let chain = read::certificates(CERTIFICATE).unwrap();
    CertifiedKey::new(chain, crypto::signing_key(&key).unwrap())
}
