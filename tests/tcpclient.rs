//! s6-tcpclient: which address it connects to, when it gives up, what it passes
//! on. Lookups have their own tests.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::socket::{Backlog, listen};

use crate::util::{Cmd, TempDir, cmd, listener, mounted, need, pipe, refused_port, skip};

fn client(options: &[&str], host: &str, port: u16, program: &[&str]) -> Cmd {
    cmd(["s6-tcpclient"])
        .args(options)
        .args([host, &port.to_string()])
        .args(program)
}

fn connected(ip: &str, port: u16) -> String {
    format!("s6-tcpclient: info: connected to {ip} port {port}\n")
}

fn warned(ip: &str, port: u16, why: &str) -> String {
    format!("s6-tcpclient: warning: unable to connect to {ip} port {port}: {why}\n")
}

const GAVE_UP: &str = "s6-tcpclient: fatal: unable to connect to a suitable IP address\n";

/// An address that never answers, because its queue is full, while the value
/// returned with it lives.
fn black_hole(ip: &str) -> (u16, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(150)) {
        waiting.push(stream);
        assert!(waiting.len() < 50, "the queue has no end");
    }
    (address.port(), listener, waiting)
}

#[test]
fn any_separator_stands_between_addresses() {
    let (_socket, port) = listener();
    for host in [
        "127.0.0.1",
        "127.0.0.1,",
        "127.0.0.9,127.0.0.1",
        "127.0.0.9;127.0.0.1",
        "127.0.0.9 127.0.0.1 ",
        "127.0.0.9\t127.0.0.1",
        "127.0.0.9\r\n127.0.0.1\n",
        "127.0.0.9, ;127.0.0.1",
    ] {
        let output = client(&["-Hv"], host, port, &["true"]).run().success();
        assert_eq!(output.err(), connected("127.0.0.1", port), "{host:?}");
    }
}

#[test]
fn without_lookups_only_addresses_are_hosts() {
    for host in [
        "localhost",
        "127.0.0.1.example.com",
        "127.0.0.1-x",
        "127.1",
        "127.0.0.1/8",
        ",",
    ] {
        let line = format!("s6-tcpclient: fatal: host must be an IP address with -H: {host}");
        client(&["-H"], host, 1, &["true"]).run().fatal(100, &line);
    }
    client(&["-H", "-4"], "::1", 1, &["true"]).run().code(100);
    client(&["-H", "-6"], "::1,127.0.0.1", 1, &["true"])
        .run()
        .code(100);
}

#[test]
fn empty_host_or_zero_is_this_host() {
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let port = v6.local_addr().unwrap().port();
    for (options, host, ip) in [(&["-Hv"][..], "0", "::1"), (&["-Hv6"], "", "::1")] {
        let output = client(options, host, port, &["true"]).run().success();
        assert_eq!(output.err(), connected(ip, port));
    }
    let output = client(&["-Hv4"], "0", port, &["true"]).run().code(111);
    assert_eq!(
        output.err(),
        warned("127.0.0.1", port, "Connection refused") + GAVE_UP
    );
    let (_v4, port) = listener();
    let output = client(&["-Hv"], "", port, &["true"]).run().success();
    assert_eq!(output.err(), connected("127.0.0.1", port));
}

#[test]
fn each_address_that_fails_is_named_once() {
    let port = refused_port();
    let both = warned("127.0.0.1", port, "Connection refused")
        + &warned("::1", port, "Connection refused");
    for timeouts in ["2+58", "1"] {
        let output = client(&["-H", "-T", timeouts], "127.0.0.1,::1", port, &["true"]).run();
        assert_eq!(output.code(111).err(), both.clone() + GAVE_UP);
    }
    let output = client(&["-qH"], "127.0.0.1,::1", port, &["true"]).run();
    assert_eq!(output.code(111).err(), GAVE_UP);
}

