//! Finds out who is calling, and whether he may. See doc/s6-tcpserver-access.md.
#![no_main]
cli::program!(cli::tables::TCPSERVER_ACCESS, tcp::access::main);
