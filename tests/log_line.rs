//! The log line of a connection.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::util::tls::{client_config, connect, serve, tlsc, tlsd};
use crate::util::{Cmd, Output, certs, cmd, need, pipe, tcp_pair};

const FIELDS: [&str; 13] = [
    "remote", "protocol", "cipher", "group", "sni", "alpn", "resumed", "cert", "in", "out", "ms",
    "code", "end",
];

/// The fields of the log line of `prog`, which must be its last line and its
/// only one.
fn line(prog: &str, err: &str) -> BTreeMap<String, String> {
    let start = format!("{prog}: info: ");
    let own: Vec<&str> = err.lines().filter(|line| line.starts_with(prog)).collect();
    let lines: Vec<&&str> = own.iter().filter(|line| line.contains(" ms=")).collect();
    assert!(lines.len() == 1 && *lines[0] == own[own.len() - 1], "{err}");
    let fields = lines[0].strip_prefix(&start).unwrap().split(' ');
    let fields: Vec<_> = fields.map(|field| field.split_once('=').unwrap()).collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, FIELDS);
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    fields.iter().map(owned).collect()
}

pub fn expect(prog: &str, err: &str, expected: &[(&str, &str)]) {
    let line = line(prog, err);
    for (name, value) in expected {
        assert_eq!(line[*name], *value, "{name}: {err}");
    }
    assert!(line["ms"].parse::<u64>().is_ok_and(|ms| ms < 120_000));
}

/// A server on one end of a TCP connection; the peer has the other.
fn server(options: &[&str], program: &str) -> (crate::util::Running, TcpStream) {
    let (near, far) = tcp_pair();
    let options = [&["-v2"], options].concat();
    let server = tlsd(&options, "p256", program)
        .env("CAFILE", certs().path("ca.pem"))
        .fd(0, far.try_clone().unwrap())
        .fd(1, far);
    (server.start(), near)
}

/// The result of a server whose peer does this.
fn ended(options: &[&str], peer: impl FnOnce(&mut TcpStream)) -> Output {
    let (server, mut near) = server(options, "exec cat");
    peer(&mut near);
    let output = server.finish();
    drop(near);
    output
}

#[test]
fn log_lines_of_both_ends_agree() {
    let server = "read -r line; printf 'an answer'";
    let (server, client) = connect(
        tlsd(&["-v2", "-y", "--alpn=h2"], "p256", server).env("CAFILE", certs().path("ca.pem")),
        tlsc(
            &["-v2", "-y", "-k", "localhost", "--alpn=h2,x"],
            "echo hello >&7; exec 7>&-; cat <&6",
        )
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem")),
    );
    let common = [
        ("protocol", "TLSv1.3"),
        ("cipher", "TLS_AES_256_GCM_SHA384"),
        ("sni", "localhost"),
        ("alpn", "h2"),
        ("resumed", "no"),
        ("code", "0"),
        ("end", "closed"),
    ];
    let of_client = format!("SHA256:{}", certs().hash("client"));
    let own = [("cert", of_client.as_str()), ("in", "6"), ("out", "9")];
    let err = server.success().err();
    expect("s6-tlsd-io", &err, &[&common[..], &own].concat());
    let group = line("s6-tlsd-io", &err)["group"].clone();
    assert_ne!(group, "-");
    let of_server = format!("SHA256:{}", certs().hash("p256"));
    let own = [
        ("cert", of_server.as_str()),
        ("in", "9"),
        ("out", "6"),
        ("group", &group),
    ];
    let err = client.success().err();
    expect("s6-tlsc-io", &err, &[&common[..], &own].concat());
}

#[test]
fn below_two_there_is_no_line() {
    let (server, client) = connect(tlsd(&[], "p256", "cat"), tlsc(&[], "exec 7>&-; cat <&6"));
    assert_eq!(server.success().err(), "");
    assert_eq!(client.success().err(), "");
}

#[test]
fn remote_comes_from_the_environment() {
    let remote = |command: Cmd| {
        let (near, far) = tcp_pair();
        let peer = near.local_addr().unwrap();
        drop(near);
        let command = command.fd(0, far.try_clone().unwrap()).fd(1, far);
        let line = line("s6-tlsd-io", &command.run().err());
        (line["remote"].clone(), peer.to_string())
    };
    let server = || tlsd(&["-v2"], "p256", "cat");
    let (shown, peer) = remote(server());
    assert_eq!(shown, peer);
    let behind_proxy = server()
        .env("TCPREMOTEIP", "2001:db8::1")
        .env("TCPREMOTEPORT", "5");
    assert_eq!(remote(behind_proxy).0, "[2001:db8::1]:5");
    let other = server()
        .env("PROTO", "SSL")
        .env("SSLREMOTEIP", "192.0.2.9")
        .env("SSLREMOTEPORT", "6")
        .env("TCPREMOTEIP", "192.0.2.1")
        .env("TCPREMOTEPORT", "5");
    assert_eq!(remote(other).0, "192.0.2.9:6");
    let forged = server()
        .env("TCPREMOTEIP", "x end=closed")
        .env("TCPREMOTEPORT", "5");
    let (shown, peer) = remote(forged);
    assert_eq!(shown, peer);
    // Neither a pipe nor a Unix socket has an address.
    let (near, far) = UnixStream::pair().unwrap();
    drop(near);
    let unix = server().fd(0, far.try_clone().unwrap()).fd(1, far).run();
    expect("s6-tlsd-io", &unix.err(), &[("remote", "-")]);
}

