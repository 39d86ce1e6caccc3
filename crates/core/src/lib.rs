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
mod event_loop;
mod exit;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod keyguard;
mod report;
pub mod server;
mod setup;
#[cfg(any(test, feature = "fuzzing"))]
mod testing;
mod verify;

use tunnel::outcome::{CONTEXT, SETUP};
