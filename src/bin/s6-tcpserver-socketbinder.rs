//! Makes a listening socket and runs a program. See doc/s6-tcpserver-socketbinder.md.
#![no_main]
cli::program!(cli::tables::TCPSERVER_SOCKETBINDER, tcp::socketbinder::main);