#[test]
fn a_server_behind_s6_tcpserver_names_its_client() {
    let (server, port) = serve(&["-v"], "p256", &["cat"]);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let own = format!(" remote={} ", client.local_addr().unwrap());
    server.wait_err(" end=plaintext\n");
    assert!(server.stderr.text().contains(&own), "{own}");
}

#[test]
fn early_failure_has_a_log_line() {
    let (near, far) = tcp_pair();
    let peer = near.local_addr().unwrap().to_string();
    for (name, value, code) in [
        ("KEYFILE", "/nonexistent", "96"),
        ("CERTFILE", &certs().path("rsa.pem"), "96"),
    ] {
        let command = tlsd(&["-v2"], "p256", "cat")
            .env(name, value)
            .fd(0, far.try_clone().unwrap())
            .fd(1, far.try_clone().unwrap());
        let output = command.run().code(code.parse().unwrap());
        let expected = [
            ("remote", peer.as_str()),
            ("protocol", "-"),
            ("in", "0"),
            ("code", code),
            ("end", "system"),
        ];
        let err = output.err();
        assert!(err.starts_with("s6-tlsd-io: fatal: "), "{err}");
        expect("s6-tlsd-io", &err, &expected);
    }
    let client = |args: &[&str]| cmd(["s6-tlsc-io", "-v2"]).args(args);
    let client = |args: &[&str]| client(args).env("CAFILE", certs().path("ca.pem"));
    let output = client(&["-k", "not a name", "6", "7"]).run().code(97);
    expect(
        "s6-tlsc-io",
        &output.err(),
        &[("code", "97"), ("end", "system")],
    );
    let output = client(&["6", "7"]).run().code(111);
    let expected = [("code", "111"), ("end", "system"), ("remote", "-")];
    expect("s6-tlsc-io", &output.err(), &expected);
    // Wrong usage has no log line.
    for args in [&["6"][..], &["-K", "x", "6", "7"]] {
        let err = client(args).run().code(100).err();
        assert!(!err.contains(" end="), "{err}");
    }
    let nothing = cmd(["s6-tlsc-io", "-v2", "6", "7"]).run().code(100);
    assert_eq!(
        nothing.err(),
        "s6-tlsc-io: fatal: CADIR or CAFILE not set, and no --webpki-roots given\n"
    );
}

