//! The connection. [`pump`] is the state machine; it does no I/O of its own
//! and knows no clock. [`endpoints`] is what it sees of the world. [`descriptors`]
//! holds the four descriptors, [`event_loop`] is the loop that brings the two
//! together. [`session`] is the face that rustls shows to the pump.

pub mod buffer;
pub mod descriptors;
pub mod endpoints;
pub mod event_loop;
pub mod hello;
mod pipe_size;
pub mod pump;
pub mod record_notes;
mod records;
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
pub mod testing;
mod throughput;
