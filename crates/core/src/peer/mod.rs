//! Whom we trust: anchors, and the verification of what the peer shows.

pub mod anchors;
mod chain;
mod possession;
pub mod refusal;
pub mod verify;

#[cfg(test)]
pub use chain::refused;
