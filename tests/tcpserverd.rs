//! `s6-tcpserverd`: connections, limits, signals, children.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::util::{Running, cmd, eventually, listener};

pub fn serve(options: &[&str], program: &[&str]) -> (Running, u16) {
    let server = cmd(["s6-tcpserver", "-1"])
        .args(options)
        .args(["127.0.0.1", "0"])
        .args(program)
        .start();
    let port = server.port();
    (server, port)
}

pub fn talk(port: u16, say: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(crate::util::DEADLINE))
        .unwrap();
    stream.write_all(say.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn program_gets_the_clients_address() {
    let show = "env | grep -E '^(TCP|PROTO)' | sort; cat";
    let (server, port) = serve(&["-v"], &["sh", "-c", show]);
    let answer = talk(port, "hello\n");
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "PROTO=TCP",
            "TCPCONNNUM=1",
            "TCPLOCALIP=127.0.0.1",
            &format!("TCPLOCALPORT={port}")
        ]
    );
    assert_eq!(lines[4], "TCPREMOTEIP=127.0.0.1");
    assert_eq!(lines[6], "hello");
    let log = server.wait_err("exitcode 0 count 0/40\n");
    assert!(log.starts_with(&format!(
        "s6-tcpserverd: info: starting - bound to ip 127.0.0.1 port {port}\ns6-tcpserverd: info: status: 0/40\n\
         s6-tcpserverd: info: accept 127.0.0.1_"
    )), "{log}");
    server.signal(Signal::SIGTERM);
    server.wait_err(
        "s6-tcpserverd: info: received SIGTERM, quitting\ns6-tcpserverd: info: exiting\n",
    );
    server.finish().success();
}

#[test]
fn limits_are_exact() {
    let (server, port) = serve(&["-v", "-c3", "-C2"], &["cat"]);
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (a, _b) = (connect(), connect());
    server.wait_err("count 2/2\n");
    let mut third = connect();
    assert_eq!(third.read(&mut [0; 8]).unwrap(), 0);
    server.wait_err("count 2/2\n");
    let log = server.wait_err("info: reject 127.0.0.1_");
    assert!(log.contains("status: 2/3"), "{log}");
    drop(a);
    server.wait_err("exitcode 0 count 1/2\n");
    let mut fourth = connect();
    fourth.write_all(b"x").unwrap();
    fourth.read_exact(&mut [0]).unwrap();
}

#[test]
fn reached_limit_is_logged_once_and_again_when_free() {
    let (server, port) = serve(&["-c2"], &["cat"]);
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let served = |stream: &mut TcpStream| {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    };
    let mut clients: Vec<_> = (0..5).map(|_| connect()).collect();
    let reached = "s6-tcpserverd: warning: limit of 2 connections reached: further clients wait\n";
    assert_eq!(server.wait_err(reached), reached);
    // A waiting client takes each place that becomes free.
    while clients.len() > 1 {
        served(&mut clients[1]);
        clients.remove(0);
    }
    let left = "s6-tcpserverd: warning: below the limit of 2 connections again: 1\n";
    server.wait_err(left);
    drop(clients);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.finish().success().err(), format!("{reached}{left}"));
    let (server, port) = serve(&["-qc1"], &["cat"]);
    assert_eq!(talk(port, "quiet"), "quiet");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.finish().success().err(), "");
}

#[test]
fn burst_of_connections_is_served_and_leaves_nothing() {
    let (server, port) = serve(&["-q", "-c", "100", "-C", "100"], &["cat"]);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                (0..500).for_each(|i| assert_eq!(talk(port, &i.to_string()), i.to_string()))
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    eventually("only the server is left", || {
        (server.group().len() == 1).then_some(())
    });
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count();
    assert!(open <= 6, "{open} descriptors");
}

#[test]
fn signals_act_on_server_and_children() {
    for (signal, text, exits, killed) in [
        (
            Signal::SIGHUP,
            "received SIGHUP, sending SIGTERM and SIGCONT to all connections\n",
            false,
            Some(15),
        ),
        (
            Signal::SIGQUIT,
            "received SIGQUIT, sending SIGTERM and SIGCONT to all connections and quitting\n",
            true,
            None,
        ),
        (
            Signal::SIGABRT,
            "received SIGABRT, sending SIGKILL to all connections and quitting\n",
            true,
            None,
        ),
    ] {
        let (server, port) = serve(&["-v"], &["cat"]);
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        server.wait_err("accept ");
        server.signal(signal);
        server.wait_err(text);
        // The child is gone, whichever signal it was.
        assert!(matches!(client.read(&mut [0; 8]), Ok(0) | Err(_)));
        if let Some(number) = killed {
            server.wait_err(&format!("signal {number} count 0/40\n"));
        }
        if exits {
            server.finish().success();
        } else {
            assert!(server.alive());
        }
    }
}

