//! The tunnel: every byte arrives, whichever side ends first.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::util::tls::{connect, engine, openssl_server, serve, start, tlsc, tlsd};
use crate::util::{
    Running, accept, certs, cmd, eventually, listener, need, noise, pipe, sha256, tcp_pair,
};

const MEGABYTES: usize = 8 << 20;

/// A pair of programs that send `count` bytes each way at once; both print
/// the digest of what they got.
fn both_ways(server_options: &[&str], client_options: &[&str]) {
    let data = noise(MEGABYTES, 1);
    let dir = crate::util::TempDir::new();
    let file = dir.file("data", &data);
    let name = file.to_str().unwrap();
    let server = format!("cat {name} & sha256sum >&2; wait");
    let client = format!("(cat {name} >&7) & exec 7>&-; sha256sum <&6; wait");
    let (server, client) = connect(
        tlsd(server_options, "p256", &server),
        tlsc(client_options, &client),
    );
    let digest = sha256(&data);
    assert_eq!(client.success().out(), format!("{digest}  -\n"));
    assert_eq!(server.success().err(), format!("{digest}  -\n"));
}

#[test]
fn megabytes_cross_both_ways_at_once() {
    both_ways(&[], &[]);
    both_ways(&["-SJ"], &["-SJ"]);
}

#[test]
fn megabytes_cross_with_openssl() {
    if !need(&["openssl"]) {
        return;
    }
    let data = noise(MEGABYTES, 2);
    for version in ["-tls1_2", "-tls1_3"] {
        let dir = crate::util::TempDir::new();
        let file = dir.file("data", &data);
        // Down: openssl as the client.
        let (_server, port) = serve(&["-S"], "p256", &["cat", file.to_str().unwrap()]);
        let client = cmd(["openssl", "s_client", "-quiet", version]);
        let client = client
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .input_pipe()
            .start();
        let end = std::time::Instant::now() + crate::util::DEADLINE;
        let all = client.stdout.wait(end, |bytes| {
            (bytes.len() == MEGABYTES).then(|| bytes.to_vec())
        });
        assert!(all.expect("all of it") == data);
        // Up: openssl as the server.
        let (server, port) = openssl_server("p256", ["-quiet", version]);
        let before = server.stdout.len();
        let client = cmd(["s6-tlsclient", "-SH", "127.0.0.1", &port.to_string()])
            .args(["sh", "-c", "cat \"$0\" >&7", file.to_str().unwrap()])
            .env("CAFILE", certs().path("ca.pem"));
        client.run().success();
        let all = server.stdout.wait(end, |bytes| {
            (bytes.len() - before >= MEGABYTES).then(|| bytes[before..].to_vec())
        });
        assert!(all.expect("all of it") == data);
    }
}

#[test]
fn an_answer_after_the_client_has_ended_arrives_whole() {
    for options in [&[][..], &["-S"]] {
        let server = "cat >/dev/null; head -c 3000000 /dev/zero";
        let client = "head -c 500000 /dev/zero >&7; exec 7>&-; wc -c <&6";
        let (server, client) = connect(tlsd(options, "p256", server), tlsc(options, client));
        server.success();
        assert_eq!(client.success().out().trim(), "3000000");
    }
}

#[test]
fn output_of_an_exited_program_arrives() {
    // The server's program never reads; the client keeps sending.
    let server = "head -c 2000000 /dev/zero";
    let client = "(head -c 20000000 /dev/zero >&7) 2>/dev/null & exec 7>&-; wc -c <&6";
    for _ in 0..5 {
        let (server, client) = connect(tlsd(&[], "p256", server), tlsc(&[], client));
        server.success();
        assert_eq!(client.success().out().trim(), "2000000");
    }
}

#[test]
fn enforcement_tells_an_end_without_close_notify() {
    let client = |options: &[&str]| tlsc(options, "cat <&6; exec 6<&-; sleep 0");
    let (_, output) = connect(tlsd(&[], "p256", "echo x; exec >&-"), client(&["-J"]));
    assert_eq!(output.out(), "x\n");
    assert_eq!(
        output.err(),
        "s6-tlsc-io: fatal: remote closed connection without a close_notify\n"
    );
    let (_, output) = connect(tlsd(&["-S"], "p256", "echo x; exec >&-"), client(&["-J"]));
    assert_eq!((output.out().as_str(), output.err().as_str()), ("x\n", ""));
    let (_, output) = connect(tlsd(&[], "p256", "echo x"), client(&[]));
    assert_eq!((output.out().as_str(), output.err().as_str()), ("x\n", ""));
}

