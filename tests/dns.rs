//! Name resolution, against a name server of our own on a loopback address.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::util::{Cmd, Ended, Output, TempDir, cmd, listener, pipe};

/// What a question looks like to a rule: its type and its name in lower case.
struct Question<'a> {
    kind: u16,
    name: &'a str,
    /// Whether it came over TCP.
    tcp: bool,
    packet: &'a [u8],
}

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;

const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;

impl Question<'_> {
    /// The answer with these records: name, type, data.
    fn answer(&self, records: &[(&str, u16, Vec<u8>)]) -> Vec<u8> {
        let mut packet = self.code(0);
        packet[7] = records.len() as u8;
        for (name, kind, data) in records {
            packet.extend(labels(name));
            packet.extend(kind.to_be_bytes());
            packet.extend([0, 1, 0, 0, 0, 60]);
            packet.extend((data.len() as u16).to_be_bytes());
            packet.extend(data);
        }
        packet
    }

    /// The address 127.0.0.1, to whom asks for one of IPv4.
    fn here(&self) -> Vec<u8> {
        match self.kind {
            A => self.answer(&[(self.name, A, vec![127, 0, 0, 1])]),
            _ => self.answer(&[]),
        }
    }

    /// An answer that holds nothing but this code.
    fn code(&self, code: u8) -> Vec<u8> {
        let mut packet = self.packet.to_vec();
        packet[2] |= 0x80;
        packet[3] = 0x80 | code;
        packet
    }

    fn truncated(&self) -> Vec<u8> {
        let mut packet = self.code(0);
        packet[2] |= 2;
        packet
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// The packets that answer a question, in their order.
type Rule = fn(&Question) -> Vec<Vec<u8>>;

/// A name server with an address of its own, until it is dropped.
struct Server {
    ip: Ipv4Addr,
    stop: Option<std::os::fd::OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// None, with a word, where port 53 is not ours to have.
    fn start(rule: Rule) -> Option<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let [x, y, ..] = std::process::id().to_be_bytes()[2..] else {
            return None;
        };
        let ip = Ipv4Addr::new(127, x.max(1), y, NEXT.fetch_add(1, Ordering::Relaxed));
        let sockets =
            UdpSocket::bind((ip, 53)).and_then(|udp| Ok((udp, TcpListener::bind((ip, 53))?)));
        let (udp, tcp) = match sockets {
            Ok(sockets) => sockets,
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                    "{error}"
                );
                println!("SKIPPED: no port 53: {error}");
                return None;
            }
        };
        let (stopped, stop) = pipe();
        let thread = std::thread::spawn(move || {
            loop {
                let mut fds = [stopped.as_fd(), udp.as_fd(), tcp.as_fd()]
                    .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
                poll(&mut fds, PollTimeout::NONE).unwrap();
                let [stop, datagram, stream] = fds.map(|fd| fd.any().unwrap());
                match (stop, datagram, stream) {
                    (true, _, _) => return,
                    (_, true, _) => serve_datagram(&udp, rule),
                    (_, _, true) => serve_stream(tcp.accept().unwrap().0, rule),
                    _ => {}
                }
            }
        });
        Some(Self {
            ip,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn cache_ip(&self) -> String {
        self.ip.to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the name server failed"
            );
        }
    }
}

fn serve_datagram(udp: &UdpSocket, rule: Rule) {
    let mut packet = [0; 512];
    let (len, from) = udp.recv_from(&mut packet).unwrap();
    for answer in answers(&packet[..len], false, rule) {
        udp.send_to(&answer, from).unwrap();
    }
}

fn serve_stream(mut stream: TcpStream, rule: Rule) {
    let mut length = [0; 2];
    if stream.read_exact(&mut length).is_err() {
        return;
    }
    let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut packet).unwrap();
    for answer in answers(&packet, true, rule) {
        let length = (answer.len() as u16).to_be_bytes();
        // In two pieces: an answer may come in any.
        stream.write_all(&length[..1]).unwrap();
        stream.write_all(&[&length[1..], &answer].concat()).unwrap();
    }
}

