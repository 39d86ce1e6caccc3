//! `--peer-info`: its variables, compared with what openssl and others report.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::util::tls::{VERSIONS, connect, openssl_server, serve, tlsc, tlsd};
use crate::util::{Cmd, TempDir, accept, certs, cmd, listener, need};

/// Prints every variable of the notification, each followed by a NUL.
const SHOW: &str = "env -0 | grep -az '^SSL_' >&2";

/// The label that RFC 9266 gives to tls-exporter.
const LABEL: &str = "EXPORTER-Channel-Binding";

/// The variables that a program printed.
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn of(shown: &[u8]) -> Self {
        let text = String::from_utf8(shown.to_vec()).unwrap();
        let pairs = text.split('\0').filter_map(|string| {
            let (name, value) = string.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Self(pairs.collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Fails unless each variable has its value, or is unset.
    fn expect(&self, prefix: &str, expected: &[(&str, Option<&str>)]) {
        for (name, value) in expected {
            let name = format!("{prefix}{name}");
            assert_eq!(self.get(&name), *value, "{name} in {:#?}", self.0);
        }
    }
}

/// One line of openssl about a certificate file, without its label.
fn openssl(file: &str, question: &[&str]) -> String {
    let output = cmd(["openssl", "x509", "-noout", "-in", file]).args(question);
    let line = output.run().success().out();
    let (_, value) = line.trim_end_matches('\n').split_once('=').unwrap();
    value.to_owned()
}

const NAMES: [&str; 2] = ["-nameopt", "RFC2253,-esc_msb,utf8"];

/// A digest of the DER of a certificate in base64.
fn digest(file: &str, hash: &str) -> String {
    let script = "openssl x509 -in \"$0\" -outform DER | openssl dgst -\"$1\" -binary | base64 -w0";
    cmd(["sh", "-c", script, file, hash]).run().success().out()
}

fn base64(bytes: &[u8]) -> String {
    cmd(["base64", "-w0"]).input(bytes).run().success().out()
}

/// openssl as the client of `serve`, with a certificate.
fn rich_client(port: u16, args: &[&str]) -> Cmd {
    cmd(["openssl", "s_client", "-quiet"])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args(["-key", &certs().path("client-rich.key")])
        .args(["-cert", &certs().path("client-rich.pem")])
        .args(["-cert_chain", &certs().path("inter.pem")])
        .args(args)
}

/// Checks all variables about client-rich.pem, which is followed by its issuer.
fn expect_rich(variables: &Variables, prefix: &str) {
    let file = certs().path("client-rich.pem");
    let subject = openssl(&file, &[&["-subject"][..], &NAMES].concat());
    let issuer = openssl(&file, &[&["-issuer"][..], &NAMES].concat());
    let serial = openssl(&file, &["-serial"]);
    let start = openssl(&file, &["-startdate"]);
    let end = openssl(&file, &["-enddate"]);
    let pem = |name: &str| String::from_utf8(certs().read(name)).unwrap();
    let (own, inter) = (pem("client-rich.pem"), pem("inter.pem"));
    assert!(subject.contains("serialNumber=77+CN=rich") || subject.contains("CN=rich+serial"));
    variables.expect(
        &format!("{prefix}_"),
        &[
            ("VERIFY", Some("SUCCESS")),
            ("M_VERSION", Some("3")),
            ("M_SERIAL", Some(&serial)),
            ("S_DN", Some(&subject)),
            ("I_DN", Some(&issuer)),
            ("S_DN_C", Some("DE")),
            ("S_DN_ST", Some("NRW")),
            ("S_DN_L", Some("Köln")),
            ("S_DN_O", Some("Client Org")),
            ("S_DN_OU", Some("One")),
            ("S_DN_CN", Some("rich")),
            ("S_DN_UID", Some("u1")),
            ("S_DN_Email", Some("x@y.test")),
            ("I_DN_C", None),
            ("I_DN_O", Some("s6-tls tests")),
            ("I_DN_CN", Some("Intermediate")),
            ("I_DN_Email", None),
            ("SAN_DNS_0", Some("a.test")),
            ("SAN_DNS_1", Some("b.test")),
            ("SAN_DNS_2", None),
            ("SAN_Email_0", Some("c@d.test")),
            ("SAN_Email_1", None),
            ("SAN_URI_0", Some("urn:x:y")),
            ("SAN_URI_1", None),
            ("SAN_IP_0", Some("192.0.2.1")),
            ("SAN_IP_1", Some("2001:db8::1")),
            ("SAN_IP_2", None),
            ("V_START", Some(&start)),
            ("V_END", Some(&end)),
            ("CERT", Some(&own)),
            ("CERT_CHAIN_0", Some(&inter)),
            ("CERT_CHAIN_1", None),
        ],
    );
}

#[test]
fn server_reports_everything_of_a_client_that_openssl_knows() {
    if !need(&["openssl"]) {
        return;
    }
    for (version, group) in [("-tls1_2", "P-256"), ("-tls1_3", "P-384")] {
        let server = cmd(["s6-tlsserver", "-1Hy", "--peer-info"])
            .args(["127.0.0.1", "0", "sh", "-c"])
            .arg(format!("{SHOW}; echo shown >&2; exec cat"))
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .env("CAFILE", certs().path("ca.pem"))
            // Inherited variables that could be taken for the client's.
            .env("SSL_CLIENT_SAN_DNS_2", "forged.test")
            .env("SSL_CLIENT_CERT_CHAIN_1", "forged")
            .start();
        let port = server.port();
        let mut client = rich_client(port, &[version, "-groups", group])
            .input_pipe()
            .start();
        client.write("done\n");
        client.wait_out("done\n");
        let variables = Variables::of(server.wait_err("shown\n").as_bytes());
        expect_rich(&variables, "SSL_CLIENT");
        let group = format!("sec{}r1", group.to_lowercase().replace('-', ""));
        let end_point = digest(&certs().path("p256.pem"), "sha256");
        variables.expect(
            "SSL_",
            &[
                ("GROUP", Some(&group)),
                ("SESSION_RESUMED", Some("Initial")),
                ("CB_TLS_SERVER_END_POINT", Some(&end_point)),
            ],
        );
    }
}

#[test]
fn client_reports_everything_of_a_server() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        let chain = certs().path("inter.pem");
        let args = [version, "-rev", "-cert_chain", &chain, "-groups", "X25519"];
        let (_server, port) = openssl_server("client-rich", args);
        let client = cmd(["s6-tlsclient", "-H", "-k", "b.test", "--peer-info"])
            .args(["127.0.0.1", &port.to_string(), "sh", "-c"])
            .arg(format!("echo x >&7; read -r line <&6; {SHOW}"))
            .env("CAFILE", certs().path("ca.pem"));
        let variables = Variables::of(&client.run().success().stderr);
        expect_rich(&variables, "SSL_SERVER");
        let end_point = digest(&certs().path("client-rich.pem"), "sha256");
        variables.expect(
            "SSL_",
            &[
                ("GROUP", Some("X25519")),
                ("SESSION_RESUMED", Some("Initial")),
                ("CB_TLS_SERVER_END_POINT", Some(&end_point)),
            ],
        );
    }
}

/// Both ends of a connection between our programs, with these options; each
/// prints its variables.
fn both(server: Cmd, client: Cmd) -> [Variables; 2] {
    let (server, client) = connect(server, client);
    [server, client].map(|output| Variables::of(&output.success().stderr))
}

#[test]
fn no_certificate_sets_verify_none_only() {
    let server = tlsd(&["-Y", "--peer-info"], "p256", SHOW)
        .env("CAFILE", certs().path("ca.pem"))
        .env("SSL_CLIENT_S_DN", "CN=forged")
        .env("SSL_CLIENT_SAN_Email_0", "forged")
        .env("SSL_CLIENT_CERT", "forged");
    let [server, client] = both(server, tlsc(&["--peer-info"], SHOW));
    let of_client = server.0.iter();
    let of_client: Vec<_> = of_client
        .filter(|(name, _)| name.starts_with("SSL_CLIENT"))
        .collect();
    assert_eq!(
        of_client,
        [(&"SSL_CLIENT_VERIFY".to_owned(), &"NONE".to_owned())]
    );
    for name in ["GROUP", "CB_TLS_EXPORTER", "CB_TLS_SERVER_END_POINT"] {
        let name = format!("SSL_{name}");
        assert!(server.get(&name).is_some(), "{name}");
        assert_eq!(server.get(&name), client.get(&name));
    }
}

#[test]
fn peer_info_is_off_by_default() {
    let [server, client] = both(tlsd(&[], "p256", SHOW), tlsc(&[], SHOW));
    assert_eq!(server.0.len(), 2, "{:?}", server.0);
    assert_eq!(client.0.len(), 4, "{:?}", client.0);
}

/// The certificates of the fuzzing corpus, without those that fuzzers found: openssl serves no
/// certificate with another key. Their names are hashes.
fn odd_certificates() -> Vec<(String, Vec<u8>)> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/peer_info");
    let entries = std::fs::read_dir(corpus).unwrap().flatten();
    let files = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let found = name.len() == 40;
        let bytes = std::fs::read(entry.path()).ok()?;
        let (length, der) = bytes.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        (!found && der.len() == length).then(|| (name, der.to_vec()))
    });
    files.collect()
}

