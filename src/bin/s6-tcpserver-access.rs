//! Looks up the client and applies access rules, then runs a program. See doc/s6-tcpserver-access.md.
#![no_main]
cli::program!(cli::tables::TCPSERVER_ACCESS, tcp::access::main);
