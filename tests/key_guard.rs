//! The key guard: the private key in a separate process.

use std::io::{Read, Write};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::secrets::{found, memory, pieces, scalar};
use crate::util::stat::{Stat, processes};
use crate::util::tls::{ECHO, HELLO, connect, start, tlsc, tlsd};
use crate::util::{Cmd, Running, TempDir, certs, cmd, eventually, need, skip, tcp_pair};

const GUARD: &[&str] = &["--key-guard"];

/// The engine and the guard of a server whose client has not sent anything yet.
fn engine_and_guard(server: &Running) -> [i32; 2] {
    eventually("engine and guard wait", || {
        let engines = server.group().into_iter().map(Pid::as_raw);
        let engines = engines.filter_map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, rest) = stat.split_once(" (s6-tlsd-io) S ")?;
            let parent: i32 = rest.split(' ').next()?.parse().ok()?;
            Some((pid, parent))
        });
        let engines: Vec<_> = engines.collect();
        let [(a, of_a), (b, of_b)] = engines[..] else {
            return None;
        };
        match (of_a == b, of_b == a) {
            (true, _) => Some([b, a]),
            (_, true) => Some([a, b]),
            _ => None,
        }
    })
}

/// A guarded server, and a client that is silent.
fn silent(options: &[&str], pair: &str) -> (Running, std::net::TcpStream) {
    let (near, far) = tcp_pair();
    let server = tlsd(&[GUARD, options].concat(), pair, "echo never")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    (server, near)
}

/// A client that connects after something happened to the guard.
fn late_client(network: std::net::TcpStream) -> Running {
    cmd(["s6-tlsc", "-klocalhost", "true"])
        .env("CAFILE", certs().path("ca.pem"))
        .fd(6, network.try_clone().unwrap())
        .fd(7, network)
        .start()
}

fn descriptors(pid: i32) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let mut targets: Vec<_> = entries
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    targets.sort();
    targets
}

#[test]
fn guard_signs_with_every_kind_of_key() {
    for pair in ["p256", "p384", "rsa", "ed25519"] {
        // The guard's answers are waited for until the time of -K has passed.
        let server = tlsd(&["--key-guard", "-K600000"], pair, ECHO);
        let (server, client) = connect(server, tlsc(&["-klocalhost"], HELLO));
        assert!(client.success().out().starts_with("hello\n"), "{pair}");
        server.success();
    }
}

#[test]
fn guard_signs_with_a_clients_key() {
    let server = tlsd(&["-y"], "p256", ECHO).env("CAFILE", certs().path("ca.pem"));
    let client = tlsc(&["-klocalhost", "-y", "--key-guard"], HELLO)
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem"));
    let (server, client) = connect(server, client);
    assert!(
        server
            .success()
            .err()
            .contains("SSL_PEER_CERT_HASH=SHA256:")
    );
    client.success();
}

#[test]
fn engine_with_a_guard_never_has_the_key() {
    for pair in ["p256", "rsa"] {
        let (server, _network) = silent(&[], pair);
        let [engine, guard] = engine_and_guard(&server);
        let Some(seen) = memory(engine) else {
            skip("the memory of an engine may not be seen");
            return;
        };
        let public = certs().read(&format!("{pair}.der"));
        let key = certs().path(&format!("{pair}.key"));
        let der = cmd(["openssl", "pkey", "-outform", "DER", "-in", &key]);
        let der = der.run().success().stdout;
        let secret = pieces(&der, &public);
        assert!(found(&seen, &secret).is_empty(), "{pair}");
        if pair == "p256" {
            let scalar = scalar("p256.key");
            let backwards: Vec<u8> = scalar.iter().rev().copied().collect();
            for number in [&scalar, &backwards] {
                assert!(found(&seen, &pieces(number, &[])).is_empty());
            }
            // The search must find what is certainly there; otherwise finding
            // nothing proves nothing.
            let seen = memory(guard).unwrap();
            assert!(!found(&seen, &pieces(&public, &[])).is_empty());
        }
    }
}

