//! The banner of s6-tcpserver-access, which goes out before any check.

use std::fs::File;
use std::io::Read;

use super::{access, said};
use crate::util::{Cmd, pipe};

#[test]
fn a_client_that_reads_no_banner_costs_no_more_than_the_time_limit() {
    let (_reader, full) = pipe();
    unix::fd::nonblocking(&full).unwrap();
    while nix::unistd::write(&full, &[0; 4096]).is_ok() {}
    let run = access(&["-H", "-B", "hello", "-t", "200"]).fd(1, full);
    let said = said(&run.run().code(99).err());
    assert_eq!(said, "s6-tcpserver-access: pid fatal: time limit reached");
}

/// A program with a banner that is longer than what a pipe or a socket holds.
fn with_long_banner(limit: &str) -> Cmd {
    // Linux allows no argument of more than 128 KiB.
    let part = "x".repeat(LENGTH / 5);
    let parts = ["-B", &part].repeat(5);
    access(&[&["-H", "-t", limit], &parts[..]].concat())
}

const LENGTH: usize = 500_000;

#[test]
fn a_long_banner_that_nobody_reads_costs_no_more_than_the_time_limit() {
    let ((_reader, pipe), (_peer, socket)) = (pipe(), unix::net::socket_pair().unwrap());
    for blocking in [pipe, socket] {
        let run = with_long_banner("200");
        let said = said(&run.fd(1, blocking).run().code(99).err());
        assert_eq!(said, "s6-tcpserver-access: pid fatal: time limit reached");
    }
}

#[test]
fn a_long_banner_arrives_whole() {
    let (pipe, socket) = (pipe(), unix::net::socket_pair().unwrap());
    for (ours, blocking) in [pipe, socket] {
        let read = std::thread::spawn(move || {
            let mut all = Vec::new();
            File::from(ours).read_to_end(&mut all).unwrap();
            all
        });
        with_long_banner("60000").fd(1, blocking).run().success();
        let expected = "x".repeat(LENGTH) + "unset unset unset none\n";
        assert!(read.join().unwrap() == expected.as_bytes());
    }
}
