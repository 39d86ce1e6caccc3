//! Channel bindings (RFC 5056): values that both ends of a TLS connection know. A man
//! in the middle has two connections, with different values. Authentication inside
//! of TLS that depends on the value fails then.

pub mod exporter;
pub mod server_end_point;
