//! Reads a PROXY protocol header and runs the next program. See doc/proxy-server.md.
#![no_main]
cli::program!(cli::tables::PROXY_SERVER, tcp::proxy::main);
