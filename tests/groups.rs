//! Key exchange: which groups are offered and chosen, --groups, and invalid
//! shares.

use std::net::TcpStream;

use crate::util::relay::{Edit, relay};
use crate::util::tls::{ECHO, ENGINES, HELLO, openssl_server, serve, tlsc, tlsclient, tlsd};
use crate::util::{Ended, Output, accept, certs, cmd, listener, need, skip, tcp_pair};

const SECP256R1: u16 = 23;
const SECP384R1: u16 = 24;
const X25519: u16 = 29;
const HYBRID: u16 = 4588;

/// An edit that changes nothing.
fn untouched(_: &mut Vec<u8>) {}

/// A connection between our programs, and its recorded bytes.
struct Heard {
    server: Output,
    client: Output,
    /// The hellos of the client and of the server.
    hellos: [Vec<Hello>; 2],
}

/// The key exchange part of a hello.
#[derive(Debug, Default, Eq, PartialEq)]
struct Hello {
    groups: Vec<u16>,
    shares: Vec<u16>,
}

/// Connects the two with these options.
fn connected(server: &[&str], client: &[&str], piece: usize, edits: [Edit; 2]) -> Heard {
    let (near, client_end) = tcp_pair();
    let (server_end, far) = tcp_pair();
    let relay = relay(client_end, server_end, piece, edits);
    let server = tlsd(server, "p256", ECHO)
        .fd(0, far.try_clone().unwrap())
        .fd(1, far);
    let client = tlsc(client, HELLO)
        .fd(6, near.try_clone().unwrap())
        .fd(7, near);
    let (server, client) = (server.start(), client.start());
    let (client, server) = (client.finish(), server.finish());
    Heard {
        server,
        client,
        hellos: relay.heard().map(|bytes| hellos(&bytes)),
    }
}

/// The handshake messages that are sent in clear, one in a record.
fn hellos(mut bytes: &[u8]) -> Vec<Hello> {
    let mut hellos = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind == 22 {
            hellos.push(hello(&rest[..length]));
        }
        bytes = &rest[length..];
    }
    hellos
}

/// A ClientHello or a ServerHello (RFC 8446 4.1.2, 4.1.3).
fn hello(message: &[u8]) -> Hello {
    let client = message[0] == 1;
    let mut hello = Hello::default();
    for (kind, body) in extensions(message) {
        match (kind, client) {
            (10, true) => hello.groups = body[2..].chunks(2).map(number).collect(),
            (51, true) => {
                let mut shares = &body[2..];
                while !shares.is_empty() {
                    hello.shares.push(number(shares));
                    shares = &shares[4 + usize::from(number(&shares[2..]))..];
                }
            }
            (51, false) => hello.shares.push(number(body)),
            _ => {}
        }
    }
    hello
}

fn extensions(message: &[u8]) -> Vec<(u16, &[u8])> {
    let mut extensions = Vec::new();
    let mut rest = &message[start_of_extensions(message) + 2..];
    while !rest.is_empty() {
        let body = &rest[4..4 + usize::from(number(&rest[2..]))];
        extensions.push((number(rest), body));
        rest = &rest[4 + body.len()..];
    }
    extensions
}

