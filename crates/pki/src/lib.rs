//! Certificates, private keys and revocation lists, out of the bytes of PEM and
//! DER files. Nothing here opens a file, knows an option or uses cryptography.
//!
//! [`read`] takes whole files apart into what is in their blocks ([`pem`]);
//! [`der_store`] does that for many files in one piece of memory. [`x509`] reads
//! the fields of certificates and lists, [`private_key`] the forms of keys.
#![forbid(unsafe_code)]

pub mod der_store;
mod error;
pub mod pem;
pub mod private_key;
pub mod read;
pub mod x509;

pub use error::PemError;
