//! What we show: the pairs of key and certificate, what is stapled to them, and
//! the choice among them by the name that the client asks for.

pub mod a_label;
pub mod certified_key;
mod ocsp;
pub mod resolver;
pub mod sessions;
pub mod sni_directory;
pub mod ticketer;
