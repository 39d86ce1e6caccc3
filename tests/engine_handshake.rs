//! The handshake: versions and suites with foreign peers, and what ends it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::util::tls::{ECHO, openssl_server, serve, tlsc, tlsclient, tlsd};
use crate::util::{Ended, Running, accept, certs, cmd, listener, need, pipe, tcp_pair};

const SUITES: [(&str, &str, &str, &str); 9] = [
    ("-ciphersuites", "TLS_AES_256_GCM_SHA384", "p256", "TLSv1.3"),
    ("-ciphersuites", "TLS_AES_128_GCM_SHA256", "p256", "TLSv1.3"),
    (
        "-ciphersuites",
        "TLS_CHACHA20_POLY1305_SHA256",
        "rsa",
        "TLSv1.3",
    ),
    (
        "-cipher",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "p384",
        "TLSv1.2",
    ),
    (
        "-cipher",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "p256",
        "TLSv1.2",
    ),
    (
        "-cipher",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ed25519",
        "TLSv1.2",
    ),
    ("-cipher", "ECDHE-RSA-AES256-GCM-SHA384", "rsa", "TLSv1.2"),
    ("-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "rsa", "TLSv1.2"),
    ("-cipher", "ECDHE-RSA-CHACHA20-POLY1305", "rsa", "TLSv1.2"),
];

fn version(protocol: &str) -> &'static str {
    if protocol == "TLSv1.3" {
        "-tls1_3"
    } else {
        "-tls1_2"
    }
}

#[test]
fn openssl_as_a_client_gets_every_suite() {
    if !need(&["openssl"]) {
        return;
    }
    for (option, suite, pair, protocol) in SUITES {
        let (server, port) = serve(&[], pair, &["sh", "-c", ECHO]);
        let mut client = cmd(["openssl", "s_client", "-quiet", "-verify_return_error"])
            .args([version(protocol), option, suite, "-servername", "localhost"])
            .args(["-CAfile", &certs().path("ca.pem")])
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .input_pipe()
            .start();
        client.write("over openssl\n");
        client.wait_out("over openssl\n");
        server.wait_err(&format!("SSL_CIPHER={suite}\nSSL_PROTOCOL={protocol}\n"));
        server.wait_err("SSL_TLS_SNI_SERVERNAME=localhost\n");
    }
}

#[test]
fn openssl_as_a_server_is_understood_in_every_suite() {
    if !need(&["openssl"]) {
        return;
    }
    for (option, suite, pair, protocol) in SUITES {
        let (_server, port) = openssl_server(pair, [version(protocol), option, suite, "-rev"]);
        let program = "echo hello >&7; read -r line <&6; echo \"$line\"; env | grep SSL_ | sort";
        let client = tlsclient(&[], port, program).run().success();
        let out = client.out();
        assert!(out.starts_with("olleh\n"), "{out}");
        assert!(out.contains(&format!("SSL_CIPHER={suite}\n")), "{out}");
        assert!(out.contains(&format!("SSL_PROTOCOL={protocol}\n")), "{out}");
    }
}

#[test]
fn gnutls_and_curl_are_served() {
    if !need(&["gnutls-cli", "curl"]) {
        return;
    }
    for priority in [
        "NORMAL:-VERS-ALL:+VERS-TLS1.3",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    ] {
        let (_server, port) = serve(&["-S"], "p256", &["cat"]);
        let mut client = cmd(["gnutls-cli", "--x509cafile", &certs().path("ca.pem")])
            .args(["--priority", priority, "-p", &port.to_string(), "localhost"])
            .input_pipe()
            .start();
        client.wait_out("Handshake was completed");
        client.write("over gnutls\n");
        client.wait_out("over gnutls\n");
    }
    let page = "read -r line; printf 'HTTP/1.0 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\npage\\n'";
    for version in ["--tlsv1.3", "--tls-max"] {
        let (_server, port) = serve(&[], "p256", &["sh", "-c", page]);
        let mut client = cmd(["curl", "-sS", "--cacert", &certs().path("ca.pem"), version]);
        if version == "--tls-max" {
            client = client.arg("1.2");
        }
        let output = client.arg(format!("https://localhost:{port}/")).run();
        assert_eq!(output.success().out(), "page\n");
    }
}

