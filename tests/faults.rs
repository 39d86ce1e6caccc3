//! Each process of a chain is killed at each stage, and resources run out. Then
//! no process and no descriptor stays, the exit code is right, and the peer
//! learns of it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::util::tls::{HELLO, connect, is_guarded, serve, tlsc, tlsclient, tlsd};
use crate::util::{
    Cmd, Ended, Running, TempDir, accept, certs, cmd, eventually, listener, need, pipe, skip,
    tcp_pair,
};

/// The name of a process, as the kernel has it.
fn name(pid: Pid) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.unwrap_or_default().trim().to_owned()
}

/// The names of all processes of a program's group, in order.
fn names(running: &Running) -> Vec<String> {
    let mut names: Vec<String> = running.group().into_iter().map(name).collect();
    names.sort();
    names
}

fn settled(what: &str, running: &Running, expected: &[&str]) {
    eventually(&format!("{what}: {expected:?}"), || {
        (names(running) == expected).then_some(())
    });
}

fn kill_one(running: &Running, victim: &str) {
    let found = running.group().into_iter().find(|pid| name(*pid) == victim);
    kill(found.expect(victim), Signal::SIGKILL).unwrap();
}

/// A client whose program echoes what the server sends, for ever.
fn round_and_round(port: u16) -> Running {
    let program = "head -c 100000 /dev/zero >&7; exec cat <&6 >&7";
    tlsclient(&[], port, program).start()
}

/// Checks that a service takes a client. Returns how many descriptors it has open after that.
fn serves(server: &Running, port: u16) -> usize {
    let client = tlsclient(&[], port, "echo hello >&7; exec 7>&-; cat <&6");
    assert_eq!(client.run().success().out(), "hello\n");
    settled("it has gone", server, &["s6-tcpserverd"]);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()));
    open.unwrap().count()
}

#[test]
fn a_chain_that_loses_a_process_before_or_in_the_handshake_ends() {
    for sent in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        for (victim, ended) in [
            ("s6-tlsd-io", "exitcode 137"),
            ("s6-tlsd", "signal 9"),
            ("s6-tcpserverd", ""),
        ] {
            let case = format!("{victim} after {} bytes", sent.len());
            let (server, port) = serve(&["-v"], "p256", &["cat"]);
            let open = serves(&server, port);
            let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.write_all(sent).unwrap();
            // A key guard is a second process of the same name.
            let guard = is_guarded().then_some("s6-tlsd-io");
            let rest: Vec<_> = ["s6-tlsd", "s6-tlsd-io"].into_iter().chain(guard).collect();
            let all = [&["s6-tcpserverd"], &rest[..]].concat();
            settled("it waits", &server, &all);
            kill_one(&server, victim);
            if victim == "s6-tcpserverd" {
                // The processes that it has started go on.
                settled(&case, &server, &rest);
                client.shutdown(std::net::Shutdown::Write).unwrap();
            }
            // The peer sees an end of file, or a reset if data were left
            // unread.
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer);
            if victim == "s6-tcpserverd" {
                settled(&case, &server, &[]);
            } else {
                server.wait_err(ended);
                settled(&case, &server, &["s6-tcpserverd"]);
                assert_eq!(serves(&server, port), open);
            }
        }
    }
}

/// A server, its port and its number of descriptors, and a client whose bytes
/// circulate through it.
fn whole_chain() -> (Running, u16, usize, Running) {
    let (server, port) = serve(&["-v"], "p256", &["cat"]);
    let open = serves(&server, port);
    let client = round_and_round(port);
    settled(
        "the server's side",
        &server,
        &["cat", "s6-tcpserverd", "s6-tlsd-io"],
    );
    settled("the client's side", &client, &["cat", "s6-tlsc-io"]);
    (server, port, open, client)
}

#[test]
fn a_chain_that_loses_a_process_in_the_middle_ends() {
    for victim in ["s6-tlsd-io", "cat", "s6-tcpserverd"] {
        let (server, port, open, client) = whole_chain();
        kill_one(&server, victim);
        if victim == "s6-tcpserverd" {
            settled(victim, &server, &["cat", "s6-tlsd-io"]);
            kill_one(&client, "cat");
            settled(victim, &server, &[]);
        } else {
            settled(victim, &server, &["s6-tcpserverd"]);
            assert_eq!(serves(&server, port), open);
        }
        settled(victim, &client, &[]);
    }
    for victim in ["s6-tlsc-io", "cat"] {
        let (server, port, open, client) = whole_chain();
        kill_one(&client, victim);
        settled(victim, &client, &[]);
        settled(victim, &server, &["s6-tcpserverd"]);
        assert_eq!(serves(&server, port), open);
    }
}

#[test]
fn a_client_that_loses_a_process_before_the_handshake_ends() {
    for victim in ["s6-tlsc-io", "s6-tlsc"] {
        let (socket, port) = listener();
        let mut client = cmd(["s6-tlsclient", "-H", "127.0.0.1", &port.to_string()])
            .args(["echo", "never"])
            .env("CAFILE", certs().path("ca.pem"))
            .start();
        let mut silent = accept(&socket);
        settled("it waits", &client, &["s6-tlsc", "s6-tlsc-io"]);
        kill_one(&client, victim);
        // All that it had sent, and then the end.
        silent.read_to_end(&mut Vec::new()).unwrap();
        if victim == "s6-tlsc-io" {
            let ended = client.wait();
            assert_eq!(ended, Ended::Exited(137));
        }
        settled(victim, &client, &[]);
    }
}

