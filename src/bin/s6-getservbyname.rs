//! Prints the port of a named service. See doc/s6-getservbyname.md.
#![no_main]
cli::program!(cli::tables::GETSERVBYNAME, tcp::getservbyname::main);
