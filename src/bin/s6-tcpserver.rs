//! Serves a program over TCP. See doc/s6-tcpserver.md.
#![no_main]
cli::program!("s6-tcpserver", tcp::tcpserver::main);
