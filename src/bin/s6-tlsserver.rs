//! Serves a program over TLS. See doc/s6-tlsserver.md.
#![no_main]
cli::program!("s6-tlsserver", chain::tlsserver::main);
