//! Channel bindings (RFC 5056): values that both ends of one connection know,
//! and nobody between two connections can have the same of both. Protocols
//! inside of TLS make their proofs depend on them.

pub mod exporter;
pub mod server_end_point;