#[test]
fn children_have_default_signals_an_open_mask_and_only_their_descriptors() {
    let serve = |program: &[&str]| {
        let server = cmd(["s6-tcpserver", "-1", "127.0.0.1", "0"])
            .args(program)
            .blocked(Signal::SIGTERM)
            .start();
        let answer = talk(server.port(), "");
        server.signal(Signal::SIGTERM);
        server.finish().success();
        answer
    };
    let state = serve(&["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]);
    // glibc's posix_spawn, by which the server was started, ignores 32 and 33.
    let bits = state
        .lines()
        .map(|line| u64::from_str_radix(&line[8..], 16).unwrap());
    assert_eq!(
        bits.map(|bits| bits & 0x7fff_ffff).collect::<Vec<_>>(),
        [0, 0]
    );
    // ls reads the directory with one more descriptor.
    assert_eq!(serve(&["ls", "/proc/self/fd"]), "0\n1\n2\n3\n");
}

#[test]
fn the_server_takes_any_listening_socket_and_nothing_else() {
    let (socket, port) = listener();
    let server = cmd(["s6-tcpserverd", "-1", "cat"]).fd(0, socket).start();
    assert_eq!(server.port(), port);
    assert_eq!(talk(port, "inherited"), "inherited");
    cmd(["s6-tcpserverd", "cat"])
        .run()
        .fatal(100, "s6-tcpserverd: fatal: stdin is not a socket");
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let output = cmd(["s6-tcpserverd", "cat"]).fd(0, near).run();
    output.fatal_with(
        111,
        "s6-tcpserverd: fatal: unable to get local socket information: ",
        &[],
    );
    let (near, _far) = crate::util::tcp_pair();
    let output = cmd(["s6-tcpserverd", "cat"]).fd(0, near).run();
    output.fatal(
        111,
        "s6-tcpserverd: fatal: unable to accept: Invalid argument",
    );
}

#[test]
fn socket_at_an_ipv4_mapped_address_is_reported_as_ipv4() {
    let socket = std::net::TcpListener::bind("[::ffff:127.0.0.1]:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let show = "echo $TCPREMOTEIP $TCPLOCALIP";
    let _server = cmd(["s6-tcpserverd", "sh", "-c", show])
        .fd(0, socket)
        .start();
    assert_eq!(talk(port, ""), "127.0.0.1 127.0.0.1\n");
}

#[test]
fn running_out_of_descriptors_is_survived() {
    let server = cmd(["s6-tcpserver", "-1", "127.0.0.1", "0", "cat"])
        .prelude("ulimit -n 6")
        .start();
    let port = server.port();
    let held: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    drop(held);
    assert_eq!(talk(port, "still there"), "still there");
}

#[test]
fn missing_program_leaves_the_server_running() {
    let (server, port) = serve(&[], &["/nonexistent"]);
    for _ in 0..2 {
        assert_eq!(talk(port, ""), "");
        server.wait_err(
            "s6-tcpserverd: warning: unable to spawn /nonexistent: No such file or directory\n",
        );
    }
}

#[test]
fn verbosity_chooses_the_lines() {
    for (verbosity, expected) in [
        ("-q", ""),
        (
            "-Q",
            "s6-tcpserverd: info: reject 127.0.0.1_PORT count 1/1\n",
        ),
    ] {
        let (server, port) = serve(&[verbosity, "-C1"], &["cat"]);
        let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
        first.write_all(b"x").unwrap();
        first.read_exact(&mut [0]).unwrap();
        let mut second = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let from = second.local_addr().unwrap().port().to_string();
        assert_eq!(second.read(&mut [0; 8]).unwrap(), 0);
        drop(first);
        server.signal(Signal::SIGTERM);
        let said = server.finish().success().err();
        assert_eq!(said.replace(&from, "PORT"), expected, "{verbosity}");
    }
}

#[test]
fn descriptor_exhaustion_pauses_and_goes_on() {
    // Three standard ones, the duplicate of the listener, the poll and the
    // signal pipe.
    let (server, port) = {
        let server = cmd(["s6-tcpserver", "-1", "127.0.0.1", "0", "sleep", "60"])
            .prelude("ulimit -n 20")
            .start();
        let port = server.port();
        (server, port)
    };
    // Lowered until nothing can be accepted, and raised again.
    let limit = |soft: &str| {
        let pid = server.pid().to_string();
        cmd(["prlimit", "--pid", &pid, &format!("--nofile={soft}:20")])
            .run()
            .success();
    };
    limit("4");
    let mut clients: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    server.wait_err("s6-tcpserverd: warning: unable to accept: Too many open files\n");
    let before = server.cpu();
    crate::util::idle(std::time::Duration::from_millis(400));
    assert!(
        server.cpu() - before < std::time::Duration::from_millis(20),
        "it spins"
    );
    limit("20");
    eventually("all are served", || {
        (server.group().len() == 1 + clients.len()).then_some(())
    });
    clients.clear();
}

#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    let (server, port) = serve(&["-q", "-c", "500", "-C", "500"], &["/bin/true"]);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..2500 {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    eventually("only the server is left", || {
        (server.group().len() == 1).then_some(())
    });
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count();
    assert!(open <= 6, "{open} descriptors");
    server.signal(Signal::SIGTERM);
    server.finish().success();
}