#[test]
fn odd_certificates_are_named_as_openssl_names_them() {
    if !need(&["openssl"]) {
        return;
    }
    let key = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/crates/pki/src/testdata/key.pem"
    );
    let dir = TempDir::new();
    let mut compared = 0;
    for (name, der) in odd_certificates() {
        let file = dir.file(&name, &der);
        let file = file.to_str().unwrap();
        let serves = ["-inform", "DER", "-noout", "-subject"];
        let question = cmd(["openssl", "x509", "-in", file])
            .args(serves)
            .args(NAMES);
        let output = question.run();
        // Certificates that openssl cannot read or print are left out.
        let subject = output.out();
        let Some(subject) = subject.trim_end_matches('\n').strip_prefix("subject=") else {
            continue;
        };
        if matches!(name.as_str(), "badutf" | "universal" | "all-attributes") {
            continue;
        }
        let (_server, port) = served(file, key);
        let client = cmd(["s6-tlsclient", "-H", "--no-verify-cert", "--peer-info"])
            .args(["127.0.0.1", &port.to_string(), "sh", "-c"])
            .arg(format!("echo x >&7; read -r line <&6; {SHOW}"))
            .env("CAFILE", certs().path("ca.pem"));
        let variables = Variables::of(&client.run().success().stderr);
        let expected = (!subject.is_empty()).then_some(subject);
        assert_eq!(variables.get("SSL_SERVER_S_DN"), expected, "{name}");
        assert_eq!(variables.get("SSL_SERVER_VERIFY"), Some("GENEROUS"));
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

/// `openssl s_server` with a certificate in DER.
fn served(certificate: &str, key: &str) -> (crate::util::Running, u16) {
    // The last pair on the command line counts.
    let args = [
        "-cert",
        certificate,
        "-certform",
        "DER",
        "-key",
        key,
        "-rev",
    ];
    openssl_server("p256", args)
}

#[test]
fn exporter_agrees_with_openssl() {
    if !need(&["openssl"]) {
        return;
    }
    // Only in TLS 1.3 is an empty context the same as none.
    let (server, port) = serve(
        &["--peer-info"],
        "p256",
        &["sh", "-c", &format!("{SHOW}; echo shown >&2; exec cat")],
    );
    let mut client = cmd(["openssl", "s_client", "-tls1_3", "-keymatexport", LABEL])
        .args([
            "-keymatexportlen",
            "32",
            "-connect",
            &format!("127.0.0.1:{port}"),
        ])
        .input_pipe()
        .start();
    client.write("done\n");
    let shown = client.wait_out("done\n");
    let (_, hex) = shown.split_once("Keying material: ").unwrap();
    let hex = hex.split('\n').next().unwrap();
    let digits = hex.as_bytes().chunks(2);
    let bytes = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16));
    let expected = base64(&bytes.collect::<Result<Vec<_>, _>>().unwrap());
    let variables = Variables::of(server.wait_err("shown\n").as_bytes());
    assert_eq!(
        variables.get("SSL_CB_TLS_EXPORTER"),
        Some(expected.as_str())
    );
}

