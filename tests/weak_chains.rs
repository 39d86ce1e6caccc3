//! Chains with weak or rare signatures and keys, in handshakes: which of them our client, openssl
//! and gnutls-cli accept from a server, and our server from a client.

use std::path::Path;
use std::time::Duration;

use crate::util::certs::run;
use crate::util::{Cmd, Ended, TempDir, cmd, need};

/// Makes root.pem and for each name of [`ACCEPTED`] a key and a chain.
const SCRIPT: &str = r#"set -eu
key() { openssl genpkey "$@"; }
sign() {
  name=$1; issuer=$2; printf '%b\n' "$3" >$name.ext; shift 3
  openssl req -new -key $name.key -subj /CN=$name -out $name.csr
  openssl x509 -req -in $name.csr -CA $issuer.pem -CAkey $issuer.key -set_serial 7 -days 3650 \
    -extfile $name.ext -out $name.pem "$@"
}
rsa='-algorithm rsa -pkeyopt rsa_keygen_bits:'
ec='-algorithm EC -pkeyopt ec_paramgen_curve:P-256'
ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
leaf='subjectAltName=DNS:localhost\nkeyUsage=digitalSignature'
key ${rsa}2048 -out root.key
openssl req -x509 -new -key root.key -subj /CN=root -days 3650 -addext keyUsage=critical,keyCertSign \
  -out root.pem
for name in sha256 sha512 sha1 md5; do key $ec -out $name.key; sign $name root "$leaf" -$name; done
pss='-sha256 -sigopt rsa_padding_mode:pss'
key $ec -out pss.key; sign pss root "$leaf" $pss -sigopt rsa_pss_saltlen:-1
key $ec -out longsalt.key; sign longsalt root "$leaf" $pss -sigopt rsa_pss_saltlen:100
key ${rsa}3072 -out rsa3072.key; key -algorithm ed25519 -out ed25519.key
for name in rsa3072 ed25519; do sign $name root "$leaf"; done
key ${rsa}1024 -out issuer.key; sign issuer root "$ca"
key $ec -out below1024.key; sign below1024 issuer "$leaf"
cat issuer.pem >>below1024.pem
"#;

/// Chains, and whether we, OpenSSL and GnuTLS accept them. OpenSSL requires the 112 bits of its
/// security level 2 of issuers; GnuTLS accepts RSA keys of 1024 bits. With RSASSA-PSS only OpenSSL
/// accepts a salt that is longer than the hash (RFC 8446 section 4.2.3).
const ACCEPTED: [(&str, [bool; 3]); 9] = [
    ("sha256", [true; 3]),
    ("sha512", [true; 3]),
    ("pss", [true; 3]),
    ("rsa3072", [true; 3]),
    ("ed25519", [true; 3]),
    ("sha1", [false; 3]),
    ("md5", [false; 3]),
    ("longsalt", [false, true, false]),
    ("below1024", [false, false, true]),
];

fn with_pair(program: Cmd, dir: &Path, name: &str) -> Cmd {
    program
        .cwd(dir)
        .env("CAFILE", dir.join("root.pem"))
        .env("KEYFILE", dir.join(format!("{name}.key")))
        .env("CERTFILE", dir.join(format!("{name}.pem")))
}

fn clients(port: &str) -> [Cmd; 3] {
    let to = format!("127.0.0.1:{port}");
    [
        cmd([
            "s6-tlsclient",
            "-H",
            "-k",
            "localhost",
            "127.0.0.1",
            port,
            "true",
        ]),
        cmd([
            "openssl",
            "s_client",
            "-CAfile",
            "root.pem",
            "-verify_return_error",
        ])
        .args(["-verify_hostname", "localhost", "-connect", &to]),
        cmd([
            "gnutls-cli",
            "--x509cafile=root.pem",
            "--verify-hostname=localhost",
        ])
        .args(["-p", port, "127.0.0.1"]),
    ]
}

#[test]
fn weak_signatures_and_keys_are_refused_where_others_refuse_them() {
    if !need(&["openssl", "gnutls-cli"]) {
        return;
    }
    let dir = TempDir::new();
    run(SCRIPT, dir.path(), Duration::from_secs(600)).unwrap();
    for (name, accepted) in ACCEPTED {
        let server = cmd(["s6-tlsserver", "-1SH", "127.0.0.1", "0", "echo", "hello"]);
        let server = with_pair(server, dir.path(), name).start();
        let clients = clients(&server.port().to_string());
        let found = clients.map(|client| {
            let client = client.cwd(dir.path()).env("CAFILE", "root.pem");
            client.run().ended == Ended::Exited(0)
        });
        assert_eq!(found, accepted, "{name}");
    }
}

#[test]
fn weak_signatures_and_keys_of_clients_are_refused() {
    let dir = TempDir::new();
    run(SCRIPT, dir.path(), Duration::from_secs(600)).unwrap();
    let server = cmd(["s6-tlsserver", "-1SHy", "127.0.0.1", "0", "echo", "hello"]);
    let server = with_pair(server, dir.path(), "sha256").start();
    let port = server.port().to_string();
    for (name, [accepted, ..]) in ACCEPTED {
        let client = cmd(["s6-tlsclient", "-Hy", "-k", "localhost", "127.0.0.1", &port]);
        let client = with_pair(client, dir.path(), name).args(["sh", "-c", "cat <&6"]);
        let served = client.run().out() == "hello\n";
        assert_eq!(served, accepted, "{name}");
    }
}