#[test]
fn the_connection_is_told_before_what_is_looked_up_over_it() {
    // An address without an IDENT server.
    let server = TcpListener::bind("127.0.0.5:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let output = client(&["-Hvr"], "127.0.0.5", port, &["true"]).run();
    let unanswered = "s6-tcpclient: warning: unable to get remote user name: Connection refused\n";
    assert_eq!(
        output.success().err(),
        connected("127.0.0.5", port) + unanswered
    );
}

#[test]
fn verbosity_only_grows_with_v() {
    let (_socket, port) = listener();
    for (options, says) in [
        (&["-H"][..], false),
        (&["-Hv"], true),
        (&["-Hvvv"], true),
        (&["-Hvq"], false),
        (&["-HvQ"], false),
        (&["-Hqvv"], true),
    ] {
        let output = client(options, "127.0.0.1", port, &["true"])
            .run()
            .success();
        assert_eq!(!output.err().is_empty(), says, "{options:?}");
    }
}

#[test]
fn a_silent_address_gives_way_to_the_next() {
    let (port, _hole, _waiting) = black_hole("127.0.0.7");
    let _good = TcpListener::bind(SocketAddr::from(([127, 0, 0, 8], port))).unwrap();
    let begun = Instant::now();
    let output = client(
        &["-Hv", "-T", "1+9"],
        "127.0.0.7,127.0.0.8",
        port,
        &["true"],
    )
    .run();
    assert_eq!(output.success().err(), connected("127.0.0.8", port));
    let elapsed = begun.elapsed();
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(9)).contains(&elapsed),
        "{elapsed:?}"
    );
}

#[test]
fn an_address_alone_has_the_time_of_both_rounds() {
    let (port, _hole, _waiting) = black_hole("127.0.0.7");
    let late = warned("127.0.0.7", port, "Connection timed out") + GAVE_UP;
    for (options, seconds) in [
        (&["-H", "-T", "1+1"][..], 2),
        (&["-H", "-T1"], 1),
        (&["-H", "-t1"], 1),
        (&["-H", "-t1", "-T5+5"], 1),
    ] {
        let begun = Instant::now();
        let output = client(options, "127.0.0.7", port, &["true"])
            .run()
            .code(111);
        assert_eq!(output.err(), late);
        let elapsed = begun.elapsed().as_secs_f64();
        assert!(
            (f64::from(seconds)..f64::from(seconds) + 1.5).contains(&elapsed),
            "{elapsed}"
        );
    }
}

#[test]
fn the_limit_of_all_attempts_ends_them_and_only_those_that_were_made_are_told() {
    let (port, _hole, _waiting) = black_hole("127.0.0.7");
    // Nobody listens at the first address, and the third one is never reached.
    let addresses = "127.0.0.9,127.0.0.7,127.0.0.10";
    for timeouts in ["5+5", "5"] {
        let client = client(&["-H", "-t1", "-T", timeouts], addresses, port, &["true"]);
        let told = warned("127.0.0.9", port, "Connection refused")
            + &warned("127.0.0.7", port, "Connection timed out");
        assert_eq!(client.run().code(111).err(), told + GAVE_UP);
    }
}

#[test]
fn the_local_address_and_port_are_ours_to_choose() {
    let (_socket, port) = listener();
    let own = refused_port().to_string();
    let show = "echo $TCPLOCALIP $TCPLOCALPORT";
    let run = |options: &[&str]| {
        let output = client(options, "127.0.0.1", port, &["sh", "-c", show]).run();
        output.success().out()
    };
    assert!(run(&["-H", "-i", "127.0.0.5"]).starts_with("127.0.0.5 "));
    assert_eq!(run(&["-H", "-p", &own]), format!("127.0.0.1 {own}\n"));
    let both = run(&["-H", "-i127.0.0.6", &format!("-p{own}")]);
    assert_eq!(both, format!("127.0.0.6 {own}\n"));
    // With a local IPv4 address, IPv6 addresses are skipped, and others still tried.
    let output = client(&["-Hv", "-i127.0.0.5"], "::1,127.0.0.1", port, &["true"]).run();
    output.success();
    let output = client(&["-H", "-i", "::1"], "127.0.0.1", port, &["true"]).run();
    output.fatal_with(111, "s6-tcpclient: fatal: unable to bind socket: ", &[]);
}

