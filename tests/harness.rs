//! Tests of the harness itself.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::util::certs::{Once, run};
use crate::util::{Ended, TempDir, certs, cmd, eventually, noise, pipe, sha256, skip, tcp_pair};

#[test]
fn arguments_environment_input_and_exit_code_are_exact() {
    let output = cmd(["sh", "-c", "echo \"$1,$V\"; cat; echo no >&2; exit 7", "x"])
        .arg("a b")
        .env("V", "1")
        .input("in\n")
        .run()
        .fatal(7, "no");
    assert_eq!(output.out(), "a b,1\nin\n");
    let output = cmd(["env"]).env_remove("PATH").env("B", "x").run();
    assert_eq!(output.out(), "B=x\n");
}

#[test]
fn descriptors_are_those_given_and_no_others() {
    let (reader, _writer) = pipe();
    let (client, _server) = tcp_pair();
    let script = "for i in $(seq 0 300); do [ ! -e /proc/$$/fd/$i ] || printf '%s ' $i; done";
    let list = ["sh", "-c", script];
    let output = cmd(list).run();
    assert_eq!(output.out(), "0 1 2 ");
    let output = cmd(list).fd(6, reader).fd(7, client).run();
    assert_eq!(output.out(), "0 1 2 6 7 ");
    let output = cmd(list).closed(0).closed(2).run();
    assert_eq!(output.out(), "1 ");
}

#[test]
fn signal_state_and_directory_are_those_given() {
    let dir = TempDir::new();
    let line = |output: crate::util::Output, start: &str| {
        let text = output.out();
        let found = text.lines().find(|line| line.starts_with(start));
        let hex = found.unwrap().rsplit('\t').next().unwrap();
        // Signals 32 and 33 belong to the C library.
        u64::from_str_radix(hex, 16).unwrap() & !(3 << 31)
    };
    let status = || cmd(["cat", "/proc/self/status"]);
    assert_eq!(line(status().run(), "SigIgn"), 0);
    assert_eq!(line(status().run(), "SigBlk"), 0);
    assert_eq!(line(status().ignored("PIPE").run(), "SigIgn"), 0x1000);
    assert_eq!(
        line(status().blocked(Signal::SIGUSR1).run(), "SigBlk"),
        0x200
    );
    let output = cmd(["pwd", "-P"]).cwd(dir.path()).run();
    assert_eq!(output.out().trim(), dir.path().to_str().unwrap());
}

#[test]
fn signals_are_seen_and_groups_are_killed() {
    let output = cmd(["sh", "-c", "kill -TERM $$"]).run();
    assert_eq!(output.ended, Ended::Signaled(Signal::SIGTERM as u8));
    let mut running = cmd(["sh", "-c", "sleep 1000 & echo $!; exec sleep 1000"]).start();
    let child: i32 = running.out_line(0).parse().unwrap();
    assert_eq!(running.group().len(), 2);
    assert!(running.alive());
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait(), Ended::Signaled(9));
    drop(running);
    eventually("the child is gone", || {
        // The process that inherited it may reap it late.
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z")).then_some(())
    });
}

#[test]
fn a_deadline_kills_and_tells_what_was_printed() {
    let start = Instant::now();
    // Long enough for the shell to print, even on a busy machine.
    let text = failure(|| {
        let script = "echo printed; exec sleep 1000";
        let deadline = Duration::from_secs(2);
        cmd(["sh", "-c", script]).deadline(deadline).run();
    });
    assert!(
        text.contains("did not end") && text.contains("printed"),
        "{text}"
    );
    assert!(start.elapsed() < Duration::from_secs(500));
}

/// `make test` runs this one first.
#[test]
fn the_certificates_are_there() {
    assert!(!certs().read("p256.pem").is_empty());
}

/// The text of a test's failure.
fn failure<T>(test: impl FnOnce() -> T) -> String {
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
    *seen.err().unwrap().downcast::<String>().unwrap()
}

#[test]
fn failure_to_make_certificates_is_reported_once() {
    let dir = TempDir::new();
    let second = Duration::from_secs(1);
    let slow = || run("exec sleep 1000", dir.path(), second);
    assert_eq!(slow(), Err("took more than 1 s".to_owned()));
    let broken = run("echo here; echo no >&2; exit 3", dir.path(), 60 * second);
    assert_eq!(broken, Err("Exited(3): here\nno\n".to_owned()));
    run("true", dir.path(), 60 * second).unwrap();

    let shared = Once::<()>::new();
    assert_eq!(failure(|| shared.get(slow)), "took more than 1 s");
    for _ in 0..2 {
        let later = failure(|| shared.get(|| panic!("made again")));
        assert_eq!(later, "not there: another test tells why");
    }
}

#[test]
fn certificates_are_what_their_names_say() {
    let certs = certs();
    let verify = |anchor: &str, extra: &[&str], leaf: &str| {
        cmd(["openssl", "verify", "-CAfile", &certs.path(anchor)])
            .args(extra)
            .arg(certs.path(leaf))
            .run()
    };
    verify("ca.pem", &["-verify_hostname", "localhost"], "p256.pem").success();
    verify("ca.pem", &[], "leaf.pem").code(2);
    verify(
        "ca.pem",
        &["-untrusted", &certs.path("inter.pem")],
        "leaf.pem",
    )
    .success();
    let expired = verify("ca.pem", &[], "expired.pem").code(2);
    assert!(expired.err().contains("expired"));
    let future = verify("ca.pem", &[], "future.pem").code(2);
    assert!(future.err().contains("not yet valid"));
    assert_eq!(sha256(&certs.read("p256.der")), certs.hash("p256"));
}

#[test]
fn noise_depends_on_its_seed_alone() {
    assert_eq!(noise(1000, 7), noise(1000, 7));
    assert_ne!(noise(1000, 7), noise(1000, 8));
}

/// Run by the test below.
#[test]
#[ignore = "shows how a skipped test looks"]
fn a_test_that_is_skipped() {
    skip("for no reason");
}

#[test]
fn a_skipped_test_is_shown_and_listed() {
    let dir = TempDir::new();
    let list = dir.file("list", "SKIPPED before\n");
    let line = "SKIPPED harness::a_test_that_is_skipped: for no reason\n";
    let output = cmd([std::env::current_exe().unwrap()])
        .args(["--ignored", "--exact", "harness::a_test_that_is_skipped"])
        .env("SKIPPED_TESTS", &list)
        .run()
        .success();
    assert_eq!(output.err(), line);
    let listed = std::fs::read_to_string(list).unwrap();
    assert_eq!(listed, format!("SKIPPED before\n{line}"));
}
