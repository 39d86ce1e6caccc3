//! Verification of the peer: its chain by trust anchors and revocation lists, its
//! certificate by pins and TLSA records, its name, and its signature in the handshake.

pub mod chain;
pub mod compiled_in;
pub mod crl;
pub mod dane;
mod handshake_signature;
mod pins;
pub mod policy;
mod revocation;
pub mod trust_anchors;
pub mod verifiers;

#[cfg(test)]
mod tests;
