//! The key guard in TLS 1.2, which differs from TLS 1.3 in signatures and
//! tickets.

use std::io::{Read, Write};
use std::path::Path;

use crate::util::tls::{client_hello, is_guarded, openssl_server, serve, tlsclient, tlsd};
use crate::util::{Running, TempDir, certs, cmd, need, tcp_pair};

/// The groups of TLS 1.2, each first in one list: the first one is chosen.
const GROUPS: [&str; 3] = [
    "X25519:secp256r1:secp384r1",
    "secp256r1:X25519:secp384r1",
    "secp384r1:secp256r1:X25519",
];

#[test]
fn every_kind_of_key_signs_for_every_group() {
    if !need(&["openssl"]) {
        return;
    }
    for pair in ["p256", "p384", "rsa", "ed25519"] {
        let (_server, port) = serve(&["--key-guard"], pair, &["echo", "hello"]);
        for groups in GROUPS {
            let client = cmd(["openssl", "s_client", "-quiet", "-tls1_2"])
                .args(["-verify_return_error", "-CAfile", &certs().path("ca.pem")])
                .args(["-groups", groups])
                .args(["-connect", &format!("127.0.0.1:{port}")])
                .input_pipe()
                .start();
            client.wait_out("hello\n");
        }
    }
}

#[test]
fn a_clients_key_signs_the_handshake_of_every_group() {
    if !need(&["openssl"]) {
        return;
    }
    let ca = certs().path("ca.pem");
    let response = certs().path("p256.ocsp");
    for groups in GROUPS {
        for stapled in [&[][..], &["-status_file", &response]] {
            let mut args = vec!["-tls1_2", "-rev"];
            args.extend(["-Verify", "1", "-verify_return_error", "-CAfile", &ca]);
            args.extend(stapled);
            let (_server, port) = openssl_server("p256", args);
            let option = format!("--groups={groups}");
            let options = ["-y", "--key-guard", &option];
            let client = tlsclient(&options, port, "echo abc >&7; head -n 1 <&6")
                .env("KEYFILE", certs().path("client.key"))
                .env("CERTFILE", certs().path("client.pem"));
            assert_eq!(client.run().success().out(), "cba\n", "{groups}");
        }
    }
}

#[test]
fn a_handshake_of_more_than_64_kib_is_refused() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let ca = certs().read("ca.pem");
    let chain = dir.file("chain", ca.repeat(100));
    let chain = chain.display().to_string();
    let own = [certs().read("client.pem"), ca.repeat(100)].concat();
    let own = dir.file("own", own);
    let ca = certs().path("ca.pem");
    let args = [
        "-tls1_2",
        "-Verify",
        "1",
        "-CAfile",
        &ca,
        "-cert_chain",
        &chain,
    ];
    let (server, port) = openssl_server("p256", args);
    let client = cmd(["s6-tcpclient", "-H", "127.0.0.1", &port.to_string()])
        .args(["s6-tlsc", "-v2", "-y", "--key-guard", "-k", "localhost"])
        .args(["echo", "never"])
        .env("CAFILE", &ca)
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", &own);
    let err = client.run().code(98).err();
    let why = "fatal: handshake failed: the key guard does not sign handshake messages of more \
               than 64 KiB together\n";
    assert!(err.contains(why), "{err}");
    assert!(err.contains(" code=98 end=handshake-failed\n"), "{err}");
    server.wait_err("handshake failure");
}

/// A server that resumes sessions with the keys of `tickets`. SNIDIR, if it is
/// set, holds no pair, so that the default pair is shown.
fn resuming(options: &[&str], tickets: &Path, snidir: Option<&Path>) -> (Running, String) {
    let mut server = cmd(["s6-tlsserver", "-v1H"])
        .args(options)
        .args(["127.0.0.1", "0", "echo", "hello"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("TICKETKEYFILE", tickets);
    if let Some(snidir) = snidir {
        server = server.env("SNIDIR", snidir);
    }
    let server = server.start();
    let to = format!("127.0.0.1:{}", server.port());
    (server, to)
}

/// The output of openssl at such a server, with these arguments.
fn seen(to: &str, args: &[&str]) -> String {
    let client = cmd(["openssl", "s_client", "-tls1_2", "-servername", "localhost"])
        .args(["-CAfile", &certs().path("ca.pem"), "-connect", to])
        .args(args)
        .run();
    client.out()
}

#[test]
fn guard_issues_and_opens_no_tls12_tickets() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let tickets = dir.secret("tickets", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    let session = dir.join("session").display().to_string();
    let (_plain, plain) = resuming(&[], &tickets, None);
    let (_guarded, guarded) = resuming(&["--key-guard"], &tickets, None);
    let (_sni, sni) = resuming(&["-k1"], &tickets, Some(dir.path()));
    let given = seen(&plain, &["-msg", "-sess_out", &session]);
    assert!(given.contains("NewSessionTicket"), "{given}");
    let again = seen(&plain, &["-sess_in", &session]);
    assert!(again.contains("\nReused, TLSv1.2"), "{again}");
    for to in [guarded, sni] {
        for args in [&[][..], &["-sess_in", &session]] {
            let seen = seen(&to, &[args, &["-msg"]].concat());
            assert!(seen.contains("\nNew, TLSv1.2"), "{seen}");
            // Not even an empty one is sent (RFC 5077 section 3.3).
            assert!(!seen.contains("NewSessionTicket"), "{seen}");
        }
    }
}

/// The extensions of the ServerHello at the beginning of `records`.
fn extensions(records: &[u8]) -> Vec<u16> {
    let number = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
    let hello = &records[5 + 4..][..usize::from(number(&records[5 + 2..]))];
    // The session id comes behind version and random; then suite and compression.
    let mut rest = &hello[34 + 1 + usize::from(hello[34]) + 3 + 2..];
    let mut kinds = Vec::new();
    while !rest.is_empty() {
        kinds.push(number(rest));
        rest = &rest[4 + usize::from(number(&rest[2..]))..];
    }
    kinds
}

#[test]
fn a_ticket_is_announced_only_where_tls_1_2_has_any() {
    if !need(&["openssl"]) {
        return;
    }
    const SESSION_TICKET: u16 = 35;
    let dir = TempDir::new();
    let tickets = dir.secret("tickets", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    // A client that lists suites of TLS 1.3 and offers TLS 1.2 alone.
    let mut hello = client_hello(&["-min_protocol", "TLSv1.2"]);
    let versions = [0, 43, 0, 5, 4, 3, 4, 3, 3];
    let mut places = hello.windows(versions.len()).enumerate();
    let (place, _) = places.find(|(_, bytes)| *bytes == versions).unwrap();
    hello[place + 6] = 3;
    for (guard, announced) in [(&[][..], !is_guarded()), (&["--key-guard"], false)] {
        let (mut near, far) = tcp_pair();
        let server = tlsd(guard, "p256", "echo never")
            .env("TICKETKEYFILE", &tickets)
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        near.write_all(&hello).unwrap();
        near.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).unwrap();
        let kinds = extensions(&answer);
        assert_eq!(kinds.contains(&SESSION_TICKET), announced, "{kinds:?}");
        server.finish().code(98);
    }
}
