//! What the check prints of OCSP responses.

use super::{fact, facts, server};
use crate::util::{TempDir, certs};

#[test]
fn a_stapled_response_is_described() {
    let response = |file: &str| {
        server(&["--check"], "p256")
            .env("OCSPFILE", file)
            .env("CAFILE", certs().path("ca.pem"))
            .run()
            .success()
    };
    let output = response(&certs().path("p256.ocsp"));
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
    assert_eq!(
        fact(&response(file.to_str().unwrap()), "ocsp"),
        "unreadable"
    );
    let output = response("/nonexistent");
    assert!(facts(&output, "ocsp").is_empty());
    assert!(
        output
            .err()
            .starts_with("s6-tlsd-io: warning: unable to read /nonexistent: ")
    );
}
