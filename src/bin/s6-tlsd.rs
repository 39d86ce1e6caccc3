//! Runs a program behind the server's end of a TLS connection. See doc/s6-tlsd.md.
#![no_main]
cli::program!("s6-tlsd", chain::wrapper::tlsd);
