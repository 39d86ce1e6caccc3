//! Lack of memory: a program prints one line and ends, a server goes on.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::util::tls::{engine, start, tlsc, tlsd};
use crate::util::{Cmd, Ended, TempDir, bin_dir, certs, cmd, eventually, need, noise};

/// Limits a process to the memory that it has now, or removes the limit.
fn limit(pid: i32, limit: &str) {
    cmd(["prlimit", &format!("--as={limit}:"), "--pid"])
        .arg(pid.to_string())
        .run()
        .success();
}

/// An environment of 1.6 MB.
fn much(command: Cmd) -> Cmd {
    let names = (0..16).map(|i| format!("MUCH{i}"));
    names.fold(command, |command, name| {
        command.env(name, "x".repeat(100_000))
    })
}

/// How many KiB of the program are in memory, debugging information apart:
/// where its last segment ends (ELF, little-endian).
fn loaded(program: &str) -> u64 {
    let file = std::fs::read(bin_dir().join(program)).unwrap();
    let number = |at: usize, size: usize| {
        let bytes = file[at..at + size].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    // The offsets in the header of the fields about segments; those of address and size in a
    // segment's entry; the length of these numbers.
    let (header, [address, size], word) = match number(4, 1) {
        1 => ([0x1c, 0x2a, 0x2c], [0x08, 0x14], 4),
        _ => ([0x20, 0x36, 0x38], [0x10, 0x28], 8),
    };
    let [first, step, count] =
        [(header[0], word), (header[1], 2), (header[2], 2)].map(|(at, size)| number(at, size));
    let segments = (0..count).map(|n| (first + n * step) as usize);
    let loaded = segments.filter(|at| number(*at, 4) == 1);
    let ends = loaded.map(|at| number(at + address, word) + number(at + size, word));
    // A program that is not position-independent does not begin at 0.
    let ends = ends.map(|end| end & 0xff_ffff);
    ends.max().unwrap() / 1024
}

#[test]
fn program_out_of_memory_says_so() {
    for argv in [
        &["s6-tlsd", "true"][..],
        &["s6-ucspitlsd", "true"],
        &["s6-tcpclient", "127.0.0.1", "1", "true"],
        &["s6-tcpserverd", "true"],
        &["s6-tcpserver-access", "true"],
        &["proxy-server", "true"],
    ] {
        // It fails at a second copy of its environment.
        let prelude = format!("ulimit -Sv {}", loaded(argv[0]) + 2300);
        let output = much(cmd(argv)).prelude(&prelude).run();
        output.fatal(111, &format!("{}: fatal: out of memory", argv[0]));
    }
}

#[test]
fn engine_out_of_memory_says_so() {
    let dir = TempDir::new();
    let many = dir.file("many.pem", certs().read("ca.pem").repeat(20_000));
    let command = |engine: &str| {
        let options = if engine == "s6-tlsd-io" { "-y" } else { "-v1" };
        cmd([engine, options, "0", "1"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .env("CAFILE", &many)
            .prelude("ulimit -Sv 12000")
    };
    for engine in ["s6-tlsd-io", "s6-tlsc-io"] {
        let output = command(engine).run();
        output.fatal(111, &format!("{engine}: fatal: out of memory"));
    }
}

#[test]
fn open_connection_needs_no_more_memory() {
    if !need(&["prlimit"]) {
        return;
    }
    for options in [&[][..], &["--no-sandbox"]] {
        let client = "echo up >&7; head -n 1 <&6; exec 3<&0; cat <&3 >&7 & cat <&6";
        let client = tlsc(options, client).input_pipe();
        let (server, mut client) = start(tlsd(options, "p256", "exec cat"), client);
        client.wait_out("up\n");
        for engine in [engine(&server), engine(&client)] {
            limit(engine, "4096");
        }
        for round in 0..20 {
            let mut message = noise(2500, round);
            message
                .iter_mut()
                .for_each(|byte| *byte = b'a' + *byte % 16);
            let text = format!("{}{round}\n", String::from_utf8(message).unwrap().repeat(2));
            client.write(&text);
            client.wait_out(&text);
        }
        assert_eq!(server.stderr.text() + &client.stderr.text(), "");
    }
}

/// Whether a service echoes within its deadline.
fn echoes(port: u16) -> bool {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let _ = client.write_all(b"x");
    matches!(client.read(&mut [0]), Ok(1))
}

/// A super-server with these variables has no memory for a while, and then serves again.
fn outlives_lack_of_memory(variables: Vec<String>, served_before: bool, clients: u32) {
    let server = cmd(["s6-tcpserver", "-1", "-v", "127.0.0.1", "0", "cat"])
        .run_by(["env".to_owned()].into_iter().chain(variables))
        .start();
    let (port, pid) = (server.port(), server.pid().as_raw());
    // It says its port before it has taken all memory of its start.
    server.wait_err("status: 0/40\n");
    if served_before {
        assert!(echoes(port));
    }
    limit(pid, "4096");
    // Its children fail before they execute the program.
    for _ in 0..clients {
        let before = server.stderr.text().len();
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        eventually("it says what came of it", || {
            let text = server.stderr.text();
            assert!(server.alive(), "{text}");
            let said = &text[before..];
            let said = said.contains("warning: unable to ") || said.contains(" signal ");
            said.then_some(())
        });
    }
    limit(pid, "unlimited");
    eventually("it serves again", || echoes(port).then_some(()));
    eventually("it counts right", || {
        let text = server.stderr.text();
        text.ends_with("status: 0/40\n").then_some(())
    });
    server.signal(nix::sys::signal::Signal::SIGTERM);
    let output = server.finish();
    assert_eq!(output.ended, Ended::Exited(0));
    let text = output.err();
    let known = |line: &str| line.starts_with("s6-tcpserverd: ") && !line.contains("fatal");
    assert!(text.lines().all(known), "{text}");
}

#[test]
fn a_super_server_outlives_lack_of_memory() {
    if !need(&["prlimit"]) {
        return;
    }
    for size in (0..=1000).step_by(100).chain([100_000]) {
        let variable = format!("SIZE={}", "x".repeat(size));
        outlives_lack_of_memory(vec![variable], size % 200 == 0, 3);
    }
}

#[test]
fn a_super_server_with_many_variables_outlives_lack_of_memory() {
    if !need(&["prlimit"]) {
        return;
    }
    // So many that lists of them have pages of their own, and fill the first ones of the stack.
    // It depends on chance whether the first client needs one more of these pages.
    let large = (128 << 10) / size_of::<usize>();
    for round in 0..12 {
        let variables = (0..large + 500).map(|number| format!("V{number}="));
        outlives_lack_of_memory(variables.collect(), round == 0, 1);
    }
}

#[test]
fn a_super_server_serves_with_a_small_stack() {
    let server = cmd(["s6-tcpserver", "-1", "127.0.0.1", "0", "cat"]);
    let server = server.prelude("ulimit -s 64").start();
    assert!(echoes(server.port()));
}

#[test]
fn super_server_accepts_nobody_while_it_has_no_memory_for_a_child() {
    if !need(&["prlimit"]) {
        return;
    }
    // A child takes memory for each place where its program may be: here 16 MB.
    let places = ":".repeat(60_000);
    let server = cmd(["s6-tcpserver", "-1", "-v", "127.0.0.1", "0", "cat"])
        .prelude(&format!("PATH=$PATH{places}; ulimit -Sv 20000"))
        .start();
    let (port, pid) = (server.port(), server.pid().as_raw());
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let log = server.wait_err("warning: unable to allocate memory: Cannot allocate memory\n");
    assert!(!log.contains("accept "), "{log}");
    limit(pid, "unlimited");
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
}
