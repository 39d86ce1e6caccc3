//! Third-party scanners: sslscan, testssl.sh and openssl look for known
//! weaknesses of TLS in `s6-tlsserver`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::util::tls::serve;
use crate::util::{Cmd, Running, TempDir, certs, cmd, need};

/// The cipher suites of the server, in its order.
const SUITES: [&str; 6] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
];

/// Findings that the set-up of the test causes, by their id.
const EXCEPTIONS: [(&str, &str); 3] = [
    (
        "cert_validityPeriod",
        "the certificates of the tests last for years",
    ),
    (
        "cert_revocation",
        "the CA of the tests publishes no revocations",
    ),
    ("security_headers", "they are HTTP's, and not the engine's"),
];

/// All tests except the client simulation and a second list of suites, which
/// find nothing more and double the time.
const SECTIONS: [&str; 7] = ["-p", "-s", "-f", "-P", "-S", "-U", "-h"];

/// A server that answers HTTP, because the scanners request a page.
fn web_server(pair: &str) -> (Running, u16) {
    let page = r#"
        while read -r line; do [ ${#line} -gt 1 ] || break; done
        printf '%s\r\n' 'HTTP/1.0 200 OK' 'Content-Length: 5' \
            'Strict-Transport-Security: max-age=31536000; includeSubDomains' ''
        echo page"#;
    serve(&["-c", "40"], pair, &["sh", "-c", page])
}

fn s_client(port: u16, args: &[&str]) -> Cmd {
    cmd(["openssl", "s_client", "-servername", "localhost"])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args(args)
}

#[test]
fn testssl_finds_nothing() {
    if !need(&["testssl", "openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let findings = dir.join("findings.csv");
    let (_server, port) = web_server("p256");
    // The exit code is the number of findings.
    let output = cmd(["testssl", "--quiet", "--color=0", "--warnings=off"])
        .args(["--ip=127.0.0.1", "--nodns=none"])
        .args(["--add-ca", &certs().path("ca.pem")])
        .args(["--csvfile", findings.to_str().unwrap()])
        .args(SECTIONS)
        .arg(format!("localhost:{port}"))
        .env("HOME", dir.path())
        .env("TERM", "dumb")
        .cwd(dir.path())
        .deadline(Duration::from_secs(1200))
        .run();
    let text = std::fs::read_to_string(&findings).unwrap_or_default();
    let mut seen = Vec::new();
    let mut bad = Vec::new();
    // WARN means that the scanner itself lacks something.
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.trim_matches('"').split("\",\"").collect();
        let [id, _, _, severity, finding, ..] = fields[..] else {
            panic!("{line:?} is no finding");
        };
        seen.push(id);
        let excepted = EXCEPTIONS.iter().any(|(known, _)| *known == id);
        if matches!(severity, "MEDIUM" | "HIGH" | "CRITICAL") && !excepted {
            bad.push(line);
        }
        // Newer versions give a grade.
        if id == "overall_grade" && finding != "A+" {
            bad.push(line);
        }
    }
    assert!(bad.is_empty(), "{bad:#?}\n{}{}", output.out(), output.err());
    // Each section was reached.
    for id in [
        "SSLv2",
        "TLS1_3",
        "cipherlist_AVERAGE",
        "cipher_order",
        "cert_chain_of_trust",
        "HTTP_status_code",
        "heartbleed",
        "RC4",
    ] {
        assert!(seen.contains(&id), "no {id} in {seen:?}\n{}", output.out());
    }
}

#[test]
fn sslscan_sees_two_protocols_and_the_strong_suites() {
    if !need(&["sslscan"]) {
        return;
    }
    let (_server, port) = web_server("p256");
    let output = cmd([
        "sslscan",
        "--ipv4",
        "--no-colour",
        &format!("localhost:{port}"),
    ])
    .deadline(Duration::from_secs(120))
    .run()
    .success()
    .out();
    for line in [
        "SSLv2     disabled",
        "SSLv3     disabled",
        "TLSv1.0   disabled",
        "TLSv1.1   disabled",
        "TLSv1.2   enabled",
        "TLSv1.3   enabled",
        "Session renegotiation not supported",
        "TLSv1.3 not vulnerable to heartbleed",
        "TLSv1.2 not vulnerable to heartbleed",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "{line}: {output}"
        );
    }
    let suites: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("Accepted") || line.starts_with("Preferred"))
        .filter_map(|line| line.split_whitespace().nth(4))
        .collect();
    assert_eq!(suites, SUITES, "{output}");
}

/// Whether this openssl is built without the protocol or suites that the test needs. In CI it must
/// have them.
fn cannot_try(seen: &str) -> bool {
    let unable = seen.contains("no protocols available")
        || seen.contains("no ciphers available")
        || seen.contains("no cipher match");
    let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!(unable && in_ci), "this openssl cannot try: {seen}");
    unable
}

