//! Early data (0-RTT) of a client whose ticket comes from another server on the
//! same port: skipped, never accepted (RFC 8446 section 4.2.10).

use crate::util::tls::openssl_server;
use crate::util::{TempDir, certs, cmd, need};

/// A session of `openssl s_client` with a server that accepts early data.
fn session_with_early_data(dir: &TempDir) -> String {
    let takes = ["-tls1_3", "-early_data", "-max_early_data", "1000000"];
    let (mut server, port) = openssl_server("p256", takes);
    let file = dir.join("session").to_str().unwrap().to_owned();
    let mut client = cmd(["openssl", "s_client", "-tls1_3", "-sess_out", &file])
        .args(["-servername", "localhost"])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .input_pipe()
        .start();
    client.write("hello\n");
    server.wait_out("hello\n");
    // The server sends its tickets before this line.
    server.write("hello\n");
    client.wait_out("\nhello\n");
    file
}

#[test]
fn early_data_are_skipped_and_the_handshake_goes_on() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let session = session_with_early_data(&dir);
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let tickets = dir.secret("tickets", key);
    // The second client's share is for a group that the server does not have.
    for groups in ["X25519", "P-521:P-256"] {
        for (size, resumes) in [(1, false), (16384, true), (65536, false), (65536, true)] {
            let early = dir.file("early", &b"0-RTT".repeat(size)[..size]);
            let mut server = cmd(["s6-tlsserver", "-1H", "127.0.0.1", "0", "cat"])
                .env("KEYFILE", certs().path("p256.key"))
                .env("CERTFILE", certs().path("p256.pem"));
            if resumes {
                server = server.env("TICKETKEYFILE", &tickets);
            }
            let server = server.start();
            let mut client = cmd(["openssl", "s_client", "-tls1_3", "-sess_in", &session])
                .args(["-servername", "localhost", "-groups", groups])
                .args(["-early_data", early.to_str().unwrap()])
                .args(["-connect", &format!("127.0.0.1:{}", server.port())])
                .input_pipe()
                .start();
            client.write("after\n");
            let out = client.wait_out("\nafter\n");
            assert!(out.contains("Early data was rejected"), "{out}");
            assert!(!out.contains("RTT0"), "{out}");
        }
    }
}
