//! The TCP programs of the suite, one module each.
#![forbid(unsafe_code)]

mod address;
pub mod getservbyname;
pub mod proxy;
mod wait;
