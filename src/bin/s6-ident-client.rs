//! Asks an IDENT server whose a connection is. See doc/s6-ident-client.md.
#![no_main]
cli::program!("s6-ident-client", tcp::ident::main);
