//! What the check prints of pairs, trust and settings.

use std::fs;

use super::{fact, facts, server, snidir};
use crate::util::tls::ENGINES;
use crate::util::{TempDir, certs, cmd, need};

#[test]
fn a_pair_is_described() {
    let output = server(&["--check", "-K", "500", "--alpn=h2,http/1.1"], "rsa");
    let output = output.env("CAFILE", certs().path("ca.pem")).run().success();
    for (key, value) in [
        ("pair", "default"),
        ("key-file", &certs().path("rsa.key")),
        ("certificate-file", &certs().path("rsa.pem")),
        ("names", "localhost 127.0.0.1"),
        ("key-type", "RSA 2048"),
        ("issuer", r"O\x3ds6-tls\x20tests,\x20CN\x3dRoot"),
        ("certificates", "1"),
        ("chain-to-anchor", "yes"),
        ("handshake-timeout", "500 ms"),
        ("idle-timeout", "none"),
        ("max-record", "none"),
        ("groups", "X25519MLKEM768 X25519 secp256r1 secp384r1"),
        ("sni", "ignored"),
        ("alpn", "h2 http/1.1"),
        ("key-guard", "no"),
        ("client-certificates", "not asked for"),
    ] {
        assert_eq!(fact(&output, key), value, "{key}");
    }
    assert_eq!(output.err(), "");
    assert_eq!(facts(&output, "warning"), [""; 0]);
    assert!(fact(&output, "not-before").ends_with(" GMT"));
    let days: i64 = fact(&output, "days-left").parse().unwrap();
    assert!((3000..3650).contains(&days), "{days}");
    assert_eq!(fact(&output, "least-days-left"), days.to_string());
}

#[test]
fn fewer_days_than_asked_for_are_exit_code_1() {
    for (pair, option, code) in [
        ("p256", "--check=days=3000", 0),
        ("p256", "--check=days=4000", 1),
        ("expired", "--check", 0),
        ("expired", "--check=days=0", 1),
        ("future", "--check", 0),
        ("future", "--check=days=0", 1),
    ] {
        server(&[option], pair).run().code(code);
        let launcher = cmd(["s6-tlsserver", option, "-H", "127.0.0.1", "0", "true"])
            .env("KEYFILE", certs().path(&format!("{pair}.key")))
            .env("CERTFILE", certs().path(&format!("{pair}.pem")));
        launcher.run().code(code);
    }
    let output = server(&["--check=days=4000"], "p256").run().code(1);
    assert!(!fact(&output, "days-left").starts_with('-'));
}

#[test]
fn days_that_are_no_number_are_wrong_usage_at_the_first_program() {
    for (program, operands) in ENGINES {
        for value in ["days=x", "days", "14"] {
            let why = format!("must be days=N, where N is an unsigned integer: {value}");
            let run = cmd([program, &format!("--check={value}")]).args(operands);
            run.run()
                .fatal(100, &format!("{program}: fatal: check {why}"));
        }
    }
}

#[test]
fn each_certificate_that_is_sent_counts_for_the_days() {
    let dir = TempDir::new();
    let chain = ["p256.pem", "expired.pem"].map(|name| certs().read(name));
    let file = dir.file("chain", chain.concat());
    for (option, code) in [("--check", 0), ("--check=days=0", 1)] {
        let output = server(&[option], "p256").env("CERTFILE", &file).run();
        let output = output.code(code);
        assert!(!fact(&output, "days-left").starts_with('-'));
        assert!(fact(&output, "least-days-left").starts_with('-'));
        let which = format!("certificate 2 in {}", file.display());
        assert_eq!(fact(&output, "least-days-of"), which);
        let warnings = facts(&output, "warning");
        assert!(warnings.contains(&format!("{which} has expired")));
    }
}

