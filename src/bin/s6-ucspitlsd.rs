//! Runs a program that may ask for the server's end of a TLS connection. See doc/s6-ucspitlsd.md.
#![no_main]
cli::program!(cli::tables::UCSPITLSD, chain::ucspi::ucspitlsd);
