//! Decodes certificates, private keys and revocation lists from the bytes of PEM
//! and DER files. Nothing here opens a file, knows an option or uses cryptography.
//!
//! [`read`] decodes one file, [`der_store`] many files into one buffer; both find
//! PEM blocks with [`pem`]. [`x509`] reads the fields of certificates and lists,
//! [`private_key`] the forms of keys, [`rsa_pss`] keys of one type; [`key_fault`] says why a key
//! cannot be used.
#![forbid(unsafe_code)]

pub mod der_store;
mod error;
pub mod key_fault;
pub mod pem;
pub mod private_key;
pub mod read;
pub mod rsa_pss;
pub mod x509;

pub use error::PemError;
