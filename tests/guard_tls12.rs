//! The key guard in TLS 1.2, whose signatures and tickets are others than those
//! of TLS 1.3.

use crate::util::tls::{openssl_server, serve};
use crate::util::{certs, cmd, need};

/// The groups that TLS 1.2 has, each once in front, which is the one that is
/// taken.
const GROUPS: [&str; 3] = [
    "X25519:secp256r1:secp384r1",
    "secp256r1:X25519:secp384r1",
    "secp384r1:secp256r1:X25519",
];

#[test]
fn every_kind_of_key_signs_for_every_group() {
    if !need(&["openssl"]) {
        return;
    }
    for pair in ["p256", "p384", "rsa", "ed25519"] {
        let (_server, port) = serve(&["--key-guard"], pair, &["echo", "hello"]);
        for groups in GROUPS {
            let client = cmd(["openssl", "s_client", "-quiet", "-tls1_2"])
                .args(["-verify_return_error", "-CAfile", &certs().path("ca.pem")])
                .args(["-groups", groups])
                .args(["-connect", &format!("127.0.0.1:{port}")])
                .input_pipe()
                .start();
            client.wait_out("hello\n");
        }
    }
}

#[test]
fn a_clients_key_signs_the_handshake_of_every_group() {
    if !need(&["openssl"]) {
        return;
    }
    let ca = certs().path("ca.pem");
    let response = certs().path("p256.ocsp");
    for groups in GROUPS {
        for stapled in [&[][..], &["-status_file", &response]] {
            let mut args = vec!["-tls1_2", "-rev"];
            args.extend(["-Verify", "1", "-verify_return_error", "-CAfile", &ca]);
            args.extend(stapled);
            let (_server, port) = openssl_server("p256", args);
            let option = format!("--groups={groups}");
            let client = cmd(["s6-tlsclient", "-Hklocalhost", "-y", "--key-guard", &option])
                .args(["127.0.0.1", &port.to_string()])
                .args(["sh", "-c", "echo abc >&7; head -n 1 <&6"])
                .env("CAFILE", &ca)
                .env("KEYFILE", certs().path("client.key"))
                .env("CERTFILE", certs().path("client.pem"));
            assert_eq!(client.run().success().out(), "cba\n", "{groups}");
        }
    }
}
