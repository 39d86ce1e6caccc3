//! --max-record, and peers that ask for short records in the handshake.

use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::util::relay::{Relay, relay};
use crate::util::tls::{ENGINES, VERSIONS, openssl_server, serve, tlsc, tlsd};
use crate::util::{TempDir, accept, certs, cmd, listener, need, skip, tcp_pair};

/// What a program sends: more than the large buffers hold.
const DATA: usize = 2_000_000;

/// What encryption adds to the plaintext of a record: in TLS 1.3 the content type and the tag, in
/// TLS 1.2 the explicit nonce and the tag of AES-GCM.
const TLS13_OVERHEAD: usize = 1 + 16;
const TLS12_OVERHEAD: usize = 8 + 16;

/// Content types.
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// The content type and the length of each record in `bytes`.
fn records(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut records = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        records.push((*kind, length));
        bytes = &rest[length..];
    }
    records
}

/// What a server with these options sends to `openssl s_client` with these arguments.
fn sent_by_server(options: &[&str], args: &[&str]) -> Vec<(u8, usize)> {
    let (listener, port) = listener();
    let client = cmd(["openssl", "s_client", "-quiet", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .args(args)
        .input_pipe()
        .start();
    let (near, far) = tcp_pair();
    let relay = started(accept(&listener), near);
    let server = tlsd(options, "p256", &format!("head -c {DATA} /dev/zero"));
    let server = server.fd(0, far.try_clone().unwrap()).fd(1, far).start();
    let received = client.finish().stdout.len();
    server.finish().success();
    assert_eq!(received, DATA);
    let [_, sent] = relay.heard();
    records(&sent)
}

/// What a client with these options sends to `openssl s_server` with these arguments.
fn sent_by_client(options: &[&str], args: &[&str]) -> Vec<(u8, usize)> {
    let (server, port) = openssl_server("p256", ["-quiet"].iter().chain(args));
    let (near, far) = tcp_pair();
    let relay = started(near, TcpStream::connect(("127.0.0.1", port)).unwrap());
    let client = tlsc(options, &format!("head -c {DATA} /dev/zero >&7"));
    let client = client.fd(6, far.try_clone().unwrap()).fd(7, far);
    client.run().success();
    let [sent, _] = relay.heard();
    assert_eq!(server.finish().stdout.len(), DATA);
    records(&sent)
}

fn started(client: TcpStream, server: TcpStream) -> Relay {
    relay(client, server, 1 << 14, [|_| {}; 2])
}

/// Fails if a record has more plaintext than `limit`, or if no record of data has as much.
fn bounded(sent: &[(u8, usize)], limit: usize, version: &str) {
    let overhead = if version == "-tls1_3" {
        TLS13_OVERHEAD
    } else {
        TLS12_OVERHEAD
    };
    // The first record is a hello, which nothing protects.
    assert!(
        sent[0].0 == HANDSHAKE && sent[0].1 <= limit,
        "{:?}",
        sent[0]
    );
    let longest = sent.iter().max_by_key(|(_, length)| *length);
    assert_eq!(longest, Some(&(APPLICATION_DATA, limit + overhead)));
}

#[test]
fn no_record_is_longer_than_max_record() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        for limit in [512, 1500, 16384] {
            let option = format!("--max-record={limit}");
            bounded(
                &sent_by_server(&["-S", &option], &[version]),
                limit,
                version,
            );
            bounded(
                &sent_by_client(&["-S", &option], &[version]),
                limit,
                version,
            );
        }
        // A ClientHello with X25519MLKEM768 takes several records.
        let hello = sent_by_client(&["-S", "--max-record=512"], &[version]);
        assert_eq!([hello[0], hello[1]], [(HANDSHAKE, 512); 2]);
    }
}

#[test]
fn max_fragment_length_of_a_client_is_ignored() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        let sent = sent_by_server(&["-S"], &[version, "-maxfraglen", "512"]);
        bounded(&sent, 16384, version);
    }
}

#[test]
fn record_size_limit_of_a_client_is_ignored() {
    if !need(&["gnutls-cli"]) {
        return;
    }
    for version in ["1.2", "1.3"] {
        let program = ["head", "-c", "100000", "/dev/zero"];
        let (_server, port) = serve(&["-S"], "p256", &program);
        let priority = format!("NORMAL:-VERS-ALL:+VERS-TLS{version}");
        let client = cmd(["gnutls-cli", "--insecure", "--recordsize=512", "--priority"])
            .args([&priority, "-p", &port.to_string(), "127.0.0.1"])
            .input_pipe()
            .start();
        let output = client.finish().success();
        let zeros = output.stdout.iter().filter(|byte| **byte == 0).count();
        assert_eq!(zeros, 100_000);
    }
}

#[test]
fn max_record_out_of_range_is_an_error_of_every_program() {
    for (program, operands) in ENGINES {
        for value in ["511", "16385", "4294967808", "x", ""] {
            let option = format!("--max-record={value}");
            let why = "fatal: max-record must be a number of bytes from 512 to 16384";
            let run = cmd([program, &option]).args(operands).run();
            run.fatal(100, &format!("{program}: {why}: {value}"));
        }
    }
}

/// The client of small_device.c, built in `dir`; None if there is no BearSSL to build it with.
fn small_device(dir: &TempDir) -> Option<PathBuf> {
    if !need(&["cc"]) {
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/util/small_device.c");
    let client = dir.join("small_device");
    let built = cmd(["cc", "-o"])
        .args([&client, &source])
        .arg("-lbearssl")
        .run();
    if !client.exists() {
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!in_ci, "{}", built.err());
        skip("no BearSSL (libbearssl-dev)");
        return None;
    }
    Some(client)
}

#[test]
fn a_small_device_is_served_with_max_record_only() {
    let dir = TempDir::new();
    let Some(device) = small_device(&dir) else {
        return;
    };
    let modulus = cmd(["openssl", "rsa", "-noout", "-modulus", "-in"])
        .arg(certs().path("rsa.key"))
        .run()
        .success();
    let modulus = modulus.out().trim().replace("Modulus=", "");
    for (option, received, error) in [
        ("--max-record=16384", 0, "error 6\n"),
        ("--max-record=512", 100_000, "error 0\n"),
    ] {
        let program = ["head", "-c", "100000", "/dev/zero"];
        let (_server, port) = serve(&["-S", option], "rsa", &program);
        let client = cmd(["s6-tcpclient", "-H", "127.0.0.1", &port.to_string()])
            .arg(&device)
            .arg(&modulus)
            .run();
        assert_eq!(
            (client.stdout.len(), client.err().as_str()),
            (received, error)
        );
    }
}
