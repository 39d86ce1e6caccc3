//! Which certificate a server sends for which name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::util::tls::{ECHO, HELLO, connect, serve, tlsc, tlsd};
use crate::util::{Cmd, certs, cmd, need};

fn pair(command: Cmd, name: &str, pair: &str) -> Cmd {
    command
        .env(
            format!("KEYFILE:{name}"),
            certs().path(&format!("{pair}.key")),
        )
        .env(
            format!("CERTFILE:{name}"),
            certs().path(&format!("{pair}.pem")),
        )
}

/// The certificate that a client asking for `name` gets; None if it is refused.
fn shown(server: Cmd, name: Option<&str>) -> Option<String> {
    let options = ["--no-verify-cert", "-k", name.unwrap_or_default()];
    let options = if name.is_some() {
        &options[..]
    } else {
        &options[..1]
    };
    let (server, client) = connect(server, tlsc(options, HELLO));
    let out = client.out();
    if !out.starts_with("hello\n") {
        let client = client.fatal_with(98, "s6-tlsc-io: fatal: ", &["unrecognized_name"]);
        assert_eq!(client.out(), "");
        server.fatal_with(98, "s6-tlsd-io: fatal: remote asked for ", &[]);
        return None;
    }
    let told = server.success().err();
    match name {
        Some(name) => assert!(
            told.contains(&format!("SSL_TLS_SNI_SERVERNAME={name}\n")),
            "{told}"
        ),
        None => assert!(!told.contains("SSL_TLS_SNI_SERVERNAME"), "{told}"),
    }
    let hash = out
        .lines()
        .find_map(|line| line.strip_prefix("SSL_PEER_CERT_HASH=SHA256:"))?;
    let names = ["p256", "p384", "rsa", "ed25519"];
    names
        .iter()
        .find(|name| certs().hash(name) == hash)
        .map(|name| name.to_string())
}

fn server(level: &str) -> Cmd {
    pairs(tlsd(&["-k", level], "p256", ECHO))
}

fn pairs(server: Cmd) -> Cmd {
    let server = pair(server, "One.test", "p384");
    let server = pair(server, "*.two.test", "rsa");
    pair(server, "Dotted.test.", "ed25519")
}

#[test]
fn sni_level_chooses_the_pair() {
    for (level, name, pair) in [
        ("0", Some("one.test"), Some("p256")),
        ("1", Some("one.test"), Some("p384")),
        ("1", Some("a.two.test"), Some("rsa")),
        ("1", Some("a.a.two.test"), Some("p256")),
        ("1", Some("two.test"), Some("p256")),
        ("1", Some("unknown.test"), Some("p256")),
        ("1", None, Some("p256")),
        ("2", Some("one.test"), Some("p384")),
        ("7", Some("a.two.test"), Some("rsa")),
        ("2", Some("unknown.test"), None),
        ("2", None, None),
        ("2", Some("dotted.test"), Some("ed25519")),
    ] {
        assert_eq!(
            shown(server(level), name).as_deref(),
            pair,
            "{level} {name:?}"
        );
    }
}

#[test]
fn the_name_is_reported_in_lower_case() {
    if !need(&["openssl"]) {
        return;
    }
    for guard in [&[][..], &["--key-guard"]] {
        let server = ["s6-tlsserver", "-1Hv", "--sni"];
        let server = cmd(server)
            .args(guard)
            .args(["127.0.0.1", "0", "sh", "-c", ECHO]);
        let server = pairs(server)
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .start();
        let to = format!("127.0.0.1:{}", server.port());
        cmd([
            "openssl",
            "s_client",
            "-connect",
            &to,
            "-servername",
            "ONE.Test.",
        ])
        .run();
        server.wait_err("SSL_TLS_SNI_SERVERNAME=one.test.\n");
        server.wait_err(" sni=one.test. ");
    }
}

#[test]
fn a_final_dot_of_the_name_does_not_count() {
    if !need(&["openssl"]) {
        return;
    }
    for (name, shown) in [
        ("one.test.", Some("p384")),
        ("a.two.test.", Some("rsa")),
        ("dotted.test.", Some("ed25519")),
        ("two.test.", None),
        ("unknown.test.", None),
    ] {
        let server = ["s6-tlsserver", "-1H", "--mandatory-sni", "127.0.0.1", "0"];
        let server = pairs(cmd(server).args(["sh", "-c", ECHO])).start();
        let client = cmd(["openssl", "s_client", "-showcerts", "-servername", name])
            .args(["-connect", &format!("127.0.0.1:{}", server.port())])
            .input_pipe()
            .start();
        match shown {
            Some(pair) => {
                let pem = String::from_utf8(certs().read(&format!("{pair}.pem"))).unwrap();
                let body = pem.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap();
                client.wait_out(body.trim());
                server.wait_err(&format!("SSL_TLS_SNI_SERVERNAME={name}\n"));
            }
            None => {
                let refused = format!("remote asked for {name}, which has no certificate");
                server.wait_err(&refused);
            }
        }
    }
}

