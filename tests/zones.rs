//! Link-local addresses of IPv6 with their zone, over a cable between two
//! network namespaces.

use std::fs;
use std::io::Write;

use crate::util::tls::tlsd;
use crate::util::{Cmd, Ended, Running, TempDir, certs, cmd, eventually, need, skip, tcp_pair};

/// Two machines and a cable: `wire` with fe80::1 is this one's end of it,
/// `eth0` with fe80::2 the other's. Each lives as long as its process.
struct Link {
    here: Running,
    there: Running,
}

/// A process in a network namespace of its own.
fn machine() -> Running {
    let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let process = cmd(["unshare", "-n", "cat"]).input_pipe().start();
    eventually("a network of its own", || {
        (network(&process.pid().to_string()) != network("self")).then_some(())
    });
    process
}

/// A command on a machine.
fn on(machine: &Running, argv: &str) -> Cmd {
    let network = format!("--net=/proc/{}/ns/net", machine.pid());
    cmd(["nsenter", &network]).args(argv.split(' '))
}

impl Link {
    /// None, with a message, if network namespaces cannot be made.
    fn new() -> Option<Self> {
        if !need(&["ip", "unshare", "nsenter"]) {
            return None;
        }
        let probe = cmd(["unshare", "-n", "ip", "link", "add", "type", "veth"]).run();
        if probe.ended != Ended::Exited(0) {
            let why = probe.err();
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{why}"
            );
            skip(&format!("no network can be made: {why}"));
            return None;
        }
        let link = Self {
            here: machine(),
            there: machine(),
        };
        let netns = link.there.pid();
        let cable = format!("ip link add wire type veth peer name eth0 netns {netns}");
        on(&link.here, &cable).run().success();
        for (machine, interface, ip) in [
            (&link.here, "wire", "fe80::1"),
            (&link.there, "eth0", "fe80::2"),
        ] {
            for command in [
                "ip link set lo up".to_owned(),
                format!("ip link set {interface} addrgenmode none"),
                format!("ip address add {ip}/64 dev {interface} nodad"),
                format!("ip link set {interface} up"),
            ] {
                on(machine, &command).run().success();
            }
        }
        Some(link)
    }

    /// The number of `wire` on this machine.
    fn number(&self) -> String {
        let shown = on(&self.here, "ip -o link show wire").run().success().out();
        shown.split(':').next().unwrap().to_owned()
    }

    /// The output of a program connected to `host` on the other machine, and
    /// that machine's messages.
    fn client(&self, options: &str, host: &str, port: u16) -> String {
        let client = format!("s6-tcpclient -H {options} {host} {port} sh -c");
        let show = "echo \"here $TCPREMOTEIP $TCPLOCALIP\"; cat <&6";
        on(&self.here, &client).arg(show).run().success().out()
    }
}

const SHOW: &str = "echo \"there $TCPREMOTEIP $TCPLOCALIP ${TCPREMOTEINFO-unset}\"";

#[test]
fn addresses_of_both_ends_have_a_zone() {
    let Some(link) = Link::new() else {
        return;
    };
    // Rules have no zone.
    let rules = TempDir::new();
    rules.file("ip6/fe80::1_128/allow", "");
    let access = format!("s6-tcpserver-access -Hi {}", rules.path().display());
    let serve = |ip: &str| {
        let server = format!("s6-tcpserver -v1 {ip} 0 {access} sh -c");
        on(&link.there, &server).arg(SHOW).start()
    };
    let server = serve("fe80::2%eth0");
    let port = server.port();
    let expected = "here fe80::2%wire fe80::1%wire\nthere fe80::1%eth0 fe80::2%eth0 unset\n";
    let number = format!("fe80::2%{}", link.number());
    for (options, host) in [
        ("", "fe80::2%wire"),
        ("-i fe80::1%wire", "FE80:0::2%wire"),
        ("", &number),
        ("", "fe80::9%nowhere0,fe80::2%wire"),
    ] {
        let options = format!("-v {options}");
        assert_eq!(link.client(options.trim(), host, port), expected, "{host}");
    }
    for line in [
        format!("starting - bound to ip fe80::2%eth0 port {port}\n"),
        "info: accept fe80::1%eth0_".to_owned(),
        " ip fe80::1%eth0\n".to_owned(),
    ] {
        server.wait_err(&line);
    }
    // A socket for all addresses has the client's zone from the system.
    let expected = "here fe80::2%wire fe80::1%wire\nthere fe80::1%eth0 :: unset\n";
    let server = serve("::");
    assert_eq!(link.client("-v", "fe80::2%wire", server.port()), expected);
}