#[test]
fn both_versions_export_what_a_foreign_end_exports() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (listener, port) = listener();
        let client = cmd(["s6-tlsclient", "-H", "--no-verify-cert", "--peer-info"])
            .args(["127.0.0.1", &port.to_string(), "sh", "-c"])
            .arg(format!("read -r line <&6; test \"$line\" = hello; {SHOW}"))
            .env("CAFILE", certs().path("ca.pem"))
            .start();
        let mut stream = accept(&listener);
        let mut server = rustls_server(version);
        while server.is_handshaking() {
            server.complete_io(&mut stream).unwrap();
        }
        let label = LABEL.as_bytes();
        let exported = server.export_keying_material(vec![0; 32], label, Some(b""));
        std::io::Write::write_all(&mut server.writer(), b"hello\n").unwrap();
        server.send_close_notify();
        server.complete_io(&mut stream).unwrap();
        let variables = Variables::of(&client.finish().success().stderr);
        let base64 = base64(&exported.unwrap());
        assert_eq!(variables.get("SSL_CB_TLS_EXPORTER"), Some(base64.as_str()));
    }
}

fn rustls_server(version: &'static rustls::SupportedProtocolVersion) -> rustls::ServerConnection {
    use rustls::pki_types::PrivateKeyDer;
    let key = PrivateKeyDer::try_from(certs().read("p256.pkcs8.der")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certs().read("p256.der").into()], key);
    rustls::ServerConnection::new(Arc::new(config.unwrap())).unwrap()
}