#[test]
fn a_command_line_that_is_wrong_shows_the_usage() {
    for args in [
        &["127.0.0.1", "1"][..],
        &["-z", "127.0.0.1", "1", "true"],
        &["-T", "x", "127.0.0.1", "1", "true"],
        &["-T1+", "127.0.0.1", "1", "true"],
        &["-t", "-1", "127.0.0.1", "1", "true"],
        &["-i", "127.0.0.1x", "127.0.0.1", "1", "true"],
        &["-p", "65536", "127.0.0.1", "1", "true"],
        &["-t"],
    ] {
        let output = cmd(["s6-tcpclient"]).args(args).run().code(100);
        assert!(
            output
                .err()
                .starts_with("s6-tcpclient: usage: s6-tcpclient "),
            "{args:?}"
        );
    }
}

#[test]
fn program_that_cannot_run_exits_126_or_127() {
    let (_socket, port) = listener();
    let dir = TempDir::new();
    let plain = dir.file("plain", "");
    let run = |program: &str| client(&["-H"], "127.0.0.1", port, &[program]).run();
    // Nor can it be in a component of PATH that is no directory.
    let path = format!("{}:/nonexistent", plain.display());
    client(&["-H"], "127.0.0.1", port, &["s6-none"])
        .env("PATH", path)
        .run()
        .fatal(
            127,
            "s6-tcpclient: fatal: unable to exec s6-none: No such file or directory",
        );
    run("/nonexistent").fatal(
        127,
        "s6-tcpclient: fatal: unable to exec /nonexistent: No such file or directory",
    );
    let plain = plain.to_str().unwrap();
    let line = format!("s6-tcpclient: fatal: unable to exec {plain}: Permission denied");
    run(plain).fatal(126, &line);
}

#[test]
fn six_and_seven_are_replaced_and_all_else_is_left_alone() {
    let (_socket, port) = listener();
    let list = "for i in $(seq 0 60); do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done; \
                readlink /proc/$$/fd/6 /proc/$$/fd/7 | sort -u | wc -l";
    let (five, six) = pipe();
    let (seven, eight) = pipe();
    let output = client(&["-H"], "127.0.0.1", port, &["sh", "-c", list])
        .fd(5, five)
        .fd(6, six)
        .fd(7, seven)
        .fd(8, eight)
        .closed(0)
        .closed(2)
        .run();
    assert_eq!(output.success().out(), "1 5 6 7 8 1\n");
}

#[test]
fn signals_are_handed_on_as_they_were() {
    let (_socket, port) = listener();
    // No shell at the end: it might change what it shows.
    let state = |field: &str, change: fn(Cmd) -> Cmd| {
        let show = ["grep", field, "/proc/self/status"];
        // A closed standard error is where messages meet SIGPIPE.
        let command = client(&["-Hv"], "127.0.0.1", port, &show).fd(2, pipe().1);
        let output = change(command).run().success().out();
        u64::from_str_radix(output[8..].trim(), 16).unwrap() & 0x7fff_ffff
    };
    assert_eq!(state("SigIgn", |command| command), 0);
    assert_eq!(state("SigIgn", |command| command.ignored("PIPE")), 0x1000);
    assert_eq!(state("SigBlk", |command| command), 0);
    assert_eq!(
        state("SigBlk", |command| command.blocked(Signal::SIGUSR1)),
        0x200
    );
}

