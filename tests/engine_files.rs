//! Keys and certificates: which files the engines accept, and the messages
//! about unusable ones.

use std::path::Path;
use std::time::Duration;

use crate::util::tls::{ECHO, HELLO, connect, serve, start, tlsc, tlsd};
use crate::util::{TempDir, certs, cmd, idle, need, skip};

/// A connection with these files, which must work.
pub fn works(key: &str, certificate: &str, anchors: (&str, &Path), client: &[&str]) {
    let server = tlsd(&[], "p256", ECHO)
        .env("KEYFILE", key)
        .env("CERTFILE", certificate);
    let client = tlsc(client, HELLO)
        .env_remove("CAFILE")
        .env(anchors.0, anchors.1);
    let (server, client) = connect(server, client);
    server.success();
    assert!(client.success().out().starts_with("hello\n"));
}

pub fn ca() -> std::path::PathBuf {
    certs().path("ca.pem").into()
}

#[test]
fn every_kind_of_key_and_file_is_served() {
    for (key, certificate) in [
        ("p256.key", "p256.pem"),
        ("p256.sec1", "p256.pem"),
        ("p256.params", "p256.pem"),
        ("p256.pkcs8.der", "p256.der"),
        ("p256.sec1.der", "p256.pem"),
        ("p384.params", "p384.pem"),
        ("p384.sec1.der", "p384.der"),
        ("rsa.key", "rsa.pem"),
        ("rsa.pkcs1", "rsa.pem"),
        ("rsa.pkcs1.der", "rsa.der"),
        ("ed25519.key", "ed25519.pem"),
        ("ed25519.pkcs8.der", "ed25519.der"),
        ("leaf.key", "leaf-chain.pem"),
        ("rsa3072.key", "rsa3072.pem"),
        ("rsa4096.key", "rsa4096.pem"),
        // Without the public key, which is in the certificate.
        ("p256.bare.sec1", "p256.pem"),
        ("p256.bare.sec1.der", "p256.der"),
        ("p256.bare.key", "p256.pem"),
        ("p384.bare.sec1", "p384.pem"),
        ("p384.bare.sec1.der", "p384.pem"),
        ("p384.bare.key", "p384.pem"),
        // With the public key, or the curve, in another form.
        ("p256.compressed.key", "p256.pem"),
        ("p256.compressed.sec1", "p256.pem"),
        ("p256.explicit.key", "p256.pem"),
        ("p256.explicit.sec1", "p256.pem"),
        // Recognised by content, not by label.
        ("rsa.pkcs8.sec1", "rsa.pem"),
        ("rsa.pkcs1.sec1", "rsa.pem"),
        ("p256.relabelled.sec1", "p256.pem"),
        ("p384.relabelled.sec1", "p384.pem"),
        ("ed25519.relabelled.sec1", "ed25519.pem"),
    ] {
        let path = |name| certs().path(name);
        works(
            &path(key),
            &path(certificate),
            ("CAFILE", &ca()),
            &["-k", "localhost"],
        );
    }
}

