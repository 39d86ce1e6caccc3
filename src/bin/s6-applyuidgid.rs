//! Sets user and group ids and runs a program. See doc/s6-applyuidgid.md.
#![no_main]
cli::program!(cli::tables::APPLYUIDGID, tcp::applyuidgid::main);
