//! `--any-client-cert`: accepts any certificate whose key the client has.

use std::ffi::OsStr;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, SignatureScheme};

use crate::util::tls::{VERSIONS, client_config, connect, door, tlsc, tlsd, visit};
use crate::util::{TempDir, certs, cmd, need};

#[test]
fn any_certificate_is_accepted_and_reported() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        for pair in [
            "client",
            "client-own",
            "client-other",
            "client-expired",
            "future",
            "client-server",
            "client-agree",
            "selfca",
            "version1",
            "unknown",
            "p384",
            "rsa",
            "ed25519",
        ] {
            let visit = visit(door(&["--any-client-cert"]), version, Some(pair));
            visit.accepted("GENEROUS", pair);
        }
    }
}

#[test]
fn any_client_cert_reads_no_anchors() {
    if !need(&["openssl"]) {
        return;
    }
    for options in [&["--any-client-cert"][..], &["--any-client-cert", "-y"]] {
        for version in VERSIONS {
            let door = door(options)
                .env("CAFILE", "/nonexistent")
                .env("CADIR", "/nonexistent")
                .env("CRLFILE", "/nonexistent");
            visit(door, version, Some("client-own")).accepted("GENEROUS", "client-own");
        }
    }
    let server = door(&["--any-client-cert"]).env("CAFILE", certs().path("ca.pem"));
    let server = server.start();
    let client = cmd(["openssl", "s_client", "-connect"])
        .arg(format!("127.0.0.1:{}", server.port()))
        .input_pipe()
        .start();
    client.wait_out("No client certificate CA names sent\n");
    client.wait_out("Requested Signature Algorithms: ");
}

#[test]
fn any_client_cert_is_required_only_with_y() {
    if !need(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        visit(door(&["--any-client-cert"]), version, None).accepted_without();
        visit(door(&["-Y", "--any-client-cert"]), version, None).accepted_without();
        let nobody = visit(door(&["-y", "--any-client-cert"]), version, None);
        nobody.refused(
            "certificate required",
            "handshake failed: remote sent no certificate",
        );
    }
}

#[test]
fn gnutls_client_certificate_is_accepted() {
    if !need(&["gnutls-cli"]) {
        return;
    }
    let server = door(&["--any-client-cert"]).start();
    let client = cmd(["gnutls-cli", "--x509cafile", &certs().path("ca.pem")])
        .args(["--x509keyfile", &certs().path("client-own.key")])
        .args(["--x509certfile", &certs().path("client-own.pem")])
        .args(["-p", &server.port().to_string(), "localhost"])
        .run();
    let hash = format!("SSL_PEER_CERT_HASH=SHA256:{}\n", certs().hash("client-own"));
    assert!(client.out().contains(&hash), "{}", client.out());
}

/// Shows a certificate, and signs with a key that is not its own.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesClientCert for Impostor {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What happens to a client that shows ca.pem but signs with the key of p256.pem.
fn impose(port: u16, version: &'static rustls::SupportedProtocolVersion) -> String {
    let key = PrivateKeyDer::Pkcs8(certs().read("p256.pkcs8.der").into());
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let shown = vec![certs().read("ca.der").into()];
    let config = client_config(&[version])
        .with_client_cert_resolver(Arc::new(Impostor(Arc::new(CertifiedKey::new(shown, key)))));
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    loop {
        if let Err(error) = client.complete_io(&mut stream) {
            return error.to_string();
        }
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let pin = format!("--pin=SHA256:{}", certs().hash("ca"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for option in ["--any-client-cert", &pin] {
            let server = door(&["-y", option]).start();
            let told = impose(server.port(), version);
            assert!(told.contains("DecryptError"), "{told}");
            server.wait_err(" code=98 end=peer-certificate\n");
            server
                .wait_err("fatal: handshake failed: certificate of remote refused: bad signature");
        }
    }
}

#[test]
fn a_subject_drives_no_terminal_and_ends_no_line() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let (key, chain) = (dir.join("key"), dir.join("chain"));
    let made = cmd(["openssl", "req", "-x509", "-newkey", "ec", "-nodes"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-utf8", "-subj"])
        .arg("/O=a\r\nforged: line/CN=\x1b[2J\x7fb")
        .args([OsStr::new("-keyout"), key.as_os_str()])
        .args([OsStr::new("-out"), chain.as_os_str()]);
    made.run().success();
    let show = "printf '<%s>' \"$SSL_PEER_CERT_SUBJECT\" >&2";
    let (server, _client) = connect(
        tlsd(&["--any-client-cert"], "p256", show),
        tlsc(&["-y", "-k", "localhost"], "exec 7>&-; cat <&6")
            .env("KEYFILE", key)
            .env("CERTFILE", chain),
    );
    let shown = r"<O=a\0D\0Aforged: line, CN=\1B[2J\7Fb>";
    assert_eq!(server.success().err(), shown);
}
