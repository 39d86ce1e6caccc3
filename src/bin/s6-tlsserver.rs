//! Serves a program over TLS. See doc/s6-tlsserver.md.
#![no_main]
cli::program!(cli::tables::TLSSERVER, chain::tlsserver::main);
