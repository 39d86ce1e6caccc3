//! Two machines behind haproxy, each a network namespace; one of them fails.

use std::fs;
use std::path::Path;

use nix::unistd::Pid;

use crate::util::{Cmd, Ended, Running, TempDir, certs, cmd, eventually, need, skip};

/// Clients at a time: half of them on each machine.
const CLIENTS: usize = 8;

/// The configuration of haproxy in doc/scaling.md, with shorter times.
const HAPROXY: &str = "
defaults
    mode tcp
    timeout connect 500ms
    timeout check 500ms
    timeout client 60s
    timeout server 60s
    retries 3
    option redispatch 1
listen https
    bind 127.0.0.1:443
    default-server check check-send-proxy inter 200ms fall 2 rise 1
    default-server send-proxy-v2 on-marked-down shutdown-sessions
    server one 10.0.1.2:443
    server two 10.0.2.2:443
";

/// A line with the name of the machine, then an echo every now and then until
/// there is a file `stop` or no answer.
const WORK: &str = "
    read -r host <&6; echo \"on $host\"
    while [ ! -e stop ] && echo ping >&7 && read -r pong <&6; do sleep 0.05; done
    if [ -e stop ]; then echo done; else echo lost; fi";

/// The machine in front of the others: a network of its own, for as long as a
/// process in it lives.
struct Front(Running);

/// A process in a network namespace of its own.
fn alone(script: &str, tickets: &Path) -> Running {
    let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let process = cmd(["unshare", "-n", "sh", "-ec", script])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("TICKETKEYFILE", tickets)
        .input_pipe()
        .start();
    eventually("a network of its own", || {
        (network(&process.pid().to_string()) != network("self")).then_some(())
    });
    process
}

/// A machine that serves its name and then an echo, once its network is
/// connected.
fn machine(name: &str, address: &str, tickets: &Path) -> Running {
    let script = format!(
        "until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
         ip address add {address}/24 dev eth0
         exec s6-tlsserver -1 -L -H {address} 443 sh -c 'echo {name}; exec cat'"
    );
    alone(&script, tickets)
}

/// A command in the network of a process.
fn within(pid: Pid, argv: &[&str]) -> Cmd {
    cmd(["nsenter", &format!("--net=/proc/{pid}/ns/net")]).args(argv)
}

impl Front {
    fn new() -> Self {
        let front = Self(alone("exec cat", Path::new("")));
        front.run(&["ip", "link", "set", "lo", "up"]);
        front
    }

    fn run(&self, argv: &[&str]) {
        within(self.0.pid(), argv).run().success();
    }

    /// A cable to a machine, whose end of it is `eth0`.
    fn connect(&self, machine: &Running, name: &str, address: &str) {
        let pid = machine.pid().to_string();
        let peer = ["type", "veth", "peer", "name", "eth0", "netns", &pid];
        within(self.0.pid(), &["ip", "link", "add", name])
            .args(peer)
            .run()
            .success();
        self.run(&[
            "ip",
            "address",
            "add",
            &format!("{address}/24"),
            "dev",
            name,
        ]);
        self.run(&["ip", "link", "set", name, "up"]);
    }

    /// A client of haproxy, with this program.
    fn client(&self, program: &str) -> Cmd {
        let client = ["s6-tlsclient", "-H", "-k", "localhost", "127.0.0.1", "443"];
        within(self.0.pid(), &client)
            .args(["sh", "-c", program])
            .env("CAFILE", certs().path("ca.pem"))
    }

    /// The name of the machine that serves a new client, if any.
    fn newcomer(&self) -> Option<String> {
        let client = self.client("read -r host <&6; echo \"$host\"");
        let output = client.run();
        // haproxy has tried a machine that is not there, and given up.
        let refused = output.ended == Ended::Exited(98);
        (!refused).then(|| output.success().out().trim().to_owned())
    }
}

/// Two machines, and haproxy in front of them.
struct Cluster {
    dir: TempDir,
    front: Front,
    one: Running,
    _two: Running,
    _haproxy: Running,
}

