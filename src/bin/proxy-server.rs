//! Reads a PROXY protocol header and runs the next program. See doc/proxy-server.md.
#![no_main]
cli::program!("proxy-server", tcp::proxy::main);
