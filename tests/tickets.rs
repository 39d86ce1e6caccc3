//! Session resumption (RFC 5077, RFC 8446 section 2.2) with ticket keys from a
//! file.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::TicketRequest;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, Stream};

use crate::util::tls::{ECHO, client_config, openssl_server, serve, tlsclient};
use crate::util::{Running, TempDir, certs, cmd, need};

const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

/// A server of its own, with these options and these ticket keys.
fn server(options: &[&str], keys: &Path) -> (Running, u16) {
    server_with_pair(options, keys, "p256.key", certs().path("p256.pem"))
}

/// The same with this private key and this certificate.
fn server_with_pair(
    options: &[&str],
    keys: &Path,
    key: &str,
    certificate: impl AsRef<OsStr>,
) -> (Running, u16) {
    let server = cmd(["s6-tlsserver", "-1H"])
        .args(options)
        .args(["127.0.0.1", "0", "sh", "-c", ECHO])
        .env("KEYFILE", certs().path(key))
        .env("CERTFILE", certificate)
        .env("CAFILE", certs().path("ca.pem"))
        .env("TICKETKEYFILE", keys)
        .start();
    let port = server.port();
    (server, port)
}

/// A connection by openssl, which takes its session from `from` and leaves it
/// in `to`: whether it was resumed.
fn visit(port: u16, args: &[&str], from: Option<&Path>, to: &Path) -> bool {
    let mut client = cmd(["openssl", "s_client", "-CAfile", &certs().path("ca.pem")])
        .args(["-connect", &format!("127.0.0.1:{port}"), "-ign_eof"])
        .args(args)
        .args(["-sess_out", to.to_str().unwrap()])
        .input_pipe();
    if let Some(from) = from {
        client = client.args(["-sess_in", from.to_str().unwrap()]);
    }
    let mut client = client.start();
    client.write("a line\n");
    client.wait_out("\na line\n");
    client.close_stdin();
    let out = client.stdout.text();
    drop(client);
    assert!(
        out.contains("\nNew, ") || out.contains("\nReused, "),
        "{out}"
    );
    out.contains("\nReused, ")
}

const VERSIONS: [&[&str]; 2] = [
    &["-tls1_2", "-servername", "localhost"],
    &["-tls1_3", "-servername", "localhost"],
];

/// Options of servers, and the versions in which these resume sessions: with a key guard only in
/// TLS 1.3.
const SERVERS: [(&[&str], &[&[&str]]); 2] = [(&[], &VERSIONS), (&["--key-guard"], &[VERSIONS[1]])];

#[test]
fn another_server_with_the_same_file_resumes() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let keys = dir.secret("keys", OLD);
    for (options, versions) in SERVERS {
        for version in versions {
            let session = dir.join("session");
            let (_first, port) = server(options, &keys);
            assert!(!visit(port, version, None, &session));
            let (second, port) = server(options, &keys);
            assert!(
                visit(port, version, Some(&session), &session),
                "{version:?}"
            );
            second.wait_err("SSL_PROTOCOL=");
            // It may come back: in TLS 1.3 with a new ticket, in TLS 1.2 with the first one.
            assert!(
                visit(port, version, Some(&session), &session),
                "{version:?}"
            );
        }
    }
}

#[test]
fn client_gets_two_tickets_or_fewer_if_it_asks_for_fewer() {
    let dir = TempDir::new();
    let keys = dir.secret("keys", OLD);
    let (_server, port) = server(&[], &keys);
    for (asked, given) in [(None, 2), (Some(3), 2), (Some(1), 1), (Some(0), 0)] {
        let mut config = client_config(&[&rustls::version::TLS13]).with_no_client_auth();
        config.send_ticket_request = asked.map(|count| TicketRequest {
            new_session_count: count,
            resumption_count: count,
        });
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut stream = Stream::new(&mut client, &mut stream);
        // The server sends its tickets before the answer.
        stream.write_all(b"a line\n").unwrap();
        stream.read_exact(&mut [0; 7]).unwrap();
        assert_eq!(client.tls13_tickets_received(), given, "{asked:?}");
    }
}

#[test]
fn client_of_a_server_without_ticket_keys_gets_no_session() {
    if !need(&["openssl"]) {
        return;
    }
    let (_server, port) = serve(&["-H"], "p256", &["sh", "-c", ECHO]);
    for version in VERSIONS {
        let mut client = cmd(["openssl", "s_client", "-ign_eof"])
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .args(version)
            .input_pipe()
            .start();
        client.write("a line\n");
        let out = client.wait_out("\na line\n");
        assert!(!out.contains("New Session Ticket"), "{out}");
        let has_session = out.contains("Session-ID: ") && !out.contains("Session-ID: \n");
        assert!(!has_session, "{out}");
    }
}

