//! Client certificates, verified by trust anchors.

use crate::engine_handshake::openssl_client;
use crate::util::tls::{ECHO, HELLO, connect, openssl_server, tlsc, tlsd};
use crate::util::{Ended, TempDir, certs, cmd, need};

#[test]
fn client_certificates_are_asked_for_and_verified() {
    let ok = ["-k", "localhost", "-y"];
    for (server, anchors, client, pair, fine) in [
        ("-Y", "ca.pem", &ok[..2], "client", true),
        ("-Y", "ca.pem", &ok, "client", true),
        ("-Y", "ca.pem", &ok, "client-other", false),
        ("-Y", "ca.pem", &ok, "client-expired", false),
        ("-Y", "ca.pem", &ok, "client-inter", false),
        ("-Y", "ca.pem", &ok, "client-inter-chain", true),
        ("-y", "ca.pem", &ok, "client", true),
        ("-y", "ca.pem", &ok[..2], "client", false),
        ("-y", "ca.pem", &ok, "client-server", false),
        // keyUsage forbids it.
        ("-y", "ca.pem", &ok, "client-agree", false),
        ("-y", "ca.pem", &ok, "client-nosign-chain", false),
        // An anchor that is not a CA certificate vouches only for itself.
        ("-y", "client-own.pem", &ok, "client-own", true),
        ("-y", "client-own.pem", &ok, "client-pinned-chain", false),
    ] {
        let server = tlsd(&[server], "p256", ECHO).env("CAFILE", certs().path(anchors));
        let client = tlsc(client, HELLO)
            .env(
                "KEYFILE",
                certs().path(&format!("{}.key", pair.trim_end_matches("-chain"))),
            )
            .env("CERTFILE", certs().path(&format!("{pair}.pem")));
        let (server, client) = connect(server, client);
        if fine {
            let told = server.success().err();
            let hash = format!("SSL_PEER_CERT_HASH=SHA256:{}", certs().hash(pair));
            assert_eq!(
                told.contains(&hash),
                told.contains("SSL_PEER_CERT_SUBJECT"),
                "{told}"
            );
        } else {
            assert_eq!(server.ended, Ended::Exited(98), "{pair}: {}", server.err());
            assert_ne!(client.out().lines().next(), Some("hello"), "{pair}");
        }
    }
}

#[test]
fn a_certificate_that_webpki_does_not_read_is_no_obstacle_where_it_is_not_verified() {
    if !need(&["openssl"]) {
        return;
    }
    for protocol in ["-tls1_2", "-tls1_3"] {
        for (pair, anchors, options) in [
            ("unknown", "ca", &["--no-verify-cert"][..]),
            ("version1", "ca", &["--no-verify-cert"]),
            ("version1", "version1", &["-k", "localhost"]),
        ] {
            let (_server, port) = openssl_server(pair, [protocol]);
            let client = cmd(["s6-tlsclient", "-H"])
                .args(options)
                .args(["127.0.0.1", &port.to_string(), "true"])
                .env("CAFILE", certs().path(&format!("{anchors}.pem")));
            client.run().success();
        }
    }
}

#[test]
fn names_of_anchors_that_do_not_fit_are_not_sent() {
    let dir = TempDir::new();
    // Each about 2 KiB; together more than the 64 KiB of the list.
    let units = "/OU=a-rather-long-name-of-an-organizational-unit".repeat(40);
    let extensions = "basicConstraints=critical,CA:TRUE";
    let key = certs().path("ca.key");
    for i in 0..36 {
        cmd([
            "openssl", "req", "-x509", "-key", &key, "-addext", extensions,
        ])
        .args([
            "-subj",
            &format!("/CN={i}{units}"),
            "-out",
            &format!("{i}.pem"),
        ])
        .cwd(dir.path())
        .run()
        .success();
    }
    dir.file("ca.pem", certs().read("ca.pem"));
    for option in ["-Y", "-y"] {
        for protocol in ["-tls1_2", "-tls1_3"] {
            let server = cmd(["s6-tlsserver", "-1H", option, "127.0.0.1", "0", "cat"])
                .env("KEYFILE", certs().path("p256.key"))
                .env("CERTFILE", certs().path("p256.pem"))
                .env("CADIR", dir.path())
                .start();
            let pair = ["key", "pem"].map(|kind| certs().path(&format!("client.{kind}")));
            let args = [protocol, "-key", &pair[0], "-cert", &pair[1]];
            let mut client = openssl_client(server.port(), &args);
            client.write("hello\n");
            let out = client.wait_out("hello\n");
            assert!(out.contains("No client certificate CA names sent"), "{out}");
        }
    }
}

#[test]
fn a_peer_whose_rsa_key_cannot_be_verified_with_is_told_apart() {
    if !need(&["openssl"]) {
        return;
    }
    let weak = ["-cipher", "DEFAULT@SECLEVEL=0"];
    for (own, peer, why) in [
        (
            "shortown",
            "shortclient",
            "its RSA key has 1024 bits: 2048 to 8192 can be verified",
        ),
        (
            "rsalarge",
            "clientlarge",
            "its RSA key has an exponent of 34 bits: at most 33 can be verified",
        ),
    ] {
        for protocol in ["-tls1_2", "-tls1_3"] {
            let (_server, port) = openssl_server(own, [protocol].iter().chain(&weak));
            let client = cmd(["s6-tlsclient", "-H", "-k", "localhost", "127.0.0.1"])
                .args([&port.to_string(), "true"])
                .env("CAFILE", certs().path("ca.pem"));
            client.run().fatal_with(98, "s6-tlsc-io: fatal: ", &[why]);

            let server = cmd(["s6-tlsserver", "-1H", "-y", "127.0.0.1", "0", "cat"])
                .env("KEYFILE", certs().path("p256.key"))
                .env("CERTFILE", certs().path("p256.pem"))
                .env("CAFILE", certs().path("ca.pem"))
                .start();
            let pair = ["key", "pem"].map(|kind| certs().path(&format!("{peer}.{kind}")));
            let args = [protocol, "-key", &pair[0], "-cert", &pair[1]];
            let _client = openssl_client(server.port(), &[&args[..], &weak].concat());
            server.wait_err(why);
        }
    }
}

#[test]
fn without_a_certificate_the_variables_are_unset_and_not_empty() {
    let server = tlsd(&["-Y"], "p256", ECHO)
        .env("CAFILE", certs().path("ca.pem"))
        .env("SSL_PEER_CERT_HASH", "inherited")
        .env("SSL_PEER_CERT_SUBJECT", "inherited")
        .env("SSL_TLS_SNI_SERVERNAME", "inherited");
    let (server, _) = connect(server, tlsc(&[], HELLO));
    let told = server.success().err();
    assert_eq!(
        told,
        "SSL_CIPHER=TLS_AES_256_GCM_SHA384\nSSL_PROTOCOL=TLSv1.3\n"
    );
}