#[test]
fn the_helper_of_starttls_goes_when_its_program_is_killed() {
    for commanded in [false, true] {
        let (mut near, far) = tcp_pair();
        let command = if commanded {
            "eval \"printf y >&$SSLCTLFD\"; "
        } else {
            ""
        };
        // The program keeps all its descriptors except the network.
        let program = format!("{command}echo ready >&2; exec sleep 60 <&- >&-");
        let server = cmd(["s6-ucspitlsd", "sh", "-c", &program])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        server.wait_err("ready");
        let helper = if commanded {
            "s6-tlsd-io"
        } else {
            "s6-ucspitlsd"
        };
        settled("it waits", &server, &[helper, "sleep"]);
        kill_one(&server, "sleep");
        assert_eq!(near.read(&mut [0]).unwrap(), 0, "the network's end");
        settled("nobody stays", &server, &[]);
    }
}

/// The fatal line of an engine or launcher that failed.
fn is_fatal(line: &str) -> bool {
    line.starts_with("s6-tls") && line.contains(": fatal: unable to ")
}

#[test]
fn descriptor_shortage_either_works_or_is_reported() {
    let mut results = Vec::new();
    for limit in 3..16 {
        let (near, far) = tcp_pair();
        let mut server = tlsd(&[], "p256", "cat")
            .prelude(&format!("ulimit -n {limit}"))
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        let client = tlsc(&[], HELLO)
            .fd(6, near.try_clone().unwrap())
            .fd(7, near)
            .start();
        let client = client.finish();
        server.wait();
        settled("nobody stays", &server, &[]);
        let server = server.finish();
        let works = server.ended == Ended::Exited(0);
        if works {
            assert!(client.success().out().starts_with("hello\n"));
        } else {
            let server = server.code(111);
            assert!(
                server.err().lines().all(is_fatal),
                "{limit}: {}",
                server.err()
            );
            assert!(!server.err().is_empty());
            client.fatal_with(98, "s6-tlsc-io: fatal: ", &[]);
        }
        results.push(works);
    }
    assert!(!results[0] && results.is_sorted(), "{results:?}");
    assert!(results[results.len() - 1], "{results:?}");
}

#[test]
fn fork_failure_is_reported_and_the_server_goes_on() {
    if !nix::unistd::geteuid().is_root() || !need(&["setpriv", "prlimit"]) {
        skip("not root, or no setpriv");
        return;
    }
    // A user without processes who may have one: that of the program.
    let alone = |user: u32| {
        format!(
            "set -- prlimit --nproc=1:100 setpriv --reuid={user} --regid={user} --clear-groups \"$@\""
        )
    };
    for (i, wrapper) in ["s6-tlsd", "s6-ucspitlsd"].iter().enumerate() {
        let (mut near, far) = tcp_pair();
        let server = cmd([wrapper, "echo", "never"])
            .prelude(&alone(64_100 + i as u32))
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        let output = server.finish();
        output.fatal_with(111, wrapper, &["fatal: unable to ", "Resource temporarily"]);
        assert_eq!(near.read(&mut [0]).unwrap(), 0);
    }
    let server = cmd(["s6-tcpserver", "-1", "127.0.0.1", "0", "cat"])
        .prelude(&alone(64_110))
        .start();
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    server.wait_err("s6-tcpserverd: warning: unable to ");
    // Its own user may raise its limit.
    cmd([
        "setpriv",
        "--reuid=64110",
        "--regid=64110",
        "--clear-groups",
    ])
    .args(["prlimit", "--nproc=100:100", "--pid"])
    .arg(server.pid().to_string())
    .run()
    .success();
    eventually("it serves again", || {
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        client.write_all(b"x").unwrap();
        matches!(client.read(&mut [0]), Ok(1)).then_some(())
    });
}

#[test]
fn blocked_standard_error_changes_nothing() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let broken = || {
        let (reader, writer) = pipe();
        drop(reader);
        writer
    };
    for kind in 0..3 {
        let with = |command: Cmd| match kind {
            0 => command.fd(2, full()),
            1 => command.fd(2, broken()),
            _ => command.closed(2),
        };
        // A warning that cannot be printed.
        let dir = TempDir::new();
        let key = dir.file("key", certs().read("p256.key"));
        let server = with(tlsd(&["-v3"], "p256", "cat").env("KEYFILE", &key));
        let (server, client) = connect(
            server,
            with(tlsc(&[], "echo hello >&7; exec 7>&-; cat <&6")),
        );
        server.success();
        assert_eq!(client.success().out(), "hello\n");
        // Fatal lines that cannot be printed.
        let server = with(tlsd(&[], "p256", "echo never"));
        let client = with(tlsc(&["-k", "other.test"], "echo never"));
        let (server, client) = connect(server, client);
        assert_eq!(server.code(98).out() + &client.code(98).out(), "");
        with(cmd(["s6-tlsd-io", "0", "1"])).run().code(100);
        with(cmd(["s6-tlsd", "-K", "x", "true"])).run().code(100);
        with(tlsd(&[], "p256", "true").env("KEYFILE", "/nonexistent"))
            .run()
            .code(96);
    }
    // A whole service whose messages cannot be written.
    let (reader, writer) = pipe();
    let server = cmd(["s6-tlsserver", "-v1H", "127.0.0.1", "0", "cat"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .fd(1, writer)
        .fd(2, full())
        .start();
    let mut line = String::new();
    File::from(reader).read_to_string(&mut line).unwrap();
    let port = line.trim().parse().unwrap();
    let open = serves(&server, port);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"no TLS").unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(serves(&server, port), open);
}
