//! doc/examples/check: a start that is checked, and a daily look at the certificate.

use std::fs;
use std::path::Path;

use super::{Example, page};
use crate::util::{certs, cmd, is_listened_on};

/// Sets the paths and the port of this machine.
fn set_up(example: &Example, pair: &str) {
    let file = example.home.join("settings");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/examples/check/settings");
    let text = fs::read_to_string(source).unwrap();
    let key = certs().path(&format!("{pair}.key"));
    let text = text
        .replace("/etc/ssl/private/example.org.pem", &key)
        .replace(
            "/etc/ssl/example.org-chain.pem",
            &certs().path(&format!("{pair}.pem")),
        )
        .replace("ip=0.0.0.0", "ip=127.0.0.1")
        .replace("port=443", &format!("port={}", example.port))
        .replace("/srv/www", example.dir.join("www").to_str().unwrap());
    fs::write(file, text).unwrap();
}

#[test]
fn a_service_is_checked_before_it_starts_and_while_it_runs() {
    let Some(example) = Example::new("check", "", &["busybox", "curl"]) else {
        return;
    };
    example.page();
    set_up(&example, "p256");
    let days = || cmd([example.home.join("certificate-days")]);
    let server = example.start("./run");
    assert_eq!(page(example.port), "a page\n");
    server.wait_out("least-days-left: ");
    // The pair has no issuer with it, which is a warning and no more.
    let warning = days().run().success().out();
    assert!(warning.starts_with("warning: "), "{warning}");
    assert!(
        warning.contains(" has no certificate of the issuer"),
        "{warning}"
    );
    assert_eq!(warning.lines().count(), 1, "{warning}");
    set_up(&example, "expired");
    let out = days().run().code(1).out();
    assert!(out.contains("days-left: -"), "{out}");
    assert!(out.contains(" has expired\n"), "{out}");
    drop(server);
    fs::write(
        example.home.join("settings"),
        "program=/nonexistent ip=127.0.0.1 port=0\n",
    )
    .unwrap();
    let refused = cmd(["./run"]).cwd(&example.home).run().code(127);
    assert!(
        refused.out().contains("unable to exec /nonexistent"),
        "{}",
        refused.out()
    );
    assert!(!is_listened_on(example.port));
}

#[test]
fn the_units_of_the_timer_are_valid() {
    let Some(example) = Example::new("check", "", &["systemd-analyze"]) else {
        return;
    };
    let service = example.home.join("certificate-days.service");
    let text = fs::read_to_string(&service).unwrap();
    let program = example.home.join("certificate-days");
    let installed = "/etc/sv/httpsd/certificate-days";
    assert!(text.contains(installed));
    fs::write(&service, text.replace(installed, program.to_str().unwrap())).unwrap();
    let verified = cmd([
        "systemd-analyze",
        "verify",
        "--man=no",
        "--recursive-errors=no",
    ])
    .args([service, example.home.join("certificate-days.timer")])
    .env("SYSTEMD_LOG_LEVEL", "warning")
    .run()
    .success();
    assert!(
        !verified.err().contains("certificate-days"),
        "{}",
        verified.err()
    );
}
