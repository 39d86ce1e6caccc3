//! What the check prints of OCSP responses.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::{fact, facts, server};
use crate::util::{Output, TempDir, certs, cmd, need};

/// What the check of a server says that staples this response.
fn described(response: impl AsRef<OsStr>) -> Output {
    server(&["--check"], "p256")
        .env("OCSPFILE", response)
        .env("CAFILE", certs().path("ca.pem"))
        .run()
        .success()
}

#[test]
fn a_stapled_response_is_described() {
    let output = described(certs().path("p256.ocsp"));
    assert_eq!(fact(&output, "ocsp"), "good");
    assert!(fact(&output, "ocsp-next-update").ends_with(" GMT"));
    assert_eq!(facts(&output, "warning"), [""; 0]);
    let other = server(&["--check"], "p384").env("OCSPFILE", certs().path("p256.ocsp"));
    let other = other.env("CAFILE", certs().path("ca.pem")).run().success();
    let text = format!(
        "the OCSP response for {} is about another certificate: the serial numbers differ",
        certs().path("p384.pem")
    );
    assert_eq!(facts(&other, "warning"), [text]);
    let dir = TempDir::new();
    let file = dir.file("sequence", [0x30, 0]);
    assert_eq!(fact(&described(file), "ocsp"), "unreadable");
    let output = described("/nonexistent");
    assert!(facts(&output, "ocsp").is_empty());
    assert!(
        output
            .err()
            .starts_with("s6-tlsd-io: warning: unable to read /nonexistent: ")
    );
}

/// A response of the tests' CA about p256, by the line for it in the CA's database, in which
/// SERIAL stands for its serial number. `lifetime` are openssl's options for that.
fn response(dir: &TempDir, line: &str, lifetime: &[&str]) -> PathBuf {
    let pair = certs().path("p256.pem");
    let [ca, key] = ["ca.pem", "ca.key"].map(|name| certs().path(name));
    let serial = cmd(["openssl", "x509", "-noout", "-serial", "-in", &pair]).run();
    let serial = serial.success().out();
    let serial = serial.trim().trim_start_matches("serial=");
    let index = dir.file("index", line.replace("SERIAL", serial));
    let [request, response] = ["request", "response"].map(|name| dir.join(name));
    cmd(["openssl", "ocsp", "-issuer", &ca, "-cert", &pair])
        .args(["-no_nonce", "-reqout"])
        .arg(&request)
        .run()
        .success();
    cmd(["openssl", "ocsp", "-rsigner", &ca, "-rkey", &key])
        .args(lifetime)
        .args(["-CA", &ca, "-index"])
        .arg(&index)
        .arg("-reqin")
        .arg(&request)
        .arg("-respout")
        .arg(&response)
        .run()
        .success();
    response
}

#[test]
fn a_response_that_is_not_good_is_a_warning() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let pair = certs().path("p256.pem");
    for (line, verdict) in [
        (
            "R\t350101000000Z\t260101000000Z\tSERIAL\tunknown\t/CN=localhost\n",
            "revoked",
        ),
        ("V\t350101000000Z\t\t00\tunknown\t/CN=other\n", "unknown"),
    ] {
        let output = described(response(&dir, line, &["-ndays", "9"]));
        assert_eq!(fact(&output, "ocsp"), verdict);
        assert!(fact(&output, "ocsp-next-update").ends_with(" GMT"));
        let text = format!("the OCSP response calls {pair} {verdict}");
        assert_eq!(facts(&output, "warning"), [text]);
    }
}

#[test]
fn a_response_that_is_out_of_date_is_a_warning() {
    let mut der = certs().read("p256.ocsp");
    // Its GeneralizedTimes are producedAt, thisUpdate and nextUpdate.
    let dates = der.windows(2).enumerate();
    let mut dates = dates.filter(|(_, head)| *head == [0x18, 15]);
    let year = dates.nth(2).unwrap().0 + 2;
    der[year..year + 4].copy_from_slice(b"2020");
    let dir = TempDir::new();
    let output = described(dir.file("old", der));
    assert_eq!(fact(&output, "ocsp"), "good");
    assert!(fact(&output, "ocsp-next-update").ends_with(" 2020 GMT"));
    let pair = certs().path("p256.pem");
    let text = format!("the OCSP response for {pair} is out of date");
    assert_eq!(facts(&output, "warning"), [text]);
}

#[test]
fn a_response_without_an_end_is_never_out_of_date() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let line = "V\t350101000000Z\t\tSERIAL\tunknown\t/CN=localhost\n";
    let output = described(response(&dir, line, &[]));
    assert_eq!(fact(&output, "ocsp"), "good");
    assert!(fact(&output, "ocsp-this-update").ends_with(" GMT"));
    assert_eq!(facts(&output, "ocsp-next-update"), [""; 0]);
    assert_eq!(facts(&output, "warning"), [""; 0]);
}
