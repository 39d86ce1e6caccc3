//! The TLS engines, `s6-tlsd-io` and `s6-tlsc-io`: rustls records pumped
//! between four descriptors. This is the only crate that links cryptography.
//!
//! [`server`] and [`client`] are the two programs, and [`setup`] is the order
//! of their work. What happens before the first byte: [`files`] are read, the
//! certificate that is shown is chosen ([`credentials`]), and whom to trust is known
//! ([`verify`]). [`tunnel`] is the connection itself; [`report`] says what came
//! of it.
#![forbid(unsafe_code)]

pub mod client;
mod credentials;
mod crypto;
mod drop_privileges;
mod exit;
mod explain;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod handshake_facts;
mod keyguard;
mod outcome;
mod report;
pub mod server;
mod setup;
#[cfg(any(test, feature = "fuzzing"))]
mod testing;
mod tunnel;
mod verify;

use crate::outcome::{CONTEXT, SETUP};
