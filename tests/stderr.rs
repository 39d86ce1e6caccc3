//! Standard error closed, or in a file that may not grow: messages are lost,
//! and nothing else changes.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use nix::sys::signal::Signal;

use crate::util::tls::{HELLO, connect, tlsc, tlsd};
use crate::util::{Cmd, Ended, TempDir, accept, cmd, listener, pipe};

/// Prints on descriptor 5 which of 0, 1 and 2 are open.
const OPEN: &str =
    "open=; for i in 0 1 2; do [ ! -e /proc/$$/fd/$i ] || open=$open$i; done; echo $open >&5";

/// The output of the program at the end of `command` on descriptor 5.
fn told(command: Cmd) -> String {
    let (reader, writer) = pipe();
    command.fd(5, writer).run().success();
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn messages_never_go_into_a_connection() {
    for closed in [&[2][..], &[0, 2], &[1, 2], &[0, 1, 2]] {
        let (socket, port) = listener();
        let client = cmd(["s6-tcpclient", "-Hvvr", "127.0.0.1"])
            .arg(port.to_string())
            .args(["sh", "-c", OPEN]);
        let client = closed.iter().fold(client, |client, fd| client.closed(*fd));
        let open = [0, 1, 2].iter().filter(|fd| !closed.contains(fd));
        let open: String = open.map(i32::to_string).collect();
        assert_eq!(told(client), open + "\n", "{closed:?}");
        let mut received = String::new();
        accept(&socket).read_to_string(&mut received).unwrap();
        assert_eq!(received, "", "{closed:?}");
    }
}

#[test]
fn closed_standard_descriptors_stay_closed_in_tcp_chains() {
    for argv in [
        "s6-applyuidgid",
        "s6-tcpserver-access -Hv2",
        "proxy-server -v2 --after-tlsd",
    ] {
        for closed in [0, 1, 2] {
            let command = cmd(argv.split(' '))
                .args(["sh", "-c", OPEN])
                .env("PROTO", "TCP")
                .env("TCPLOCALIP", "127.0.0.1")
                .env("TCPLOCALPORT", "80")
                .env("TCPREMOTEIP", "127.0.0.9")
                .env("TCPREMOTEPORT", "4000")
                .closed(closed);
            let open = "012\n".replace(&closed.to_string(), "");
            assert_eq!(told(command), open, "{argv}, {closed}");
        }
    }
    let binder = cmd(["s6-tcpserver-socketbinder", "127.0.0.1", "0"]).args(["sh", "-c", OPEN]);
    assert_eq!(told(binder.closed(0).closed(1).closed(2)), "0\n");
}

#[test]
fn wrappers_open_what_is_closed_on_the_null_device() {
    let show = "all=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); echo \"$all\" >&5";
    for name in ["s6-ucspitlsd", "s6-ucspitlsc"] {
        let null = || OwnedFd::from(File::open("/dev/null").unwrap());
        let command = cmd([name, "sh", "-c", show]).fd(6, null()).fd(7, null());
        let text = told(command.closed(0).closed(1).closed(2));
        assert_eq!(text, "/dev/null\n".repeat(3), "{name}");
    }
}

/// The command with standard error in a file that may not grow.
fn full(command: Cmd, dir: &TempDir) -> Cmd {
    let file = File::create(dir.join("stderr")).unwrap();
    command.fd(2, file).prelude("ulimit -f 0")
}

#[test]
fn stderr_at_file_size_limit_kills_no_program() {
    let dir = TempDir::new();
    let (server, client) = connect(
        full(tlsd(&["-v2"], "p256", "cat"), &dir),
        full(tlsc(&["-v2"], HELLO), &dir),
    );
    server.success();
    assert!(client.success().out().starts_with("hello\n"));

    let (socket, port) = listener();
    let server = cmd([
        "s6-tcpserverd",
        "-v2",
        "grep",
        "SigIgn",
        "/proc/self/status",
    ]);
    let server = full(server.fd(0, socket), &dir).start();
    // Twice: it has printed the end of the first.
    for _ in 0..2 {
        let client = cmd(["s6-tcpclient", "-Hv", "127.0.0.1"])
            .arg(port.to_string())
            .args(["sh", "-c", "cat <&6"]);
        let output = full(client, &dir).run().success();
        assert!(!ignored(&output.out(), Signal::SIGXFSZ));
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.finish().ended, Ended::Exited(0));
}

/// Whether `signal` is ignored by the process that printed this line of its
/// status.
fn ignored(line: &str, signal: Signal) -> bool {
    let mask = line.trim().strip_prefix("SigIgn:\t").unwrap();
    u64::from_str_radix(mask, 16).unwrap() & (1 << (signal as u32 - 1)) != 0
}

#[test]
fn sigxfsz_disposition_is_passed_on() {
    for before in [false, true] {
        let dir = TempDir::new();
        let (_socket, port) = listener();
        let client = cmd(["s6-tcpclient", "-Hv", "127.0.0.1"])
            .arg(port.to_string())
            .args(["grep", "SigIgn", "/proc/self/status"]);
        let client = if before {
            client.ignored("XFSZ")
        } else {
            client
        };
        let output = full(client, &dir).run().success();
        assert_eq!(ignored(&output.out(), Signal::SIGXFSZ), before);
    }
}

#[test]
fn no_program_prints_a_longer_line_than_one_write_takes() {
    const LONGEST: usize = 4096;
    // A control character takes more space when it is escaped.
    for unit in ["x", "é", "\n"] {
        let long = unit.repeat(100_000 / unit.len());
        for program in cli::suite::all() {
            let unknown = format!("--{long}");
            let output = cmd([program, &unknown, "127.0.0.1", "0", "true"]).run();
            assert!(output.ended != Ended::Exited(0), "{program}");
            for line in output.err().lines() {
                assert!(line.len() < LONGEST, "{program}: {} bytes", line.len());
                assert!(line.starts_with(program), "{program}: {line}");
            }
        }
        let exec = cmd(["s6-applyuidgid", &long]).run();
        assert!(exec.ended == Ended::Exited(126), "{:?}", exec.ended);
        let exec = exec.err();
        assert!(exec.starts_with("s6-applyuidgid: fatal: unable to exec "));
        assert!(
            exec.ends_with("...\n") && exec.len() <= LONGEST,
            "{}",
            exec.len()
        );
        let file = tlsd(&["-v2"], "p256", "true").env("KEYFILE", &long);
        let err = file.run().code(96).err();
        let fatal = err.lines().next().unwrap();
        assert!(fatal.starts_with("s6-tlsd-io: fatal: ") && fatal.ends_with("..."));
        assert!(err.lines().all(|line| line.len() < LONGEST), "{err}");
    }
}
