//! Application protocols (ALPN, RFC 7301).

use crate::util::tls::{ECHO, HELLO, connect, openssl_server, serve, tlsc, tlsclient, tlsd};
use crate::util::{certs, cmd, need};

/// The output of `openssl s_client` with these arguments, and that of its
/// server, which accepts h2 or else http/1.1.
fn offered(args: &[&str], says: &str) -> String {
    let (server, port) = serve(&["--alpn=h2,http/1.1"], "p256", &["sh", "-c", ECHO]);
    let client = cmd(["openssl", "s_client", "-CAfile", &certs().path("ca.pem")])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args(args)
        .input_pipe()
        .start();
    server.wait_err(says);
    drop(client);
    server.stderr.text()
}

#[test]
fn the_servers_order_decides() {
    if !need(&["openssl"]) {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let said = "SSL_ALPN_PROTOCOL=h2\n";
        offered(&[version, "-alpn", "http/1.1,h2"], said);
        let said = "SSL_ALPN_PROTOCOL=http/1.1\n";
        offered(&[version, "-alpn", "x,http/1.1"], said);
    }
}

#[test]
fn client_without_alpn_gets_no_protocol() {
    if !need(&["openssl"]) {
        return;
    }
    let said = offered(&[], "SSL_PROTOCOL=TLSv1.3\n");
    assert!(!said.contains("ALPN"), "{said}");
    let inherits = |program| tlsd(&["--alpn=h2"], "p256", program).env("SSL_ALPN_PROTOCOL", "x");
    let (server, _) = connect(inherits(ECHO), tlsc(&["-klocalhost"], HELLO));
    assert!(!server.err().contains("ALPN"), "{}", server.err());
}

#[test]
fn client_with_no_common_protocol_gets_an_alert() {
    if !need(&["openssl"]) {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        offered(
            &[version, "-alpn", "x,y"],
            "s6-tlsd-io: fatal: handshake failed: no common ALPN protocol; client offers \
             x,y\n",
        );
    }
    let (server, client) = connect(
        tlsd(&["--alpn=h2"], "p256", "echo never >&2"),
        tlsc(&["-klocalhost", "--alpn=x"], "echo never >&2"),
    );
    server.code(98);
    let client = client.code(98);
    let alert = "remote sent alert no_application_protocol";
    assert!(client.err().contains(alert), "{}", client.err());
}

#[test]
fn both_programs_get_the_agreed_protocol() {
    let (server, client) = connect(
        tlsd(&["--alpn=a b,h2"], "p256", ECHO),
        tlsc(&["-klocalhost", "--alpn=h2,a b"], HELLO),
    );
    assert!(
        server.err().contains("SSL_ALPN_PROTOCOL=a b\n"),
        "{}",
        server.err()
    );
    assert!(
        client.out().contains("SSL_ALPN_PROTOCOL=a b\n"),
        "{}",
        client.out()
    );
    // Without --alpn the variable is neither set nor unset.
    let (server, client) = connect(
        tlsd(&[], "p256", ECHO).env("SSL_ALPN_PROTOCOL", "inherited"),
        tlsc(&["-klocalhost", "--alpn=h2"], HELLO).env("SSL_ALPN_PROTOCOL", "inherited"),
    );
    assert!(
        server.err().contains("SSL_ALPN_PROTOCOL=inherited\n"),
        "{}",
        server.err()
    );
    assert!(!client.out().contains("ALPN"), "{}", client.out());
}

#[test]
fn server_may_ignore_alpn() {
    if !need(&["openssl"]) {
        return;
    }
    for (alpn, said) in [(&["-alpn", "h2"][..], true), (&[], false)] {
        let (_server, port) = openssl_server("p256", [&["-rev"], alpn].concat());
        let program = "echo hello >&7; read -r line <&6; echo \"$line\"; env | grep SSL_";
        let client = tlsclient(&["--alpn=x,h2"], port, program).run();
        assert!(client.out().contains("olleh"), "{}", client.err());
        assert_eq!(client.out().contains("SSL_ALPN_PROTOCOL=h2\n"), said);
    }
}

#[test]
fn the_longest_list_is_offered() {
    let name = |number: usize| format!("{number:03}{}", "x".repeat(252));
    let names: Vec<_> = (0..239).map(name).collect();
    let list = format!("--alpn={},h2,{}", names.join(","), "y".repeat(253));
    assert_eq!(list.len() - "--alpn=".len(), 60 << 10);
    // Other long extensions beside it: the server's name, and by default a long key share.
    let host = ["a".repeat(60).as_str(); 4].join(".") + ".localhost";
    let (server, client) = connect(
        tlsd(&["--alpn=h2"], "p256", ECHO),
        tlsc(&["--no-verify-cert", &format!("-k{host}"), &list], HELLO),
    );
    let client = client.success();
    assert!(
        client.out().contains("SSL_ALPN_PROTOCOL=h2\n"),
        "{}",
        client.out()
    );
    server.success();
    if !need(&["openssl"]) {
        return;
    }
    let (_server, port) = openssl_server("p256", ["-rev", "-alpn", "h2"]);
    let program = "echo hello >&7; read -r line <&6; echo \"$line\"; env | grep SSL_A";
    let client = tlsclient(&[&list], port, program).run();
    assert!(
        client.out().contains("olleh\nSSL_ALPN_PROTOCOL=h2\n"),
        "{}",
        client.err()
    );
}

#[test]
fn a_list_that_is_too_long_or_has_a_name_twice_is_wrong_usage() {
    let name = |number: usize| format!("{number:03}{}", "x".repeat(252));
    let names: Vec<_> = (0..300).map(name).collect();
    let long = format!("--alpn={}", names.join(","));
    let list = "alpn must be a list of protocol names of 1 to 255 bytes";
    for (option, why) in [
        ("--alpn=h2,h2", ": repeated name: h2"),
        (&long, " with at most 61440 bytes in all"),
    ] {
        for program in ["s6-tlsserver", "s6-tlsc-io"] {
            cmd([program, option, "127.0.0.1", "1", "true"])
                .run()
                .fatal(100, &format!("{program}: fatal: {list}{why}"));
        }
    }
}

#[test]
fn invalid_alpn_list_is_wrong_usage_at_the_first_program() {
    let long = format!("--alpn={}", "x".repeat(256));
    for program in [
        "s6-tlsserver",
        "s6-tlsclient",
        "s6-tlsd",
        "s6-ucspitlsc",
        "s6-tlsd-io",
    ] {
        for list in ["--alpn=", "--alpn=h2,", "--alpn=,h2", "--alpn=a,,b", &long] {
            let value = &list["--alpn=".len()..];
            let line = format!("alpn must be a list of protocol names of 1 to 255 bytes: {value}");
            cmd([program, list, "127.0.0.1", "1", "true"])
                .run()
                .fatal(100, &format!("{program}: fatal: {line}"));
        }
    }
}
