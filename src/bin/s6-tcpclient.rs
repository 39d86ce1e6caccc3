//! Connects a program over TCP. See doc/s6-tcpclient.md.
#![no_main]
cli::program!(cli::tables::TCPCLIENT, tcp::tcpclient::main);
