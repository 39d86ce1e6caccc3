//! Connects a program over TLS. See doc/s6-tlsclient.md.
#![no_main]
cli::program!(cli::tables::TLSCLIENT, chain::tlsclient::main);
