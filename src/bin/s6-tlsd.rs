//! Runs a program behind the server's end of a TLS connection. See doc/s6-tlsd.md.
#![no_main]
cli::program!(cli::tables::TLSD, chain::engine_launcher::tlsd);
