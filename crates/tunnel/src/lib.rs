//! A TLS connection between the network and a program, without I/O and without
//! a clock.
//!
//! [`pump`] is the state machine: it moves bytes in both directions and decides
//! how the connection closes. [`endpoints`] is what it sees of the world; the
//! caller brings descriptors, or the [simulator](self) of the tests. [`session`]
//! is rustls as the pump sees it, with the cipher suites of [`suites`].
//! [`outcome`] is how the connection ended, [`explain`] says it in words, and
//! [`handshake_facts`] is what rustls's callbacks learn on the way.
#![forbid(unsafe_code)]

mod buffer;
pub mod endpoints;
pub mod explain;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod handshake_facts;
pub mod hello;
pub mod outcome;
pub mod pump;
pub mod record_status;
pub mod session;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "a panic is a broken promise; tests and fuzzing use different parts"
)]
pub mod simulator;
pub mod suites;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(dead_code, reason = "tests and fuzzing use different parts")]
pub mod testing;
pub mod throughput;
