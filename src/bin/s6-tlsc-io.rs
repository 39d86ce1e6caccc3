//! The client's end of a TLS connection. See doc/s6-tlsc-io.md.
#![no_main]
cli::program!(cli::tables::TLSC_IO, s6_tls_core::client::main);
