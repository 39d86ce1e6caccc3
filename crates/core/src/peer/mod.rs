//! Whom we trust: anchors, and the verification of what the peer shows.

pub mod anchors;
pub mod verify;
