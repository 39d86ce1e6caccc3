//! `--rate` and `--ipv6-prefix` of `s6-tcpserverd`: how often a client may connect.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::tcpserverd::serve;
use crate::util::{Cmd, DEADLINE, Ended, Running, cmd, eventually, need, skip};

/// A program that greets each client.
const GREET: &[&str] = &["echo", "hello"];

/// What a new client gets, and its port.
fn visit(port: u16) -> (String, u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer, stream.local_addr().unwrap().port())
}

#[test]
fn client_beyond_the_rate_is_closed_and_logged_once_a_minute() {
    let (server, port) = serve(&["--rate=3/86400"], GREET);
    for _ in 0..3 {
        assert_eq!(visit(port).0, "hello\n");
    }
    let (answer, first) = visit(port);
    assert_eq!(answer, "");
    for _ in 0..50 {
        assert_eq!(visit(port).0, "");
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(
        server.finish().success().err(),
        format!(
            "s6-tcpserverd: info: reject 127.0.0.1_{first} rate 3/86400\n\
             s6-tcpserverd: info: reject 127.0.0.1 rate 3/86400: 50 more in the last minute\n"
        )
    );
}

#[test]
fn report_comes_after_a_minute_without_a_client() {
    let server = cmd(["s6-tcpserver", "-1", "--rate=1/86400", "127.0.0.1", "0"])
        .args(GREET)
        .deadline(2 * DEADLINE)
        .start();
    let port = server.port();
    assert_eq!(visit(port).0, "hello\n");
    for _ in 0..3 {
        assert_eq!(visit(port).0, "");
    }
    server.wait_err("info: reject 127.0.0.1 rate 1/86400: 2 more in the last minute\n");
    assert!(server.alive());
}

#[test]
fn quiet_server_refuses_without_a_line() {
    let (server, port) = serve(&["-q", "--rate=1/86400"], GREET);
    assert_eq!(visit(port).0, "hello\n");
    assert_eq!(visit(port).0, "");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.finish().success().err(), "");
}

#[test]
fn refused_client_is_served_again_after_its_time() {
    let (server, port) = serve(&["--rate=1/1"], GREET);
    assert_eq!(visit(port).0, "hello\n");
    let served = || (visit(port).0 == "hello\n").then_some(());
    eventually("the client is served again", served);
    eventually("and once more", served);
    assert!(server.alive());
}

#[test]
fn rate_counts_connections_that_are_open_and_that_have_ended() {
    let (server, port) = serve(&["-v", "--rate=2/86400"], &["cat"]);
    let open = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let first = open();
    server.wait_err("count 1/40\n");
    drop(first);
    server.wait_err("exitcode 0 count 0/40\n");
    let _second = open();
    eventually("the second one is served", || {
        (server.stderr.text().matches("accept ").count() == 2).then_some(())
    });
    assert_eq!(visit(port).0, "");
    let log = server.wait_err(" rate 2/86400\n");
    assert_eq!(log.matches("info: reject ").count(), 1, "{log}");
}

#[test]
fn rate_bounds_the_lines_about_a_client_with_all_its_connections() {
    let (server, port) = serve(&["-C1", "--rate=4/86400"], &["cat"]);
    let mut held = TcpStream::connect(("127.0.0.1", port)).unwrap();
    held.write_all(b"x").unwrap();
    held.read_exact(&mut [0]).unwrap();
    for _ in 0..50 {
        assert_eq!(visit(port).0, "");
    }
    server.signal(Signal::SIGTERM);
    drop(held);
    let log = server.finish().success().err();
    assert_eq!(log.matches(" count 1/1\n").count(), 3, "{log}");
    assert_eq!(log.matches("info: reject ").count(), 5, "{log}");
    assert!(
        log.ends_with(" rate 4/86400: 46 more in the last minute\n"),
        "{log}"
    );
}