#[test]
fn a_client_asks_for_no_ticket() {
    if !need(&["openssl"]) {
        return;
    }
    let (server, port) = openssl_server("p256", ["-tlsextdebug"]);
    let client = tlsclient(&[], port, "echo hello >&7; exec cat <&6").start();
    let out = server.wait_out("hello\n");
    assert!(
        out.contains("TLS client extension \"server name\""),
        "{out}"
    );
    assert!(
        !out.contains("TLS client extension \"session ticket\""),
        "{out}"
    );
    drop(client);
}

#[test]
fn client_learns_that_a_ticket_is_valid_for_12_hours() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let keys = dir.secret("keys", OLD);
    for (options, versions) in SERVERS {
        for version in versions {
            let session = dir.join("session");
            let (_server, port) = server(options, &keys);
            visit(port, version, None, &session);
            let shown = cmd(["openssl", "sess_id", "-noout", "-text", "-in"]).arg(&session);
            let shown = shown.run().success().out();
            assert!(shown.contains(" hint: 43200 (seconds)"), "{shown}");
        }
    }
}

#[test]
fn a_new_first_line_rotates_and_a_lost_one_ends() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let file = dir.secret("keys", OLD);
    let (_server, port) = server(&[], &file);
    for version in VERSIONS {
        std::fs::write(&file, OLD).unwrap();
        let [before, during, after] = ["before", "during", "after"].map(|name| dir.join(name));
        assert!(!visit(port, version, None, &before));
        // Files are read for each connection: no restart.
        std::fs::write(&file, [NEW, OLD].concat()).unwrap();
        assert!(visit(port, version, Some(&before), &after));
        assert!(!visit(port, version, None, &during));
        std::fs::write(&file, NEW).unwrap();
        assert!(
            visit(port, version, Some(&during), &after),
            "the new key has sealed it"
        );
        assert!(
            !visit(port, version, Some(&before), &after),
            "its key is gone"
        );
    }
}

/// A connection by a rustls client, which keeps its sessions in its configuration: whether it
/// was resumed.
fn visit_by_rustls(port: u16, config: &Arc<ClientConfig>) -> bool {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(config.clone(), name).unwrap();
    let mut network = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut stream = Stream::new(&mut client, &mut network);
    stream.write_all(b"a line\n").unwrap();
    // The tickets are before the answer.
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    client.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// A resumed session of TLS 1.2 has the secret of the first one, which decrypts all of its
/// connections: no other key may seal it. Clients of openssl do not keep a ticket that comes
/// while they resume.
#[test]
fn session_of_tls_1_2_does_not_outlive_its_key_by_being_resumed() {
    let dir = TempDir::new();
    let file = dir.secret("keys", OLD);
    let (_server, port) = server(&[], &file);
    let (_guarded, guarded) = server(&["--key-guard"], &file);
    for (port, version, outlives) in [
        (port, &rustls::version::TLS12, false),
        (port, &rustls::version::TLS13, true),
        (guarded, &rustls::version::TLS13, true),
    ] {
        let config = Arc::new(client_config(&[version]).with_no_client_auth());
        let visit = || visit_by_rustls(port, &config);
        std::fs::write(&file, OLD).unwrap();
        assert!(!visit());
        std::fs::write(&file, [NEW, OLD].concat()).unwrap();
        assert!(visit() && visit(), "{version:?}");
        std::fs::write(&file, NEW).unwrap();
        assert_eq!(visit(), outlives, "{version:?}");
        assert!(visit(), "a full handshake brings a new ticket: {version:?}");
    }
}

#[test]
fn another_name_costs_a_full_handshake() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let (_server, port) = server(&[], &dir.secret("keys", OLD));
    for version in ["-tls1_2", "-tls1_3"] {
        let session = dir.join("session");
        let other = dir.join("other");
        let name = |name| [version, "-servername", name];
        assert!(!visit(port, &name("localhost"), None, &session));
        assert!(!visit(
            port,
            &name("www.example.org"),
            Some(&session),
            &other
        ));
        assert!(visit(port, &name("localhost"), Some(&session), &other));
    }
}

#[test]
fn no_tickets_without_ticketkeyfile_or_with_client_certificates() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let file = dir.secret("keys", OLD);
    let (_asking, asking) = server(&["-Y"], &file);
    let (_guarded, guarded) = server(&["-Y", "--key-guard"], &file);
    let (_plain, plain) = serve(&[], "p256", &["sh", "-c", ECHO]);
    for port in [asking, guarded, plain] {
        for version in VERSIONS {
            let session = dir.join("session");
            let _ = std::fs::remove_file(&session);
            visit(port, version, None, &session);
            let left = session.exists();
            let again = left && visit(port, version, Some(&session), &dir.join("other"));
            assert!(!again, "{version:?}");
        }
    }
    // A ticket of another server is not accepted either.
    let (_giving, giving) = server(&[], &file);
    for version in VERSIONS {
        let session = dir.join("given");
        visit(giving, version, None, &session);
        for port in [asking, guarded] {
            assert!(!visit(port, version, Some(&session), &dir.join("other")));
        }
    }
}