#[test]
fn without_an_extended_master_secret_there_is_no_exporter() {
    if !need(&["gnutls-cli"]) {
        return;
    }
    for (priority, exports) in [("", true), (":%NO_SESSION_HASH", false)] {
        let program = format!("{SHOW}; echo shown >&2; exec cat");
        let (server, port) = serve(&["--peer-info"], "p256", &["sh", "-c", &program]);
        let priority = format!("NORMAL:-VERS-ALL:+VERS-TLS1.2{priority}");
        let mut client = cmd([
            "gnutls-cli",
            "--no-ca-verification",
            "--priority",
            &priority,
        ])
        .args(["-p", &port.to_string(), "127.0.0.1"])
        .input_pipe()
        .start();
        client.wait_out("Handshake was completed");
        client.write("done\n");
        client.wait_out("done\n");
        let variables = Variables::of(server.wait_err("shown\n").as_bytes());
        let exporter = variables.get("SSL_CB_TLS_EXPORTER");
        assert_eq!(exporter.is_some(), exports, "{priority}");
    }
}

#[test]
fn the_end_point_goes_by_the_hash_of_the_signature() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let (ca, key) = (certs().path("ca.pem"), certs().path("p256.key"));
    let rsa = certs().path("rsa.key");
    let ca_key = certs().path("ca.key");
    let edca = [certs().path("edca.pem"), certs().path("edca.key")];
    let pss = ["-sigopt", "rsa_padding_mode:pss"];
    for (args, hash) in [
        (vec!["-CA", &ca, "-CAkey", &ca_key, "-sha1"], Some("sha256")),
        (
            vec!["-CA", &ca, "-CAkey", &ca_key, "-sha384"],
            Some("sha384"),
        ),
        (
            vec!["-CA", &ca, "-CAkey", &ca_key, "-sha512"],
            Some("sha512"),
        ),
        (
            [&["-signkey", &rsa, "-sha384"][..], &pss].concat(),
            Some("sha384"),
        ),
        (vec!["-CA", &edca[0], "-CAkey", &edca[1]], None),
    ] {
        let file = dir.join("server.pem");
        let key = if args.contains(&"-signkey") {
            &rsa
        } else {
            &key
        };
        let script = "openssl req -new -key \"$1\" -subj /CN=localhost | \
                      openssl x509 -req -days 9 -set_serial 5 -extfile ext -out \"$0\" \"$@\"";
        let script = script.replace("\"$@\"", "$ARGS");
        dir.file("ext", "subjectAltName=DNS:localhost\n");
        cmd(["sh", "-c", &script, file.to_str().unwrap(), key])
            .env("ARGS", args.join(" "))
            .cwd(dir.path())
            .run()
            .success();
        let server = tlsd(&["--peer-info"], "p256", SHOW)
            .env("KEYFILE", key)
            .env("CERTFILE", &file);
        let options = ["--no-verify-cert", "--peer-info"];
        let expected = hash.map(|hash| digest(file.to_str().unwrap(), hash));
        for variables in both(server, tlsc(&options, SHOW)) {
            let shown = variables.get("SSL_CB_TLS_SERVER_END_POINT");
            assert_eq!(shown, expected.as_deref(), "{args:?}");
        }
    }
}

