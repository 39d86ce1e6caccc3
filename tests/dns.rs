//! Name resolution, as s6-tcpclient does it.

use std::net::IpAddr;
use std::time::Instant;

use crate::util::{Answer, Cmd, DnsServer, cmd, listener};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Connects to `host` on `port` with this server, and shows where it got.
fn client(server: &DnsServer, options: &[&str], host: &str, port: u16) -> Cmd {
    cmd(["s6-tcpclient"])
        .args(options)
        .args([
            host,
            &port.to_string(),
            "sh",
            "-c",
            "echo $TCPREMOTEIP,${TCPREMOTEHOST-unset}",
        ])
        .env("DNSCACHEIP", server.ip.to_string())
}

#[test]
fn every_kind_of_answer_is_understood() {
    let here = ip("127.0.0.1");
    let Some(server) = DnsServer::start(&[
        ("plain.test. A", Answer::Addresses(vec![here])),
        ("alias.test. A", Answer::Alias("target.test", here)),
        ("large.test. A", Answer::Truncated(here)),
        ("wrong.test. A", Answer::WrongFirst(here)),
        ("late.test. A", Answer::Addresses(vec![here])),
        ("late.test. AAAA", Answer::Nothing),
        ("broken.test. AAAA", Answer::Code(2)),
        ("broken.test. A", Answer::Addresses(vec![here])),
        (
            "two.test. A",
            Answer::Addresses(vec![ip("127.0.0.2"), here]),
        ),
        ("1.0.0.127.in-addr.arpa. PTR", Answer::Name("Reverse.Test")),
        ("name.search.test. A", Answer::Addresses(vec![here])),
    ]) else {
        return;
    };
    let (_socket, port) = listener();
    for host in [
        "plain.test",
        "PLAIN.test.",
        "alias.test",
        "large.test",
        "wrong.test",
        "broken.test",
    ] {
        let output = client(&server, &["-l0"], host, port).run().success();
        assert_eq!(output.out(), "127.0.0.1,reverse.test.\n", "{host}");
    }
    let started = Instant::now();
    client(&server, &["-l0"], "late.test", port).run().success();
    assert!(
        started.elapsed().as_secs() < 3,
        "the silent family is not waited for"
    );
    let started = Instant::now();
    client(&server, &["-l0", "-4"], "late.test", port)
        .run()
        .success();
    assert!(started.elapsed().as_secs() < 1);
    let qualified =
        client(&server, &["-l0", "-n"], "name", port).env("DNSQUALIFY", "none.test search.test");
    qualified.run().success();
    client(&server, &["-l0"], "name", port)
        .env("DNSQUALIFY", "search.test")
        .run()
        .code(111);
}

#[test]
fn failures_have_their_reason() {
    let Some(server) = DnsServer::start(&[
        ("failing.test. A", Answer::Code(2)),
        ("refusing.test. A", Answer::Code(5)),
        ("six.test. AAAA", Answer::Addresses(vec![ip("::1")])),
        ("six.test. A", Answer::Code(0)),
        ("garbage.test. A", Answer::Garbage),
        ("silent.test. A", Answer::Nothing),
    ]) else {
        return;
    };
    for (host, reason) in [
        ("nowhere.test", "no such domain"),
        ("failing.test", "server failure"),
        ("refusing.test", "server refused"),
        ("six.test", "no such record"),
        ("a..b", "invalid domain name"),
    ] {
        let output = client(&server, &["-4"], host, 1).run();
        output.fatal(
            111,
            &format!("s6-tcpclient: fatal: unable to resolve {host}: {reason}"),
        );
    }
    for host in ["silent.test", "garbage.test"] {
        let started = Instant::now();
        let output = client(&server, &["-4", "-t", "1"], host, 1).run();
        output.fatal_with(
            111,
            &format!("s6-tcpclient: fatal: unable to resolve {host}: "),
            &[],
        );
        assert!(started.elapsed().as_secs() < 3);
    }
}

#[test]
fn a_server_that_fails_is_passed_over() {
    let here = ip("127.0.0.1");
    let answers = [("x.test. A", Answer::Addresses(vec![here]))];
    let (Some(bad), Some(good)) = (
        DnsServer::start(&[("x.test. A", Answer::Code(5))]),
        DnsServer::start(&answers),
    ) else {
        return;
    };
    let (_socket, port) = listener();
    let both = format!("{}; {}", bad.ip, good.ip);
    client(&bad, &["-4", "-l0"], "x.test", port)
        .env("DNSCACHEIP", both)
        .run()
        .success();
}

#[test]
fn names_that_are_none_are_not_exported() {
    let name = Answer::Name("evil\nname.test");
    let Some(server) = DnsServer::start(&[("1.0.0.127.in-addr.arpa. PTR", name)]) else {
        return;
    };
    let (_socket, port) = listener();
    let output = client(&server, &["-l0"], "127.0.0.1", port).run().success();
    assert_eq!(output.out(), "127.0.0.1,unset\n");
}
