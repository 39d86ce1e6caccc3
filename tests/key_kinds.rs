//! Keys that are unusable, not supported by every peer, or broken: the messages
//! about them.

use crate::util::tls::{
    ENGINES, HELLO, VERSIONS, call, connect, door, openssl_server, serve, tlsc, tlsd, visit,
};
use crate::util::{Output, TempDir, certs, cmd, need};

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
        (
            "pssmask",
            "of type RSASSA-PSS with parameters that TLS does not have (",
        ),
        ("secp521r1", "of type ECDSA P-521 ("),
        ("secp256k1", "of type ECDSA secp256k1 ("),
        ("short", "of type RSA with 1024 bits ("),
        ("rsa2560", "of type RSA with 2560 bits ("),
        ("rsae3", "of type RSA with exponent 3 ("),
        ("rsalarge", "of type RSA with an exponent of 34 bits ("),
        ("rsa3primes", "of type RSA with more than two primes ("),
    ] {
        let key = certs().path(&format!("{pair}.key"));
        let usable = "RSA of 2048, 3072 or 4096 bits with exponent 65537";
        let command = "openssl genrsa 2048 makes one, which needs a new certificate)";
        let words = [&key, "unusable private key", kind, usable, command];
        refused(&key, pair, &words);
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

/// `openssl s_client` at a server with the key and certificate `pair`, and what the server says.
fn asked(pair: &str, options: &[&str], version: &str) -> (Output, String) {
    let options = [&["-v"], options].concat();
    let (server, port) = serve(&options, pair, &["echo", "served"]);
    let client = cmd(["openssl", "s_client", "-verify_return_error", version])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args(["-CAfile", &certs().path("ca.pem")])
        .input_pipe()
        .start();
    server.wait_err(" end=");
    (client.finish(), server.stderr.text())
}

/// Without and with a key guard.
const GUARDED: [&[&str]; 2] = [&["-S"], &["-S", "--key-guard"]];

#[test]
fn a_server_signs_with_a_key_of_type_rsassa_pss_in_tls_1_3() {
    if !need(&["openssl"]) {
        return;
    }
    for options in GUARDED {
        for (pair, hash) in [
            ("pss", "SHA512"),
            ("pss256", "SHA256"),
            ("psssalt", "SHA256"),
        ] {
            let (client, _) = asked(pair, options, "-tls1_3");
            let said = client.success().out();
            for line in [
                &format!("Peer signing digest: {hash}\n"),
                "Peer signature type: RSA-PSS\n",
                "Verify return code: 0 (ok)\n",
                "served\n",
            ] {
                assert!(said.contains(line), "{pair} {line}: {said}");
            }
        }
        let (client, server) = asked("pss", options, "-tls1_2");
        assert!(
            client.err().contains("alert handshake failure"),
            "{}",
            client.err()
        );
        let why = "fatal: handshake failed: no signature scheme in common with remote\n";
        assert!(server.contains(why), "{server}");
    }
}

#[test]
fn a_server_with_a_key_of_type_rsassa_pss_uses_the_hash_that_the_client_has() {
    if !need(&["openssl"]) {
        return;
    }
    for options in GUARDED {
        for hash in ["SHA256", "SHA384", "SHA512"] {
            let scheme = format!("rsa_pss_pss_{}", hash.to_lowercase());
            let (server, port) = serve(&[&["-v"], options].concat(), "pss", &["echo", "served"]);
            // The certificates of the chain are signed by other schemes.
            let client = cmd(["openssl", "s_client", "-tls1_3", "-sigalgs"])
                .arg(format!("{scheme}:ecdsa_secp256r1_sha256:rsa_pkcs1_sha256"))
                .args(["-connect", &format!("127.0.0.1:{port}")])
                .run();
            server.wait_err(" end=");
            let said = client.out();
            assert!(
                said.contains(&format!("Peer signing digest: {hash}\n")),
                "{said}"
            );
        }
    }
}

/// The certificate is for SHA-256 alone, its key file for every hash.
#[test]
fn a_server_signs_with_the_hash_that_its_certificate_allows() {
    if !need(&["openssl"]) {
        return;
    }
    for options in GUARDED {
        let (client, _) = asked("pssopen", options, "-tls1_3");
        let said = client.success().out();
        assert!(said.contains("Peer signing digest: SHA256\n"), "{said}");
    }
    let key = certs().path("pssmaskopen.key");
    refused(
        &key,
        "pssmaskopen",
        &[&key, "does not belong to the certificate"],
    );
}

#[test]
fn a_key_of_type_rsassa_pss_must_be_that_of_the_certificate() {
    let other = certs().path("pss256.key");
    refused(
        &other,
        "pss",
        &[&other, "does not belong to the certificate"],
    );
}

#[test]
fn a_key_of_type_rsassa_pss_that_gnutls_made_is_usable() {
    if !need(&["openssl", "certtool"]) {
        return;
    }
    let dir = TempDir::new();
    let [key, certificate] = ["key.pem", "cert.pem"].map(|file| dir.join(file));
    cmd([
        "certtool",
        "--generate-privkey",
        "--key-type=rsa-pss",
        "--hash=sha384",
    ])
    .args(["--salt-size=48", "--bits=2048", "--no-text", "--outfile"])
    .arg(&key)
    .run()
    .success();
    cmd([
        "openssl",
        "req",
        "-x509",
        "-new",
        "-subj",
        "/CN=localhost",
        "-key",
    ])
    .arg(&key)
    .arg("-out")
    .arg(&certificate)
    .run()
    .success();
    let checked = cmd(["s6-tlsd-io", "-S", "--check", "6", "7"])
        .env("KEYFILE", &key)
        .env("CERTFILE", &certificate)
        .run();
    let said = checked.success().out();
    assert!(said.contains("key-type: RSASSA-PSS\n"), "{said}");
}

#[test]
fn gnutls_accepts_a_server_with_a_key_of_type_rsassa_pss() {
    if !need(&["gnutls-cli"]) {
        return;
    }
    for pair in ["pss", "pss256"] {
        let (_server, port) = serve(&["-S"], pair, &["echo", "served"]);
        let client = cmd(["gnutls-cli", "--x509cafile", &certs().path("ca.pem"), "-p"])
            .args([&port.to_string(), "localhost"])
            .input_pipe()
            .start();
        let said = client.finish().success().out();
        assert!(
            said.contains("RSA-PSS") && said.contains("served\n"),
            "{said}"
        );
    }
}

#[test]
fn a_client_signs_with_a_key_of_type_rsassa_pss_in_tls_1_3() {
    if !need(&["openssl"]) {
        return;
    }
    let asked = |version: &str, options: &[&str]| {
        let anchor = certs().path("ca.pem");
        let args = [
            version,
            "-Verify",
            "1",
            "-verify_return_error",
            "-CAfile",
            &anchor,
        ];
        let (server, port) = openssl_server("p256", args);
        let client = cmd(["s6-tcpclient", "-H", "127.0.0.1", &port.to_string()])
            .args(["s6-tlsc", "-y", "-klocalhost"])
            .args(options)
            .args(["sh", "-c", "exec 7>&-; cat <&6"])
            .env("KEYFILE", certs().path("clientpss.key"))
            .env("CERTFILE", certs().path("clientpss.pem"))
            .env("CAFILE", anchor)
            .run();
        (client, server.finish())
    };
    for options in GUARDED {
        let (client, server) = asked("-tls1_3", options);
        client.success();
        let said = server.out();
        assert!(said.contains("Client certificate\n"), "{said}");
        assert!(said.contains("Peer signature type: RSA-PSS\n"), "{said}");
        let (client, server) = asked("-tls1_2", options);
        let why = "peer did not return a certificate";
        assert!(server.err().contains(why), "{}", server.err());
        client.fatal_with(
            98,
            "s6-tlsc-io: fatal: ",
            &["remote sent alert handshake_failure"],
        );
    }
}

#[test]
fn a_peer_with_a_key_of_type_rsassa_pss_is_not_accepted() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        let call = call(&["-klocalhost"], version, "pss", |client| {
            client.env("CAFILE", certs().path("ca.pem"))
        });
        call.logged("fatal: handshake failed: remote sent alert handshake_failure\n");
        let server = door(&["-y"]).env("CAFILE", certs().path("ca.pem"));
        let visit = visit(server, version, Some("clientpss"));
        visit.logged("fatal: handshake failed: remote sent no certificate\n");
    }
}

#[test]
fn the_check_says_why_a_key_cannot_be_used_and_who_accepts_one_of_type_rsassa_pss() {
    let check = |program: &str, operands: &[&str], pair: &str| {
        let option = if program.contains("tlsc") { "-y" } else { "-S" };
        cmd([program, option, "--check"])
            .args(operands)
            .env("KEYFILE", certs().path(&format!("{pair}.key")))
            .env("CERTFILE", certs().path(&format!("{pair}.pem")))
            .env("CAFILE", certs().path("ca.pem"))
            .run()
    };
    for (program, operands) in ENGINES {
        let refused = check(program, operands, "pssmask");
        let why = "unusable private key of type RSASSA-PSS with parameters that TLS does not have";
        refused.code(96).fatal_with(96, "", &["-io: fatal: ", why]);
        let said = check(program, operands, "pss").success().out();
        for line in [
            "key-type: RSASSA-PSS\n",
            "chain-to-anchor: no: its key is of type RSASSA-PSS",
            "is of type RSASSA-PSS: only peers that know such keys accept it, and only in TLS 1.3",
        ] {
            assert!(said.contains(line), "{program} {line}: {said}");
        }
    }
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
