//! The client's end of a TLS connection. See doc/s6-tlsc-io.md.
#![no_main]
cli::program!("s6-tlsc-io", s6_tls_core::client::main);
