//! Asks an IDENT server for a connection's owner. See doc/s6-ident-client.md.
#![no_main]
cli::program!(cli::tables::IDENT_CLIENT, tcp::ident::main);
