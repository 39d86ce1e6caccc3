//! The time limits of a connection: `-K` and `--idle-timeout`.

use std::io::Write;
use std::time::Instant;

use crate::util::tcp_pair;
use crate::util::tls::{start, tlsc, tlsd};

#[test]
fn handshake_timeout_is_never_restarted() {
    let (mut near, far) = tcp_pair();
    let network = || far.try_clone().unwrap();
    let started = Instant::now();
    let server = tlsd(&["-K", "300"], "p256", "echo never")
        .fd(0, network())
        .fd(1, network())
        .start();
    near.write_all(b"\x16").unwrap();
    let output = server.finish();
    let took = started.elapsed().as_millis();
    output.fatal(98, "s6-tlsd-io: fatal: handshake timed out");
    assert!(took >= 300, "{took}");
    let quiet = tlsd(&["-v0", "-K1"], "p256", "echo never")
        .fd(0, network())
        .fd(1, network())
        .run();
    assert_eq!(quiet.code(98).err(), "");
    // The limit ends with the handshake.
    let started = std::time::Instant::now();
    let limit = std::time::Duration::from_secs(4);
    let (_server, mut client) = start(
        tlsd(&["-K4000"], "p256", "cat"),
        tlsc(&["-K4000"], "exec 3<&0; cat <&3 >&7 & exec cat <&6").input_pipe(),
    );
    client.write("through\n");
    client.wait_out("through\n");
    crate::util::idle(limit.saturating_sub(started.elapsed()));
    client.write("still\n");
    client.wait_out("still\n");
    client.close_stdin();
}

#[test]
fn idle_timeout_ends_the_connection() {
    let (server, _client) = start(
        tlsd(&["--idle-timeout=200"], "p256", "cat; echo eof >&2"),
        tlsc(&[], "cat <&6"),
    );
    server.wait_err("s6-tlsd-io: fatal: connection idle for too long\n");
    server.wait_err("eof\n");
}

#[test]
fn partial_records_do_not_reset_the_idle_timeout() {
    let (mut near, far) = tcp_pair();
    let started = Instant::now();
    let server = tlsd(&["-K", "500"], "p256", "echo never")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    // A ClientHello that would take ten times as long to be whole.
    let writer = std::thread::spawn(move || {
        let header = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".iter();
        for byte in header.chain(std::iter::repeat_n(&0, 500)) {
            if near.write_all(&[*byte]).is_err() {
                return true;
            }
            crate::util::idle(std::time::Duration::from_millis(10));
        }
        false
    });
    let output = server.finish();
    let took = started.elapsed().as_millis();
    output.fatal(98, "s6-tlsd-io: fatal: handshake timed out");
    assert!(took >= 500, "{took}");
    assert!(writer.join().unwrap(), "it stayed to the end");
}