/// The engine of this name, once it has no guard.
fn alone(running: &Running, name: &str) -> i32 {
    eventually("only the engine is left", || {
        let pids = running.group().into_iter().map(Pid::as_raw);
        let engines =
            pids.filter(|pid| Stat::of(Pid::from_raw(*pid)).is_some_and(|stat| stat.name == name));
        match engines.collect::<Vec<_>>()[..] {
            [engine] => Some(engine),
            _ => None,
        }
    })
}

#[test]
fn guard_that_was_not_asked_is_gone_after_the_handshake() {
    let client = tlsc(&["-klocalhost", "-y", "--key-guard"], "exec cat <&6")
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem"));
    let (_server, client) = start(tlsd(&[], "p256", "echo up; exec cat"), client);
    client.wait_out("up\n");
    let engine = alone(&client, "s6-tlsc-io");
    eventually("it is not even a zombie", || {
        // One that nobody has waited for still is its child.
        let parent = engine.to_string();
        processes()
            .all(|(_, stat)| stat.parent != parent)
            .then_some(())
    });
}

#[test]
fn engine_has_no_key_after_the_handshake_and_the_guard_is_gone() {
    let (server, client) = start(
        tlsd(GUARD, "p256", "exec cat"),
        tlsc(&["-klocalhost"], "echo up >&7; exec cat <&6"),
    );
    client.wait_out("up\n");
    let engine = alone(&server, "s6-tlsd-io");
    let Some(seen) = memory(engine) else { return };
    let scalar = scalar("p256.key");
    let backwards: Vec<u8> = scalar.iter().rev().copied().collect();
    for number in [&scalar, &backwards] {
        assert!(found(&seen, &pieces(number, &[])).is_empty());
    }
}

#[test]
fn guard_has_one_socket_and_standard_error_and_is_sandboxed() {
    let (server, _network) = silent(&[], "p256");
    let [engine, guard] = engine_and_guard(&server);
    let open = descriptors(guard);
    assert_eq!(open.len(), 2, "{open:?}");
    assert_eq!(
        open.iter()
            .filter(|target| target.starts_with("socket:"))
            .count(),
        1
    );
    for pid in [engine, guard] {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"));
    }
}

#[test]
fn guard_without_sandbox_still_closes_what_it_inherited() {
    let (near, far) = tcp_pair();
    let server = tlsd(&["--key-guard", "--no-sandbox"], "p256", "echo never")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .fd(9, std::fs::File::open("/dev/null").unwrap())
        .start();
    let [_, guard] = engine_and_guard(&server);
    let open = descriptors(guard);
    let sockets = open.iter().filter(|target| target.starts_with("socket:"));
    assert_eq!((open.len(), sockets.count()), (2, 1), "{open:?}");
    drop(near);
}

/// The engine and the guard of a server that root starts with these variables, as /proc
/// describes them.
fn with_identity(variables: &[(&str, &str)]) -> [String; 2] {
    let (near, far) = tcp_pair();
    let dir = TempDir::new();
    let key = dir.secret("key", certs().read("p256.key"));
    // With groups of root to be cleared.
    let server = tlsd(GUARD, "p256", "echo never")
        .run_by(["s6-applyuidgid", "-G", "4,5"])
        .env("KEYFILE", &key)
        .fd(0, far.try_clone().unwrap())
        .fd(1, far);
    let set = |server: Cmd, (name, value): &(&str, &str)| server.env(name, value);
    let server = variables.iter().fold(server, set).start();
    let status = |pid| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let found = engine_and_guard(&server).map(status);
    drop(near);
    found
}

#[test]
fn engine_and_guard_have_the_identity_of_tls_uid_and_tls_gid() {
    if !nix::unistd::geteuid().is_root() {
        skip("only root becomes somebody else");
        return;
    }
    let (user, group) = (("TLS_UID", "65534"), ("TLS_GID", "65533"));
    for (variables, uid, gid) in [
        (&[user, group][..], "65534", "65533"),
        (&[user], "65534", "0"),
        (&[group], "0", "65533"),
    ] {
        let ids = |key: &str, id: &str| format!("\n{key}:\t{id}\t{id}\t{id}\t{id}\n");
        for status in with_identity(variables) {
            assert!(status.contains(&ids("Uid", uid)), "{status}");
            assert!(status.contains(&ids("Gid", gid)), "{status}");
            assert!(status.contains("\nGroups:\t \n"), "{status}");
        }
    }
}