#[test]
fn the_report_is_exact() {
    let (near, far) = tcp_pair();
    let (reader, writer) = crate::util::pipe();
    let (_input, input) = crate::util::pipe();
    let (output, _output) = crate::util::pipe();
    let _server = cmd(["s6-tlsd-io", "-Y", "-d", "5", "--", "3", "4"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("CAFILE", certs().path("ca.pem"))
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .fd(3, output)
        .fd(4, input)
        .fd(5, writer)
        .start();
    let _client = tlsc(&["-y", "-k", "localhost"], "cat <&6")
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem"))
        .fd(6, near.try_clone().unwrap())
        .fd(7, near)
        .start();
    let mut report = Vec::new();
    std::fs::File::from(reader)
        .read_to_end(&mut report)
        .unwrap();
    let expected = format!(
        "SSL_PROTOCOL=TLSv1.3\0SSL_CIPHER=TLS_AES_256_GCM_SHA384\0SSL_TLS_SNI_SERVERNAME=localhost\0\
         SSL_PEER_CERT_HASH=SHA256:{}\0SSL_PEER_CERT_SUBJECT=C=DE, L=Köln, O=Client Org, OU=Unit, \
         CN=client\\, with comma\0\0",
        certs().hash("client")
    );
    assert_eq!(String::from_utf8(report).unwrap(), expected);
}

#[test]
fn plaintext_gets_an_alert_and_a_line() {
    let (server, port) = serve(&[], "p256", &["echo", "never"]);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 10]);
    drop(client);
    server.wait_err("s6-tlsd-io: fatal: handshake failed: remote does not speak TLS\n");
}

#[test]
fn a_handshake_that_ends_early_is_a_failure() {
    for bytes in [&b""[..], b"\x16\x03\x01", b"\x15\x03\x03\x00\x02\x01\x00"] {
        let (mut near, far) = tcp_pair();
        let server = tlsd(&[], "p256", "echo never")
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        near.write_all(bytes).unwrap();
        near.shutdown(std::net::Shutdown::Write).unwrap();
        let output = server
            .finish()
            .fatal_with(98, "s6-tlsd-io: fatal: ", &["handshake"]);
        assert_eq!(output.out(), "");
    }
}

#[test]
fn a_close_notify_behind_other_records_ends_the_handshake_too() {
    if !need(&["openssl"]) {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let (listener, port) = listener();
        let _client = cmd(["openssl", "s_client", version, "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .input_pipe()
            .start();
        let mut client = accept(&listener);
        let mut hello = vec![0; 5];
        client.read_exact(&mut hello).unwrap();
        hello.resize(5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])), 0);
        client.read_exact(&mut hello[5..]).unwrap();
        hello.extend(b"\x15\x03\x03\x00\x02\x01\x00");

        let (mut near, far) = tcp_pair();
        near.write_all(&hello).unwrap();
        let server = tlsd(&[], "p256", "echo never")
            .fd(0, far.try_clone().unwrap())
            .fd(1, far);
        server
            .run()
            .fatal_with(98, "s6-tlsd-io: fatal: ", &["handshake", "close_notify"]);
        drop(near);
    }
}

/// `openssl s_client` at `port`, which understands the letters K and R
/// on lines of their own.
pub fn openssl_client(port: u16, args: &[&str]) -> Running {
    let to = format!("127.0.0.1:{port}");
    let client = cmd(["openssl", "s_client", "-connect", &to]).args(args);
    client.input_pipe().start()
}

#[test]
fn key_update_is_accepted() {
    if !need(&["openssl"]) {
        return;
    }
    let (_server, port) = serve(&[], "p256", &["cat"]);
    let mut client = openssl_client(port, &["-tls1_3"]);
    client.write("first\n");
    client.wait_out("first\n");
    // It sends a key update and requests one of ours.
    client.write("K\n");
    client.wait_err("KEYUPDATE");
    client.write("second\n");
    client.wait_out("second\n");
}

#[test]
fn renegotiation_is_refused() {
    if !need(&["openssl"]) {
        return;
    }
    let (_server, port) = serve(&[], "p256", &["cat"]);
    let mut client = openssl_client(port, &["-tls1_2"]);
    client.write("echoed\n");
    client.wait_out("echoed\n");
    client.write("R\n");
    client.wait_err("no renegotiation");
}