#[test]
fn tls_and_its_log_line_know_zones() {
    let Some(link) = Link::new() else {
        return;
    };
    let server = on(&link.there, "s6-tlsserver -1vH fe80::2%eth0 0 sh -c")
        .arg(SHOW)
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .start();
    let client = format!("s6-tlsclient -Hk localhost fe80::2%wire {}", server.port());
    let client = on(&link.here, &client)
        .args(["sh", "-c", "cat <&6"])
        .env("CAFILE", certs().path("ca.pem"))
        .run();
    assert_eq!(
        client.success().out(),
        "there fe80::1%eth0 fe80::2%eth0 unset\n"
    );
    server.wait_err("s6-tlsd-io: info: remote=[fe80::1%eth0]:");
}

#[test]
fn ident_server_is_reached_in_its_zone() {
    let Some(link) = Link::new() else {
        return;
    };
    let ident = on(&link.here, "s6-tcpserver -1 fe80::1%wire 113 sh -c")
        .arg("read -r ports; echo \"${ports%?} : USERID : UNIX : joe\"")
        .start();
    assert_eq!(ident.port(), 113);
    let server = on(
        &link.there,
        "s6-tcpserver -1 fe80::2%eth0 0 s6-tcpserver-access -Hr sh -c",
    );
    let server = server.arg(SHOW).start();
    let out = link.client("-v", "fe80::2%wire", server.port());
    assert!(
        out.ends_with("there fe80::1%eth0 fe80::2%eth0 joe\n"),
        "{out}"
    );
}

#[test]
fn fail2ban_finds_an_address_with_a_zone() {
    if !need(&["fail2ban-regex"]) {
        return;
    }
    let (mut near, far) = tcp_pair();
    near.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let server = tlsd(&["-v2"], "p256", "exec cat")
        .env("TCPREMOTEIP", "fe80::7%eth0")
        .env("TCPREMOTEPORT", "4711")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far);
    let line = server.run().err();
    let dir = TempDir::new();
    let log = dir.file("log", format!("@4000000069258a0a00000000 {line}"));
    let filter = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/doc/examples/fail2ban/filter.d/s6-tls.conf"
    );
    let output = cmd(["fail2ban-regex", "-o", "ip"]).arg(log).arg(filter);
    let output = output.env("HOME", dir.path()).run().success();
    assert_eq!(output.out(), "fe80::7\n", "{line}");
}

#[test]
fn missing_interface_is_named() {
    for (argv, lines) in [
        (
            "s6-tlsserver -H fe80::1%nowhere0 443 true",
            &[
                "s6-tcpserver-socketbinder: fatal: unable to bind to fe80::1%nowhere0 port 443 : \
               No such device",
            ][..],
        ),
        (
            "s6-tlsclient -H fe80::1%nowhere0 443 true",
            &[
                "s6-tcpclient: warning: unable to connect to fe80::1%nowhere0 port 443: \
                 No such device",
                "s6-tcpclient: fatal: unable to connect to a suitable IP address",
            ],
        ),
        (
            "s6-tcpclient -H -i fe80::1%nowhere0 ::1 443 true",
            &[
                "s6-tcpclient: fatal: unable to find the interface of fe80::1%nowhere0: \
               No such device",
            ],
        ),
        (
            "s6-ident-client fe80::2%nowhere0 1 fe80::1%nowhere0 2",
            &[
                "s6-ident-client: fatal: unable to find the interface of fe80::2%nowhere0: \
               No such device",
            ],
        ),
    ] {
        let output = cmd(argv.split(' ')).run().code(111);
        assert_eq!(output.err().lines().collect::<Vec<_>>(), lines, "{argv}");
    }
    // Without a query the interface is not needed.
    let access = cmd(["s6-tcpserver-access", "-H", "true"])
        .env("PROTO", "TCP")
        .env("TCPLOCALIP", "fe80::2%nowhere0")
        .env("TCPLOCALPORT", "80")
        .env("TCPREMOTEIP", "fe80::1%nowhere0")
        .env("TCPREMOTEPORT", "4000");
    let line = access.run().success().err();
    assert!(line.ends_with(" ip fe80::1%nowhere0\n"), "{line}");
}
