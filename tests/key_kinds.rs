//! Keys that are unusable, not supported by every peer, or broken: the messages
//! about them.

use crate::util::tls::{HELLO, connect, serve, tlsc, tlsd};
use crate::util::{TempDir, certs, cmd, need};

/// The fatal line of a server with this key and certificate, which it cannot
/// use.
fn refused(key: impl AsRef<std::ffi::OsStr>, pair: &str, words: &[&str]) {
    let server = cmd(["s6-tlsd-io", "0", "1"])
        .env("KEYFILE", key)
        .env("CERTFILE", certs().path(&format!("{pair}.pem")));
    server.run().fatal_with(96, "s6-tlsd-io: fatal: ", words);
}

#[test]
fn unusable_key_is_reported_with_its_kind() {
    for (pair, kind) in [
        ("pss", "of type RSASSA-PSS ("),
        ("secp521r1", "of type ECDSA P-521 ("),
        ("secp256k1", "of type ECDSA secp256k1 ("),
        ("rsa2560", "of type RSA with 2560 bits ("),
        ("rsae3", "of type RSA with exponent 3 ("),
        ("rsalarge", "of type RSA with an exponent of 34 bits ("),
        ("rsa3primes", "of type RSA with more than two primes ("),
    ] {
        let key = certs().path(&format!("{pair}.key"));
        let usable = "RSA of 2048, 3072 or 4096 bits with exponent 65537";
        refused(&key, pair, &[&key, "unusable private key", kind, usable]);
    }
}

/// The INTEGERs of an RSAPrivateKey, each with its header.
fn numbers(der: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &der[4..];
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let length = match rest[1] {
            0x81 => 3 + usize::from(rest[2]),
            0x82 => 4 + usize::from(u16::from_be_bytes([rest[2], rest[3]])),
            short => 2 + usize::from(short),
        };
        let (number, after) = rest.split_at(length);
        numbers.push(number.to_vec());
        rest = after;
    }
    numbers
}

fn rsa_key(numbers: &[Vec<u8>]) -> Vec<u8> {
    let content = numbers.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82][..], &length, &content].concat()
}

#[test]
fn broken_rsa_key_is_reported_with_its_fault() {
    let dir = TempDir::new();
    let good = numbers(&certs().read("rsa.pkcs1.der"));
    assert_eq!(rsa_key(&good), certs().read("rsa.pkcs1.der"));
    let mut coefficient = good.clone();
    *coefficient[8].last_mut().unwrap() ^= 1;
    // The order of the numbers is p, q, their exponents and the coefficient.
    let mut swapped = good;
    swapped.swap(4, 5);
    swapped.swap(6, 7);
    for (name, key, why) in [
        (
            "coefficient",
            coefficient,
            "its numbers contradict each other",
        ),
        (
            "swapped",
            swapped,
            "its first prime is smaller than its second",
        ),
    ] {
        let file = dir.file(name, rsa_key(&key));
        refused(
            &file,
            "rsa",
            &[name, &format!(": unusable private key: {why}")],
        );
    }
}

#[test]
fn explicit_curve_parameters_are_served_if_known() {
    if !need(&["openssl"]) {
        return;
    }
    for pair in ["explicit-prime256v1", "explicit-secp384r1"] {
        let (_server, port) = serve(&[], pair, &["echo", "served"]);
        let client = cmd(["openssl", "s_client", "-quiet", "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .input_pipe()
            .start();
        client.wait_out("served");
    }
    let explicit = "explicit-brainpoolP256r1";
    let key = certs().path(&format!("{explicit}.key"));
    let words = ["explicit parameters", "openssl ec -param_enc named_curve"];
    refused(key, explicit, &words);
    let explicit = "explicit-secp521r1";
    let key = certs().path(&format!("{explicit}.key"));
    let words = ["explicit parameters) and is neither P-256 nor P-384"];
    refused(key, explicit, &words);
}

#[test]
fn peer_with_unverifiable_key_is_refused_with_its_kind() {
    for (pair, anchors, code, why) in [
        (
            "pssinter-leaf-chain",
            "ca",
            98,
            "an issuer's key is of type RSASSA-PSS",
        ),
        (
            "pssca-leaf",
            "pssca",
            96,
            "no signature of a key of type RSASSA-PSS",
        ),
        (
            "p256",
            "odd",
            96,
            "no signature of a key of type ECDSA P-521",
        ),
        (
            "explicit-prime256v1",
            "ca",
            98,
            "its key is of type ECDSA with explicit parameters",
        ),
    ] {
        let key = certs().path(&format!("{}.key", pair.trim_end_matches("-chain")));
        let server = tlsd(&[], "p256", "cat")
            .env("KEYFILE", key)
            .env("CERTFILE", certs().path(&format!("{pair}.pem")));
        let client = tlsc(&["-klocalhost"], "echo never");
        let client = client.env("CAFILE", certs().path(&format!("{anchors}.pem")));
        let (_, client) = connect(server, client);
        client.fatal_with(code, "s6-tlsc-io: fatal: ", &[why]);
    }
}

#[test]
fn a_certificate_from_before_1970_is_refused_in_words_unless_it_is_trusted_itself() {
    let server = || tlsd(&[], "prehistoric", "cat");
    let (_, client) = connect(server(), tlsc(&["-klocalhost"], "echo never"));
    let why = "it, or an issuer's, is valid from before 1970";
    client.fatal_with(98, "s6-tlsc-io: fatal: ", &[why]);
    let pin = format!("--pin=SHA256:{}", certs().hash("prehistoric"));
    let pinned = tlsc(&[&pin], HELLO).env_remove("CAFILE");
    let listed = tlsc(&["-klocalhost"], HELLO).env("CAFILE", certs().path("prehistoric.pem"));
    for client in [pinned, listed] {
        let (_, client) = connect(server(), client);
        assert!(client.success().out().starts_with("hello\n"));
    }
}
