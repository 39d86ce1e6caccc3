//! What is said about a connection: to the program once the handshake is over,
//! to logs at the end, and why it failed.

pub mod bindings;
pub mod explain;
pub mod log_line;
mod names;
pub mod notification;
pub mod peer_info;
pub mod variables;
mod words;