#[test]
fn engine_and_guard_end_together() {
    let (server, network) = silent(&[], "p256");
    let [_, guard] = engine_and_guard(&server);
    kill(Pid::from_raw(guard), Signal::SIGKILL).unwrap();
    // The loss is noticed when the guard is needed.
    let client = late_client(network);
    server
        .finish()
        .fatal(111, "s6-tlsd-io: fatal: the key guard has gone");
    client
        .finish()
        .fatal_with(98, "s6-tlsc-io: fatal: ", &["internal_error"]);
    let (server, _network) = silent(&[], "p256");
    let [engine, guard] = engine_and_guard(&server);
    kill(Pid::from_raw(engine), Signal::SIGKILL).unwrap();
    eventually("the guard is gone", || is_gone(guard).then_some(()));
    drop(server);
}

/// Whether the process `pid` has ended.
fn is_gone(pid: i32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_err() || state.is_ok_and(|state| state.contains(") Z "))
}

#[test]
fn guard_that_cannot_be_signalled_ends_with_the_engine() {
    let (near, far) = tcp_pair();
    let dir = TempDir::new();
    let server = tlsd(&["-k1"], "p256", "echo never")
        .env("SNIDIR", dir.path())
        .env("TLS_UID", "65534")
        .env("TLS_GID", "65533")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let [engine, guard] = engine_and_guard(&server);
    kill(Pid::from_raw(engine), Signal::SIGKILL).unwrap();
    eventually("the guard is gone", || is_gone(guard).then_some(()));
    drop(near);
}

/// A server with SNIDIR whose guard is stopped while it opens the pair, as by a hanging
/// file system; its engine and guard; and a client that waits.
fn hanging(options: &[&str], user: Option<&str>) -> (Running, [i32; 2], Running) {
    let dir = TempDir::new();
    let (near, far) = tcp_pair();
    let hang = "inject=openat2:signal=SIGSTOP";
    let mut server = cmd(["strace", "-fqq", "--seccomp-bpf", "-o/dev/null", "-e", hang])
        .args(["s6-tlsd", "-k2"])
        .args(options)
        .args(["echo", "never"])
        .env("SNIDIR", dir.path())
        .fd(0, far.try_clone().unwrap())
        .fd(1, far);
    if let Some(user) = user {
        server = server.env("TLS_UID", user).env("TLS_GID", user);
    }
    let server = server.start();
    let processes = engine_and_guard(&server);
    let client = late_client(near);
    eventually("the guard hangs", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", processes[1]));
        stat.is_ok_and(|stat| stat.contains(") t ")).then_some(())
    });
    (server, processes, client)
}

#[test]
fn guard_on_a_hanging_file_system_ends_with_the_engine() {
    if !need(&["strace"]) {
        return;
    }
    let root = nix::unistd::geteuid().is_root().then_some("65534");
    for user in [None, root] {
        let (_server, [engine, guard], _client) = hanging(&[], user);
        kill(Pid::from_raw(engine), Signal::SIGKILL).unwrap();
        eventually("the guard is gone", || is_gone(guard).then_some(()));
        let (server, [_, guard], _client) = hanging(&["-K", "6000"], user);
        server.wait_err("s6-tlsd-io: fatal: handshake timed out\n");
        eventually("the guard is gone", || is_gone(guard).then_some(()));
    }
}

