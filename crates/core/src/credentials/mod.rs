//! The credentials of an engine: keys with their certificates, stapled OCSP
//! responses, the choice among them by the client's server name, ACME challenges, and session
//! tickets.

pub mod a_label;
pub mod acme;
pub mod certified_key;
mod ocsp;
pub mod resolver;
pub mod sessions;
pub mod sni_directory;
pub mod ticketer;