#[test]
fn large_notifications_arrive_whole() {
    // A certificate with nearly as many names as fit, its PEM, and one
    // variable for each name.
    let names = (0..1500).map(|n| format!("DNS:n{n}.a-name-of-some-length.test"));
    let names = names.collect::<Vec<_>>().join(",");
    let dir = TempDir::new();
    let config = format!("[req]\ndistinguished_name=d\n[d]\n[e]\nsubjectAltName={names}\n");
    let config = dir.file("config", config);
    let file = dir.join("server.pem");
    cmd([
        "openssl",
        "req",
        "-x509",
        "-new",
        "-subj",
        "/CN=x",
        "-extensions",
        "e",
    ])
    .args(["-key", &certs().path("p256.key"), "-days", "9"])
    .arg("-config")
    .arg(config)
    .arg("-out")
    .arg(&file)
    .run()
    .success();
    let server = tlsd(&[], "p256", "cat").env("CERTFILE", &file);
    let client = tlsc(
        &["--no-verify-cert", "--peer-info"],
        &format!("exec 7>&-; cat <&6; {SHOW}"),
    );
    let (server, client) = connect(server, client);
    server.success();
    let variables = Variables::of(&client.success().stderr);
    let pem = std::fs::read_to_string(&file).unwrap();
    assert!(pem.len() > 64 << 10);
    variables.expect(
        "SSL_SERVER_",
        &[
            ("CERT", Some(&pem)),
            ("SAN_DNS_0", Some("n0.a-name-of-some-length.test")),
            ("SAN_DNS_1499", Some("n1499.a-name-of-some-length.test")),
            ("SAN_DNS_1500", None),
        ],
    );
}

#[test]
fn starttls_program_gets_peer_info() {
    let server = cmd(["s6-ucspitlsd", "-Y", "--peer-info", "sh", "-c"])
        .arg("printf Y >&$SSLCTLFD; cat <&$SSLCTLFD >&2")
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("CAFILE", certs().path("ca.pem"));
    let client = tlsc(&["-y"], "exec 7>&-; cat <&6")
        .env("KEYFILE", certs().path("client-rich.key"))
        .env("CERTFILE", certs().path("client-rich-chain.pem"));
    let (server, _client) = connect(server, client);
    let variables = Variables::of(&server.stderr);
    expect_rich(&variables, "SSL_CLIENT");
}