#[test]
fn openssl_cannot_force_anything_old() {
    if !need(&["openssl"]) {
        return;
    }
    // All suites of openssl that we do not serve: CBC, RSA key exchange, finite
    // fields, pre-shared keys, no authentication, no encryption, CCM, ARIA.
    let weak = "ALL:COMPLEMENTOFALL:!ECDHE+AESGCM:!ECDHE+CHACHA20:@SECLEVEL=0";
    let old = "no TLS version in common with remote\n";
    for (version, ciphers, alert, why) in [
        ("-tls1", "ALL:@SECLEVEL=0", 70, old),
        ("-tls1_1", "ALL:@SECLEVEL=0", 70, old),
        ("-tls1_2", weak, 40, ""),
        ("-tls1_2", "kRSA:@SECLEVEL=0", 40, ""),
        ("-tls1_2", "SHA1:SHA256:SHA384:!AEAD:@SECLEVEL=0", 40, ""),
    ] {
        for pair in ["p256", "rsa"] {
            let (server, port) = serve(&[], pair, &["echo", "never"]);
            let output = s_client(port, &[version, "-cipher", ciphers]).run();
            let seen = output.out() + &output.err();
            if cannot_try(&seen) {
                continue;
            }
            // The server refuses it, not the client.
            let alert = format!("SSL alert number {alert}\n");
            assert!(seen.contains(&alert), "{ciphers}: {seen}");
            assert!(seen.contains("Cipher is (NONE)"), "{ciphers}: {seen}");
            server.wait_err(&format!("s6-tlsd-io: fatal: handshake failed: {why}"));
        }
    }
    let (server, port) = serve(&[], "p256", &["echo", "never"]);
    let suites = "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256";
    let output = s_client(port, &["-tls1_3", "-ciphersuites", suites]).run();
    assert!(output.err().contains("SSL alert number 40"), "{output:?}");
    server.wait_err("no cipher suite in common with remote\n");
}

#[test]
fn ssl_2_and_3_are_answered_by_an_alert() {
    let hello3 = [
        &b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00"[..],
        &[0x5a; 32],
        b"\x00\x00\x04\xc0\x2b\xc0\x09\x01\x00",
    ]
    .concat();
    let hello2 = [
        &b"\x80\x1f\x01\x00\x02\x00\x06\x00\x00\x00\x10\x01\x00\x80\x05\x00\x80"[..],
        &[0x5a; 16],
    ]
    .concat();
    for (hello, alert, why) in [
        (hello3, 70, "no TLS version in common with remote\n"),
        (hello2, 10, "remote does not speak TLS\n"),
    ] {
        let (server, port) = serve(&[], "p256", &["echo", "never"]);
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(&hello).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, [21, 3, 3, 0, 2, 2, alert]);
        server.wait_err(&format!("s6-tlsd-io: fatal: handshake failed: {why}"));
    }
}

#[test]
fn nothing_is_compressed_renegotiated_or_resumed() {
    if !need(&["openssl"]) {
        return;
    }
    let (server, port) = serve(&[], "p256", &["cat"]);
    let mut client = s_client(port, &["-tls1_2", "-comp"]).input_pipe().start();
    let seen = client.wait_out("Extended master secret: yes\n");
    assert!(seen.contains("\nCompression: NONE\n"), "{seen}");
    assert!(
        seen.contains("\nSecure Renegotiation IS supported\n"),
        "{seen}"
    );
    client.write("R\n");
    client.wait_err("no renegotiation");
    drop(client);
    drop(server);
    for version in ["-tls1_2", "-tls1_3"] {
        let (_server, port) = serve(&[], "p256", &["cat"]);
        let output = s_client(port, &[version, "-reconnect"]).run().out();
        assert_eq!(output.matches("\nNew, TLSv1.").count(), 6, "{output}");
        assert!(!output.contains("Reused"), "{output}");
        assert!(!output.contains("ession ticket"), "{output}");
    }
}