fn answers(packet: &[u8], tcp: bool, rule: Rule) -> Vec<Vec<u8>> {
    assert_eq!(
        packet[2..12],
        [1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        "one question, recursion desired"
    );
    let mut name = String::new();
    let mut at = 12;
    while packet[at] != 0 {
        let end = at + 1 + usize::from(packet[at]);
        name += &String::from_utf8_lossy(&packet[at + 1..end]).to_lowercase();
        name.push('.');
        at = end;
    }
    let kind = u16::from_be_bytes([packet[at + 1], packet[at + 2]]);
    rule(&Question {
        kind,
        name: &name,
        tcp,
        packet,
    })
}

/// A client that connects to `host` and shows what it has been told.
fn client(servers: &str, options: &[&str], host: &str, port: u16) -> Cmd {
    cmd(argv(options, host, port))
        .env("DNSCACHEIP", servers)
        .env("DNSQUALIFY", "")
}

fn argv(options: &[&str], host: &str, port: u16) -> Vec<String> {
    let show = "echo \"$TCPREMOTEIP ${TCPREMOTEHOST-unset} ${TCPLOCALHOST-unset}\"";
    let mut argv = vec!["s6-tcpclient"];
    argv.extend(options);
    let port = port.to_string();
    argv.extend([host, &port, "sh", "-c", show]);
    argv.into_iter().map(str::to_owned).collect()
}

/// What it shows or why it fails, with names of its own for both ends.
fn lookup(rule: Rule, options: &[&str], host: &str) -> Option<Output> {
    let server = Server::start(rule)?;
    let (_socket, port) = listener();
    Some(client(&server.cache_ip(), options, host, port).run())
}

fn connected(rule: Rule, options: &[&str]) {
    let Some(output) = lookup(rule, options, "www.test") else {
        return;
    };
    assert!(output.success().out().starts_with("127.0.0.1 "));
}

fn unresolved(rule: Rule, reason: &str) {
    if let Some(output) = lookup(rule, &[], "www.test") {
        output.fatal(
            111,
            &format!("s6-tcpclient: fatal: unable to resolve www.test: {reason}"),
        );
    }
}

#[test]
fn a_host_and_both_ends_have_their_names() {
    let rule: Rule = |question| match (question.kind, question.name) {
        (PTR, "1.0.0.127.in-addr.arpa.") => {
            vec![question.answer(&[(question.name, PTR, labels("Good.TEST"))])]
        }
        (_, "www.test.") => vec![question.here()],
        _ => vec![question.code(NXDOMAIN)],
    };
    for (options, host, shown) in [
        (&[][..], "WWW.test.", "127.0.0.1 good.test. good.test.\n"),
        (&["-l", "me"], "www.test", "127.0.0.1 good.test. me\n"),
        (
            &["-4", "-i", "127.0.0.8"],
            "www.test",
            "127.0.0.1 good.test. unset\n",
        ),
    ] {
        if let Some(output) = lookup(rule, options, host) {
            assert_eq!(output.success().out(), shown);
        }
    }
}

#[test]
fn a_name_that_could_do_harm_is_none() {
    for bad in [
        (|q| vec![q.answer(&[(q.name, PTR, b"\x04../x\x00".to_vec())])]) as Rule,
        |q| vec![q.answer(&[(q.name, PTR, b"\x03a\nb\x00".to_vec())])],
        |q| vec![q.answer(&[(q.name, PTR, vec![0])])],
    ] {
        if let Some(output) = lookup(bad, &[], "127.0.0.1") {
            assert_eq!(output.success().out(), "127.0.0.1 unset unset\n");
        }
    }
}

#[test]
fn negative_answers_have_their_words() {
    unresolved(|q| vec![q.code(NXDOMAIN)], "no such domain");
    unresolved(|q| vec![q.code(REFUSED)], "server refused");
    unresolved(|q| vec![q.code(SERVFAIL)], "server failure");
    unresolved(|q| vec![q.answer(&[])], "no such record");
    let cut: Rule = |q| {
        let mut packet = q.here();
        packet[7] = 1;
        packet.truncate(q.packet.len() + 3);
        vec![packet]
    };
    unresolved(cut, "malformed packet");
}

#[test]
fn an_answer_that_was_cut_is_asked_for_over_tcp() {
    connected(
        |q| match q.tcp {
            false => vec![q.truncated()],
            true => {
                // More than fits into one datagram, or one read.
                let many = vec![(q.name, A, vec![127, 0, 0, 1]); 250];
                vec![if q.kind == A {
                    q.answer(&many)
                } else {
                    q.here()
                }]
            }
        },
        &[],
    );
}

#[test]
fn aliases_are_followed() {
    connected(
        |q| {
            let mut records = vec![
                ("b.test", 5, labels("C.test")),
                (q.name, 5, labels("b.test")),
            ];
            if q.kind == A {
                records.push(("c.TEST", A, vec![127, 0, 0, 1]));
            }
            vec![q.answer(&records)]
        },
        &[],
    );
}

#[test]
fn what_answers_no_question_is_passed_over() {
    connected(
        |q| {
            let mut wrong_id = q.answer(&[(q.name, A, vec![127, 0, 0, 99])]);
            wrong_id[0] ^= 0xff;
            let mut wrong_name = q.answer(&[(q.name, A, vec![127, 0, 0, 99])]);
            wrong_name[13] ^= 1;
            let garbage = vec![0xff; 400];
            let mut packets = vec![vec![], vec![0], garbage, wrong_id, wrong_name];
            packets.push(q.here());
            packets
        },
        &[],
    );
}

#[test]
fn a_server_that_cannot_answer_gives_way_to_the_next() {
    for bad in [(|q| vec![q.code(SERVFAIL)]) as Rule, |q| {
        vec![q.code(REFUSED)]
    }] {
        let (Some(bad), Some(good)) = (Server::start(bad), Server::start(|q| vec![q.here()]))
        else {
            return;
        };
        let (_socket, port) = listener();
        // The first one is nobody's: it refuses.
        let servers = format!("127.255.255.1,{};{} ", bad.ip, good.ip);
        let begun = Instant::now();
        client(&servers, &["-H"], "127.0.0.1", port).run().success();
        let output = client(&servers, &[], "www.test", port).run().success();
        assert!(output.out().starts_with("127.0.0.1 "));
        assert!(begun.elapsed() < Duration::from_secs(3), "at once");
    }
}

#[test]
fn nobody_waits_longer_than_told() {
    let silent: Rule = |_| vec![];
    let begun = Instant::now();
    if let Some(output) = lookup(silent, &["-t1"], "www.test") {
        let line = "s6-tcpclient: fatal: unable to resolve www.test: query timed out";
        output.fatal(111, line);
    }
    // The names of an address are no reason to fail.
    if let Some(output) = lookup(silent, &["-t1"], "127.0.0.1") {
        assert_eq!(output.success().out(), "127.0.0.1 unset unset\n");
    }
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
}

#[test]
fn one_family_does_not_wait_for_the_other_for_ever() {
    let begun = Instant::now();
    connected(
        |q| if q.kind == A { vec![q.here()] } else { vec![] },
        &["-l", "x", "-t", "4"],
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn only_the_wanted_family_is_asked_for() {
    let rule: Rule = |q| {
        assert_ne!(q.kind, AAAA);
        vec![q.here()]
    };
    connected(rule, &["-4"]);
}

#[test]
fn suffixes_are_tried_in_their_order() {
    let rule: Rule = |q| match q.name {
        "www.b.test." | "www.c.test." | "x.y." => vec![q.here()],
        _ => vec![q.code(NXDOMAIN)],
    };
    let Some(server) = Server::start(rule) else {
        return;
    };
    let (_socket, port) = listener();
    let run = |options: &[&str], suffixes: &str, host: &str| {
        client(&server.cache_ip(), options, host, port)
            .env("DNSQUALIFY", suffixes)
            .run()
    };
    run(&["-n"], "a.test b.test", "www").success();
    run(&["-n"], "a.test", "x.y").success();
    run(&["-n"], "b.test", "www.").code(111);
    run(&["-nN"], "b.test", "www").code(111);
    run(&["-n"], "", "www").code(111);
}

/// The same with files of its own in place of /etc/resolv.conf and /etc/hosts.
/// None, with a word, where that cannot be had.
fn client_with_files(
    [resolv, hosts]: [&str; 2],
    options: &[&str],
    host: &str,
    port: u16,
) -> Option<Output> {
    let dir = TempDir::new();
    let mount = format!(
        "mount --bind {} /etc/resolv.conf; mount --bind {} /etc/hosts",
        dir.file("resolv.conf", resolv).display(),
        dir.file("hosts", hosts).display()
    );
    let probe = cmd(["unshare", "-m", "sh", "-ec", &mount]).run();
    if probe.ended != Ended::Exited(0) {
        let why = probe.err();
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "{why}"
        );
        println!("SKIPPED: no mount namespace: {why}");
        return None;
    }
    let script = mount + "; exec \"$@\"";
    let unshare = ["unshare", "-m", "sh", "-ec", &script, "sh"];
    Some(cmd(unshare).args(argv(options, host, port)).run())
}

#[test]
fn the_file_of_the_system_says_whom_to_ask() {
    let rule: Rule = |q| match q.name {
        "www.b.test." | "x.y." | "x.y.b.test." => vec![q.here()],
        _ => vec![q.code(NXDOMAIN)],
    };
    let Some(server) = Server::start(rule) else {
        return;
    };
    let (_socket, port) = listener();
    let resolv = format!(
        "# ours\nnameserver 127.255.255.1\nnameserver {}\nsearch a.test b.test\n\
         options ndots:1 timeout:1 attempts:1",
        server.ip
    );
    let run = |options: &[&str], host: &str| client_with_files([&resolv, ""], options, host, port);
    for host in ["www", "x.y"] {
        if let Some(output) = run(&["-n"], host) {
            output.success();
        }
    }
    if let Some(output) = run(&[], "www") {
        let line = "s6-tcpclient: fatal: unable to resolve www: no such domain";
        output.fatal(111, line);
    }
}

#[test]
fn attempts_and_their_time_are_those_of_the_file() {
    let Some(server) = Server::start(|_| vec![]) else {
        return;
    };
    let resolv = format!("nameserver {}\noptions timeout:1 attempts:1\n", server.ip);
    let begun = Instant::now();
    if let Some(output) = client_with_files([&resolv, ""], &[], "www.test", 1) {
        let line = "s6-tcpclient: fatal: unable to resolve www.test: query timed out";
        output.fatal(111, line);
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn the_hosts_file_comes_first_if_it_is_asked() {
    let Some(server) = Server::start(|q| vec![q.code(NXDOMAIN)]) else {
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
    let Some(server) = Server::start(|q| vec![q.here()]) else {
        return;
    };
    let (_socket, port) = listener();
    let list = "for i in $(seq 0 60); do [ ! -e /proc/$$/fd/$i ] || printf '%s ' $i; done";
    let (nine, _other) = pipe();
    let output = cmd([
        "s6-tcpclient",
        "www.test",
        &port.to_string(),
        "sh",
        "-c",
        list,
    ])
    .env("DNSCACHEIP", server.cache_ip())
    .closed(0)
    .closed(2)
    .fd(9, nine)
    .run();
    assert_eq!(output.success().out(), "1 6 7 9 ");
}