/// Reads what the server sends, up to its end, and ignores it.
pub fn read_to_end(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn refused_peer_has_its_end_reason() {
    let openssl = |options: &[&str], args: &[&str]| {
        let (server, port) = serve(&[&["-v"], options].concat(), "p256", &["cat"]);
        let output = cmd(["openssl", "s_client", "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .args(args)
            .run();
        assert!(!output.err().contains("unknown option"), "{}", output.err());
        server.wait_err(" end=");
        server.stderr.text()
    };
    if need(&["openssl"]) {
        let weak = ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"];
        let err = openssl(&[], &weak);
        expect_word(&err, "handshake-failed");
    }
    let silence = ended(&["-K", "100"], |_| {});
    expect_word(&silence.code(98).err(), "handshake-timeout");
    let plain = ended(&[], |peer| {
        peer.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        read_to_end(peer);
    });
    expect_word(&plain.code(98).err(), "plaintext");
    let early = ended(&[], |peer| {
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        read_to_end(peer);
    });
    let early = early.code(98).err();
    expect_word(&early, "left");
    let said = "s6-tlsd-io: fatal: remote closed connection during the handshake\n";
    assert!(early.contains(said), "{early}");
    let begun = ended(&[], |peer| {
        peer.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        read_to_end(peer);
    });
    expect_word(&begun.code(98).err(), "left");
    let cancelled = ended(&[], |peer| {
        // A fatal user_canceled (RFC 8446 section 6.1).
        peer.write_all(&[21, 3, 3, 0, 2, 2, 90]).unwrap();
        read_to_end(peer);
    });
    expect_word(&cancelled.code(98).err(), "left");
    let flood = ended(&[], |peer| {
        // Warnings: user_canceled.
        let _ = peer.write_all(&[21, 3, 3, 0, 2, 1, 90].repeat(100));
        read_to_end(peer);
    });
    expect_word(&flood.code(98).err(), "flood");
}

fn expect_word(err: &str, word: &str) {
    let engine = ["s6-tlsd-io", "s6-tlsc-io"];
    let engine = engine.into_iter().find(|name| err.contains(name)).unwrap();
    expect(engine, err, &[("end", word)]);
}

#[test]
fn refused_certificate_has_its_end_reason() {
    let insists = tlsd(&["-v2", "-y"], "p256", "cat").env("CAFILE", certs().path("ca.pem"));
    let (server, client) = connect(insists, tlsc(&["-v2"], "cat <&6"));
    expect_word(&server.code(98).err(), "peer-certificate");
    // The client learns it from an alert after its own handshake.
    let line = line("s6-tlsc-io", &client.err());
    assert_eq!(line["code"], "98", "{line:?}");
    let stranger = tlsc(&["-v2"], "cat <&6").env("CAFILE", certs().path("other.pem"));
    let (server, client) = connect(tlsd(&["-v2"], "p256", "cat"), stranger);
    expect_word(&client.code(98).err(), "peer-certificate");
    expect_word(&server.code(98).err(), "handshake-failed");
    let other_name = tlsc(&["-v2", "-k", "other.test"], "cat <&6");
    let pair = |command: Cmd, name: &str| {
        command
            .env(format!("KEYFILE:{name}"), certs().path("p256.key"))
            .env(format!("CERTFILE:{name}"), certs().path("p256.pem"))
    };
    let server = pair(
        tlsd(&["-v2", "--mandatory-sni"], "p256", "cat"),
        "localhost",
    );
    let (server, client) = connect(server, other_name);
    let err = server.code(98).err();
    expect_word(&err, "no-certificate-for-name");
    expect("s6-tlsd-io", &err, &[("sni", "other.test")]);
    expect_word(&client.code(98).err(), "handshake-failed");
    let (server, _) = connect(
        tlsd(&["-v2", "--alpn=h2"], "p256", "cat"),
        tlsc(&["-klocalhost", "--alpn=x"], "cat <&6"),
    );
    expect(
        "s6-tlsd-io",
        &server.code(98).err(),
        &[("sni", "localhost")],
    );
}

/// A client that offers these application protocols, before its handshake.
pub fn offering(protocols: Vec<Vec<u8>>) -> rustls::ClientConnection {
    let versions = rustls::DEFAULT_VERSIONS;
    let mut config = client_config(versions).with_no_client_auth();
    config.alpn_protocols = protocols;
    let name = "localhost".try_into().unwrap();
    rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap()
}

/// A client with a completed handshake, and what it goes over.
pub fn rustls_client(stream: &mut TcpStream) -> rustls::ClientConnection {
    let mut client = offering(vec![]);
    while client.is_handshaking() || client.wants_write() {
        client.complete_io(stream).unwrap();
    }
    client
}

/// Resets the connection: a socket that is closed at once, without lingering.
pub fn reset(peer: &mut TcpStream) {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    nix::sys::socket::setsockopt(&*peer, nix::sys::socket::sockopt::Linger, &linger).unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(other.local_addr().unwrap()).unwrap();
    drop(std::mem::replace(peer, other));
}

#[test]
fn bad_end_has_its_end_reason() {
    let idle = ended(&["--idle-timeout=100"], |peer| {
        rustls_client(peer);
        read_to_end(peer);
    });
    expect_word(&idle.err(), "idle");
    let truncated = ended(&["-J"], |peer| {
        rustls_client(peer);
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        read_to_end(peer);
    });
    expect_word(&truncated.err(), "truncated");
    let broken = ended(&[], |peer| {
        rustls_client(peer);
        peer.write_all(&[23, 3, 3, 0, 20]).unwrap();
        peer.write_all(&[0; 20]).unwrap();
        read_to_end(peer);
    });
    expect_word(&broken.err(), "protocol-error");
    let (server, mut peer) = server(&[], "echo started; exec sleep 60");
    let mut client = rustls_client(&mut peer);
    client.complete_io(&mut peer).unwrap();
    reset(&mut peer);
    server.wait_err(" end=");
    expect_word(&server.stderr.text(), "reset");
}

#[test]
fn program_exit_during_handshake_is_local_gone() {
    let (near, far) = tcp_pair();
    let ((output, program), (gone, input)) = (pipe(), pipe());
    let engine = cmd(["s6-tlsd-io", "-v2", "6", "7"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .fd(6, output)
        .fd(7, input)
        .start();
    engine.wait_err("info: sandbox");
    drop((program, gone));
    let output = engine.finish();
    drop(near);
    expect("s6-tlsd-io", &output.err(), &[("end", "local-gone")]);
}
