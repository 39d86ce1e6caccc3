//! ACME's challenge TLS-ALPN-01 (RFC 8737).

mod issue;

use std::fs;
use std::path::Path;

use crate::util::tls::VERSIONS;
use crate::util::{Cmd, Output, Running, TempDir, certs, cmd, eventually, need, pipe, tcp_pair};

const NAME: &str = "www.example.test";

const DIRECTORY: &str = ".acme-tls-alpn";

/// What the server's program prints if it runs.
const RUNS: &str = "the program runs\n";

/// A SNIDIR with the challenge for NAME.
fn with_challenge() -> TempDir {
    let dir = TempDir::new();
    fs::create_dir(dir.join(DIRECTORY)).unwrap();
    challenge(&dir.join(DIRECTORY));
    dir
}

/// Writes the files of the challenge for NAME as dehydrated does.
fn challenge(dir: &Path) {
    let identifier = format!("1.3.6.1.5.5.7.1.31=critical,DER:04:20{}", ":7f".repeat(32));
    cmd(["openssl", "req", "-x509", "-new", "-sha256", "-nodes"])
        .args(["-newkey", "rsa:2048", "-subj", "/CN=challenge", "-keyout"])
        .arg(dir.join(format!("{NAME}.key.pem")))
        .arg("-out")
        .arg(dir.join(format!("{NAME}.crt.pem")))
        .args(["-addext", &format!("subjectAltName=DNS:{NAME}")])
        .args(["-addext", &identifier])
        .run()
        .success();
}

/// A server with the default pair p256, this SNIDIR and these options.
fn command(dir: &Path, options: &[&str]) -> Cmd {
    let program = format!("printf '{}' >&2; cat", RUNS.escape_default());
    cmd(["s6-tlsserver", "-v1H", "--sni"])
        .arg("--alpn=acme-tls/1,http/1.1")
        .args(options)
        .args(["127.0.0.1", "0", "sh", "-c", &program])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("CAFILE", certs().path("ca.pem"))
        .env("SNIDIR", dir)
}

/// A client with these arguments that asks for NAME, unless they say otherwise. The server
/// has logged its connection.
fn visit(server: &Running, args: &[&str]) -> Output {
    let to = format!("127.0.0.1:{}", server.port());
    let lines = || server.stderr.text().matches(" end=").count();
    let before = lines();
    let client = cmd(["openssl", "s_client", "-connect", &to])
        .args(["-servername", NAME])
        .args(args)
        .run();
    eventually("a log line", || (lines() > before).then_some(()));
    client
}

/// Whether `client` was shown the first certificate of the file at `path`.
fn was_shown(client: &Output, path: impl AsRef<Path>) -> bool {
    let file = fs::read_to_string(path).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let first = file.find("-----BEGIN").unwrap()..file.find(end).unwrap() + end.len();
    client.out().contains(&file[first])
}

fn was_shown_the_challenge(client: &Output, dir: &TempDir) -> bool {
    was_shown(client, dir.join(&format!("{DIRECTORY}/{NAME}.crt.pem")))
}

fn was_shown_the_default(client: &Output) -> bool {
    was_shown(client, certs().path("p256.pem"))
}

#[test]
fn a_challenge_is_shown_and_the_connection_ends_without_the_program() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    let retry = ["-tls1_3", "-groups", "P-521:P-256"];
    for options in [
        &[][..],
        &["-Y"],
        &["-y"],
        &["-J"],
        &["--mandatory-sni", "-s"],
    ] {
        for client in [&VERSIONS[..1], &VERSIONS[1..], &retry] {
            let server = command(dir.path(), options).start();
            // It waits for the server to end, and fails without close_notify.
            let client = visit(
                &server,
                &[client, &["-alpn", "acme-tls/1", "-ign_eof"]].concat(),
            );
            let client = client.success();
            assert!(was_shown_the_challenge(&client, &dir), "{}", client.out());
            assert!(client.out().contains("\nALPN protocol: acme-tls/1\n"));
            assert!(
                client
                    .out()
                    .contains("No client certificate CA names sent\n")
            );
            assert!(!client.err().contains("unexpected eof"), "{}", client.err());
            let said = server.stderr.text();
            let line = format!(" sni={NAME} alpn=acme-tls/1 resumed=no cert=- in=0 out=0 ms=");
            assert!(said.contains(&line), "{options:?} {said}");
            assert!(said.contains(" code=0 end=closed\n"), "{options:?} {said}");
            server.wait_err(" exitcode 0 ");
            assert!(!server.stderr.text().contains(RUNS), "{options:?}");
        }
    }
}