/// The kernel may signal data of a socket after they were read, and the signal is SIGKILL.
#[test]
fn guard_is_killed_by_the_end_of_an_empty_pipe_alone() {
    if !need(&["strace"]) {
        return;
    }
    let dir = TempDir::new();
    for end in ["key", "crt"] {
        let from = if end == "key" { "key" } else { "pem" };
        let content = certs().read(&format!("p256.{from}"));
        dir.file(&format!("localhost.{end}"), content);
    }
    let traces = TempDir::new();
    let server = cmd(["strace", "-ffy", "-e", "trace=%desc,fcntl,fcntl64", "-o"])
        .arg(traces.join("trace"))
        .args(["s6-tlsd", "-k2", "sh", "-c", ECHO])
        .env("SNIDIR", dir.path());
    let (server, client) = connect(server, tlsc(&["-klocalhost"], HELLO));
    server.success();
    client.success();
    let traces = std::fs::read_dir(traces.path()).unwrap();
    let traces = traces.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let traces = traces.collect::<String>();
    let asks = |call: &&str| call.contains("F_SETFL") && call.contains("ASYNC");
    let asked: Vec<_> = traces.lines().filter(asks).collect();
    // While it loads and while it chooses.
    assert_eq!(asked.len(), 2, "{asked:?}");
    for call in asked {
        let (_, number) = call.split_once('(').unwrap();
        let (descriptor, _) = number.split_once(',').unwrap();
        assert!(descriptor.contains("<pipe:"), "{call}");
        let written = format!("write({descriptor},");
        assert!(!traces.contains(&written), "{written}");
    }
}

#[test]
fn death_of_engine_or_guard_before_reading_ends_the_other() {
    let dir = TempDir::new();
    let fifo = dir.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let root = nix::unistd::geteuid().is_root().then_some("65534");
    for (victim, user) in [(0, None), (1, None), (0, root), (1, root)] {
        let (_near, far) = tcp_pair();
        let mut server = tlsd(GUARD, "p256", "echo never")
            .env("KEYFILE", &fifo)
            .fd(0, far.try_clone().unwrap())
            .fd(1, far);
        if let Some(user) = user {
            server = server.env("TLS_UID", user).env("TLS_GID", user);
        }
        let server = server.start();
        let processes = engine_and_guard(&server);
        kill(Pid::from_raw(processes[victim]), Signal::SIGKILL).unwrap();
        eventually("both are gone", || {
            processes.iter().all(|pid| is_gone(*pid)).then_some(())
        });
        match victim {
            0 => server.finish().code(137),
            _ => server
                .finish()
                .fatal(111, "s6-tlsd-io: fatal: the key guard has gone"),
        };
    }
}

#[test]
fn slow_files_are_a_handshake_timeout() {
    let dir = TempDir::new();
    let fifo = dir.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (_near, far) = tcp_pair();
    let server = tlsd(&["--key-guard", "-v2", "-K", "200"], "p256", "echo never")
        .env("KEYFILE", &fifo)
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .run()
        .code(98);
    let err = server.err();
    assert!(
        err.contains("s6-tlsd-io: fatal: handshake timed out\n"),
        "{err}"
    );
    assert!(err.contains(" code=98 end=handshake-timeout\n"), "{err}");
}

/// The first record that comes from `network`.
fn record(mut network: &std::net::TcpStream) -> Vec<u8> {
    let mut record = vec![0; 5];
    network.read_exact(&mut record).unwrap();
    record.resize(5 + usize::from(record[3]) * 256 + usize::from(record[4]), 0);
    network.read_exact(&mut record[5..]).unwrap();
    record
}

/// A ClientHello for localhost, and the client that waits for an answer.
fn hello() -> (Running, std::net::TcpStream, Vec<u8>) {
    let (near, far) = tcp_pair();
    let client = tlsc(&["-klocalhost"], "echo never")
        .fd(6, near.try_clone().unwrap())
        .fd(7, near)
        .start();
    let hello = record(&far);
    (client, far, hello)
}

