//! `--pin`: certificates and keys that are known in advance.

use crate::util::tls::{ENGINES, VERSIONS, call, door, visit};
use crate::util::{TempDir, certs, cmd, need};

/// The pin of a certificate.
fn of_certificate(pair: &str) -> String {
    format!("--pin=SHA256:{}", certs().hash(pair))
}

/// The pin of its key, in upper case.
fn of_key(pair: &str) -> String {
    let script = "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform DER |
        openssl dgst -sha256 -r";
    let file = certs().path(&format!("{pair}.pem"));
    let digest = cmd(["sh", "-c", script, &file]).run().success().out();
    format!("--pin=SPKI-SHA256:{}", digest[..64].to_uppercase())
}

fn unpinned(pair: &str) -> String {
    let hash = certs().hash(pair);
    format!("handshake failed: remote certificate SHA256:{hash} is not among the pins")
}

const UNKNOWN: &str =
    "handshake failed: certificate of remote refused: unknown issuer: no chain to a trust anchor";

#[test]
fn server_without_anchors_accepts_pinned_clients_only() {
    if !need(&["openssl"]) {
        return;
    }
    let other = of_certificate("p256");
    for version in VERSIONS {
        // Issuer, dates and usage are not checked.
        for pair in ["client-own", "client-expired", "client-server", "version1"] {
            for pin in [of_certificate(pair), of_key(pair)] {
                let door = door(&["-y", &other, &pin]);
                visit(door, version, Some(pair)).accepted("SUCCESS", pair);
            }
        }
        let (pin, key) = (of_certificate("client-own"), of_key("client-own"));
        let pinned = |options: &[&str], pair| visit(door(options), version, pair);
        let stranger = pinned(&["-y", &pin], Some("client"));
        stranger.refused("bad certificate", &unpinned("client"));
        // It has the same key.
        pinned(&["-y", &key], Some("client")).accepted("SUCCESS", "client");
        let stranger = pinned(&["-Y", &pin, &key], Some("p384"));
        stranger.refused("bad certificate", &unpinned("p384"));
        pinned(&["-Y", &pin], None).accepted_without();
        let nobody = pinned(&["-y", &pin], None);
        nobody.refused(
            "certificate required",
            "handshake failed: remote sent no certificate",
        );
    }
}

#[test]
fn server_with_anchors_checks_chain_and_pin() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        for (pinned, shown, refused) in [
            ("client", "client", None),
            (
                "client",
                "p256",
                Some(("bad certificate", unpinned("p256"))),
            ),
            (
                "client-other",
                "client-other",
                Some(("unknown ca", UNKNOWN.to_owned())),
            ),
            (
                "client-expired",
                "client-expired",
                Some((
                    "certificate expired",
                    "handshake failed: certificate of remote refused: expired".to_owned(),
                )),
            ),
        ] {
            let door = door(&["-y", &of_certificate(pinned)]).env("CAFILE", certs().path("ca.pem"));
            let visit = visit(door, version, Some(shown));
            match refused {
                None => visit.accepted("SUCCESS", shown),
                Some((alert, why)) => visit.refused(alert, &why),
            }
        }
    }
}

#[test]
fn client_without_anchors_accepts_pinned_servers_only() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        for pair in ["selfleaf", "expired", "wrong", "version1"] {
            for pin in [of_certificate(pair), of_key(pair)] {
                let options = ["-k", "localhost", &pin];
                let visit = call(&options, version, pair, |client| client);
                visit.accepted("SUCCESS", pair);
            }
        }
        let pin = of_certificate("p256");
        let visit = call(&[&pin], version, "rsa", |client| client);
        visit.refused("bad certificate", &unpinned("rsa"));
        // With --no-verify-cert anchors are not even read.
        let options = ["--no-verify-cert", &pin, "-k", "other.test"];
        for (pair, good) in [("p256", true), ("rsa", false)] {
            let visit = call(&options, version, pair, |client| {
                client.env("CAFILE", "/nonexistent")
            });
            if good {
                visit.accepted("SUCCESS", pair)
            } else {
                visit.refused("bad certificate", &unpinned(pair))
            }
        }
    }
}

