//! Keys, certificates and trust anchors: what is read, and what is said of
//! what cannot be.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use crate::util::tls::{ECHO, HELLO, INTERNAL_ERROR, connect, serve, start, tlsc, tlsd};
use crate::util::{TempDir, certs, cmd, idle, need, tcp_pair};

/// A connection with these files, which must work.
fn works(key: &str, certificate: &str, anchors: (&str, &Path), client: &[&str]) {
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

/// A connection with these files, which the client must refuse.
fn refused(pair: &str, anchors: (&str, &Path), client: &[&str], why: &str) {
    let chain = certs().path(&format!("{pair}.pem"));
    let key = certs().path(&format!("{}.key", pair.trim_end_matches("-chain")));
    let server = tlsd(&[], "p256", "echo never")
        .env("KEYFILE", key)
        .env("CERTFILE", chain);
    let client = tlsc(client, "echo never")
        .env_remove("CAFILE")
        .env(anchors.0, anchors.1);
    let (server, client) = connect(server, client);
    let client = client.fatal_with(98, "s6-tlsc-io: fatal: ", &[why]);
    assert_eq!(client.out(), "");
    assert_eq!(
        server
            .fatal_with(98, "s6-tlsd-io: fatal: ", &["alert"])
            .out(),
        ""
    );
}

fn ca() -> std::path::PathBuf {
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
        // By their content, not by their label.
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
fn what_a_server_shows_is_its_own_business() {
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
fn what_cannot_be_used_is_named() {
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
fn variables_that_are_missing_are_named() {
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
fn a_directory_of_anchors_is_read_by_hashed_names_or_else_whole() {
    let name = ["-k", "localhost"];
    let (key, pem) = (certs().path("p256.key"), certs().path("p256.pem"));
    // Any name, PEM or DER, unusable files skipped, hidden ones too.
    let any = TempDir::new();
    any.file("authority", certs().read("ca.der"));
    any.file("note", "nothing");
    nix::unistd::mkfifo(&any.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    works(&key, &pem, ("CADIR", any.path()), &name);
    // With hashed names only those count.
    let hashed = TempDir::new();
    hashed.file("0a1b2c3d.0", certs().read("other.pem"));
    hashed.file("0a1b2c3d.1", certs().read("ca.pem"));
    works(&key, &pem, ("CADIR", hashed.path()), &name);
    hashed.file("0a1b2c3d.1", certs().read("other.pem"));
    hashed.file("ca.pem", certs().read("ca.pem"));
    refused("p256", ("CADIR", hashed.path()), &name, "unknown issuer");
    let hidden = TempDir::new();
    hidden.file(".ca.pem", certs().read("ca.pem"));
    let empty = cmd(["s6-tlsc-io", "0", "1"])
        .env("CADIR", hidden.path())
        .env("CAFILE", ca());
    empty.run().fatal_with(
        96,
        "s6-tlsc-io: fatal: ",
        &["no trust anchor", hidden.path().to_str().unwrap()],
    );
    for (variable, path, words) in [
        ("CADIR", "/nonexistent", ["/nonexistent", "No such file"]),
        ("CADIR", "/etc/passwd", ["/etc/passwd", "Not a directory"]),
        ("CAFILE", "/nonexistent", ["/nonexistent", "No such file"]),
        ("CAFILE", "/dev/null", ["/dev/null", "no certificate"]),
        // A kind of key that cannot be verified with.
        (
            "CAFILE",
            &certs().path("odd.pem"),
            ["odd.pem", "no trust anchor"],
        ),
    ] {
        let client = cmd(["s6-tlsc-io", "0", "1"]).env(variable, path);
        client.run().fatal_with(96, "s6-tlsc-io: fatal: ", &words);
    }
}

/// The type of a handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

#[test]
fn a_client_greets_before_it_reads_its_anchors() {
    let dir = TempDir::new();
    let pipe = dir.join("anchors");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (near, far) = tcp_pair();
    let client = tlsc(&["-k", "localhost"], HELLO)
        .env("CAFILE", &pipe)
        .fd(6, near.try_clone().unwrap())
        .fd(7, near)
        .start();
    // The greeting is there, and stays for the server.
    let mut kind = [0];
    far.peek(&mut kind).unwrap();
    assert_eq!(kind, [HANDSHAKE]);
    // Only now does anybody write the file.
    std::fs::write(&pipe, certs().read("ca.pem")).unwrap();
    let server = tlsd(&[], "p256", ECHO)
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    assert!(client.finish().success().out().starts_with("hello\n"));
    server.finish().success();
}

#[test]
fn a_server_hears_of_a_client_that_cannot_use_its_anchors() {
    for (variable, path) in [("CAFILE", "/nonexistent"), ("CADIR", "/etc/passwd")] {
        let (near, mut network) = tcp_pair();
        let client = tlsc(&[], "echo never")
            .env_remove("CAFILE")
            .env(variable, path)
            .fd(6, near.try_clone().unwrap())
            .fd(7, near)
            .start();
        network.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        network.read_to_end(&mut heard).unwrap();
        assert_eq!(heard[0], HANDSHAKE);
        assert!(heard.ends_with(&INTERNAL_ERROR), "{path}");
        let client = client.finish();
        assert_eq!(client.out(), "");
        client.fatal_with(96, "s6-tlsc-io: fatal: ", &[path]);
    }
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
    // Longer than an engine stays as large as it was.
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
fn anchors_of_every_kind_are_trusted() {
    let path = |name| certs().path(name);
    let file = |name| certs().path(name).into();
    for (key, chain, anchors, client) in [
        ("p256.key", "p256.pem", "both.pem", &["-k", "localhost"][..]),
        ("p256.key", "p256.pem", "ca.der", &["-k", "LOCALHOST"]),
        ("ed.key", "ed.pem", "with-edca.pem", &["-k", "localhost"]),
        // An intermediate alone.
        ("leaf.key", "leaf.pem", "inter.pem", &["-k", "localhost"]),
        // The certificate itself, marked as a CA or not.
        (
            "selfca.key",
            "selfca.pem",
            "selfca.pem",
            &["-k", "localhost"],
        ),
        (
            "selfleaf.key",
            "selfleaf.pem",
            "selfleaf.pem",
            &["-k", "127.0.0.1"],
        ),
        // It may say what nobody understands.
        (
            "selfodd.key",
            "selfodd.pem",
            "selfodd.pem",
            &["-k", "localhost"],
        ),
        (
            "selfodd.key",
            "selfodd.pem",
            "selfodd.pem",
            &["-k", "127.0.0.1"],
        ),
        // A common name where there is no alternative name.
        ("cnonly.key", "cnonly.pem", "ca.pem", &["-k", "localhost"]),
        // An address, and a wildcard.
        ("p256.key", "p256.pem", "ca.pem", &["-k", "127.0.0.1"]),
        ("wild.key", "wild.pem", "ca.pem", &["-k", "a.example.test"]),
        // No name, no check of it.
        ("wrong.key", "wrong.pem", "ca.pem", &[]),
        // A name that the issuer may issue for, a common name where it may
        // issue for any host name.
        (
            "p256.key",
            "limitedsan.pem",
            "limited.pem",
            &["-k", "www.good.example"],
        ),
        (
            "p256.key",
            "addressescn.pem",
            "addresses.pem",
            &["-k", "localhost"],
        ),
        // Nothing checked at all.
        (
            "expired.key",
            "expired.pem",
            "other.pem",
            &["--no-verify-cert", "-k", "x.test"],
        ),
        (
            "future.key",
            "future.pem",
            "other.pem",
            &["--no-verify-cert"],
        ),
    ] {
        let anchors: std::path::PathBuf = file(anchors);
        works(&path(key), &path(chain), ("CAFILE", &anchors), client);
    }
}

#[test]
fn what_cannot_be_trusted_is_refused_with_its_reason() {
    let other = certs().path("other.pem");
    let path = |name| std::path::PathBuf::from(certs().path(&format!("{name}.pem")));
    let pinned = path("selfleaf");
    let name = &["-k", "localhost"][..];
    let bank = &["-k", "www.bank.example"][..];
    for (pair, anchors, client, why) in [
        (
            "p256",
            ca(),
            &["-k", "other.test"][..],
            "not valid for this name",
        ),
        (
            "p256",
            ca(),
            &["-k", "127.0.0.2"],
            "not valid for this name: 127.0.0.2 is wanted, it has localhost,",
        ),
        (
            "wild",
            ca(),
            &["-k", "a.b.example.test"],
            "not valid for this name: a.b.example.test is wanted, it has *.example.test\n",
        ),
        (
            "cnother",
            ca(),
            name,
            "not valid for this name: localhost is wanted, it has other.test\n",
        ),
        ("p256", other.into(), name, "unknown issuer"),
        ("leaf", ca(), name, "unknown issuer"),
        ("expired", ca(), &[], "expired"),
        ("future", ca(), &[], "not yet valid"),
        ("noca-chain", ca(), name, "certificate of remote refused"),
        // Anchors that are shown themselves are looked at, too.
        ("expired", path("expired"), name, "expired"),
        (
            "selfleaf",
            path("selfleaf"),
            &["-k", "x.test"],
            "not valid for this name",
        ),
        (
            "selfodd",
            path("selfodd"),
            &["-k", "other.test"],
            "not valid for this name",
        ),
        // An anchor that is no CA vouches for nobody but itself.
        ("pinned", pinned.clone(), name, "unknown issuer"),
        ("pinned-chain", pinned, name, "an issuer's keyUsage"),
        ("clientonly", ca(), name, "purpose"),
        // Issuers whose key may not sign certificates, and a key that may not
        // sign a handshake.
        ("nosignleaf", path("nosign"), name, "unknown issuer"),
        (
            "nosigndeep-chain",
            ca(),
            name,
            "an issuer's keyUsage does not allow it to sign certificates",
        ),
        (
            "agree",
            ca(),
            name,
            "its keyUsage does not allow signatures",
        ),
        // Names that an issuer may not issue for.
        (
            "limitedcn",
            path("limited"),
            bank,
            "not within the name constraints of an issuer",
        ),
        (
            "limitedout",
            path("limited"),
            bank,
            "not within the name constraints of an issuer",
        ),
        (
            "limiteddeep-chain",
            ca(),
            bank,
            "not within the name constraints of an issuer",
        ),
        ("unknown", ca(), name, "unknown critical extension"),
        ("long-chain", ca(), name, "chain too long"),
        // Short keys.
        (
            "shortleaf",
            path("short"),
            name,
            "an issuer's RSA key has 1024 bits: 2048 to 8192 can be verified",
        ),
        (
            "largeca-leaf",
            path("largeca"),
            name,
            "an issuer's RSA key has an exponent of 34 bits: at most 33 can be verified",
        ),
        ("selfleaf", ca(), name, "certificate of remote refused"),
        (
            "selfca",
            ca(),
            name,
            "a self-signed or CA certificate that is not among the trust anchors",
        ),
    ] {
        refused(pair, ("CAFILE", &anchors), client, why);
    }
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
        println!("SKIPPED: not root");
        return;
    }
    let dir = TempDir::new();
    let key = dir.file("key", certs().read("p256.key"));
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let anchors = dir.file("anchors", certs().read("ca.pem"));
    let status = "grep -E '^(Uid|Gid|Groups):' /proc/$(pgrep -P $$ s6-tlsd-io)/status; cat";
    let server = |anchors: &Path| {
        tlsd(&["-Y"], "p256", status)
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
    // The number that the system takes for "no change".
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
