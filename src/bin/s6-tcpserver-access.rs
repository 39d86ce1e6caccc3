//! Finds out who is calling, and whether he may. See doc/s6-tcpserver-access.md.
#![no_main]
cli::program!("s6-tcpserver-access", tcp::access::main);
