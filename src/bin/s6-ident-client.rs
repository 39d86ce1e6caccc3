//! Asks an IDENT server whose a connection is. See doc/s6-ident-client.md.
#![no_main]
cli::program!(cli::tables::IDENT_CLIENT, tcp::ident::main);
