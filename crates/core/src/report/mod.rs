//! What is said about a connection: to the program once the handshake is over,
//! to logs at the end, and why it failed.

pub mod channel_binding;
pub mod env_block;
mod labels;
pub mod log_line;
pub mod notification;
pub mod peer_info;