#[test]
fn a_date_that_the_calendar_does_not_have_is_malformed() {
    if !need(&["base64"]) {
        return;
    }
    let dir = TempDir::new();
    let mut der = certs().read("p256.der");
    // The second UTCTime is notAfter: the 30th of February.
    let dates = der.windows(2).enumerate();
    let mut dates = dates.filter(|(_, head)| *head == [0x17, 13]);
    let at = dates.nth(1).unwrap().0 + 4;
    der[at..at + 4].copy_from_slice(b"0230");
    let der = dir.file("der", der);
    let text = cmd(["base64"]).arg(&der).run().success().out();
    let text = format!("-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n");
    let file = dir.file("pem", text);
    for (option, code) in [("--check", 0), ("--check=days=0", 1)] {
        let output = server(&[option], "p256").env("CERTFILE", &file).run();
        let output = output.code(code);
        assert_eq!(fact(&output, "not-after"), "malformed");
        assert!(facts(&output, "days-left").is_empty());
        let text = format!(
            "the certificate in {} has a malformed date: peers refuse it",
            file.display()
        );
        assert!(facts(&output, "warning").contains(&text));
    }
}

#[test]
fn a_certificate_that_is_an_anchor_leads_to_one_only_while_it_is_valid() {
    for (pair, answer) in [
        ("p256", "yes"),
        ("expired", "no: expired"),
        ("future", "no: not yet valid"),
    ] {
        let output = server(&["--check"], pair)
            .env("CAFILE", certs().path(&format!("{pair}.pem")))
            .run()
            .success();
        let found = fact(&output, "chain-to-anchor");
        assert_eq!(found, answer, "{pair}");
    }
}

#[test]
fn a_server_that_can_serve_nobody_is_a_warning_and_fails_the_days() {
    let half = snidir(&[("a.example.key", "rsa.key")]);
    for dir in [snidir(&[]), half] {
        for (option, code) in [("--check", 0), ("--check=days=0", 1)] {
            let check = cmd(["s6-tlsd", option, "--mandatory-sni", "true"]);
            let output = check.env("SNIDIR", dir.path()).run().code(code);
            let text = "there is no pair: every client is refused".to_owned();
            assert!(facts(&output, "warning").contains(&text));
        }
    }
}

#[test]
fn paths_and_names_cannot_be_taken_for_others() {
    let dir = TempDir::new();
    let key = dir.file("a\\x0a\u{202e}", certs().read("p256.key"));
    let output = server(&["--check", "--sni"], "p256")
        .env("KEYFILE", key)
        .env("KEYFILE:default", certs().path("rsa.key"))
        .env("CERTFILE:default", certs().path("rsa.pem"))
        .run()
        .success();
    let path = dir.join("a\\x5cx0a\\xe2\\x80\\xae").display().to_string();
    assert_eq!(facts(&output, "key-file")[0], path);
    assert_eq!(facts(&output, "pair"), ["default", "\\x64efault"]);
}

#[test]
fn variables_without_an_effect_are_a_warning() {
    let output = server(&["--check", "--sni"], "p256")
        .env("KEYFILE:_.b.example", certs().path("rsa.key"))
        .env("CERTFILE:_.b.example", certs().path("rsa.pem"))
        .env("CERTFILE:a.example", "/nonexistent")
        .env("OCSPFILE:c.example", "/nonexistent")
        .run()
        .success();
    let found = facts(&output, "warning");
    for text in [
        "CERTFILE:a.example is never used: KEYFILE:a.example is not set",
        "OCSPFILE:c.example is never used: KEYFILE:c.example is not set",
        "KEYFILE:_.b.example is for the name _.b.example alone: \
         in variables only * is a wildcard",
    ] {
        assert!(found.iter().any(|line| line == text), "{text}: {found:?}");
    }
}

