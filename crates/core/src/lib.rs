//! The TLS engines, `s6-tlsd-io` and `s6-tlsc-io`: rustls records pumped
//! between four descriptors. This is the only crate that links cryptography.
//!
//! [`pump`] is the state machine; it does no I/O of its own and knows no
//! clock. `ends` holds the descriptors, `run` is the loop that brings the two
//! together. `session` is the face that rustls shows to the pump. The rest
//! happens before the first byte: files (`pem`, `pkcs8`, `keypair`,
//! `anchors`), who is trusted (`verify`, `x509`), which certificate is shown
//! (`sni`).
#![forbid(unsafe_code)]

mod anchors;
mod buffer;
mod ends;
mod explain;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod identity;
mod keypair;
mod pem;
mod pkcs8;
mod pump;
mod report;
mod run;
mod session;
mod sni;
pub mod tlscio;
pub mod tlsdio;
mod verify;
mod x509;

/// The TLS context cannot be built: a file is missing, unreadable, malformed,
/// or does not fit its partner.
const CONTEXT: u8 = 96;
/// The engine cannot be set up with these options.
const SETUP: u8 = 97;
/// TLS itself failed.
const TLS: u8 = 98;
