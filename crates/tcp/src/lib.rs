//! The TCP programs of the suite, each in a module of its name.
#![forbid(unsafe_code)]

pub mod address;
