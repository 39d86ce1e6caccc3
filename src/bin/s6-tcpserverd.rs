//! Serves a program on a listening socket. See doc/s6-tcpserverd.md.
#![no_main]
cli::program!("s6-tcpserverd", tcp::tcpserverd::main);