/// A certificate for the key of p256 that is not the one the tests have, in a
/// file of its own.
fn renewed(dir: &TempDir) -> PathBuf {
    let file = dir.join("renewed.pem");
    let made = cmd(["openssl", "req", "-x509", "-subj", "/CN=localhost"])
        .args(["-key", &certs().path("p256.key")])
        .args(["-out", file.to_str().unwrap()]);
    made.run().success();
    file
}

#[test]
fn session_resumes_only_with_the_same_public_key() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let file = dir.secret("keys", OLD);
    let renewed = renewed(&dir);
    for (options, versions) in SERVERS {
        let (_first, first) = server(options, &file);
        let (_renewed, renewed) = server_with_pair(options, &file, "p256.key", &renewed);
        let (_other, other) =
            server_with_pair(options, &file, "p384.key", certs().path("p384.pem"));
        for version in versions {
            let [given, left] = ["given", "left"].map(|name| dir.join(name));
            assert!(!visit(first, version, None, &given));
            assert!(visit(renewed, version, Some(&given), &left), "{version:?}");
            visit(first, version, None, &given);
            assert!(!visit(other, version, Some(&given), &left), "{version:?}");
        }
    }
}

#[test]
fn gnutls_client_resumes() {
    if !need(&["gnutls-cli"]) {
        return;
    }
    let dir = TempDir::new();
    let (_server, port) = server(&[], &dir.secret("keys", OLD));
    for version in ["VERS-TLS1.2", "VERS-TLS1.3"] {
        let client = cmd([
            "gnutls-cli",
            "--resume",
            "--x509cafile",
            &certs().path("ca.pem"),
        ])
        .args([
            "--sni-hostname",
            "localhost",
            "--verify-hostname",
            "localhost",
        ])
        .args(["--priority", &format!("NORMAL:-VERS-ALL:+{version}")])
        .args(["--port", &port.to_string(), "127.0.0.1"])
        .input("a line\n")
        .run();
        let out = client.out();
        assert!(out.contains("*** This is a resumed session"), "{out}");
    }
}

#[test]
fn ticketkeyfile_is_checked() {
    let dir = TempDir::new();
    let run = |file: &Path| {
        let engine = cmd(["s6-tlsd-io", "0", "1"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .env("TICKETKEYFILE", file);
        engine.run()
    };
    let say = |file: &Path, why: &str| {
        let file = file.display();
        why.replace("FILE", &format!("{file}"))
    };
    for (lines, why) in [
        ("# nothing\n\n", "unable to use FILE: no key"),
        ("!\n", "unable to use FILE: line 1: not base64"),
        (
            "#\nAAAA\n",
            "unable to use FILE: line 2: fewer than 32 bytes",
        ),
        (&OLD.repeat(17), "unable to use FILE: more than 16 keys"),
    ] {
        let file = dir.secret("keys", lines);
        run(&file).fatal(96, &format!("s6-tlsd-io: fatal: {}", say(&file, why)));
    }
    let missing = dir.join("missing");
    let why = say(&missing, "unable to read FILE: No such file or directory");
    run(&missing).fatal(96, &format!("s6-tlsd-io: fatal: {why}"));
    let file = dir.secret("keys", OLD);
    for mode in [0o604, 0o602, 0o601] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let why = say(&file, "FILE is accessible by others");
        run(&file).fatal(96, &format!("s6-tlsd-io: fatal: {why}"));
    }
}

#[test]
fn program_does_not_see_ticketkeyfile() {
    let dir = TempDir::new();
    let file = dir.secret("keys", OLD);
    let server =
        crate::util::tls::tlsd(&[], "p256", "env >&2; exec cat").env("TICKETKEYFILE", file);
    let client = crate::util::tls::tlsc(&["-klocalhost"], crate::util::tls::HELLO);
    let (server, _) = crate::util::tls::connect(server, client);
    assert!(!server.success().err().contains("TICKETKEYFILE"));
}

#[test]
fn peer_info_tells_whether_a_session_was_resumed() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let file = dir.secret("keys", OLD);
    for (version, of_both) in VERSIONS.iter().zip([false, true]) {
        let (server, port) = server(&["--peer-info"], &file);
        let session = dir.join("session");
        assert!(!visit(port, version, None, &session));
        let first = server.wait_err("SSL_SESSION_RESUMED=Initial\n");
        assert!(visit(port, version, Some(&session), &session));
        let both = server.wait_err("SSL_SESSION_RESUMED=Resumed\n");
        // A session of TLS 1.2 is resumed without a key exchange.
        for name in ["SSL_GROUP=", "SSL_CB_TLS_EXPORTER="] {
            assert_eq!(first.matches(name).count(), 1, "{name} {first}");
            let expected = 1 + usize::from(of_both);
            assert_eq!(both.matches(name).count(), expected, "{name} {both}");
        }
    }
}
