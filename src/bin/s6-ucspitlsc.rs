//! Runs a program that may ask for the client's end of a TLS connection. See doc/s6-ucspitlsc.md.
#![no_main]
cli::program!(cli::tables::UCSPITLSC, chain::ucspi::ucspitlsc);
