//! Whom we trust: anchors, pins, revocation lists, and the verification of what
//! the peer shows.

pub mod anchors;
pub mod chain;
pub mod crl;
mod pins;
mod possession;
pub mod refusal;
pub mod trust;
pub mod verify;

#[cfg(test)]
pub use chain::refused;
