//! The connection. [`pump`] is the state machine; it does no I/O of its own
//! and knows no clock. [`descriptors`] holds the four descriptors, [`run`] is
//! the loop that brings the two together. [`session`] is the face that rustls
//! shows to the pump.

pub mod buffer;
pub mod descriptors;
pub mod pump;
pub mod run;
pub mod session;
