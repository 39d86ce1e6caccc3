//! The banner of s6-tcpserver-access, which goes out before any check.

use super::{access, said};
use crate::util::pipe;

#[test]
fn a_client_that_reads_no_banner_costs_no_more_than_the_time_limit() {
    let (_reader, full) = pipe();
    unix::fd::nonblocking(&full).unwrap();
    while nix::unistd::write(&full, &[0; 4096]).is_ok() {}
    let run = access(&["-H", "-B", "hello", "-t", "200"]).fd(1, full);
    let said = said(&run.run().code(99).err());
    assert_eq!(said, "s6-tcpserver-access: pid fatal: time limit reached");
}