#[test]
fn the_server_prefers_its_own_order_and_names_its_anchors() {
    if !need(&["openssl"]) {
        return;
    }
    let server = cmd(["s6-tlsserver", "-1HY", "127.0.0.1", "0", "cat"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("CAFILE", certs().path("with-edca.pem"))
        .start();
    let port = server.port();
    for (version, option, suites, chosen) in [
        (
            "-tls1_3",
            "-ciphersuites",
            "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
            "TLS_AES_256_GCM_SHA384",
        ),
        (
            "-tls1_2",
            "-cipher",
            "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
    ] {
        let client = openssl_client(port, &[version, option, suites]);
        let told = client.wait_out(&format!("Cipher is {chosen}\n"));
        // Newer versions print no blanks there.
        let told = told.replace(" = ", "=");
        let names = "CA names\nO=s6-tls tests, CN=Ed25519 root\nO=s6-tls tests, CN=Root\n";
        assert!(told.contains(names), "{told}");
    }
}

/// Whether a process sleeps, or has ended.
#[cfg(target_os = "linux")]
fn rests(pid: nix::unistd::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_none_or(|state| "SZX".contains(state))
}

/// The pipe takes a part of the report at a time, and O_NONBLOCK may be set by its reader.
#[cfg(target_os = "linux")]
#[test]
fn a_long_report_is_complete_even_if_its_pipe_does_not_block() {
    use std::os::fd::AsFd;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use crate::util::{TempDir, eventually};

    let (near, far) = tcp_pair();
    let ((output, _program), (_input, input)) = (pipe(), pipe());
    let (reader, writer) = pipe();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let options = [
        "-Y",
        "--any-client-cert",
        "--peer-info",
        "-d",
        "9",
        "6",
        "7",
    ];
    let server = cmd(["s6-tlsd-io"])
        .args(options)
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .fd(6, output)
        .fd(7, input)
        .fd(9, writer.try_clone().unwrap())
        .start();
    let dir = TempDir::new();
    let chain = [certs().read("client.pem"), certs().read("wide.pem")].concat();
    let _client = tlsc(&["-y", "-k", "localhost"], "cat <&6")
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", dir.file("chain", chain))
        .fd(6, near.try_clone().unwrap())
        .fd(7, near)
        .start();
    eventually("the engine waits for room in the pipe", || {
        let mut polled = [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
        let is_full = poll(&mut polled, PollTimeout::ZERO) == Ok(0);
        (is_full && rests(server.pid())).then_some(())
    });
    drop(writer);
    let mut report = Vec::new();
    std::fs::File::from(reader)
        .read_to_end(&mut report)
        .unwrap();
    assert!(report.len() > 3 * 4096, "{}", report.len());
    assert!(report.ends_with(b"\0\0"), "{}", report.len());
}

#[test]
fn report_to_a_closed_pipe_is_an_error() {
    let (near, far) = tcp_pair();
    let ((output, _program), (_input, input)) = (pipe(), pipe());
    let server = cmd(["s6-tlsd-io", "-v0", "-d", "9", "6", "7", "ignored"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .fd(6, output)
        .fd(7, input)
        .fd(9, pipe().1)
        .start();
    let client = tlsc(&[], "exec cat <&6");
    let _client = client.fd(6, near.try_clone().unwrap()).fd(7, near).start();
    // -v0 does not suppress fatal lines.
    server.finish().fatal(
        111,
        "s6-tlsd-io: fatal: unable to notify the program: Broken pipe",
    );
}

#[test]
fn old_protocols_and_weak_suites_are_refused() {
    if !need(&["openssl"]) {
        return;
    }
    for args in [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0"],
    ] {
        let (server, port) = serve(&[], "rsa", &["echo", "never"]);
        let client = cmd([
            "openssl",
            "s_client",
            "-quiet",
            "-connect",
            &format!("127.0.0.1:{port}"),
        ]);
        let output = client.args(args).run();
        assert_ne!(output.ended, Ended::Exited(0));
        assert_eq!(output.out(), "");
        server.wait_err("s6-tlsd-io: fatal: handshake failed: ");
    }
}
