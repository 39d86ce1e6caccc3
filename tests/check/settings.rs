//! What the check prints of options: limits, and what a certificate of the peer needs.

use super::{fact, facts, server};
use crate::util::{TempDir, certs, cmd};

#[test]
fn the_limits_of_a_server_are_described() {
    for (options, expected) in [
        (&[][..], ["40", "40", "none", "none", "none"]),
        (
            &[
                "-c9",
                "-C5",
                "--rate=010/60",
                "--ipv6-prefix=56",
                "--drain=30",
            ],
            ["9", "5", "10/60", "56", "30 s"],
        ),
    ] {
        let output = cmd(["s6-tlsserver", "--check", "-H"])
            .args(options)
            .args(["127.0.0.1", "0", "true"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .run()
            .success();
        let keys = [
            "connections",
            "connections-per-address",
            "rate",
            "ipv6-prefix",
            "drain",
        ];
        assert_eq!(keys.map(|key| fact(&output, key)), expected);
        let address = ["address", "port"].map(|key| fact(&output, key));
        assert_eq!(address, ["127.0.0.1", "0"]);
    }
}

#[test]
fn client_certificates_are_asked_for_in_words() {
    for (options, asked, verification) in [
        (&["-Y"][..], "optional", "anchors"),
        (&["-y"], "mandatory", "anchors"),
        (&["-Y", "--any-client-cert"], "optional, any", "none"),
        (&["-y", "--any-client-cert"], "mandatory, any", "none"),
    ] {
        let output = server(&[&["--check"][..], options].concat(), "p256");
        let output = output.env("CAFILE", certs().path("ca.pem")).run().success();
        assert_eq!(fact(&output, "client-certificates"), asked);
        assert_eq!(fact(&output, "verification"), verification, "{asked}");
    }
    let output = server(&["--check"], "p256").run().success();
    assert_eq!(facts(&output, "verification"), [""; 0]);
}

#[test]
fn what_the_level_of_sni_makes_useless_is_a_warning() {
    let empty = TempDir::new();
    for (option, level, expected) in [
        (
            None,
            "ignored",
            "SNIDIR is not used without --sni or --mandatory-sni",
        ),
        (Some("--sni"), "used", "SNIDIR has no pair"),
    ] {
        let options: Vec<&str> = ["--check"].into_iter().chain(option).collect();
        let server = server(&options, "p256").env("SNIDIR", empty.path());
        let output = server.env("CAFILE", certs().path("ca.pem")).run().success();
        assert_eq!(fact(&output, "sni"), level);
        assert_eq!(facts(&output, "warning"), [expected]);
    }
}

#[test]
fn pins_alone_need_no_anchors() {
    let pin = format!("SHA256:{}", certs().hash("p256"));
    let client = cmd(["s6-tlsc-io", "--check", &format!("--pin={pin}"), "6", "7"]);
    let output = client.run().success();
    assert_eq!(fact(&output, "verification"), "pins");
    assert_eq!(fact(&output, "pin"), pin);
    // They are for one key, whatever its names are.
    assert_eq!(facts(&output, "warning"), [""; 0]);
    for key in ["anchors", "anchors-file", "anchors-directory"] {
        assert_eq!(facts(&output, key), [""; 0], "{key}");
    }
}

#[test]
fn pins_count_beside_tlsa_records() {
    let pin = format!("--pin=SHA256:{}", certs().hash("p256"));
    let output = cmd(["s6-tlsc-io", "--check", &pin, "-k", "localhost", "6", "7"])
        .env("TLSA", crate::dane::record("3 1 1", "p256"))
        .env("TLSADOMAIN", "localhost")
        .run()
        .success();
    assert_eq!(fact(&output, "verification"), "TLSA records and pins");
}

#[test]
fn a_directory_of_anchors_is_described() {
    let dir = super::snidir(&[
        ("ca.pem", "ca.pem"),
        ("twin.pem", "twin.pem"),
        ("junk", "p256.key"),
    ]);
    let client = cmd(["s6-tlsc-io", "--check", "6", "7"]);
    let output = client.env("CADIR", dir.path()).run().success();
    assert_eq!(fact(&output, "verification"), "anchors");
    let path = dir.path().display().to_string();
    assert_eq!(fact(&output, "anchors-directory"), path);
    assert_eq!(fact(&output, "anchors"), "2");
    assert_eq!(facts(&output, "anchors-file"), [""; 0]);
}
