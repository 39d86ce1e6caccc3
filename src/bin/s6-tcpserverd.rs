//! Serves a program on a listening socket. See doc/s6-tcpserverd.md.
#![no_main]
cli::program!(cli::tables::TCPSERVERD, tcp::tcpserverd::main);
