//! Whom we trust: anchors, pins, revocation lists, and the verification of what
//! the peer shows.

pub mod chain;
pub mod crl;
mod handshake_signature;
mod pins;
pub mod policy;
pub mod trust_anchors;
pub mod verifiers;
