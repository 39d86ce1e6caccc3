//! Connects a program over TLS. See doc/s6-tlsclient.md.
#![no_main]
cli::program!("s6-tlsclient", chain::tlsclient::main);
