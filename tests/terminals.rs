//! A terminal for both directions of the cleartext, or of the network: one
//! number for both, copies of one open file, or a file that was opened twice.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::util::stat::Stat;
use crate::util::tls::{tlsc, tlsd};
use crate::util::{Capture, Cmd, Terminal, certs, cmd, need, tcp_pair, terminal};

/// How the two directions get a descriptor of the terminal.
#[derive(Clone, Copy, Debug)]
enum Way {
    OneNumber,
    Copies,
    OpenedTwice,
}

impl Way {
    /// Gives a command the terminal in this way, at the first number or at
    /// both.
    fn give(self, command: Cmd, numbers: [i32; 2], terminal: &OwnedFd) -> Cmd {
        let command = command.fd(numbers[0], terminal.try_clone().unwrap());
        match self {
            Self::OneNumber => command,
            Self::Copies => command.fd(numbers[1], terminal.try_clone().unwrap()),
            Self::OpenedTwice => {
                let path = nix::unistd::ttyname(terminal).unwrap();
                let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
                command.fd(numbers[1], open(&path, flags, Mode::empty()).unwrap())
            }
        }
    }

    /// The second number on the command line.
    fn second(self, numbers: [i32; 2]) -> String {
        let one = matches!(self, Self::OneNumber);
        numbers[usize::from(!one)].to_string()
    }
}

/// An engine of a server whose cleartext goes to `numbers`.
fn server_engine(way: Way, numbers: [i32; 2]) -> Cmd {
    cmd(["s6-tlsd-io", &numbers[0].to_string(), &way.second(numbers)])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
}

/// An engine of a client whose network is at `numbers`.
fn client_engine(way: Way, numbers: [i32; 2]) -> Cmd {
    cmd(["s6-tlsc-io", &numbers[0].to_string(), &way.second(numbers)])
        .env("CAFILE", certs().path("ca.pem"))
}

/// Whether the terminal still blocks whoever reads from it.
fn blocks(terminal: &OwnedFd) -> bool {
    let flags = OFlag::from_bits_retain(fcntl(terminal, FcntlArg::F_GETFL).unwrap());
    !flags.contains(OFlag::O_NONBLOCK)
}

/// Waits until `text` is on the screen.
fn wait_for(screen: &Capture, text: &str) {
    let found = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text).then_some(());
    let until = Instant::now() + crate::util::DEADLINE;
    assert!(screen.wait(until, found).is_some(), "{}", screen.text());
}

#[test]
fn the_cleartext_of_a_server_may_be_one_terminal() {
    for way in [Way::OneNumber, Way::Copies, Way::OpenedTwice] {
        let Terminal { master, slave } = terminal();
        let screen = Capture::new(master.try_clone().unwrap());
        let (near, far) = tcp_pair();
        let client = tlsc(&[], "echo one >&7; head -n 1 <&6")
            .fd(6, near.try_clone().unwrap())
            .fd(7, near)
            .start();
        let server = way.give(server_engine(way, [4, 5]), [4, 5], &slave);
        let server = server.fd(0, far.try_clone().unwrap()).fd(1, far).start();
        wait_for(&screen, "one\r\n");
        File::from(master).write_all(b"two\n").unwrap();
        client.wait_out("two\n");
        assert_eq!(server.stderr.text(), "", "{way:?}");
        assert!(blocks(&slave), "{way:?}");
    }
}

#[test]
fn a_terminal_of_the_cleartext_does_not_control_the_engine() {
    if !need(&["setsid"]) {
        return;
    }
    let Terminal { master, slave } = terminal();
    let screen = Capture::new(master);
    let (near, far) = tcp_pair();
    let client = tlsc(&[], "echo one >&7; exec cat <&6");
    let _client = client.fd(6, near.try_clone().unwrap()).fd(7, near).start();
    // A service is the leader of a session without a terminal, which it would get by opening one.
    let leader = r#"setsid s6-tlsd-io 4 4 <&8 >&8 & echo "$!" >&2; wait"#;
    let server = cmd(["sh", "-c", leader]).fd(4, slave).fd(8, far);
    let server = server
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .start();
    wait_for(&screen, "one\r\n");
    let pid: i32 = server.wait_err("\n").trim().parse().unwrap();
    let stat = Stat::of(nix::unistd::Pid::from_raw(pid)).unwrap();
    assert_eq!(stat.terminal, "0");
}

#[test]
fn the_cleartext_of_a_client_may_be_one_terminal() {
    for way in [Way::Copies, Way::OpenedTwice] {
        let Terminal { master, slave } = terminal();
        let screen = Capture::new(master.try_clone().unwrap());
        let (near, far) = tcp_pair();
        let server = tlsd(&[], "p256", "echo one; exec head -n 1 >&2")
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        let client = way.give(client_engine(Way::OneNumber, [6, 6]), [0, 1], &slave);
        let client = client.fd(6, near).start();
        wait_for(&screen, "one\r\n");
        File::from(master).write_all(b"two\n").unwrap();
        server.wait_err("two\n");
        assert_eq!(client.stderr.text(), "", "{way:?}");
        assert!(blocks(&slave), "{way:?}");
    }
}

/// A terminal that passes bytes on as they are.
fn raw() -> Terminal {
    let terminal = terminal();
    let mut settings = tcgetattr(&terminal.slave).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&terminal.slave, SetArg::TCSANOW, &settings).unwrap();
    terminal
}

#[test]
fn the_network_may_be_one_terminal() {
    for way in [Way::OneNumber, Way::Copies, Way::OpenedTwice] {
        for slave_serves in [false, true] {
            let Terminal { master, slave } = raw();
            // A server's network is always at two numbers.
            let (server_way, client_way, at_server, at_client) = match (slave_serves, way) {
                (true, Way::OneNumber) => continue,
                (true, way) => (way, Way::Copies, &slave, &master),
                (false, way) => (Way::Copies, way, &master, &slave),
            };
            let server = tlsd(&[], "p256", "exec cat");
            let server = server_way.give(server, [0, 1], at_server).start();
            let client = client_engine(client_way, [6, 7]).input_pipe();
            let mut client = client_way.give(client, [6, 7], at_client).start();
            client.write("one\n");
            client.wait_out("one\n");
            let said = server.stderr.text() + &client.stderr.text();
            assert_eq!(said, "", "{way:?}");
            assert!(blocks(&slave), "{way:?}");
        }
    }
}