impl Cluster {
    /// None if this machine lacks one of `peers` or rights.
    fn new(peers: &[&str]) -> Option<Self> {
        if !need(&["haproxy", "ip", "unshare", "nsenter"]) || !need(peers) {
            return None;
        }
        if !nix::unistd::geteuid().is_root() {
            skip("only root makes networks");
            return None;
        }
        let dir = TempDir::new();
        let tickets = dir.secret("tickets", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
        let front = Front::new();
        let one = machine("one", "10.0.1.2", &tickets);
        let two = machine("two", "10.0.2.2", &tickets);
        front.connect(&one, "one", "10.0.1.1");
        front.connect(&two, "two", "10.0.2.1");
        assert_eq!([one.port(), two.port()], [443, 443]);
        let config = dir.file("haproxy.cfg", HAPROXY);
        let haproxy = within(front.0.pid(), &["haproxy", "-f"]).arg(config);
        let cluster = Self {
            _haproxy: haproxy.start(),
            dir,
            front,
            one,
            _two: two,
        };
        eventually("haproxy listens", || {
            let client = cluster.front.client("true").run();
            (client.ended == Ended::Exited(0)).then_some(())
        });
        Some(cluster)
    }
}

/// A connection by openssl, which takes its session from `session` if there is
/// one and leaves it there: the machine, and whether it was resumed.
fn openssl(cluster: &Cluster, version: &str, session: &Path) -> (String, bool) {
    let client = [
        "openssl",
        "s_client",
        "-connect",
        "127.0.0.1:443",
        "-ign_eof",
    ];
    let mut client = within(cluster.front.0.pid(), &client)
        .args([version, "-servername", "localhost", "-sess_out"])
        .arg(session)
        .input_pipe();
    if session.exists() {
        client = client.arg("-sess_in").arg(session);
    }
    let mut client = client.start();
    client.write("a line\n");
    let out = client.wait_out("\na line\n");
    let resumed = out.contains("\nReused, ");
    assert!(resumed || out.contains("\nNew, "), "{out}");
    let machine = out.lines().rev().nth(1).unwrap();
    (machine.to_owned(), resumed)
}

#[test]
fn a_client_resumes_on_the_other_machine() {
    let Some(cluster) = Cluster::new(&["openssl"]) else {
        return;
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let session = cluster.dir.join(version);
        let (before, resumed) = openssl(&cluster, version, &session);
        assert!(!resumed);
        // haproxy takes them by turns, its checks aside.
        eventually("it gets to the other one", || {
            let (machine, resumed) = openssl(&cluster, version, &session);
            assert!(resumed, "{version}");
            (machine != before).then_some(())
        });
    }
}

#[test]
fn failed_machine_loses_only_its_connections() {
    let Some(Cluster {
        dir, front, one, ..
    }) = &Cluster::new(&[])
    else {
        return;
    };
    let clients: Vec<Running> = (0..CLIENTS)
        .map(|_| front.client(WORK).cwd(dir.path()).start())
        .collect();
    let (first, second): (Vec<_>, Vec<_>) = clients
        .into_iter()
        .partition(|client| client.wait_out("\n").starts_with("on one"));
    assert_eq!([first.len(), second.len()], [CLIENTS / 2; 2]);

    // It no longer answers: neither with an end nor with a reset.
    within(one.pid(), &["ip", "address", "flush", "dev", "eth0"])
        .run()
        .success();
    eventually("haproxy knows", || {
        let newcomer = front.newcomer();
        assert!(newcomer.as_ref().is_none_or(|host| host == "two"));
        first.iter().all(|client| !client.alive()).then_some(())
    });
    for client in first {
        assert!(client.finish().out().ends_with("lost\n"));
    }
    for _ in 0..CLIENTS {
        assert_eq!(front.newcomer().as_deref(), Some("two"));
    }
    fs::write(dir.path().join("stop"), "").unwrap();
    for client in second {
        assert_eq!(client.finish().success().out(), "on two\ndone\n");
    }

    let address = ["ip", "address", "add", "10.0.1.2/24", "dev", "eth0"];
    within(one.pid(), &address).run().success();
    eventually("it is back", || (front.newcomer()? == "one").then_some(()));
}
