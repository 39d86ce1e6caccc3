//! Handshakes that fail: the alert for the peer, and the log line.

use std::io::{Read, Write};

use crate::util::tls::{INTERNAL_ERROR, client_hello, connect, tlsc, tlsd};
use crate::util::{Cmd, Ended, Output, TempDir, certs, cmd, need, tcp_pair};

/// Sends `bytes` and the end of the stream to a server with these options, which
/// ends with 98: its answer, and its standard error.
fn refused(options: &[&str], bytes: &[u8]) -> (Vec<u8>, String) {
    let (mut near, far) = tcp_pair();
    let server = tlsd(options, "p256", "echo never")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    near.write_all(bytes).unwrap();
    near.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).unwrap();
    (answer, server.finish().code(98).err())
}

#[test]
fn a_client_without_a_signature_scheme_of_ours_is_refused_in_both_versions() {
    if !need(&["openssl"]) {
        return;
    }
    for guard in [&[][..], &["--key-guard"]] {
        for version in ["-tls1_2", "-tls1_3"] {
            // The key is on P-256.
            let hello = client_hello(&[version, "-sigalgs", "ECDSA+SHA384"]);
            let (answer, err) = refused(&[&["-v2"], guard].concat(), &hello);
            let why = "fatal: handshake failed: no signature scheme in common with remote\n";
            assert!(err.contains(why), "{version}: {err}");
            assert!(err.contains(" code=98 end=handshake-failed\n"), "{err}");
            if version == "-tls1_2" {
                assert_eq!(answer, [21, 3, 3, 0, 2, 2, 40]);
            }
        }
    }
}

/// A ClientHello in one record, without its extensions of this kind.
fn without(hello: &[u8], kind: u16) -> Vec<u8> {
    let number = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    // Header of the record, of the message, version, random; session id, suites, compression.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + number(&hello[at..]);
    at += 1 + usize::from(hello[at]);
    let (mut changed, mut rest) = (hello[..at].to_vec(), &hello[at + 2..]);
    let mut extensions: Vec<u8> = Vec::new();
    while !rest.is_empty() {
        let (extension, others) = rest.split_at(4 + number(&rest[2..]));
        if number(extension) != usize::from(kind) {
            extensions.extend(extension);
        }
        rest = others;
    }
    changed.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    changed.extend(extensions);
    let length = changed.len();
    changed[3..5].copy_from_slice(&u16::try_from(length - 5).unwrap().to_be_bytes());
    changed[7..9].copy_from_slice(&u16::try_from(length - 9).unwrap().to_be_bytes());
    changed
}

#[test]
fn tls13_client_without_a_mandatory_extension_gets_missing_extension() {
    if !need(&["openssl"]) {
        return;
    }
    let hello = client_hello(&["-tls1_3"]);
    for guard in [&[][..], &["--key-guard"]] {
        for (kind, name) in [
            (10, "supported_groups"),
            (13, "signature_algorithms"),
            (51, "key_share"),
        ] {
            let options = [&["-v2"], guard].concat();
            let (answer, err) = refused(&options, &without(&hello, kind));
            assert_eq!(answer, [21, 3, 3, 0, 2, 2, 109], "{name}");
            let why = format!("fatal: handshake failed: remote sent no {name}\n");
            assert!(err.contains(&why), "{err}");
            assert!(err.contains(" code=98 end=handshake-failed\n"), "{err}");
        }
    }
}

#[test]
fn tls12_random_that_makes_the_input_a_document_is_refused() {
    if !need(&["openssl"]) {
        return;
    }
    let mut hello = client_hello(&["-tls1_2", "-groups", "P-256"]);
    // The input has 133 bytes: a header of three, and 130.
    hello[11..14].copy_from_slice(&[0x30, 0x81, 130]);
    let (answer, err) = refused(&["-v2", "--key-guard"], &hello);
    assert!(answer.ends_with(&[21, 3, 3, 0, 2, 2, 40]), "{answer:?}");
    let why = "fatal: handshake failed: the key guard does not sign this key exchange: ";
    assert!(err.contains(why), "{err}");
    assert!(err.contains(" code=98 end=handshake-failed\n"), "{err}");
}

