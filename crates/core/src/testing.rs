//! A key and its certificate, for tests.
#![allow(clippy::unwrap_used, reason = "the test data is usable")]

#[cfg(test)]
use cli::Context;
use pki::read;
use rustls::sign::CertifiedKey;

use crate::crypto;

/// The private key, ECDSA P-256.
pub const KEY: &[u8] = include_bytes!("../../pki/src/testdata/key.pem");

/// Its self-signed certificate, for localhost.
pub const CERTIFICATE: &[u8] = include_bytes!("../../pki/src/testdata/certificate.pem");

/// The context of a program without arguments and variables.
#[cfg(test)]
pub fn context() -> Context {
    Context {
        prog: "prog".to_owned(),
        ..Context::new(&cli::tables::TLSD_IO, Vec::new(), unix::Env::default())
    }
}

/// Key and certificate.
pub fn pair() -> CertifiedKey {
    let key = read::private_key(KEY).unwrap();
    let chain = read::certificates(CERTIFICATE).unwrap();
    CertifiedKey::new(chain, crypto::signing_key(&key).unwrap())
}