#[test]
fn unusual_certificate_is_served_if_the_key_matches() {
    if !need(&["openssl"]) {
        return;
    }
    for pair in ["unknown", "version1", "expired"] {
        let (_server, port) = serve(&[], pair, &["echo", "served"]);
        let client = cmd(["openssl", "s_client", "-quiet", "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .input_pipe()
            .start();
        client.wait_out("served");
    }
}

#[test]
fn text_crlf_and_other_blocks_in_a_file_do_not_matter() {
    let dir = TempDir::new();
    let all = [
        b"some text\n".to_vec(),
        certs().read("rsa.pem"),
        certs().read("rsa.encrypted"),
        certs().read("rsa.key"),
    ];
    let crlf = String::from_utf8(all.concat())
        .unwrap()
        .replace('\n', "\r\n");
    let certificate = dir.file("certificate", &crlf);
    let key = dir.file(
        "key",
        [
            certs().read("rsa.pem"),
            certs().read("rsa.key"),
            b"end".to_vec(),
        ]
        .concat(),
    );
    let renamed = String::from_utf8(certs().read("ca.pem")).unwrap();
    let anchors = dir.file(
        "anchors",
        renamed.replace(" CERTIFICATE", " X509 CERTIFICATE"),
    );
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    works(
        &path(&key),
        &path(&certificate),
        ("CAFILE", &anchors),
        &["-k", "localhost"],
    );
}

#[test]
fn unusable_key_or_certificate_is_named() {
    let dir = TempDir::new();
    let empty = dir.file("empty", "").to_str().unwrap().to_owned();
    let broken = dir.file(
        "broken",
        "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n",
    );
    let broken = broken.to_str().unwrap().to_owned();
    let path = |name| certs().path(name);
    let issuer = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let issuer = dir.file("issuer", [&certs().read("p256.pem"), &issuer[..]].concat());
    for (key, certificate, words) in [
        (
            "/nonexistent".to_owned(),
            path("p256.pem"),
            vec!["/nonexistent", "No such file"],
        ),
        (
            path("p256.key"),
            "/".to_owned(),
            vec!["read /:", "Is a directory"],
        ),
        (
            empty.clone(),
            path("p256.pem"),
            vec!["/empty", "no private key"],
        ),
        (broken, path("p256.pem"), vec!["/broken", "malformed"]),
        (path("p256.key"), empty, vec!["/empty", "no certificate"]),
        (
            path("p256.key"),
            path("p256.key"),
            vec!["p256.key", "no certificate"],
        ),
        (
            path("p256.encrypted"),
            path("p256.pem"),
            vec!["p256.encrypted", "encrypted"],
        ),
        (
            path("p256.encrypted.der"),
            path("p256.pem"),
            vec!["encrypted.der", "is encrypted"],
        ),
        (
            path("rsa.encrypted"),
            path("rsa.pem"),
            vec!["rsa.encrypted", "is encrypted"],
        ),
        (
            path("p256.bare.key"),
            path("client.pem"),
            vec!["p256.bare.key", "client.pem", "does not belong"],
        ),
        (
            path("p256.bare.sec1"),
            path("rsa.pem"),
            vec!["p256.bare.sec1", "rsa.pem", "does not belong"],
        ),
        (
            path("p256.compressed.key"),
            path("client.pem"),
            vec!["p256.compressed.key", "client.pem", "does not belong"],
        ),
        (
            path("rsa2560.key"),
            path("rsa2560.pem"),
            vec!["rsa2560.key: ", "RSA of 2048, 3072 or 4096 bits"],
        ),
        (
            path("rsae3.key"),
            path("rsae3.pem"),
            vec!["rsae3.key: ", "exponent 65537"],
        ),
        (
            path("p384.key"),
            path("p256.pem"),
            vec!["p384.key", "p256.pem", "does not belong"],
        ),
        (
            path("p256.key"),
            issuer.to_str().unwrap().to_owned(),
            vec!["/issuer: malformed"],
        ),
    ] {
        let server = cmd(["s6-tlsd-io", "0", "1"])
            .env("KEYFILE", key)
            .env("CERTFILE", certificate);
        server.run().fatal_with(96, "s6-tlsd-io: fatal: ", &words);
    }
}

#[test]
fn missing_variable_is_named() {
    let key = certs().path("p256.key");
    cmd(["s6-tlsd-io", "0", "1"])
        .run()
        .fatal(100, "s6-tlsd-io: fatal: KEYFILE not set");
    let server = cmd(["s6-tlsd-io", "0", "1"]).env("KEYFILE", &key);
    server
        .run()
        .fatal(100, "s6-tlsd-io: fatal: CERTFILE not set");
    let missing = "fatal: CADIR or CAFILE not set";
    for options in [&[][..], &["--no-verify-cert"]] {
        let client = cmd(["s6-tlsc-io"]).args(options).args(["6", "7"]);
        let line = format!("s6-tlsc-io: {missing}, and no --webpki-roots given");
        client.run().fatal(100, &line);
    }
    let server = cmd(["s6-tlsd-io", "-Y", "0", "1"])
        .env("KEYFILE", &key)
        .env("CERTFILE", "x");
    server.run().fatal(100, &format!("s6-tlsd-io: {missing}"));
    let client = cmd(["s6-tlsc-io", "-y", "6", "7"]).env("CAFILE", "x");
    client
        .run()
        .fatal(100, "s6-tlsc-io: fatal: KEYFILE not set");
}

#[test]
fn a_client_may_take_long_to_start() {
    let dir = TempDir::new();
    let key = dir.join("key");
    nix::unistd::mkfifo(&key, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let client = tlsc(&["-y", "-k", "localhost"], HELLO)
        .env("KEYFILE", &key)
        .env("CERTFILE", certs().path("client.pem"));
    let (server, client) = start(tlsd(&[], "p256", ECHO), client);
    // Longer than the time after which an engine frees unused memory.
    idle(Duration::from_millis(1200));
    std::fs::write(&key, certs().read("client.key")).unwrap();
    let (server, client) = (server.finish(), client.finish());
    assert!(client.success().out().starts_with("hello\n"));
    server.success();
}

#[test]
fn files_count_before_the_limit_of_the_handshake() {
    let client = tlsc(&["-K1"], "echo never").env("CAFILE", "/nonexistent");
    let (_, client) = connect(tlsd(&[], "p256", ECHO), client);
    client.fatal_with(96, "s6-tlsc-io: fatal: ", &["/nonexistent"]);
}

#[test]
fn a_chain_that_is_longer_than_our_buffers_is_sent_whole() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    // More than 90 KiB; OpenSSL takes up to 100.
    let text = [certs().read("p256.pem"), certs().read("wide.pem").repeat(5)].concat();
    let chain = dir.file("chain", text);
    let server = cmd(["s6-tlsserver", "-1H", "127.0.0.1", "0", "cat"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", chain)
        .start();
    let to = format!("127.0.0.1:{}", server.port());
    let mut client = cmd(["openssl", "s_client", "-quiet", "-connect", &to])
        .input_pipe()
        .start();
    client.write("hello\n");
    client.wait_out("hello");
}

#[test]
fn a_renewed_certificate_is_served_at_once() {
    let dir = TempDir::new();
    let renew = |name: &str| {
        dir.file("key", certs().read(&format!("{name}.key")));
        dir.file("certificate", certs().read(&format!("{name}.pem")));
    };
    for name in ["p256", "rsa"] {
        renew(name);
        let server = tlsd(&[], "p256", ECHO)
            .env("KEYFILE", dir.join("key"))
            .env("CERTFILE", dir.join("certificate"));
        let (_, client) = connect(server, tlsc(&["-k", "localhost"], HELLO));
        let hash = format!("SSL_PEER_CERT_HASH=SHA256:{}\n", certs().hash(name));
        assert!(client.success().out().contains(&hash));
    }
}

#[test]
fn the_engine_reads_the_key_as_root_and_the_anchors_as_its_own_user() {
    if !nix::unistd::geteuid().is_root() {
        skip("not root");
        return;
    }
    let dir = TempDir::new();
    let key = dir.file("key", certs().read("p256.key"));
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let anchors = dir.file("anchors", certs().read("ca.pem"));
    let status = "grep -E '^(Uid|Gid|Groups):' /proc/$(pgrep -P $$ s6-tlsd-io)/status; cat";
    // With groups of root to be cleared.
    let server = |anchors: &Path| {
        tlsd(&["-Y"], "p256", status)
            .run_by(["s6-applyuidgid", "-G", "4,5"])
            .env("KEYFILE", &key)
            .env("CAFILE", anchors)
            .env("TLS_UID", "65534")
            .env("TLS_GID", "65533")
    };
    let (_, client) = connect(server(&anchors), tlsc(&[], HELLO));
    let out = client.success().out();
    assert!(
        out.starts_with(
            "Uid:\t65534\t65534\t65534\t65534\nGid:\t65533\t65533\t65533\t65533\nGroups:\t \n"
        ),
        "{out}"
    );
    std::fs::set_permissions(
        &anchors,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let (server, _) = connect(server(&anchors), tlsc(&[], "echo never"));
    server.fatal_with(
        96,
        "s6-tlsd-io: fatal: ",
        &["as uid 65534", "Permission denied"],
    );
    // The number that means "no change" to the system.
    for (name, what) in [
        ("TLS_UID", "setuid to TLS_UID"),
        ("TLS_GID", "setgid to TLS_GID"),
    ] {
        let (server, _) = connect(
            tlsd(&[], "p256", "echo never").env(name, "4294967295"),
            tlsc(&[], "echo never"),
        );
        let line = format!("s6-tlsd-io: fatal: unable to {what}: Invalid argument");
        server.fatal(111, &line);
    }
    for (name, value) in [("TLS_UID", ""), ("TLS_UID", "x"), ("TLS_GID", "-1")] {
        let server = cmd(["s6-tlsd-io", "0", "1"]).env(name, value);
        server
            .run()
            .fatal(100, &format!("s6-tlsd-io: fatal: invalid ${name}"));
    }
}
