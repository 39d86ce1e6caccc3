//! The server's end of a TLS connection. See doc/s6-tlsd-io.md.
#![no_main]
cli::program!(cli::tables::TLSD_IO, s6_tls_core::server::main);