#[test]
fn other_clients_get_the_certificate_of_the_server() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    let server = command(dir.path(), &[]).start();
    for version in VERSIONS {
        for (offer, agreed) in [
            (&[][..], "No ALPN negotiated\n"),
            (&["-alpn", "http/1.1"], "ALPN protocol: http/1.1\n"),
            (
                &["-alpn", "acme-tls/1,http/1.1"],
                "ALPN protocol: http/1.1\n",
            ),
            (
                &["-alpn", "x,http/1.1,acme-tls/1"],
                "ALPN protocol: http/1.1\n",
            ),
        ] {
            let client = visit(&server, &[&[version], offer].concat()).success();
            assert!(was_shown_the_default(&client), "{}", client.out());
            assert!(client.out().contains(agreed), "{offer:?} {}", client.out());
        }
    }
    assert_eq!(server.stderr.text().matches(RUNS).count(), 8);
}

/// RFC 8737 section 3: the ACME server offers the protocol alone.
#[test]
fn the_protocol_among_others_is_not_agreed_on() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    let server = command(dir.path(), &[]).start();
    for version in VERSIONS {
        for offer in ["acme-tls/1,x", "x,acme-tls/1"] {
            let client = visit(&server, &[version, "-alpn", offer]).code(1);
            let alert = "alert no application protocol";
            assert!(client.err().contains(alert), "{}", client.err());
            let why = format!(
                "s6-tlsd-io: fatal: handshake failed: no common ALPN protocol; client offers \
                 {offer}\n"
            );
            assert!(
                server.stderr.text().contains(&why),
                "{}",
                server.stderr.text()
            );
        }
    }
    let said = server.stderr.text();
    assert_eq!(said.matches(" code=98 end=handshake-failed\n").count(), 4);
    assert!(!said.contains(RUNS), "{said}");
}

#[test]
fn a_name_without_a_challenge_is_refused() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    // A pair of the name, or of its wildcard, is no challenge.
    for name in ["other.example.test", "_.example.test"] {
        for (end, file) in [("key", "p384.key"), ("crt", "p384.pem")] {
            dir.file(&format!("{name}.{end}"), certs().read(file));
        }
    }
    fs::create_dir(dir.join("empty")).unwrap();
    for (directory, name) in [
        (dir.path(), "other.example.test"),
        (dir.path(), "x.example.test"),
        (dir.path(), "www.example.test.example.test"),
        (&dir.join("empty"), NAME),
    ] {
        let server = command(directory, &[]).start();
        for version in VERSIONS {
            let client = visit(
                &server,
                &[version, "-alpn", "acme-tls/1", "-servername", name],
            );
            let client = client.code(1);
            assert!(
                client.err().contains("unrecognized name"),
                "{}",
                client.err()
            );
            assert!(!client.out().contains("-----BEGIN"), "{}", client.out());
        }
        let said = server.stderr.text();
        let why = format!("fatal: remote asked for the ACME challenge of {name}, which has none\n");
        assert_eq!(said.matches(&why).count(), 2, "{said}");
        assert_eq!(
            said.matches(" code=98 end=no-challenge\n").count(),
            2,
            "{said}"
        );
        assert!(!said.contains(RUNS) && !said.contains("warning"), "{said}");
    }
}

#[test]
fn a_client_without_a_name_gets_no_challenge() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    let server = command(dir.path(), &[]).start();
    let to = format!("127.0.0.1:{}", server.port());
    let client = cmd(["openssl", "s_client", "-connect", &to, "-noservername"]);
    let client = client.args(["-alpn", "acme-tls/1"]).run().code(1);
    assert!(
        client.err().contains("unrecognized name"),
        "{}",
        client.err()
    );
    server.wait_err("fatal: remote asked for an ACME challenge, but for no name\n");
    server.wait_err(" code=98 end=no-challenge\n");
}

