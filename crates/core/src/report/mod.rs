//! The reports about a connection: the notification to the program after the
//! handshake, and the log line at the end.

pub mod channel_binding;
pub mod env_block;
mod labels;
pub mod log_line;
pub mod notification;
pub mod peer_info;
