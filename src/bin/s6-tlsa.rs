//! Looks up the TLSA records of a service, then runs a program. See doc/s6-tlsa.md.
#![no_main]
cli::program!(cli::tables::TLSA, tcp::tlsa::main);