#[test]
fn guard_has_no_directory_after_the_name_is_known() {
    let dir = TempDir::new();
    for end in ["key", "crt"] {
        let from = if end == "key" { "key" } else { "pem" };
        let content = certs().read(&format!("p256.{from}"));
        dir.file(&format!("localhost.{end}"), content);
    }
    let (near, far) = tcp_pair();
    // With tickets the guard stays after the signature.
    let tickets = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let server = tlsd(&["-k2"], "p256", "echo never")
        .env("SNIDIR", dir.path())
        .env("TICKETKEYFILE", dir.secret("tickets", tickets))
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let [_, guard] = engine_and_guard(&server);
    let before = descriptors(guard);
    assert_eq!(
        before.len(),
        4,
        "socket, pipe, directory, messages: {before:?}"
    );
    let (_client, _network, hello) = hello();
    (&near).write_all(&hello).unwrap();
    record(&near);
    eventually("the guard is locked in", || {
        let status = std::fs::read_to_string(format!("/proc/{guard}/status")).unwrap();
        status.contains("Seccomp:\t2\n").then_some(())
    });
    let left = descriptors(guard);
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_client_that_leaves_in_the_handshake_leaves_no_guard_behind() {
    let (server, network) = silent(&[], "p256");
    let processes = engine_and_guard(&server);
    let (_client, _network, hello) = hello();
    (&network).write_all(&hello).unwrap();
    record(&network);
    drop(network);
    server.finish().code(98);
    assert!(is_gone(processes[0]));
    eventually("the guard is gone", || is_gone(processes[1]).then_some(()));
}

#[test]
fn server_timed_out_sends_the_same_with_and_without_guard() {
    let received = |options: &[&str]| {
        let (near, far) = tcp_pair();
        let server = tlsd(&[options, &["-K", "1000"]].concat(), "p256", "echo never")
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        if options == GUARD {
            let [_, guard] = engine_and_guard(&server);
            kill(Pid::from_raw(guard), Signal::SIGSTOP).unwrap();
            let (_client, _network, hello) = hello();
            (&near).write_all(&hello).unwrap();
        }
        server
            .finish()
            .fatal(98, "s6-tlsd-io: fatal: handshake timed out");
        let mut received = Vec::new();
        (&near).read_to_end(&mut received).unwrap();
        received
    };
    assert_eq!(received(&[]), b"");
    assert_eq!(received(GUARD), b"");
}

#[test]
fn stopped_guard_ends_at_the_handshake_timeout() {
    let (server, network) = silent(&["-K", "1500"], "p256");
    let [_, guard] = engine_and_guard(&server);
    kill(Pid::from_raw(guard), Signal::SIGSTOP).unwrap();
    let _client = late_client(network);
    server
        .finish()
        .fatal(98, "s6-tlsd-io: fatal: handshake timed out");
}

#[test]
fn errors_are_those_of_an_engine_without_guard() {
    let dir = TempDir::new();
    let missing = dir.join("missing");
    let bad = dir.file("bad", "no key");
    let run = |options: &[&str], key: &std::path::Path| {
        let engine = cmd(["s6-tlsd-io"])
            .args(options)
            .args(["0", "1"])
            .env("KEYFILE", key)
            .env("CERTFILE", certs().path("p256.pem"));
        engine.run()
    };
    for key in [&missing, &bad, &certs().path("rsa.key").into()] {
        let plain = run(&[], key).code(96).err();
        assert_eq!(run(GUARD, key).code(96).err(), plain);
    }
    cmd(["s6-tlsd-io", "--key-guard", "0", "1"])
        .env_remove("KEYFILE")
        .run()
        .fatal(100, "s6-tlsd-io: fatal: KEYFILE not set");
}

#[test]
fn guard_that_cannot_be_forked_is_reported() {
    if !need(&["strace"]) {
        return;
    }
    let engine = cmd([
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=fork,vfork,clone:error=EAGAIN",
    ])
    .args(["s6-tlsd-io", "--key-guard", "0", "1"])
    .env("KEYFILE", certs().path("p256.key"))
    .env("CERTFILE", certs().path("p256.pem"));
    engine.run().fatal_with(
        111,
        "s6-tlsd-io: fatal: unable to start the key guard: ",
        &["temporarily unavailable"],
    );
}
