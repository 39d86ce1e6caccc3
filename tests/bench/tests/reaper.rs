//! What the accounts of servers rest on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Stdio};

/// Works for a while.
const WORK: &str = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

#[test]
fn counts_the_time_of_orphans() {
    let (nothing, _) = account("exit 0");
    let (orphan, _) = account(&format!("sh -c '{WORK}' & exit 0"));
    assert!(orphan > 10 * nothing, "{orphan} µs, {nothing} µs");
}

/// As a server does whose children need not be waited for: the kernel forgets them.
#[test]
fn counts_the_time_of_children_that_nobody_waits_for() {
    let (nothing, complete) = account("exit 0");
    if !complete {
        println!("SKIPPED: perf_event_open is not permitted");
        return;
    }
    let (forgotten, _) = account(&format!("trap '' CHLD; sh -c '{WORK}' & wait; exit 0"));
    assert!(forgotten > 10 * nothing, "{forgotten} µs, {nothing} µs");
}

#[test]
fn runs_all_servers_and_ends_them() {
    let mut child = reaper(&["sleep", "60", "__and", "sleep", "60"]);
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
}

fn reaper(servers: &[&str]) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .arg("__subreaper")
        .args(servers)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Microseconds that the commands and all that they left behind have used, and
/// whether that is everything.
fn account(commands: &str) -> (u64, bool) {
    let mut child = reaper(&["sh", "-c", commands]);
    // Its end would be the order to end the rest.
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> = printed
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    (numbers[0], numbers[2] == 1)
}