/// Each name would lead to a pair if it were used as a path.
#[test]
fn a_name_that_is_no_host_name_leads_to_no_file() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    for file in [
        "x",
        "a/x",
        ".acme-tls-alpn/.x",
        ".acme-tls-alpn/a/x",
        ".acme-tls-alpn/*",
    ] {
        for (end, pair) in [("key.pem", "p384.key"), ("crt.pem", "p384.pem")] {
            dir.file(&format!("{file}.{end}"), certs().read(pair));
        }
    }
    for (file, pair) in [("privkey.pem", "p384.key"), ("fullchain.pem", "p384.pem")] {
        dir.file(&format!("{DIRECTORY}/{file}"), certs().read(pair));
    }
    let server = command(dir.path(), &[]).start();
    for name in [
        "../x",
        "../a/x",
        ".x",
        "a/x",
        "*",
        "..",
        DIRECTORY,
        ".acme-tls-alpn/x",
    ] {
        for alpn in ["acme-tls/1", "http/1.1"] {
            let client = visit(&server, &["-alpn", alpn, "-servername", name]);
            assert!(!was_shown(&client, certs().path("p384.pem")), "{name}");
            assert!(!was_shown_the_challenge(&client, &dir), "{name}");
        }
    }
    // The names of addresses (RFC 8738) are host names.
    for (end, pair) in [("key.pem", "p384.key"), ("crt.pem", "p384.pem")] {
        let file = format!("{DIRECTORY}/1.2.0.192.in-addr.arpa.{end}");
        dir.file(&file, certs().read(pair));
    }
    let name = "1.2.0.192.In-Addr.arpa";
    let client = visit(&server, &["-alpn", "acme-tls/1", "-servername", name]);
    assert!(
        was_shown(&client, certs().path("p384.pem")),
        "{}",
        client.err()
    );
}

#[test]
fn a_challenge_that_cannot_be_used_is_reported() {
    if !need(&["openssl"]) {
        return;
    }
    let [key, certificate] = ["key", "crt"].map(|end| format!("{DIRECTORY}/{NAME}.{end}.pem"));
    let dir = with_challenge();
    for (file, content, code, end, why) in [
        (
            &certificate,
            Some(certs().read("p384.pem")),
            96,
            "system",
            "does not belong to",
        ),
        (
            &certificate,
            Some(b"-----BEGIN".to_vec()),
            96,
            "system",
            "unable to use",
        ),
        (&key, Some(Vec::new()), 96, "system", "unable to use"),
        (&key, None, 98, "no-challenge", "warning: unable to use"),
        (
            &certificate,
            None,
            98,
            "no-challenge",
            "warning: unable to use",
        ),
    ] {
        fs::remove_dir_all(dir.join(DIRECTORY)).unwrap();
        fs::create_dir(dir.join(DIRECTORY)).unwrap();
        challenge(&dir.join(DIRECTORY));
        match content {
            Some(content) => fs::write(dir.join(file), content).unwrap(),
            None => fs::remove_file(dir.join(file)).unwrap(),
        }
        let server = command(dir.path(), &[]).start();
        let client = visit(&server, &["-alpn", "acme-tls/1"]).code(1);
        assert!(!client.out().contains("-----BEGIN"), "{}", client.out());
        let said = server.stderr.text();
        assert!(said.contains(why) && said.contains(&**file), "{said}");
        assert!(
            said.contains(&format!(" code={code} end={end}\n")),
            "{said}"
        );
        let ordinary = visit(&server, &[]).success();
        assert!(was_shown_the_default(&ordinary), "{}", ordinary.out());
    }
}

#[test]
fn a_challenge_has_no_tickets() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    let keys = dir.secret("keys", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    let server = command(dir.path(), &[]).env("TICKETKEYFILE", keys).start();
    let session = dir.join("session");
    for (alpn, sent) in [("http/1.1", true), ("acme-tls/1", false)] {
        let to = format!("127.0.0.1:{}", server.port());
        let _ = fs::remove_file(&session);
        let mut client = cmd([
            "openssl", "s_client", "-tls1_3", "-connect", &to, "-alpn", alpn,
        ])
        .args(["-servername", NAME, "-ign_eof", "-sess_out"])
        .arg(&session)
        .input_pipe()
        .start();
        if sent {
            // The answer comes after the tickets.
            client.write("a line\n");
            client.wait_out("\na line\n");
            client.close_stdin();
        } else {
            client.finish_open();
        }
        assert_eq!(session.exists(), sent, "{alpn}");
    }
}