/// The warnings about this pair; `chain` is its file.
fn warnings(pair: &str, chain: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let server = server(&["--check", "--sni"], pair).env("CERTFILE", certs().path(chain));
    let server = variables.iter().fold(server, |server, (name, value)| {
        server.env(name, certs().path(value))
    });
    let output = server.run().success();
    let warnings = facts(&output, "warning").into_iter();
    let home = certs().path("ca.pem").replace("ca.pem", "");
    warnings.map(|warning| warning.replace(&home, "")).collect()
}

#[test]
fn what_peers_may_refuse_is_a_warning() {
    let ca = ("CAFILE", "ca.pem");
    let ocsp = |file| [ca, ("OCSPFILE", file)];
    let none: [&str; 0] = [];
    assert_eq!(warnings("p256", "p256.pem", &[ca]), none);
    assert_eq!(warnings("p256", "p256.pem", &ocsp("p256.ocsp")), none);
    assert_eq!(warnings("leaf", "leaf-chain.pem", &[]), none);
    assert_eq!(
        warnings("expired", "expired.pem", &[ca]),
        ["the certificate in expired.pem has expired"]
    );
    assert_eq!(
        warnings("future", "future.pem", &[ca]),
        ["the certificate in future.pem is not valid yet"]
    );
    assert_eq!(
        warnings("leaf", "leaf.pem", &[ca]),
        [
            "leaf.pem has no certificate of the issuer: only peers that know \
             O\\x3ds6-tls\\x20tests,\\x20CN\\x3dIntermediate will accept it"
        ]
    );
    let other = [
        ca,
        ("KEYFILE:a.org", "rsa.key"),
        ("CERTFILE:a.org", "rsa.pem"),
    ];
    assert_eq!(
        warnings("p256", "p256.pem", &other),
        ["the certificate in rsa.pem is not for a.org"]
    );
    let own = [
        ca,
        ("KEYFILE:localhost", "rsa.key"),
        ("CERTFILE:localhost", "rsa.pem"),
    ];
    assert_eq!(warnings("p256", "p256.pem", &own), none);
}

#[test]
fn a_chain_out_of_order_is_a_warning() {
    let dir = TempDir::new();
    let [leaf, other, inter] = ["leaf.pem", "p384.pem", "inter.pem"].map(|name| certs().read(name));
    let file = dir.file("chain", [leaf, other, inter].concat());
    let output = server(&["--check"], "leaf")
        .env("CERTFILE", &file)
        .run()
        .success();
    let warnings = [2, 3].map(|number| {
        format!(
            "certificate {number} in {} is not the issuer of the one before it",
            file.display()
        )
    });
    assert_eq!(facts(&output, "warning"), warnings);
    assert_eq!(fact(&output, "certificates"), "3");
}

#[test]
fn an_issuer_with_another_key_is_a_warning() {
    let dir = TempDir::new();
    for (chain, expected) in [
        (["p256.pem", "ca.pem"], None),
        (["p256.pem", "twin.pem"], Some("has the name of the issuer")),
        // Signatures of keys that we cannot verify with may be right.
        (["shortleaf.pem", "short.pem"], None),
        (["oddleaf.pem", "odd.pem"], None),
    ] {
        let chain = chain.map(|name| certs().read(name));
        let file = dir.file("chain", chain.concat());
        let output = server(&["--check"], "p256").env("CERTFILE", &file).run();
        let found = facts(&output.success(), "warning");
        match expected {
            None => assert_eq!(found, [""; 0]),
            Some(text) => assert!(found.len() == 1 && found[0].contains(text), "{found:?}"),
        }
    }
}