#[test]
fn server_without_random_bytes_reports_and_alerts() {
    if !need(&["openssl", "strace"]) {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let hello = client_hello(&[version]);
        let (mut near, far) = tcp_pair();
        near.write_all(&hello).unwrap();
        let server = cmd(["strace", "-f", "-o", "/dev/null", "-e"])
            .args(["inject=getrandom:error=ENOSYS", "s6-tlsd", "-v2", "cat"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        let mut answer = [0; INTERNAL_ERROR.len()];
        near.read_exact(&mut answer).unwrap();
        assert_eq!(answer, INTERNAL_ERROR);
        drop(near);
        let err = server.finish().code(111).err();
        let why = "fatal: handshake failed: the system gives no random bytes\n";
        assert!(err.contains(why), "{version}: {err}");
        assert!(err.contains(" code=111 end=system\n"), "{err}");
    }
}

/// A program that gets no random bytes from the system from the nth call on.
fn without_random_bytes(nth: u32, program: &str, key_guard: &[&str]) -> Cmd {
    cmd([
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=getrandom",
        "-e",
    ])
    .arg(format!("inject=getrandom:error=ENOSYS:when={nth}+"))
    .args([program, "-v2"])
    .args(key_guard)
}

/// Whether a program that may have got no random bytes was successful. If not,
/// it has blamed the system, and told its peer so if a handshake had begun.
fn succeeds(program: Output, peer: &Output) -> bool {
    if program.ended == Ended::Exited(0) {
        return true;
    }
    let (err, heard) = (program.code(111).err(), peer.err());
    assert!(err.contains(" code=111 end=system\n"), "{err}");
    assert!(!err.contains("the key guard does not sign"), "{err}");
    let early = ["fatal: unable to set up TLS: ", "fatal: unable to use "];
    if early.iter().any(|text| err.contains(text)) {
        assert!(
            err.contains(": the system gives no random bytes\n"),
            "{err}"
        );
        assert!(!heard.contains("alert"), "{err}{heard}");
    } else {
        assert!(
            heard.contains("remote sent alert internal_error"),
            "{err}{heard}"
        );
    }
    false
}

#[test]
fn random_bytes_that_run_out_are_a_failure_of_the_system_on_both_sides() {
    if !need(&["strace"]) {
        return;
    }
    let dir = TempDir::new();
    let tickets = dir.secret("tickets", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    for guard in [&[][..], &["--key-guard"]] {
        let mut results = [Vec::new(), Vec::new()];
        for nth in 1..=16 {
            let server = without_random_bytes(nth, "s6-tlsd", guard)
                .args(["echo", "hello"])
                .env("KEYFILE", certs().path("p256.key"))
                .env("CERTFILE", certs().path("p256.pem"))
                .env("TICKETKEYFILE", &tickets);
            let (server, client) = connect(server, tlsc(&[], "cat <&6"));
            results[0].push(succeeds(server, &client));

            let client = without_random_bytes(nth, "s6-tlsc", guard)
                .args(["-y", "sh", "-c", "cat <&6"])
                .env("CAFILE", certs().path("ca.pem"))
                .env("KEYFILE", certs().path("client.key"))
                .env("CERTFILE", certs().path("client.pem"));
            let server = tlsd(&["-Y"], "p256", "echo hello").env("CAFILE", certs().path("ca.pem"));
            let (server, client) = connect(server, client);
            results[1].push(succeeds(client, &server));
        }
        for side in results {
            // It fails if the first calls fail, and succeeds if all of them work.
            assert!(!side[1] && side[15], "{side:?}");
        }
    }
}

/// The same handshake message in records of `size` bytes.
fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    let record = |piece: &[u8]| {
        let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
        [&[22, 3, 1], &length[..], piece].concat()
    };
    hello[5..].chunks(size).flat_map(record).collect()
}

#[test]
fn a_client_hello_that_violates_the_protocol_is_refused_with_the_right_alert() {
    if !need(&["openssl"]) {
        return;
    }
    let good = client_hello(&["-tls1_3", "-groups", "X25519:P-256"]);
    let groups = [0, 10, 0, 6, 0, 4, 0, 29, 0, 23];
    let mut at = good.windows(groups.len()).enumerate();
    let (at, _) = at.find(|(_, bytes)| *bytes == groups).unwrap();
    let mut unsupported = good.clone();
    unsupported[at + 7] = 24;
    let mut old = good.clone();
    old[9..11].copy_from_slice(&[3, 0]);
    for (hello, alert, why) in [
        (old, 70, "legacy_version of SSL 3.0 or less"),
        (
            unsupported,
            47,
            "key share for a group that is not among its supported groups",
        ),
    ] {
        for size in [usize::MAX, 60, 1] {
            let (answer, err) = refused(&["-v2"], &in_records(&hello, size));
            assert_eq!(answer, [21, 3, 3, 0, 2, 2, alert]);
            assert!(
                err.contains(&format!("violated the protocol: {why}\n")),
                "{err}"
            );
            assert!(err.contains(" code=98 end=handshake-failed\n"), "{err}");
        }
    }
}
