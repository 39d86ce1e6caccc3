//! Trust anchors: which files are read, and which peers they verify.

use std::io::Read;
use std::path::Path;

use crate::engine_files::{ca, works};
use crate::util::tls::{ECHO, HELLO, INTERNAL_ERROR, connect, tlsc, tlsd};
use crate::util::{TempDir, certs, cmd, tcp_pair};

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
    let line = format!("no trust anchor in {}\n", hidden.path().display());
    empty.run().fatal_with(96, "s6-tlsc-io: fatal: ", &[&line]);
    let pipe = any.join("pipe");
    for (variable, path, words) in [
        ("CADIR", "/nonexistent", ["/nonexistent", "No such file"]),
        ("CADIR", "/etc/passwd", ["/etc/passwd", "Not a directory"]),
        // Nobody writes to it: opening it as a file would never end.
        (
            "CADIR",
            pipe.to_str().unwrap(),
            ["/pipe", "Not a directory"],
        ),
        ("CAFILE", "/nonexistent", ["/nonexistent", "No such file"]),
        ("CAFILE", "/dev/null", ["/dev/null", "no certificate"]),
        ("CAFILE", "/", ["unable to read /", "Is a directory"]),
        // A type of key that cannot verify signatures here.
        (
            "CAFILE",
            &certs().path("odd.pem"),
            [
                "no trust anchor in",
                "odd.pem: no signature of a key of type ECDSA P-521 can be verified\n",
            ],
        ),
    ] {
        let client = cmd(["s6-tlsc-io", "0", "1"]).env(variable, path);
        client.run().fatal_with(96, "s6-tlsc-io: fatal: ", &words);
    }
}

/// The type of a handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

#[test]
fn client_sends_hello_before_it_reads_anchors() {
    let dir = TempDir::new();
    let pipe = dir.join("anchors");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (near, far) = tcp_pair();
    let client = tlsc(&["-k", "localhost"], HELLO)
        .env("CAFILE", &pipe)
        .fd(6, near.try_clone().unwrap())
        .fd(7, near)
        .start();
    // The ClientHello has arrived, and stays there for the server.
    let mut kind = [0];
    far.peek(&mut kind).unwrap();
    assert_eq!(kind, [HANDSHAKE]);
    // Only now is the file written.
    std::fs::write(&pipe, certs().read("ca.pem")).unwrap();
    let server = tlsd(&[], "p256", ECHO)
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    assert!(client.finish().success().out().starts_with("hello\n"));
    server.finish().success();
}

#[test]
fn client_with_unusable_anchors_alerts_the_server() {
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
        // It may have unknown critical extensions.
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
fn untrusted_server_is_refused_with_the_reason() {
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
        // A certificate that is itself an anchor is checked, too.
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
        // An anchor that is not a CA certificate vouches only for itself.
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