#[test]
fn trust_is_described() {
    let dir = TempDir::new();
    let key = dir.secret("tickets", format!("{}=\n", "A".repeat(43)));
    let pin = format!("SHA256:{}", certs().hash("client"));
    let pin_option = format!("--pin={pin}");
    let output = server(&["--check", "-y", &pin_option], "p256")
        .env("CAFILE", certs().path("ca.pem"))
        .env("CRLFILE", certs().path("ca-old.crl"))
        .env("TICKETKEYFILE", &key)
        .run()
        .success();
    for (key, value) in [
        ("client-certificates", "mandatory"),
        ("verification", "anchors and pins"),
        ("anchors-file", &certs().path("ca.pem")),
        ("anchors", "1"),
        ("pin", &pin),
        ("crl-file", &certs().path("ca-old.crl")),
        ("crl", r"O\x3ds6-tls\x20tests,\x20CN\x3dRoot"),
    ] {
        assert_eq!(fact(&output, key), value, "{key}");
    }
    let warnings = facts(&output, "warning").join("\n");
    assert!(
        warnings.contains("CN\\x3dRoot is out of date"),
        "{warnings}"
    );
    assert!(warnings.contains("no tickets are sent"), "{warnings}");
    assert!(!warnings.contains("CRLFILE has no list"), "{warnings}");
    let other = cmd(["s6-tlsc-io", "--check", "6", "7"])
        .env("CAFILE", certs().path("inter.pem"))
        .env("CRLFILE", certs().path("ca-none.crl"))
        .run()
        .success();
    let text = "CRLFILE has no list of a trust anchor: certificates that an anchor has issued \
                are refused";
    assert!(facts(&other, "warning").contains(&text.to_owned()));
    let output = server(&["--check"], "p256")
        .env("TICKETKEYFILE", &key)
        .run()
        .success();
    assert_eq!(fact(&output, "ticket-keys"), "1");
    let file = key.display().to_string();
    assert_eq!(fact(&output, "ticket-key-file"), file);
    fs::write(
        &key,
        ["A", "B"]
            .map(|digit| format!("{}=\n", digit.repeat(42) + "A"))
            .concat(),
    )
    .unwrap();
    let output = server(&["--check"], "p256").env("TICKETKEYFILE", &key);
    assert_eq!(fact(&output.run().success(), "ticket-keys"), "2");
}

#[test]
fn a_client_is_described() {
    let client = |options: &[&str]| {
        let client = cmd(["s6-tlsc-io", "--check"])
            .args(options)
            .args(["6", "7"]);
        client
            .env("CADIR", certs().path("ca.pem").replace("ca.pem", ""))
            .run()
    };
    let output = client(&["--webpki-roots", "-k", "a.org"]).success();
    assert_eq!(fact(&output, "server-name"), "a.org");
    assert_eq!(facts(&output, "warning"), [""; 0]);
    let uid = nix::unistd::geteuid().to_string();
    assert_eq!(fact(&output, "engine-uid"), uid);
    assert_eq!(fact(&output, "handshake-timeout"), "none");
    assert_eq!(fact(&output, "anchors-compiled-in"), "yes");
    assert!(fact(&output, "anchors").parse::<u32>().unwrap() > 50);
    let output = client(&["--webpki-roots"]).success();
    assert!(fact(&output, "warning").starts_with("no name is checked"));
    let output = client(&["--no-verify-cert"]).success();
    assert_eq!(fact(&output, "warning"), "any certificate is accepted");
    assert_eq!(fact(&output, "verification"), "none");
    let output = cmd([
        "s6-tlsclient",
        "--check=days=4000",
        "-y",
        "a.invalid",
        "443",
        "true",
    ])
    .env("CAFILE", certs().path("ca.pem"))
    .env("KEYFILE", certs().path("client.key"))
    .env("CERTFILE", certs().path("client.pem"))
    .run()
    .code(1);
    assert_eq!(fact(&output, "host"), "a.invalid");
    assert_eq!(fact(&output, "port"), "443");
    let programs = facts(&output, "program");
    let names: Vec<_> = programs
        .iter()
        .flat_map(|path| path.rsplit('/').next())
        .collect();
    assert_eq!(names, ["s6-tcpclient", "s6-tlsc", "true"]);
    assert_eq!(fact(&output, "server-name"), "a.invalid");
    assert_eq!(fact(&output, "chain-to-anchor"), "yes");
}