fn start_of_extensions(message: &[u8]) -> usize {
    let session_id = 4 + 2 + 32;
    let suites = session_id + 1 + usize::from(message[session_id]);
    if message[0] == 2 {
        return suites + 3;
    }
    let compression = suites + 2 + usize::from(number(&message[suites..]));
    compression + 1 + usize::from(message[compression])
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

#[test]
fn the_hybrid_group_is_offered_first_and_taken() {
    for piece in [1 << 14, 600, 1] {
        let heard = connected(&[], &[], piece, [untouched; 2]);
        assert!(heard.client.success().out().starts_with("hello\n"));
        heard.server.success();
        let [client, server] = heard.hellos;
        let groups = vec![HYBRID, X25519, SECP256R1, SECP384R1];
        let shares = vec![HYBRID, X25519];
        assert_eq!(client, [Hello { groups, shares }]);
        assert_eq!(server[0].shares, [HYBRID]);
    }
}

#[test]
fn the_lists_of_both_sides_decide() {
    for (server, client, offered, asked_again, taken) in [
        ("", "X25519", &[X25519][..], None, X25519),
        ("X25519", "", &[HYBRID, X25519], None, X25519),
        (
            "secp384r1",
            "",
            &[HYBRID, X25519],
            Some(SECP384R1),
            SECP384R1,
        ),
        ("", "secp256r1,x25519", &[SECP256R1], None, SECP256R1),
        // The client's order counts, not the server's.
        (
            "X25519:secp256r1",
            "secp256r1:X25519",
            &[SECP256R1],
            None,
            SECP256R1,
        ),
        // No share for a group that is not in the list.
        ("", "X25519MLKEM768", &[HYBRID], None, HYBRID),
        ("", "x25519mlkem768,secp256r1", &[HYBRID], None, HYBRID),
        (
            "X25519MLKEM768",
            "X25519,X25519MLKEM768",
            &[X25519],
            Some(HYBRID),
            HYBRID,
        ),
        (
            "secp384r1,X25519",
            "secp256r1:X25519",
            &[SECP256R1],
            Some(X25519),
            X25519,
        ),
    ] {
        let list = |list: &str| (!list.is_empty()).then(|| format!("--groups={list}"));
        let [ours, theirs] = [server, client].map(list);
        let args = |list: &Option<String>| list.iter().cloned().collect::<Vec<_>>();
        let (ours, theirs) = (args(&ours), args(&theirs));
        let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
        let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
        let heard = connected(&ours, &theirs, 1 << 14, [untouched; 2]);
        assert!(heard.client.success().out().starts_with("hello\n"));
        let [hellos, answers] = heard.hellos;
        assert_eq!(hellos[0].shares, offered, "{server} {client}");
        let again = hellos.get(1).map(|hello| &hello.shares[..]);
        let expected = asked_again.as_ref().map(std::slice::from_ref);
        assert_eq!(again, expected, "{server} {client}");
        assert_eq!(answers.last().unwrap().shares, [taken], "{server} {client}");
    }
}

#[test]
fn without_a_group_in_common_there_is_no_handshake() {
    let (server, client) = (["--groups=secp384r1"], ["--groups=X25519,secp256r1"]);
    let heard = connected(&server, &client, 1 << 14, [untouched; 2]);
    let why = ["handshake failed", "no key exchange group in common"];
    heard.server.fatal_with(98, "s6-tlsd-io: fatal: ", &why);
    let why = ["handshake failed", "alert handshake_failure"];
    heard.client.fatal_with(98, "s6-tlsc-io: fatal: ", &why);
}

#[test]
fn invalid_group_list_is_wrong_usage_everywhere() {
    let names = "X25519MLKEM768, X25519, secp256r1, secp384r1";
    for (program, operands) in ENGINES {
        for (list, why) in [
            ("", "unknown group: "),
            ("P-256", "unknown group: P-256"),
            ("X25519,,secp256r1", "unknown group: "),
            ("x25519:X25519", "repeated group: X25519"),
        ] {
            let output = cmd([program, &format!("--groups={list}")]).args(operands);
            let line = format!("{program}: fatal: groups must be a list of {names}: {why}");
            output.run().fatal(100, &line);
        }
    }
}

#[test]
fn invalid_key_share_gets_illegal_parameter() {
    let unreduced: Edit = |record| {
        let share = place_of_share(record, 1216);
        record[share..share + 2].fill(0xff);
    };
    let no_point: Edit = |record| {
        let share = place_of_share(record, 1216);
        record[share + 1184..share + 1216].fill(0);
    };
    for edit in [unreduced, no_point, |record| cut_share(record, 1216)] {
        let client = ["--groups=X25519MLKEM768"];
        let heard = connected(&[], &client, 1 << 14, [edit, untouched]);
        let why = ["handshake failed"];
        heard.server.fatal_with(98, "s6-tlsd-io: fatal: ", &why);
        let why = ["alert illegal_parameter"];
        heard.client.fatal_with(98, "s6-tlsc-io: fatal: ", &why);
    }
    let no_point: Edit = |record| {
        let share = place_of_share(record, 1120);
        record[share + 1088..share + 1120].fill(0);
    };
    for edit in [no_point, |record| cut_share(record, 1120)] {
        let heard = connected(&[], &[], 1 << 14, [untouched, edit]);
        let why = ["handshake failed"];
        heard.client.fatal_with(98, "s6-tlsc-io: fatal: ", &why);
        let why = ["alert illegal_parameter"];
        heard.server.fatal_with(98, "s6-tlsd-io: fatal: ", &why);
    }
}

/// The offset of the hybrid group's share, which has this length.
fn place_of_share(record: &[u8], length: u16) -> usize {
    let head = [HYBRID.to_be_bytes(), length.to_be_bytes()].concat();
    let place = record.windows(4).position(|window| window == head);
    place.unwrap() + 4
}

/// Removes the last byte of the share and adjusts all lengths.
fn cut_share(record: &mut Vec<u8>, length: u16) {
    let share = place_of_share(record, length);
    let mut lengths = vec![3, 7, 5 + start_of_extensions(&record[5..]), share - 2];
    // The extension's length, and in a ClientHello that of its list.
    lengths.extend(if record[5] == 1 {
        vec![share - 8, share - 6]
    } else {
        vec![share - 6]
    });
    for place in lengths {
        let less = number(&record[place..]) - 1;
        record[place..place + 2].copy_from_slice(&less.to_be_bytes());
    }
    record.remove(share + usize::from(length) - 1);
}

#[test]
fn a_ciphertext_for_another_key_is_noticed() {
    let other: Edit = |record| {
        let share = place_of_share(record, 1120);
        record[share] ^= 1;
    };
    let heard = connected(&[], &[], 1 << 14, [untouched, other]);
    let why = ["handshake failed", "cannot be decrypted"];
    heard.client.fatal_with(98, "s6-tlsc-io: fatal: ", &why);
    assert_eq!(heard.server.ended, Ended::Exited(98));
}

#[test]
fn tls_1_2_has_the_classical_groups() {
    if !need(&["openssl"]) {
        return;
    }
    // RSA, because for an ECDSA certificate it requires its curve in the list,
    // too.
    for group in ["X25519", "secp256r1", "secp384r1"] {
        let list = format!("--groups=X25519MLKEM768,{group}");
        let (_server, port) = serve(&[&list], "rsa", &["cat"]);
        let client = cmd([
            "openssl", "s_client", "-tls1_2", "-groups", group, "-connect",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .input_pipe()
        .start();
        client.wait_out("Cipher is ECDHE-RSA-");
        let (_server, port) = openssl_server("rsa", ["-tls1_2", "-rev", "-groups", group]);
        let program = "echo abc >&7; read -r line <&6; echo $line";
        let client = tlsclient(&[&list], port, program);
        assert_eq!(client.run().success().out(), "cba\n");
    }
    let (server, port) = serve(&["--groups=X25519MLKEM768"], "p256", &["cat"]);
    let client = cmd(["openssl", "s_client", "-tls1_2", "-connect"]);
    let output = client.arg(format!("127.0.0.1:{port}")).run();
    let told = output.err();
    assert!(told.contains("handshake failure"), "{told}");
    server.wait_err("no key exchange group in common");
}

/// Says which group was agreed on.
const NODE_CLIENT: &str = "const [port, ca] = process.argv.slice(1);
    const client = require('tls').connect({ port, ca: require('fs').readFileSync(ca),
        host: '127.0.0.1', servername: 'localhost', ecdhCurve: 'X25519MLKEM768' }, () => {
        console.log(client.getEphemeralKeyInfo().name);
        client.end();
    });";

/// Says its port, and echoes.
const NODE_SERVER: &str = "const [key, cert] = process.argv.slice(1);
    const read = require('fs').readFileSync;
    const server = require('tls').createServer({ key: read(key), cert: read(cert),
        ecdhCurve: 'X25519MLKEM768' }, (client) => client.pipe(client));
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));";

#[test]
fn openssl_in_node_exchanges_keys_by_the_hybrid_group() {
    if !need(&["node"]) {
        return;
    }
    let version = "const [major, minor] = process.versions.openssl.split('.');
        process.exit(major > 3 || (major == 3 && minor >= 5) ? 0 : 1)";
    if cmd(["node", "-e", version]).run().ended != Ended::Exited(0) {
        skip("the OpenSSL of node is older than 3.5");
        return;
    }
    let (_server, port) = serve(&[], "p256", &["cat"]);
    let client = cmd(["node", "-e", NODE_CLIENT, &port.to_string()]);
    let told = client.arg(certs().path("ca.pem")).run().success().out();
    assert_eq!(told, "X25519MLKEM768\n");

    let server = cmd(["node", "-e", NODE_SERVER])
        .args([certs().path("p256.key"), certs().path("p256.pem")])
        .start();
    let program = "echo abc >&7; read -r line <&6; echo $line";
    let client = tlsclient(&[], server.port(), program);
    assert_eq!(client.run().success().out(), "abc\n");
}

#[test]
fn chromium_exchanges_keys_by_the_hybrid_group() {
    if !need(&["chromium-headless-shell"]) {
        return;
    }
    let page = "while read -r line && [ \"$line\" != \"$(printf '\\r')\" ]; do :; done
        printf 'HTTP/1.0 200 OK\\r\\nContent-Length: 17\\r\\n\\r\\n<p>served</p>\\r\\n\\r\\n'";
    let (_server, port) = serve(&[], "p256", &["sh", "-c", page]);
    let (listener, through) = listener();
    let home = crate::util::TempDir::new();
    let client = cmd(["chromium-headless-shell", "--no-sandbox", "--disable-gpu"])
        .args([
            "--ignore-certificate-errors",
            "--dump-dom",
            "--no-first-run",
        ])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(format!("https://localhost:{through}/"))
        .env("HOME", home.path())
        .start();
    let near = accept(&listener);
    let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let relay = relay(near, far, 1 << 14, [untouched; 2]);
    client.wait_out("<p>served</p>");
    drop(client);
    let [hellos, answers] = relay.heard().map(|bytes| self::hellos(&bytes));
    assert!(hellos[0].shares.contains(&HYBRID), "{hellos:?}");
    assert_eq!(answers[0].shares, [HYBRID]);
}