/// Programs that close their output before they exit, as all of coreutils do:
/// clients that treat such an end as an error answer with an alert.
#[test]
fn a_client_may_dislike_an_end_without_close_notify() {
    let python = "import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
with socket.create_connection(('127.0.0.1', int(sys.argv[2]))) as plain:
    tls = context.wrap_socket(plain, server_hostname='localhost')
    try:
        while bytes := tls.recv(100): print(bytes.decode())
    except ssl.SSLError: pass
";
    let ca = certs().path("ca.pem");
    let dir = crate::util::TempDir::new();
    let file = dir.file("hello", b"hello\n");
    for program in [&["echo", "hello"], &["cat", file.to_str().unwrap()]] {
        for client in ["openssl", "python3", "curl"] {
            if !need(&[client]) {
                continue;
            }
            for _ in 0..20 {
                let (near, port) = listener();
                let server = |network: TcpStream| {
                    cmd(["s6-tlsd"])
                        .args(program)
                        .env("KEYFILE", certs().path("p256.key"))
                        .env("CERTFILE", certs().path("p256.pem"))
                        .fd(0, network.try_clone().unwrap())
                        .fd(1, network)
                        .start()
                };
                let to = format!("127.0.0.1:{port}");
                let client = match client {
                    "openssl" => cmd(["openssl", "s_client", "-quiet", "-connect", &to]),
                    "python3" => cmd(["python3", "-c", python, &ca, &port.to_string()]),
                    _ => cmd(["curl", "-s", "--http0.9", "--cacert", &ca])
                        .arg(format!("https://localhost:{port}/")),
                };
                let client = client.start();
                let server = server(accept(&near));
                let output = client.finish();
                assert!(output.out().contains("hello"), "{output:?}");
                assert_eq!(server.finish().success().err(), "");
            }
        }
    }
}

#[test]
fn engines_exit_when_both_programs_have_exited() {
    let (server, client) = start(tlsd(&[], "p256", "exec cat"), tlsc(&[], "exec sleep 60"));
    engine(&server);
    client.signal(nix::sys::signal::Signal::SIGKILL);
    eventually("both groups are empty", || {
        (server.group().is_empty() && client.group().is_empty()).then_some(())
    });
}

#[test]
fn engine_ends_when_its_launcher_is_killed() {
    // Nothing comes from the network: the handshake waits.
    let (near, far) = tcp_pair();
    let server = tlsd(&[], "p256", "echo never")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let pid = engine(&server);
    server.signal(nix::sys::signal::Signal::SIGKILL);
    drop(near);
    eventually("the engine has gone", || {
        (!server.group().iter().any(|p| p.as_raw() == pid)).then_some(())
    });
}

/// `s6-tlsd-io` on `network`, whose program wrote `answer` and exited.
fn engine_of_gone_program(network: TcpStream) -> Running {
    let (output, input) = pipe();
    File::from(input).write_all(b"answer").unwrap();
    cmd(["s6-tlsd-io", "6", "7"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .fd(0, network.try_clone().unwrap())
        .fd(1, network)
        .fd(6, output)
        .fd(7, pipe().1)
        .start()
}

#[test]
fn an_alert_after_the_program_has_gone_is_no_error() {
    if !need(&["openssl"]) {
        return;
    }
    let (listener, port) = listener();
    let client = cmd(["openssl", "s_client", "-quiet", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .input_pipe()
        .start();
    let engine = engine_of_gone_program(accept(&listener));
    client.wait_out("answer");
    // OpenSSL 3 answers an end without close_notify with an alert.
    assert_eq!(engine.finish().success().err(), "");
}

#[test]
fn a_reset_after_the_program_has_gone_is_no_error() {
    let (near, far) = tcp_pair();
    let engine = engine_of_gone_program(far);
    let (output, input) = pipe();
    let client = cmd(["s6-tlsc-io", "6", "7"])
        .env("CAFILE", certs().path("ca.pem"))
        .input_pipe()
        .fd(1, input)
        .fd(6, near.try_clone().unwrap())
        .fd(7, near.try_clone().unwrap())
        .start();
    let mut answer = String::new();
    File::from(output).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
    reset(near, &client);
    assert_eq!(engine.finish().success().err(), "");
}

/// Kills `client`, so that its connection, of which `near` is a copy, is
/// reset.
fn reset(near: TcpStream, client: &Running) {
    use nix::sys::signal::{Signal, killpg};
    use nix::sys::socket::{setsockopt, sockopt::Linger};
    let at_once = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    client.signal(Signal::SIGSTOP);
    setsockopt(&near, Linger, &at_once).unwrap();
    drop(near);
    killpg(client.pid(), Signal::SIGKILL).unwrap();
}

#[test]
fn reset_by_peer_is_reported_as_an_error() {
    let (near, far) = tcp_pair();
    let server = tlsd(&[], "p256", "echo up >&2; cat; echo eof >&2")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let client = tlsc(&[], "exec sleep 60")
        .fd(6, near.try_clone().unwrap())
        .fd(7, near.try_clone().unwrap())
        .start();
    server.wait_err("up\n");
    reset(near, &client);
    server.wait_err("s6-tlsd-io: fatal: unable to read from remote: Connection reset by peer\n");
    server.wait_err("eof\n");
}
