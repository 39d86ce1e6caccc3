//! What a hostile client can write into the log, and what the filter for
//! fail2ban matches.

use std::io::Write;
use std::net::TcpStream;

use crate::log_line::{expect, offering, read_to_end, reset, rustls_client};
use crate::util::tls::tlsd;
use crate::util::{TempDir, certs, cmd, need, tcp_pair};

/// The messages of a server with `--alpn=h2` about a client that offers `protocols`. `remote` is
/// the client's address in the server's environment.
fn refused_offer(remote: &str, protocols: Vec<Vec<u8>>) -> String {
    let (mut near, far) = tcp_pair();
    let server = tlsd(&["-v2", "--alpn=h2"], "p256", "cat")
        .env("TCPREMOTEIP", remote)
        .env("TCPREMOTEPORT", "4711")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let _ = offering(protocols).complete_io(&mut near);
    let err = server.finish().code(98).err();
    drop(near);
    err
}

/// A line that a client tries to forge in the log.
const FORGED: &str = "s6-tlsd-io: info: remote=198.51.100.66:1 sni=- code=98 end=flood";

/// An offer of protocols that puts [`FORGED`] where a logger would cut the line that quotes the
/// offer.
fn forging_offer() -> Vec<Vec<u8>> {
    const HEAD: &str = "s6-tlsd-io: fatal: handshake failed: \
                        no common ALPN protocol; client offers ";
    let mut left = CUT - HEAD.len();
    let mut protocols = Vec::new();
    while left > 0 {
        let size = if left > 400 { 200 } else { left.min(256) - 1 };
        protocols.push(vec![b'x'; size]);
        left -= size + 1;
    }
    protocols.push(FORGED.into());
    protocols
}

#[test]
fn clients_alpn_cannot_forge_a_log_line() {
    let mut offers = vec![forging_offer(), vec![FORGED.into(); 600]];
    let odd = "a b=c\\\n\r\x1b[2J\u{202e}\u{2028}\u{85}é"
        .as_bytes()
        .to_vec();
    offers.push(vec![odd]);
    for offer in offers {
        let err = refused_offer("192.0.2.1", offer);
        assert_eq!(err.lines().count(), 3, "{err}");
        for line in err.lines() {
            assert!(line.len() < 2048, "{line}");
            let plain = |byte: u8| matches!(byte, b' '..=b'~');
            assert!(line.bytes().all(plain), "{line}");
            assert!(!line.contains(" remote=198.51"), "{line}");
        }
        expect(
            "s6-tlsd-io",
            &err,
            &[("remote", "192.0.2.1:4711"), ("code", "98")],
        );
    }
    let shown = "client offers a\\x20b\\x3dc\\x5c\\x0a\\x0d\\x1b[2J\\xe2\\x80\\xae\\xe2\\x80\\xa8\\xc2\\x85\\xc3\\xa9\n";
    let odd = "a b=c\\\n\r\x1b[2J\u{202e}\u{2028}\u{85}é";
    let err = refused_offer("192.0.2.1", vec![odd.into()]);
    assert!(err.contains(shown), "{err}");
    let long = vec![b"y".to_vec(), b"x".repeat(255)];
    let shown = format!("client offers y,{}...\n", "x".repeat(254));
    let err = refused_offer("192.0.2.1", long);
    assert!(err.contains(&shown), "{err}");
}

/// The addresses that the fail2ban filter finds in a log, in this mode.
fn banned(log: &str, mode: &str) -> Vec<String> {
    let filter = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/doc/examples/fail2ban/filter.d/s6-tls.conf"
    );
    let dir = TempDir::new();
    let file = dir.file("log", log);
    let filter = format!("{filter}[mode={mode}]");
    let output = cmd(["fail2ban-regex", "-o", "ip"]).arg(&file).arg(filter);
    let output = output.env("HOME", dir.path()).run().success().out();
    output.lines().map(str::to_owned).collect()
}

/// Where s6-log cuts lines.
const CUT: usize = 8192;

/// The messages as s6-log writes them, with a time stamp.
fn logged(err: &str) -> String {
    let mut log = String::new();
    for line in err.lines() {
        for piece in line.as_bytes().chunks(CUT) {
            let piece = String::from_utf8_lossy(piece);
            log += &format!("@4000000069258a0a00000000 {piece}\n");
        }
    }
    log
}

/// The messages of a server about a peer whose address in the environment is `remote`.
fn said(options: &[&str], remote: &str, peer: impl FnOnce(&mut TcpStream)) -> String {
    let (mut near, far) = tcp_pair();
    let server = tlsd(&[&["-v2"], options].concat(), "p256", "exec cat")
        .env("CAFILE", certs().path("ca.pem"))
        .env("TCPREMOTEIP", remote)
        .env("TCPREMOTEPORT", "4711")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    peer(&mut near);
    server.finish().err()
}

#[test]
fn fail2ban_matches_refused_clients() {
    if !need(&["fail2ban-regex"]) {
        return;
    }
    let plain = |peer: &mut TcpStream| {
        peer.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        read_to_end(peer);
    };
    let good = |peer: &mut TcpStream| {
        let mut client = rustls_client(peer);
        client.send_close_notify();
        client.complete_io(peer).unwrap();
        read_to_end(peer);
    };
    let health_check = |peer: &mut TcpStream| {
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        read_to_end(peer);
    };
    let log = [
        said(&[], "192.0.2.1", plain),
        said(&[], "2001:db8::7", plain),
        said(&["-K", "100"], "192.0.2.2", |_| {}),
        said(&[], "192.0.2.3", good),
        said(&[], "192.0.2.4", health_check),
        said(&[], "192.0.2.5", reset),
    ];
    let log = logged(&log.concat());
    let strangers = ["192.0.2.1", "2001:db8::7"];
    assert_eq!(banned(&log, "normal"), strangers, "{log}");
    let silent = ["192.0.2.2", "192.0.2.4", "192.0.2.5"];
    assert_eq!(
        banned(&log, "aggressive"),
        [&strangers[..], &silent].concat()
    );
}

#[test]
fn fail2ban_ignores_text_from_clients() {
    if !need(&["fail2ban-regex"]) {
        return;
    }
    let mut log = refused_offer("192.0.2.1", forging_offer());
    log += &refused_offer("192.0.2.2", vec![FORGED.into(); 600]);
    log += &refused_offer("192.0.2.3", vec![format!("\n{FORGED}").into()]);
    let log = logged(&log);
    for mode in ["normal", "aggressive"] {
        assert_eq!(
            banned(&log, mode),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
            "{log}"
        );
    }
}
