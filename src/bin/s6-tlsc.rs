//! Runs a program behind the client's end of a TLS connection. See doc/s6-tlsc.md.
#![no_main]
cli::program!(cli::tables::TLSC, chain::engine_launcher::tlsc);
