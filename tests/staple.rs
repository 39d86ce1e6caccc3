//! `OCSPFILE`: the OCSP response stapled to the server's certificate.

use nix::sys::signal::Signal;

use crate::util::tls::{VERSIONS, serve};
use crate::util::{Cmd, Running, TempDir, certs, cmd, need};

/// A server that says hello, with this response.
fn server(options: &[&str], response: impl AsRef<std::ffi::OsStr>) -> Cmd {
    cmd(["s6-tlsserver", "-1H"])
        .args(options)
        .args(["127.0.0.1", "0", "echo", "hello"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("OCSPFILE", response)
}

/// The output of openssl at such a server.
fn seen(port: u16, args: &[&str]) -> String {
    let client = cmd(["openssl", "s_client", "-CAfile", &certs().path("ca.pem")])
        .args(args)
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .input_pipe()
        .start();
    client.wait_out("hello")
}

/// The line by which openssl shows which certificate a response is about.
fn serial(pair: &str) -> String {
    let file = certs().path(&format!("{pair}.pem"));
    let output = cmd(["openssl", "x509", "-noout", "-serial", "-in", &file]).run();
    let line = output.success().out();
    format!(
        "Serial Number: {}",
        line.trim().strip_prefix("serial=").unwrap()
    )
}

#[test]
fn response_is_stapled_on_request() {
    if !need(&["openssl"]) {
        return;
    }
    for options in [&[][..], &["--key-guard"]] {
        let server = server(options, certs().path("p256.ocsp")).start();
        for version in VERSIONS {
            let asked = seen(server.port(), &[version, "-status"]);
            assert!(
                asked.contains("OCSP Response Status: successful"),
                "{asked}"
            );
            assert!(asked.contains(&serial("p256")), "{asked}");
            assert!(asked.contains("Verify return code: 0 (ok)"), "{asked}");
            let unasked = seen(server.port(), &[version]);
            assert!(!unasked.contains("OCSP"), "{unasked}");
        }
    }
}

#[test]
fn gnutls_believes_the_response() {
    if !need(&["gnutls-cli"]) {
        return;
    }
    let server = server(&[], certs().path("p256.ocsp")).start();
    for version in ["1.2", "1.3"] {
        let client = cmd(["gnutls-cli", "--x509cafile", &certs().path("ca.pem")])
            .args([
                "--priority",
                &format!("NORMAL:-VERS-ALL:+VERS-TLS{version}"),
            ])
            .args(["-p", &server.port().to_string(), "localhost"])
            .input_pipe()
            .start();
        let told = client.wait_out("Handshake was completed");
        assert!(told.contains("OCSP status request"), "{told}");
    }
}

#[test]
fn each_server_name_has_its_response() {
    if !need(&["openssl"]) {
        return;
    }
    let server = server(&["--sni"], certs().path("p256.ocsp"))
        .env("KEYFILE:rsa.test", certs().path("rsa.key"))
        .env("CERTFILE:rsa.test", certs().path("rsa.pem"))
        .env("OCSPFILE:rsa.test", certs().path("rsa.ocsp"))
        .env("KEYFILE:bare.test", certs().path("p384.key"))
        .env("CERTFILE:bare.test", certs().path("p384.pem"))
        .start();
    for (name, pair) in [
        ("any.test", "p256"),
        ("rsa.test", "rsa"),
        ("RSA.test", "rsa"),
    ] {
        let shown = seen(server.port(), &["-status", "-servername", name]);
        assert!(shown.contains(&serial(pair)), "{name}: {shown}");
    }
    let shown = seen(server.port(), &["-status", "-servername", "bare.test"]);
    assert!(shown.contains("OCSP response: no response sent"), "{shown}");
}

#[test]
fn invalid_response_is_a_warning() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let der = |length: usize| {
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        [&[0x30, 0x82, high, low][..], &vec![0; length]].concat()
    };
    let response = certs().read("p256.ocsp");
    let no_der = "no OCSP response in DER";
    for (content, why) in [
        (Vec::new(), no_der),
        (response[1..].to_vec(), no_der),
        (response[..response.len() - 1].to_vec(), no_der),
        ([&response[..], b"\n"].concat(), no_der),
        (certs().read("p256.pem"), no_der),
        (der(65527 - 3), "OCSP response of more than 64 KiB"),
    ] {
        let file = dir.file("response", &content);
        let line = format!(
            "s6-tlsd-io: warning: unable to use {}: {why}\n",
            file.display()
        );
        warns(&file, &line);
    }
    let line = "s6-tlsd-io: warning: unable to read /nonexistent: No such file or directory\n";
    warns("/nonexistent".as_ref(), line);
    // The longest possible.
    let longest = dir.file("longest", der(65527 - 4));
    let server = server(&[], &longest).start();
    let client = cmd(["openssl", "s_client", "-tls1_3", "-status", "-connect"])
        .arg(format!("127.0.0.1:{}", server.port()))
        .run();
    assert!(
        client.out().contains("- 30 82 ff f3 00"),
        "{}",
        client.out()
    );
    // openssl rejects it.
    assert!(!said(server).contains("warning"));
}

/// All messages of the server and its engines.
fn said(server: Running) -> String {
    server.signal(Signal::SIGTERM);
    server.finish().success().err()
}

fn warns(file: &std::path::Path, line: &str) {
    let server = server(&[], file).start();
    let shown = seen(server.port(), &["-status"]);
    assert!(shown.contains("OCSP response: no response sent"), "{shown}");
    assert_eq!(said(server), line);
}

#[test]
fn no_ocspfile_staples_nothing_and_program_sees_ocspfile_only_with_z() {
    if !need(&["openssl"]) {
        return;
    }
    let (plain, port) = serve(&[], "p256", &["echo", "hello"]);
    let shown = seen(port, &["-status"]);
    assert!(shown.contains("OCSP response: no response sent"), "{shown}");
    drop(plain);
    // Shells do not pass on names with a colon.
    for (option, seen) in [("-Z", true), ("-z", false)] {
        let server = cmd(["s6-tlsserver", "-1H", option, "127.0.0.1", "0", "env"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .env("OCSPFILE", certs().path("p256.ocsp"))
            .env("OCSPFILE:x", "y")
            .start();
        let client = cmd(["openssl", "s_client", "-quiet", "-connect"])
            .arg(format!("127.0.0.1:{}", server.port()))
            .run();
        for variable in ["OCSPFILE=", "OCSPFILE:x=y\n"] {
            assert_eq!(client.out().contains(variable), seen, "{variable}");
        }
    }
}
