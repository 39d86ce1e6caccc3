//! The example for systemd; the test acts as systemd.

use std::fs;
use std::net::TcpListener;

use nix::sys::signal::{Signal, killpg};

use super::{Example, page};
use crate::util::{Ended, Running, certs, cmd, find_in, path};

const SYSTEMD: [&str; 4] = ["systemd-analyze", "busybox", "curl", "s6-ioconnect"];

#[test]
fn systemd_hands_over_a_socket() {
    let Some(example) = Example::new("systemd", "", &SYSTEMD) else {
        return;
    };
    example.page();
    // The programs and files of this machine instead of the installed ones.
    let units = example.home.as_path();
    let text = fs::read_to_string(units.join("https.service")).unwrap();
    let first = find_in("s6-tcpserverd", &path()).unwrap();
    let text = text
        .replace(
            "ExecStart=s6-tcpserverd ",
            &format!("ExecStart={} ", first.display()),
        )
        .replace("/srv/www", example.dir.join("www").to_str().unwrap())
        .replace(
            "/etc/ssl/private/example.org.pem",
            &certs().path("p256.key"),
        )
        .replace("/etc/ssl/example.org-chain.pem", &certs().path("p256.pem"));
    fs::write(units.join("https.service"), &text).unwrap();
    let verified = cmd([
        "systemd-analyze",
        "verify",
        "--man=no",
        "--recursive-errors=no",
    ])
    .args([units.join("https.service"), units.join("https.socket")])
    .env("SYSTEMD_LOG_LEVEL", "warning")
    .run()
    .success();
    assert!(!verified.err().contains("https."), "{}", verified.err());

    // Does what systemd would do with the unit.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let start = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let mut service = cmd(start.unwrap().split(' ')).fd(0, listener);
    for line in text.lines() {
        let assignments = line.strip_prefix("Environment=").unwrap_or_default();
        for (name, value) in assignments.split(' ').filter_map(|one| one.split_once('=')) {
            service = service.env(name, value);
        }
    }
    let service = service.start();
    assert_eq!(page(port), "a page\n");
    survives(&text, service, port);
}

/// A restart, with signals as in the unit's `KillMode`, does not end an open
/// connection.
fn survives(unit: &str, mut service: Running, port: u16) {
    let mut client = cmd(["s6-tlsclient", "-h", "localhost", &port.to_string()])
        .args(["sh", "-c", "echo connected; exec s6-ioconnect"])
        .env("CAFILE", certs().path("ca.pem"))
        .input_pipe()
        .start();
    client.wait_out("connected\n");
    if unit.lines().any(|line| line == "KillMode=process") {
        service.signal(Signal::SIGTERM)
    } else {
        killpg(service.pid(), Signal::SIGTERM).unwrap()
    }
    assert_eq!(service.wait(), Ended::Exited(0));
    client.write("GET / HTTP/1.0\r\n\r\n");
    client.wait_out("a page\n");
}
