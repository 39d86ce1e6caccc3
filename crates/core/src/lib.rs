//! The TLS engines, `s6-tlsd-io` and `s6-tlsc-io`: a `tunnel` between four
//! descriptors.
//!
//! [`server`] and [`client`] are the two programs, [`setup`] is their start. They
//! read [`files`] before the first byte from the network: their [`credentials`],
//! and what they need to [`verify`] the peer. A [`keyguard`] may hold the private
//! key. Then the [`event_loop`] runs the tunnel, and [`report`] describes the
//! connection to the program and to logs. With `--check` there is no connection:
//! `check` says what was read.
#![forbid(unsafe_code)]

mod check;
pub mod client;
mod credentials;
mod crypto;
mod drop_privileges;
mod event_loop;
mod exit;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod host_name;
mod keyguard;
mod report;
pub mod server;
mod setup;
#[cfg(any(test, feature = "fuzzing"))]
mod testing;
mod verify;
mod wall_clock;

use tunnel::outcome::{CONTEXT, SETUP};
