//! Each message of doc/troubleshooting.md, produced by the mistake that the page names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::util::{Cmd, TempDir, certs, cmd, free_port, listens, skip};

/// A message, and the lines for sh that produce it. If there is a server, its line is started
/// first; either side may print the message. Port 4433 is replaced by a free one.
type Case = (&'static str, &'static str, &'static str);

const ALONE: &str = "";
const SERVER: &str = "exec s6-tlsserver -H 127.0.0.1 4433 ./page";
const CLIENT: &str = "s6-tlsclient -h localhost 4433 sh -c 'cat <&6'";
/// A client without TLS, which says nothing and waits for the end.
const SILENT: &str = "s6-tcpclient -H 127.0.0.1 4433 sh -c 'cat <&6'";
const GONE: &str = "s6-tcpclient -H 127.0.0.1 4433 true";

const START: &[Case] = &[
    (
        "usage: s6-tlsserver [ options ] ip port prog...",
        ALONE,
        "s6-tlsserver 127.0.0.1:4433 ./page",
    ),
    (
        "uid must be an unsigned integer",
        ALONE,
        "s6-tlsserver -u nobody 127.0.0.1 4433 ./page",
    ),
    (
        "unrecognized short option: 2 (-v takes no value)",
        ALONE,
        "s6-tlsserver -v2 127.0.0.1 4433 ./page",
    ),
    (
        "ip must be an IP address: localhost",
        ALONE,
        "s6-tlsserver localhost 4433 ./page",
    ),
    (
        "port must be a number from 0 to 65535: https",
        ALONE,
        "s6-tlsserver 127.0.0.1 https ./page",
    ),
    (
        "unable to bind to 127.0.0.1 port 4433 : Address already in use",
        SERVER,
        SERVER,
    ),
    (
        "unable to bind to 192.0.2.1 port 4433 : Cannot assign requested address",
        ALONE,
        "s6-tlsserver 192.0.2.1 4433 ./page",
    ),
    (
        "unable to exec s6-applyuidgid: No such file or directory",
        ALONE,
        "cp $(command -v s6-tcpserver-socketbinder) alone
         PATH=/nonexistent ./alone 127.0.0.1 4433 s6-applyuidgid -u 1 ./page",
    ),
];

/// Messages that only root can get.
const ROOT: &[Case] = &[
    (
        "warning: -u without -g: the program stays in the group of root",
        ALONE,
        "s6-tlsserver -u 65534 192.0.2.1 4433 ./page",
    ),
    (
        "warning: TLS_UID without TLS_GID: the engine stays in the group of root",
        ALONE,
        "TLS_UID=65534 s6-tlsserver 192.0.2.1 4433 ./page",
    ),
    (
        "unable to read ca.pem as uid 65534: Permission denied",
        "chmod 600 ca.pem; TLS_UID=65534 TLS_GID=65534 exec s6-tlsserver -y -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
];

const FILES: &[Case] = &[
    (
        "KEYFILE not set",
        "unset KEYFILE; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "KEYFILE not set",
        "unset KEYFILE; SNIDIR=. exec s6-tlsserver --sni -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "--alpn=acme-tls/1 needs SNIDIR",
        "exec s6-tlsserver --alpn=acme-tls/1 -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to read key.pem: No such file or directory",
        "rm key.pem; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to use key.pem: no private key inside",
        "cp chain.pem key.pem; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to use chain.pem: no certificate inside",
        "cp key.pem chain.pem; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to use key.pem: the private key is encrypted",
        "openssl ec -in other.key -aes256 -passout pass:x -out key.pem 2>/dev/null
         exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to use key.pem: unusable private key of type RSA with 1024 bits",
        "openssl genrsa -out key.pem 1024 2>/dev/null; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "private key in key.pem does not belong to the certificate in chain.pem",
        "cp other.key key.pem; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "environment variable KEYFILE:example.org not paired with the corresponding CERTFILE",
        "exec env KEYFILE:example.org=key.pem s6-tlsserver --sni -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to open directory /nonexistent: No such file or directory",
        "SNIDIR=/nonexistent exec s6-tlsserver --sni -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "no certificate: set SNIDIR, or KEYFILE:name and CERTFILE:name",
        "exec s6-tlsserver --mandatory-sni -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "CADIR or CAFILE not set",
        "unset CAFILE; exec s6-tlsserver -y -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "key.pem is accessible by others",
        "chmod 644 key.pem; TICKETKEYFILE=key.pem exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to spawn s6-tlsd-io: No such file or directory",
        ALONE,
        "cp $(command -v s6-tlsd) alone; PATH=/nonexistent ./alone true",
    ),
    (
        "unable to cdb_init norules: No such file or directory",
        "exec s6-tcpserver 127.0.0.1 4433 s6-tcpserver-access -x norules ./page",
        GONE,
    ),
    (
        "unable to check fs ruleset for IP in norules: No such file or directory",
        "exec s6-tcpserver 127.0.0.1 4433 s6-tcpserver-access -i norules ./page",
        GONE,
    ),
    (
        "invalid magic",
        "exec s6-tlsserver -L -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to exec ./page: No such file or directory",
        "rm page; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to exec -S: No such file or directory",
        "exec s6-tlsserver -H 127.0.0.1 4433 -S ./page",
        CLIENT,
    ),
    (
        "unable to exec ./page: Permission denied",
        "chmod -x page; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "unable to exec ./page: Exec format error",
        "echo echo hello >page; exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
];

const REFUSALS: &[Case] = &[
    (
        "remote closed connection during the handshake",
        SERVER,
        GONE,
    ),
    (
        "remote does not speak TLS",
        SERVER,
        "s6-tcpclient -H 127.0.0.1 4433 sh -c 'echo GET / >&7; cat <&6'",
    ),
    (
        "handshake timed out",
        "exec s6-tlsserver -K 50 -H 127.0.0.1 4433 ./page",
        SILENT,
    ),
    (
        "remote sent alert unknown_ca",
        SERVER,
        "CAFILE=other.pem s6-tlsclient -h localhost 4433 true",
    ),
    (
        "remote sent alert bad_certificate",
        SERVER,
        "s6-tlsclient -h -k www.example.org localhost 4433 true",
    ),
    (
        "remote sent alert certificate_unknown",
        SERVER,
        // A policy that the certificate lacks, for want of a browser.
        "openssl s_client -connect localhost:4433 -CAfile ca.pem -verify_return_error \
           -policy_check -explicit_policy -policy 1.2.3.4",
    ),
    (
        "remote sent alert certificate_expired",
        "KEYFILE=expired.key CERTFILE=expired.pem exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "remote asked for www.example.org, which has no certificate",
        "SNIDIR=. exec s6-tlsserver --mandatory-sni -H 127.0.0.1 4433 ./page",
        "s6-tlsclient -h -k www.example.org localhost 4433 true",
    ),
    (
        "remote asked for the ACME challenge of www.example.org, which has none",
        "SNIDIR=. exec s6-tlsserver --sni --alpn=acme-tls/1 -H 127.0.0.1 4433 ./page",
        "s6-tlsclient -h -k www.example.org --alpn=acme-tls/1 localhost 4433 true",
    ),
    (
        "remote asked for no name, and there is no default certificate",
        "SNIDIR=. exec s6-tlsserver --mandatory-sni -H 127.0.0.1 4433 ./page",
        "s6-tlsclient -H 127.0.0.1 4433 true",
    ),
    (
        "remote sent no certificate",
        "exec s6-tlsserver -y -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "certificate of remote refused: not of version 3",
        "exec s6-tlsserver -y -H 127.0.0.1 4433 ./page",
        "openssl req -new -key other.key -subj /CN=alice -out client.csr
         openssl x509 -req -in client.csr -CA selfca.pem -CAkey selfca.key -CAcreateserial \
           -out client.pem 2>/dev/null
         KEYFILE=other.key CERTFILE=client.pem s6-tlsclient -y -h localhost 4433 sh -c 'cat <&6'",
    ),
    (
        "certificate of remote refused: the revocation list of",
        SERVER,
        "CRLFILE=future.crl s6-tlsclient -h localhost 4433 true",
    ),
    (
        "no TLS version in common with remote",
        SERVER,
        "openssl s_client -connect 127.0.0.1:4433 -tls1_1 -cipher DEFAULT@SECLEVEL=0",
    ),
    (
        "no cipher suite in common with remote",
        SERVER,
        "openssl s_client -connect 127.0.0.1:4433 -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
    ),
    (
        "no key exchange group in common with remote",
        "exec s6-tlsserver --groups=secp384r1 -H 127.0.0.1 4433 ./page",
        "s6-tlsclient --groups=X25519 -h localhost 4433 true",
    ),
    (
        "no common ALPN protocol; client offers h2",
        "exec s6-tlsserver --alpn=http/1.1 -H 127.0.0.1 4433 ./page",
        "s6-tlsclient --alpn=h2 -h localhost 4433 true",
    ),
    (
        "limit of 1 connections reached: further clients wait",
        "exec s6-tlsserver -c 1 -H 127.0.0.1 4433 ./page",
        GONE,
    ),
    (
        "info: reject 127.0.0.1_",
        "exec s6-tlsserver -C 1 -H 127.0.0.1 4433 ./page",
        // The shell keeps its connection open until the second one is rejected.
        "s6-tcpclient -H 127.0.0.1 4433 sh -c '
         s6-tcpclient -H 127.0.0.1 4433 sh -c \"cat <&6\"; :'",
    ),
];

const CLIENTS: &[Case] = &[
    (
        "CADIR or CAFILE not set, and no --webpki-roots given",
        SERVER,
        "unset CAFILE; s6-tlsclient -h localhost 4433 true",
    ),
    (
        "certificate of remote refused: unknown issuer: no chain to a trust anchor",
        SERVER,
        "CAFILE=other.pem s6-tlsclient -h localhost 4433 true",
    ),
    (
        "certificate of remote refused: a self-signed or CA certificate that is not among the \
         trust anchors",
        "KEYFILE=selfca.key CERTFILE=selfca.pem exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "certificate of remote refused: not valid for this name: www.example.org is wanted, it \
         has other.test",
        "KEYFILE=wrong.key CERTFILE=wrong.pem exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        "s6-tlsclient -h -k www.example.org localhost 4433 true",
    ),
    (
        "certificate of remote refused: expired",
        "KEYFILE=expired.key CERTFILE=expired.pem exec s6-tlsserver -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "remote sent alert certificate_required",
        "exec s6-tlsserver -y -H 127.0.0.1 4433 ./page",
        CLIENT,
    ),
    (
        "remote sent alert protocol_version",
        "exec openssl s_server -accept 127.0.0.1:4433 -key key.pem -cert chain.pem -tls1_1 -quiet",
        CLIENT,
    ),
    (
        "remote closed connection without a close_notify",
        SERVER,
        "s6-tlsclient -J -h localhost 4433 sh -c 'cat <&6'",
    ),
    (
        "unable to check network fds: Bad file descriptor: 6 is not open",
        ALONE,
        "s6-tlsc true",
    ),
    (
        "host must be an IP address with -H: localhost",
        ALONE,
        "s6-tlsclient -H localhost 4433 true",
    ),
    (
        "unable to resolve example.org: Connection refused",
        ALONE,
        "DNSCACHEIP=127.0.0.9 s6-tlsclient example.org 4433 true",
    ),
    (
        "unable to look up TLSA records of _4433._tcp.example.org: Connection refused",
        ALONE,
        "DNSCACHEIP=127.0.0.9 s6-tlsclient --dane example.org 4433 true",
    ),
    (
        "no authentic TLSA records of _4433._tcp.example.org: no resolver on this machine, and \
         no --trust-resolver or --dane-trust-resolver given",
        ALONE,
        "DNSCACHEIP=192.0.2.1 s6-tlsclient --dane=required example.org 4433 true",
    ),
    (
        "no record in TLSA is usable without verification by trust anchors, but TLSAREQUIRED \
         is set",
        ALONE,
        "unset CAFILE; export TLSA=\"1 1 1 $(printf %064d 0)\" TLSAREQUIRED=1; \
         s6-tlsc -k example.org true 6</dev/null 7>/dev/null",
    ),
    (
        "no TLSA record matches the remote certificate SHA256:",
        SERVER,
        "export TLSA=\"3 1 1 $(printf %064d 0)\"; s6-tcpclient -h localhost 4433 s6-tlsc true",
    ),
    ("unable to connect to a suitable IP address", ALONE, CLIENT),
    (
        "unable to read from remote: Connection reset by peer",
        // It leaves most of the hello unread.
        "exec s6-tcpserver 127.0.0.1 4433 dd bs=1 count=1 2>/dev/null",
        CLIENT,
    ),
];

/// What a case needs in its directory.
fn place() -> TempDir {
    let dir = TempDir::new();
    dir.program("page", "#!/bin/sh\necho hello\n");
    for (from, to) in [
        ("p256.key", "key.pem"),
        ("p256.pem", "chain.pem"),
        ("ca.pem", "ca.pem"),
        ("other.key", "other.key"),
        ("other.pem", "other.pem"),
        ("selfca.key", "selfca.key"),
        ("selfca.pem", "selfca.pem"),
        ("wrong.key", "wrong.key"),
        ("wrong.pem", "wrong.pem"),
        ("expired.key", "expired.key"),
        ("expired.pem", "expired.pem"),
        ("ca-future.crl", "future.crl"),
    ] {
        dir.file(to, certs().read(from));
    }
    dir
}

fn shell(lines: &str, port: u16, dir: &TempDir) -> Cmd {
    cmd(["sh", "-c", &lines.replace("4433", &port.to_string())])
        .cwd(dir.path())
        .env("KEYFILE", "key.pem")
        .env("CERTFILE", "chain.pem")
        .env("CAFILE", "ca.pem")
}

fn produced(cases: &[Case]) {
    for (message, server, client) in cases {
        let (dir, port) = (place(), free_port());
        let message = message.replace("4433", &port.to_string());
        if server.is_empty() {
            let said = shell(client, port, &dir).run().err();
            assert!(said.contains(&message), "{message}: {client}: {said}");
            continue;
        }
        let server = shell(server, port, &dir).start();
        listens(port);
        let said = shell(client, port, &dir).run().err();
        if !said.contains(&message) {
            server.wait_err(&message);
        }
    }
}

#[test]
fn a_server_that_cannot_start_says_what_the_page_has() {
    produced(START);
}

#[test]
fn files_and_programs_that_cannot_be_used_are_named_as_the_page_has_it() {
    produced(FILES);
}

#[test]
fn a_refused_client_is_told_of_as_the_page_has_it() {
    produced(REFUSALS);
}

#[test]
fn a_client_that_fails_says_what_the_page_has() {
    produced(CLIENTS);
}

#[test]
fn root_is_told_of_identities_as_the_page_has_it() {
    if nix::unistd::geteuid().is_root() {
        produced(ROOT);
    } else {
        skip("only root is told");
    }
}

#[test]
fn the_page_explains_the_messages_of_these_cases_and_no_others() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/troubleshooting.md");
    let page = fs::read_to_string(page).unwrap();
    let items = page.split("\n- `").skip(1);
    let explained: BTreeSet<String> = items
        .map(|item| item.split_once("`: ").unwrap().0)
        .map(|message| message.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let cases = [START, ROOT, FILES, REFUSALS, CLIENTS].concat();
    let messages: BTreeSet<String> = cases.iter().map(|case| case.0.to_owned()).collect();
    assert_eq!(explained, messages);
}