#[test]
fn the_connection_works_wherever_the_socket_was_made() {
    // With these closed, 6 or 7 is the number that the kernel gives it.
    for open in [&[3, 4, 5][..], &[3, 4, 5, 6], &[]] {
        let (socket, port) = listener();
        let script = "echo hello >&7; exec cat <&6";
        let mut command = client(&["-H"], "127.0.0.1", port, &["sh", "-c", script]);
        for number in open {
            command = command.fd(*number, std::fs::File::open("/dev/null").unwrap());
        }
        let running = command.start();
        let stream = crate::util::accept(&socket);
        let mut line = String::new();
        let mut reader = std::io::BufReader::new(&stream);
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        assert_eq!(line, "hello\n");
        std::io::Write::write_all(&mut &stream, b"back").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(running.finish().success().out(), "back");
    }
}

#[test]
fn the_socket_blocks_and_nagle_is_as_told() {
    if !need(&["python3"]) {
        return;
    }
    let (_socket, port) = listener();
    let show = "import os, socket; s = socket.socket(fileno=6); \
                print(s.getsockopt(6, 1), os.get_blocking(6), os.get_inheritable(7))";
    for (options, shown) in [
        (&["-H"][..], "0 True True\n"),
        (&["-HD"], "1 True True\n"),
        (&["-HDd"], "0 True True\n"),
    ] {
        let output = client(options, "127.0.0.1", port, &["python3", "-c", show]).run();
        assert_eq!(output.success().out(), shown);
    }
}

#[test]
fn ipv6_addresses_are_written_in_one_way() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let show = "echo $PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP ${TCPLOCALHOST-unset}";
    let output = client(&["-H"], "0:0::0:1", port, &["sh", "-c", show])
        .env("TCPLOCALHOST", "inherited")
        .run();
    assert_eq!(
        output.success().out(),
        format!("TCP ::1 {port} ::1 unset\n")
    );
}

#[test]
fn without_lookups_no_resolver_runs() {
    if !need(&["strace"]) {
        return;
    }
    let (_socket, port) = listener();
    let dir = TempDir::new();
    let trace = dir.join("trace");
    let port = port.to_string();
    let strace = [
        "strace",
        "-o",
        trace.to_str().unwrap(),
        "-e",
        "trace=openat,socket",
    ];
    cmd(strace)
        .args(["s6-tcpclient", "-Hh", "127.0.0.1", &port, "true"])
        .run()
        .success();
    let text = std::fs::read_to_string(trace).unwrap();
    let ours: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("socket"))
        .collect();
    assert_eq!(ours.len(), 1, "{text}");
    for file in ["resolv.conf", "hosts"] {
        assert!(!text.contains(file), "{text}");
    }
}

#[test]
fn an_address_that_has_no_route_fails_at_once() {
    // TCP never connects to a group of hosts.
    let started = Instant::now();
    let output = client(&["-H"], "224.0.0.1", 1, &["true"]).run();
    let warned = warned("224.0.0.1", 1, "Network is unreachable");
    assert_eq!(output.code(111).err(), warned + GAVE_UP);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn without_a_readable_resolv_conf_the_program_runs_without_names() {
    if !nix::unistd::geteuid().is_root() {
        skip("root alone mounts files");
        return;
    }
    let dir = TempDir::new();
    let file = dir.secret("resolv.conf", "");
    let Some(mounted) = mounted(&[(&file, "/etc/resolv.conf")]) else {
        return;
    };
    let nobody = ["s6-applyuidgid", "-u", "65534", "-g", "65534", "-G", ""];
    let (_socket, port) = listener();
    let show = "echo ${TCPREMOTEHOST-unset} ${TCPLOCALHOST-unset}";
    for (options, shown) in [(&[][..], "unset unset\n"), (&["-l", "me"], "unset me\n")] {
        let output = client(options, "127.0.0.1", port, &["sh", "-c", show])
            .env("TCPREMOTEHOST", "inherited")
            .run_by(nobody)
            .run_by(&mounted)
            .run();
        assert_eq!(output.success().out(), shown);
    }
}
