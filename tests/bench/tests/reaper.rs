//! What the accounts of servers rest on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Stdio};

/// Leaves a process behind that works for a while.
const ORPHAN: &str = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done' & exit 0";

#[test]
fn counts_the_time_of_orphans() {
    let nothing = account("exit 0");
    let orphan = account(ORPHAN);
    assert!(orphan > 10 * nothing, "{orphan} µs, {nothing} µs");
}

/// Microseconds that the commands and all that they left behind have used.
fn account(commands: &str) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["__subreaper", "sh", "-c", commands])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its end would be the order to end the rest.
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    // The page faults follow.
    let (time, _) = printed.trim().split_once(' ').unwrap();
    time.parse().unwrap()
}
