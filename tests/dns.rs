//! Name resolution, as s6-tcpclient does it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::util::{Answer, Cmd, DnsServer, Output, TempDir, cmd, listener, mounted, pipe};

/// Far less than the minute after which the resolver gives up, and more than a
/// wait of a second takes on a busy machine.
const EARLY: Duration = Duration::from_secs(20);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An address at which no name server listens.
const NOBODY: &str = "127.255.255.1";

/// Connects to `host` on `port` using this name server, and shows the address.
fn client(server: &DnsServer, options: &[&str], host: &str, port: u16) -> Cmd {
    let show = "echo $TCPREMOTEIP,${TCPREMOTEHOST-unset}";
    cmd(argv(options, host, port, show)).env("DNSCACHEIP", server.ip.to_string())
}

fn argv(options: &[&str], host: &str, port: u16, show: &str) -> Vec<String> {
    let port = port.to_string();
    let argv = [&["s6-tcpclient"], options, &[host, &port, "sh", "-c", show]];
    argv.concat().into_iter().map(str::to_owned).collect()
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
fn after_a_referral_the_next_server_is_asked() {
    let refer = [("host.test. A", Answer::Referral)];
    let know = [("host.test. A", Answer::Addresses(vec![ip("127.0.0.1")]))];
    let (Some(first), Some(second)) = (DnsServer::start(&refer), DnsServer::start(&know)) else {
        return;
    };
    let (_socket, port) = listener();
    let both = format!("{} {}", first.ip, second.ip);
    let output = client(&first, &["-4", "-l0"], "host.test", port).env("DNSCACHEIP", both);
    assert_eq!(output.run().success().out(), "127.0.0.1,unset\n");
    let alone = client(&first, &["-4"], "host.test", port).run();
    let line = "s6-tcpclient: fatal: unable to resolve host.test: server failure";
    alone.fatal(111, line);
}

#[test]
fn server_with_an_ipv4_mapped_address_is_asked() {
    let know = [("host.test. A", Answer::Addresses(vec![ip("127.0.0.1")]))];
    let Some(server) = DnsServer::start(&know) else {
        return;
    };
    let (_socket, port) = listener();
    let mapped = format!("::ffff:{}", server.ip);
    let output = client(&server, &["-4", "-l0"], "host.test", port).env("DNSCACHEIP", mapped);
    assert_eq!(output.run().success().out(), "127.0.0.1,unset\n");
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
        (
            "b\u{fc}cher.test",
            "no such domain: a name that is not ASCII has to be given as its A-label (xn--...)",
        ),
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
fn a_list_of_servers_without_an_address_is_an_error_that_names_its_variable() {
    let why = "no valid address in DNSCACHEIP";
    for servers in ["junk", "127.0.0.99:5353", ", localhost;[::1] "] {
        let run = |argv: &[&str]| cmd(argv).env("DNSCACHEIP", servers).run();
        let client = run(&["s6-tcpclient", "-t1", "h.test", "80", "true"]);
        let line = format!("s6-tcpclient: fatal: unable to resolve h.test: {why}");
        client.fatal(111, &line);
        let records = run(&["s6-tlsa", "h.test", "true"]);
        records.fatal_with(
            111,
            "s6-tlsa: fatal: unable to look up TLSA records",
            &[why],
        );
    }
    let Some(server) = DnsServer::start(&[]) else {
        return;
    };
    let one = format!("junk {} 127.0.0.99:5353", server.ip);
    let client = client(&server, &[], "h.test", 80).env("DNSCACHEIP", one);
    let line = "s6-tcpclient: fatal: unable to resolve h.test: no such domain";
    client.run().fatal(111, line);
}

#[test]
fn failing_server_is_skipped() {
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
fn invalid_names_are_not_exported() {
    let name = Answer::Name("evil\nname.test");
    let Some(server) = DnsServer::start(&[("1.0.0.127.in-addr.arpa. PTR", name)]) else {
        return;
    };
    let (_socket, port) = listener();
    let output = client(&server, &["-l0"], "127.0.0.1", port).run().success();
    assert_eq!(output.out(), "127.0.0.1,unset\n");
}

#[test]
fn local_address_is_looked_up() {
    let here = Answer::Name("here.test");
    let Some(server) = DnsServer::start(&[("9.0.0.127.in-addr.arpa. PTR", here)]) else {
        return;
    };
    let (_socket, port) = listener();
    for (options, name) in [
        (&["-i127.0.0.9"][..], "here.test."),
        (&["-i127.0.0.9", "-lme"], "me"),
        (&["-i127.0.0.8"], "unset"),
    ] {
        let show = "echo ${TCPLOCALHOST-unset}";
        let command = cmd(argv(options, "127.0.0.1", port, show));
        let command = command.env("DNSCACHEIP", server.ip.to_string());
        let output = command.env("TCPLOCALHOST", "inherited").run();
        assert_eq!(output.success().out(), format!("{name}\n"));
    }
}

#[test]
fn unanswered_lookup_ends_at_the_time_limit() {
    let Some(server) = DnsServer::start(&[("1.0.0.127.in-addr.arpa. PTR", Answer::Nothing)]) else {
        return;
    };
    let (_socket, port) = listener();
    let started = Instant::now();
    let output = client(&server, &["-t1"], "127.0.0.1", port).run().success();
    assert_eq!(output.out(), "127.0.0.1,unset\n");
    assert!(started.elapsed() < EARLY);
}

#[test]
fn unreachable_server_is_skipped_at_once() {
    let Some(server) = DnsServer::start(&[
        ("x.test. A", Answer::Addresses(vec![ip("127.0.0.1")])),
        ("failing.test. A", Answer::Code(2)),
    ]) else {
        return;
    };
    let (_socket, port) = listener();
    let servers = format!("{NOBODY}, ;{}\t", server.ip);
    let started = Instant::now();
    for (host, code) in [("x.test", 0), ("failing.test", 111)] {
        let command = client(&server, &["-4", "-l0"], host, port);
        command.env("DNSCACHEIP", &servers).run().code(code);
    }
    assert!(started.elapsed() < EARLY);
}

#[test]
fn a_lookup_without_descriptors_says_so() {
    let Some(server) = DnsServer::start(&[
        ("x.test. A", Answer::Addresses(vec![ip("127.0.0.1")])),
        ("long.test. A", Answer::Truncated(ip("127.0.0.1"))),
    ]) else {
        return;
    };
    // The second one needs another descriptor, for TCP.
    for (host, descriptors) in [("x.test", 3), ("long.test", 4)] {
        let run = |limit: u32| {
            let prelude = format!("ulimit -n {limit}");
            client(&server, &["-4", "-T", "1"], host, 1)
                .prelude(&prelude)
                .run()
        };
        let line = format!("unable to resolve {host}: Too many open files");
        run(descriptors).fatal(111, &format!("s6-tcpclient: fatal: {line}"));
        let enough = run(descriptors + 1).code(111).err();
        assert!(enough.contains("unable to connect to"), "{enough}");
    }
}

#[test]
fn suffixes_are_tried_in_their_order() {
    let Some(server) = DnsServer::start(&[
        ("www.b.test. A", Answer::Addresses(vec![ip("127.0.0.2")])),
        ("www.c.test. A", Answer::Addresses(vec![ip("127.0.0.3")])),
        ("x.y. A", Answer::Addresses(vec![ip("127.0.0.4")])),
        ("x.y.c.test. A", Answer::Addresses(vec![ip("127.0.0.3")])),
    ]) else {
        return;
    };
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = |options: &[&str], suffixes: &str, host: &str| {
        let command = client(&server, options, host, port);
        command.env("DNSQUALIFY", suffixes).run()
    };
    let three = "a.test b.test c.test";
    for (suffixes, host, found) in [
        (three, "www", "127.0.0.2"),
        (three, "x.y", "127.0.0.3"),
        (three, "x.y.", "127.0.0.4"),
        ("a.test", "x.y", "127.0.0.4"),
    ] {
        let output = run(&["-n"], suffixes, host).success();
        assert_eq!(output.out(), format!("{found},unset\n"));
    }
    run(&["-n"], three, "www.").code(111);
    run(&["-nN"], three, "www").code(111);
    run(&["-n"], "", "www").code(111);
}

#[test]
fn localhost_is_resolved_without_a_query() {
    let elsewhere = || Answer::Addresses(vec![ip("127.0.0.99")]);
    let Some(server) = DnsServer::start(&[
        ("localhost. A", elsewhere()),
        ("a.localhost. A", elsewhere()),
        ("localhost.a.test. A", elsewhere()),
        ("www.localhost. A", elsewhere()),
        ("www.a.test. A", elsewhere()),
    ]) else {
        return;
    };
    let (_socket, port) = listener();
    let run = |options: &[&str], suffixes: &str, host: &str| {
        let command = client(&server, options, host, port);
        command.env("DNSQUALIFY", suffixes).run()
    };
    for (options, suffixes, host) in [
        (&[][..], "", "localhost"),
        (&["-4"], "", "LocalHost."),
        (&[], "", "a.LOCALHOST."),
        (&["-n"], "a.test", "localhost"),
        (&["-n"], "localhost a.test", "www"),
    ] {
        let output = run(options, suffixes, host).success();
        assert_eq!(output.out(), "127.0.0.1,unset\n", "{host}");
        let six = run(&[options, &["-6"]].concat(), suffixes, host).code(111);
        let failed = format!("connect to ::1 port {port}: Connection refused");
        assert!(six.err().contains(&failed), "{host}: {}", six.err());
    }
    // Without any server it works, too.
    for command in [
        client(&server, &["-t", "5", "-l0"], "localhost", port),
        cmd([
            "s6-tlsclient",
            "-t",
            "5",
            "-l0",
            "localhost",
            &port.to_string(),
        ])
        .arg("true"),
    ] {
        let output = command.env("DNSCACHEIP", NOBODY).run();
        let text = output.err();
        assert!(!text.contains("unable to resolve"), "{text}");
    }
}

/// Shows the address and both names.
const NAMES: &str = "echo \"$TCPREMOTEIP ${TCPREMOTEHOST-unset} ${TCPLOCALHOST-unset}\"";

/// Runs a client with these files in place of /etc/resolv.conf and /etc/hosts.
/// None, with a message, if this machine does not allow that.
fn client_with_files(
    [resolv, hosts]: [&str; 2],
    options: &[&str],
    host: &str,
    port: u16,
) -> Option<Output> {
    let dir = TempDir::new();
    let (resolv, hosts) = (dir.file("resolv.conf", resolv), dir.file("hosts", hosts));
    let mounted = mounted(&[(&resolv, "/etc/resolv.conf"), (&hosts, "/etc/hosts")])?;
    Some(cmd(argv(options, host, port, NAMES)).run_by(mounted).run())
}

#[test]
fn resolv_conf_names_the_servers() {
    let here = || Answer::Addresses(vec![ip("127.0.0.1")]);
    let Some(server) = DnsServer::start(&[
        ("www.b.test. A", here()),
        ("x.y. A", here()),
        ("x.y.b.test. A", Answer::Addresses(vec![ip("127.0.0.99")])),
        ("late.test. A", Answer::Nothing),
    ]) else {
        return;
    };
    let (_socket, port) = listener();
    let resolv = format!(
        "# ours\nnameserver {NOBODY}\nnameserver {}\nsearch a.test b.test\n\
         options ndots:1 timeout:1 attempts:1",
        server.ip
    );
    let run = |options: &[&str], host: &str| client_with_files([&resolv, ""], options, host, port);
    for host in ["www", "x.y"] {
        let Some(output) = run(&["-n"], host) else {
            return;
        };
        output.success();
    }
    for (host, reason) in [("www", "no such domain"), ("late.test", "query timed out")] {
        let started = Instant::now();
        let line = format!("s6-tcpclient: fatal: unable to resolve {host}: {reason}");
        run(&["-4"], host).unwrap().fatal(111, &line);
        assert!(started.elapsed() < EARLY);
    }
}

#[test]
fn hosts_file_comes_first_with_h() {
    let Some(server) = DnsServer::start(&[]) else {
        return;
    };
    let resolv = format!("nameserver {}\n", server.ip);
    let hosts = "malformed\n::1 six\n127.0.0.1 Main.test alias # not\r\nfe80::1%lo zone\n\
                 127.0.0.300 bad\n127.0.0.1 9lives";
    let (_socket, port) = listener();
    let run =
        |options: &[&str], host: &str| client_with_files([&resolv, hosts], options, host, port);
    for host in ["main.TEST.", "alias", "9lives", "127.0.0.1"] {
        let Some(output) = run(&["-h"], host) else {
            return;
        };
        assert_eq!(
            output.success().out(),
            "127.0.0.1 main.test. main.test.\n",
            "{host}"
        );
    }
    for (options, host) in [
        (&["-h"][..], "not"),
        (&["-h"], "zone"),
        (&["-h", "-4"], "six"),
        (&[], "alias"),
    ] {
        let output = run(options, host).unwrap();
        let line = format!("s6-tcpclient: fatal: unable to resolve {host}: no such domain");
        output.fatal(111, &line);
    }
    // Nothing is looked up at all.
    let output = run(&["-hH"], "127.0.0.1").unwrap().success();
    assert_eq!(output.out(), "127.0.0.1 unset unset\n");
}

#[test]
fn a_lookup_disturbs_no_descriptor() {
    let here = Answer::Truncated(ip("127.0.0.1"));
    let Some(server) = DnsServer::start(&[("www.test. A", here)]) else {
        return;
    };
    let (_socket, port) = listener();
    let list = "for i in $(seq 0 60); do [ ! -e /proc/$$/fd/$i ] || printf '%s ' $i; done";
    let (nine, _other) = pipe();
    let output = cmd(argv(&[], "www.test", port, list))
        .env("DNSCACHEIP", server.ip.to_string())
        .closed(0)
        .closed(2)
        .fd(9, nine)
        .run();
    assert_eq!(output.success().out(), "1 6 7 9 ");
}
