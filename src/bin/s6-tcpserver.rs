//! Serves a program over TCP. See doc/s6-tcpserver.md.
#![no_main]
cli::program!(cli::tables::TCPSERVER, tcp::tcpserver::main);