#[test]
fn level_two_needs_no_default_pair() {
    let server = |level: &str| {
        let server = tlsd(&["-k", level], "p256", ECHO);
        pair(
            server.env_remove("KEYFILE").env_remove("CERTFILE"),
            "one.test",
            "p384",
        )
    };
    assert_eq!(
        shown(server("2"), Some("one.test")).as_deref(),
        Some("p384")
    );
    let (server, _) = connect(server("1"), tlsc(&[], "echo never"));
    server.fatal(100, "s6-tlsd-io: fatal: KEYFILE not set");
}

#[test]
fn mismatched_pair_is_named() {
    let engine = |level: &str| cmd(["s6-tlsd-io", "-k", level, "0", "1"]);
    let unpaired = engine("2").env("KEYFILE:a.test", certs().path("p256.key"));
    unpaired.run().fatal(
        96,
        "s6-tlsd-io: fatal: environment variable KEYFILE:a.test not paired with the corresponding CERTFILE",
    );
    engine("2").env("CERTFILE:a", "x").run().fatal(
        96,
        "s6-tlsd-io: fatal: no certificate: set SNIDIR, or KEYFILE:name and CERTFILE:name",
    );
    let odd = OsStr::from_bytes(b"KEYFILE:\xff");
    let odd = engine("1")
        .env("KEYFILE", certs().path("p256.key"))
        .env(odd, "x");
    let odd = odd.env("CERTFILE", certs().path("p256.pem")).run();
    odd.fatal_with(96, "s6-tlsd-io: fatal: ", &["not paired"]);
    let twice = pair(pair(engine("2"), "a.test", "p256"), "A.test", "p384");
    twice
        .run()
        .fatal_with(96, "s6-tlsd-io: fatal: ", &["KEYFILE:", "twice"]);
    let missing = engine("2")
        .env("KEYFILE:a", "/nonexistent")
        .env("CERTFILE:a", "x");
    missing
        .run()
        .fatal_with(96, "s6-tlsd-io: fatal: ", &["/nonexistent"]);
}

#[test]
fn invalid_server_name_is_refused_with_a_message() {
    if !need(&["openssl"]) {
        return;
    }
    // The kinds of names that doc/differences.md lists.
    for name in ["a..b", "a.-b", "a-.b", "*.a", "\u{e9}.a", "1.2.3"] {
        let (server, port) = serve(&[], "p256", &["echo", "never"]);
        let _client = cmd(["openssl", "s_client", "-servername", name, "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .input_pipe()
            .start();
        server.wait_err(
            "s6-tlsd-io: fatal: handshake failed: remote violated the protocol: \
             server name that is no host name\n",
        );
    }
}

#[test]
fn odd_sni_is_tolerated_at_level_0() {
    if !need(&["openssl"]) {
        return;
    }
    let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    for name in ["127.0.0.1", "under_score.test", &long] {
        let (_server, port) = serve(&[], "p256", &["echo", "served"]);
        let client = cmd(["openssl", "s_client", "-quiet", "-servername", name])
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .input_pipe()
            .start();
        client.wait_out("served");
    }
}

#[test]
fn variable_with_a_unicode_name_is_a_warning() {
    let server = |level| {
        let server = pair(
            tlsd(&["-k", level], "p256", "true"),
            "b\u{fc}cher.test",
            "p384",
        );
        pair(server, "xn--bcher-kva.test", "rsa")
    };
    let warning = "s6-tlsd-io: warning: environment variable KEYFILE:b\u{fc}cher.test is of no \
                   use: a name that is not ASCII has to be given as its A-label (xn--...)\n";
    for (level, said) in [("0", ""), ("1", warning), ("2", warning)] {
        let client = tlsc(&["--no-verify-cert", "-k", "xn--bcher-kva.test"], "cat <&6");
        let (server, client) = connect(server(level), client);
        assert_eq!(server.success().err(), said, "{level}");
        client.success();
    }
}