#[test]
fn client_with_anchors_checks_chain_and_pin() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        let call = |pair: &str, name: &str| {
            let options = [&of_certificate(pair), "-k", name];
            call(&options, version, pair, |client| {
                client.env("CAFILE", certs().path("ca.pem"))
            })
        };
        call("p256", "localhost").accepted("SUCCESS", "p256");
        let why = "handshake failed: certificate of remote refused: \
                   not valid for this name: other.test is wanted, it has localhost,127.0.0.1";
        call("p256", "other.test").refused("bad certificate", why);
        call("ed", "localhost").refused("unknown ca", UNKNOWN);
    }
    let pin = of_certificate("p256");
    let mozilla = call(&["--webpki-roots", &pin], "-tls1_3", "p256", |client| {
        client
    });
    mozilla.refused("unknown ca", UNKNOWN);
}

#[test]
fn gnutls_meets_pins_on_both_sides() {
    if !need(&["gnutls-cli", "gnutls-serv"]) {
        return;
    }
    let greet = |pinned: &str| {
        let server = door(&["-y", &of_key(pinned)]).start();
        let client = cmd(["gnutls-cli", "--x509cafile", &certs().path("ca.pem")])
            .args(["--x509keyfile", &certs().path("client-own.key")])
            .args(["--x509certfile", &certs().path("client-own.pem")])
            .args(["-p", &server.port().to_string(), "localhost"])
            .run();
        server.wait_err(" end=");
        client
    };
    assert!(
        greet("client-own")
            .out()
            .contains("SSL_CLIENT_VERIFY=SUCCESS\n")
    );
    let refused = greet("p384");
    let told = refused.out() + &refused.err();
    assert!(told.contains("Certificate is bad"), "{told}");
}

#[test]
fn invalid_pin_is_wrong_usage_everywhere() {
    let digits = "0".repeat(64);
    let why = "pin must be SHA256: or SPKI-SHA256: and 64 hex digits";
    for (program, operands) in ENGINES {
        for pin in [&digits, "", "SHA256:00", &format!("sha256:{digits}")] {
            let output = cmd([program, "-y", &format!("--pin={pin}")]).args(operands);
            output
                .run()
                .fatal(100, &format!("{program}: fatal: {why}: {pin}"));
        }
    }
}

#[test]
fn a_server_needs_a_certificate_to_pin() {
    let pin = format!("--pin=SHA256:{}", "0".repeat(64));
    for (program, operands) in &ENGINES[..4] {
        for (options, why) in [
            (&[][..], "pin needs client-cert or mandatory-client-cert"),
            (
                &["--any-client-cert"],
                "pin and any-client-cert exclude each other",
            ),
            (
                &["-y", "--any-client-cert"],
                "pin and any-client-cert exclude each other",
            ),
        ] {
            let output = cmd([program, &pin.as_str()]).args(options).args(*operands);
            output.run().fatal(100, &format!("{program}: fatal: {why}"));
        }
    }
}

#[test]
fn client_without_pins_needs_anchors() {
    for options in [&[][..], &["--no-verify-cert"]] {
        let output = cmd(["s6-tlsc-io"]).args(options).args(["6", "7"]).run();
        let missing = "CADIR or CAFILE not set, and no --webpki-roots given";
        output.fatal(100, &format!("s6-tlsc-io: fatal: {missing}"));
    }
    // Anchors that are named have to be there.
    let dir = TempDir::new();
    let file = dir.file("ca.pem", "");
    let client = cmd(["s6-tlsc-io", &of_certificate("p256"), "0", "1"]).env("CAFILE", &file);
    let line = format!(
        "s6-tlsc-io: fatal: unable to use {}: no certificate inside",
        file.display()
    );
    client.run().fatal(96, &line);
}