/// A server in a network of its own, whose loopback interface has these addresses.
fn serve_there(addresses: &[&str], options: &[&str]) -> Option<(Running, u16)> {
    if !need(&["ip", "unshare", "nsenter", "socat"]) {
        return None;
    }
    let probe = cmd(["unshare", "-n", "ip", "link", "set", "lo", "up"]).run();
    if probe.ended != Ended::Exited(0) {
        skip(&format!("no network can be made: {}", probe.err()));
        return None;
    }
    let mut setup = "ip link set lo up".to_owned();
    for address in addresses {
        setup += &format!(" && ip -6 address add {address}/128 dev lo nodad");
    }
    let script =
        format!("{setup} && exec s6-tcpserver -1a \"$@\" :: 0 sh -c 'echo $TCPCONNNUM; exec cat'");
    let server = cmd(["unshare", "-n", "sh", "-c", &script, "sh"]).args(options);
    let server = server.start();
    let port = server.port();
    Some((server, port))
}

/// A client of that server, from the address.
fn client(server: &Running, address: &str, port: u16) -> Cmd {
    let network = format!("--net=/proc/{}/ns/net", server.pid());
    let to = match address {
        v4 if v4.contains('.') => format!("TCP4:127.0.0.1:{port},bind={v4}"),
        v6 => format!("TCP6:[::1]:{port},bind=[{v6}]"),
    };
    cmd(["nsenter", &network, "socat", "-", &to])
}

/// What such a client gets.
fn visit_from(server: &Running, address: &str, port: u16) -> String {
    client(server, address, port).run().success().out()
}

#[test]
fn ipv6_clients_of_one_network_are_one_client_and_ipv4_clients_are_not() {
    let addresses = ["2001:db8:0:1::1", "2001:db8:0:1:2:3:4:5", "2001:db8:0:2::1"];
    let [a, same, other] = addresses;
    let Some((server, port)) = serve_there(&addresses, &["--rate=1/86400"]) else {
        return;
    };
    let visit = |address| visit_from(&server, address, port);
    assert_eq!([a, same, a, other].map(visit), ["1\n", "", "", "1\n"]);
    // On a dual-stack socket these are ::ffff:7f00:2 and so on, all of one /64.
    let v4 = ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.4"];
    assert_eq!(v4.map(visit), ["1\n", "1\n", "", "1\n"]);
    server.signal(Signal::SIGTERM);
    let log = server.finish().success().err();
    assert!(log.contains("info: reject 2001:db8:0:1:2:3:4:5_"), "{log}");
    let more = "info: reject 2001:db8:0:1::/64 rate 1/86400: 1 more in the last minute\n";
    assert!(log.contains(more), "{log}");
    assert!(log.contains("info: reject 127.0.0.2_"), "{log}");
}

#[test]
fn ipv6_prefix_is_that_of_the_rate_and_of_the_connections_at_a_time() {
    let addresses = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1"];
    let [a, near, far] = addresses;
    for (options, served) in [
        (&["--rate=1/86400", "--ipv6-prefix=128"][..], ["1\n"; 3]),
        (&["--rate=1/86400", "--ipv6-prefix=48"], ["1\n", "", ""]),
        (&["--rate=1/86400", "--ipv6-prefix=64"], ["1\n", "", "1\n"]),
        // None is open any more when the next one comes.
        (&["-C1", "--ipv6-prefix=48"], ["1\n"; 3]),
    ] {
        let Some((server, port)) = serve_there(&addresses, options) else {
            return;
        };
        let visit = |address| {
            let answer = visit_from(&server, address, port);
            eventually("the program has ended", || {
                (server.group().len() == 1).then_some(())
            });
            answer
        };
        assert_eq!([a, near, far].map(visit), served, "{options:?}");
    }
}

#[test]
fn connections_at_a_time_are_counted_by_the_prefix() {
    let addresses = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1"];
    let Some((server, port)) = serve_there(&addresses, &["-vC1", "--ipv6-prefix=64"]) else {
        return;
    };
    let open = |address| client(&server, address, port).input_pipe().start();
    let first = open(addresses[0]);
    first.wait_out("1\n");
    assert_eq!(visit_from(&server, addresses[1], port), "");
    let log = server.wait_err("info: reject 2001:db8:0:1::2_");
    assert!(log.ends_with(" count 1/1\n"), "{log}");
    open(addresses[2]).wait_out("1\n");
}
