//! Connects a program over TCP. See doc/s6-tcpclient.md.
#![no_main]
cli::program!("s6-tcpclient", tcp::tcpclient::main);