#[test]
fn a_program_beside_the_engine_reads_the_end_at_once() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = with_challenge();
    let (near, far) = tcp_pair();
    let (for_program, by_engine) = pipe();
    let (for_engine, _by_program) = pipe();
    let (notified, notification) = pipe();
    let engine = cmd([
        "s6-tlsd-io",
        "-v2",
        "-d8",
        "--sni",
        "--alpn=acme-tls/1",
        "6",
        "7",
    ])
    .env("KEYFILE", certs().path("p256.key"))
    .env("CERTFILE", certs().path("p256.pem"))
    .env("SNIDIR", dir.path())
    .fd(0, far.try_clone().unwrap())
    .fd(1, far)
    .fd(6, for_engine)
    .fd(7, by_engine)
    .fd(8, notification)
    .start();
    let client = cmd(["s6-tlsc", "--alpn=acme-tls/1", "--no-verify-cert"])
        .args([&format!("-k{NAME}"), "sh", "-c", "echo early >&7; cat <&6"])
        .env("CAFILE", certs().path("ca.pem"))
        .fd(6, near.try_clone().unwrap())
        .fd(7, near)
        .run()
        .success();
    assert_eq!(client.out(), "");
    for fd in [for_program, notified] {
        let mut byte = [0];
        assert_eq!(unix::fd::read(&fd, &mut byte), Ok(0));
    }
    let said = engine.finish().success().err();
    assert!(said.contains(" alpn=acme-tls/1 "), "{said}");
}

#[test]
fn the_protocol_without_a_directory_of_challenges_is_wrong_usage() {
    let dir = TempDir::new();
    let why = "s6-tlsd-io: fatal: --alpn=acme-tls/1 needs SNIDIR, with --sni or --mandatory-sni";
    let server = |options: &[&str]| {
        cmd(["s6-tlsd", "--alpn=h2,acme-tls/1"])
            .args(options)
            .arg("true")
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
    };
    server(&["--sni"]).run().fatal(100, why);
    server(&[]).env("SNIDIR", dir.path()).run().fatal(100, why);
    server(&["--sni", "--check"]).run().fatal(100, why);
}

#[test]
fn the_check_tells_of_challenges() {
    if !need(&["openssl"]) {
        return;
    }
    let check = |dir: &Path, options: &[&str]| {
        let output = command(dir, &[&["--check"], options].concat());
        output.run().success().out()
    };
    let dir = with_challenge();
    let shown = dir.join(DIRECTORY).display().to_string();
    let directory = format!("acme-challenge-directory: {shown}\n");
    let out = check(dir.path(), &[]);
    assert!(out.contains(&directory), "{out}");
    assert!(out.contains(&format!("acme-challenge: {NAME}\n")), "{out}");
    let without = check(dir.path(), &["--alpn=h2"]);
    assert!(!without.contains("acme-challenge"), "{without}");
    dir.file(
        &format!("{DIRECTORY}/{NAME}.crt.pem"),
        certs().read("p384.pem"),
    );
    dir.file(
        &format!("{DIRECTORY}/half.test.key.pem"),
        certs().read("p384.key"),
    );
    dir.file(
        &format!("{DIRECTORY}/Upper.test.key.pem"),
        certs().read("p384.key"),
    );
    let out = check(dir.path(), &[]);
    for why in [
        "warning: private key in ",
        "warning: the ACME challenge of half.test lacks a file\n",
        "warning: the ACME challenge of Upper.test is never used: names are looked up in lower",
    ] {
        assert!(out.contains(why), "{out}");
    }
    fs::remove_dir_all(dir.join(DIRECTORY)).unwrap();
    let out = check(dir.path(), &[]);
    let none = format!("warning: there is no directory {shown}: no ACME challenge is answered\n");
    assert!(out.contains(&none), "{out}");
}
