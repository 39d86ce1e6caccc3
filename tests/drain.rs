//! `--drain` of `s6-tcpserverd`: it ends without losing a client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::tcpserverd::serve;
use crate::util::{Cmd, DEADLINE, Ended, Running, TempDir, cmd, eventually, listener};

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Whether the program at the other end echoes.
fn echoes(stream: &mut TcpStream) -> bool {
    stream.write_all(b"x").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

/// A server of `cat`, with this many clients that are served.
fn busy(options: &[&str], clients: usize) -> (Running, u16, Vec<TcpStream>) {
    let (server, port) = serve(options, &["cat"]);
    let mut clients: Vec<_> = (0..clients).map(|_| connect(port)).collect();
    assert!(clients.iter_mut().all(echoes));
    (server, port, clients)
}

/// Stops the server (SIGSTOP), runs `meanwhile`, and lets the server drain.
fn drain_after<T>(server: &Running, meanwhile: impl FnOnce() -> T) -> T {
    server.signal(Signal::SIGSTOP);
    eventually("the server is stopped", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        stat.contains(") T ").then_some(())
    });
    let result = meanwhile();
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGCONT);
    result
}

#[test]
fn server_refuses_new_clients_and_ends_with_the_last_connection() {
    let (server, port, mut clients) = busy(&["-v", "--drain=3600"], 2);
    server.signal(Signal::SIGTERM);
    server.wait_err("info: received SIGTERM, waiting for 2 connections, at most 3600 seconds\n");
    let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    // The address is free for a successor.
    let successor = cmd(["s6-tcpserver", "-1", "127.0.0.1", &port.to_string(), "cat"]).start();
    assert_eq!(successor.port(), port);
    assert!(echoes(&mut connect(port)));
    assert!(clients.iter_mut().all(echoes));
    clients.pop();
    server.wait_err("exitcode 0 count 1/40\n");
    assert!(clients.iter_mut().all(echoes) && server.alive());
    clients.pop();
    let log = server.finish().success().err();
    let end = "count 0/40\ns6-tcpserverd: info: status: 0/40\ns6-tcpserverd: info: exiting\n";
    assert!(log.ends_with(end), "{log}");
    assert!(!log.contains("warning"), "{log}");
}

#[test]
fn server_without_connections_ends_at_once() {
    let (server, _) = serve(&["--drain=3600"], &["cat"]);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.finish().success().err(), "");
}

#[test]
fn clients_in_the_queue_are_served_before_the_socket_is_closed() {
    let (server, port, first) = busy(&["--drain=3600"], 1);
    let mut queued = drain_after(&server, || {
        (0..20).map(|_| connect(port)).collect::<Vec<_>>()
    });
    assert!(queued.iter_mut().all(echoes));
    drop((first, queued));
    assert_eq!(server.finish().success().err(), "");
}

#[test]
fn clients_in_the_queue_beyond_the_limit_are_lost_with_a_warning() {
    let (server, port, mut clients) = busy(&["-c3", "--drain=3600"], 2);
    let mut queued = drain_after(&server, || [connect(port), connect(port)]);
    assert!(echoes(&mut queued[0]));
    assert!(!echoes(&mut queued[1]));
    // A place that becomes free is not given to a waiting client.
    clients.pop();
    assert!(clients.iter_mut().all(echoes));
    drop((clients, queued));
    assert_eq!(
        server.finish().success().err(),
        "s6-tcpserverd: warning: closing the listening socket while clients wait: \
         they are lost, unless another process listens on it\n"
    );
}

#[test]
fn full_server_drains_without_a_second_line_about_the_limit() {
    let (server, _, mut clients) = busy(&["-c2", "--drain=3600"], 2);
    let reached = "s6-tcpserverd: warning: limit of 2 connections reached: further clients wait\n";
    server.wait_err(reached);
    server.signal(Signal::SIGTERM);
    assert!(clients.iter_mut().all(echoes));
    drop(clients);
    assert_eq!(server.finish().success().err(), reached);
}

#[test]
fn connections_beyond_the_time_go_on_without_the_server() {
    let (mut server, _, mut clients) = busy(&["--drain=1"], 2);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Ended::Exited(0));
    assert!(clients.iter_mut().all(echoes));
    drop(clients);
    assert_eq!(
        server.finish().success().err(),
        "s6-tcpserverd: warning: the time of --drain is over: 2 connections go on by themselves\n"
    );
}

#[test]
fn further_signals_act_while_the_server_drains() {
    for (signal, survives, text) in [
        (Signal::SIGTERM, true, "received SIGTERM again, quitting\n"),
        (Signal::SIGHUP, false, "received SIGHUP, sending SIGTERM"),
        (Signal::SIGQUIT, false, "received SIGQUIT, sending SIGTERM"),
        (Signal::SIGABRT, false, "received SIGABRT, sending SIGKILL"),
    ] {
        let (mut server, _, mut clients) = busy(&["-v", "--drain=3600"], 1);
        server.signal(Signal::SIGTERM);
        server.wait_err("waiting for 1 connections");
        server.signal(signal);
        assert_eq!(server.wait(), Ended::Exited(0), "{signal}");
        assert_eq!(echoes(&mut clients[0]), survives, "{signal}");
        drop(clients);
        let log = server.finish().success().err();
        assert!(log.contains(text), "{log}");
        assert!(log.ends_with("info: exiting\n"), "{log}");
    }
}

#[test]
fn sigterm_without_the_option_ends_the_server_at_once() {
    let (mut server, _, mut clients) = busy(&[], 1);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Ended::Exited(0));
    assert!(clients.iter_mut().all(echoes));
}

/// The message that a service manager gets when a server with `NOTIFY_SOCKET` drains.
fn told(manager: &UnixDatagram, name: &str) -> String {
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let server = cmd(["s6-tcpserver", "-1", "--drain=30", "127.0.0.1", "0", "cat"]);
    let server = server.env("NOTIFY_SOCKET", name).start();
    server.port();
    server.signal(Signal::SIGTERM);
    let mut message = [0; 256];
    let length = manager.recv(&mut message).unwrap();
    assert_eq!(server.finish().success().err(), "");
    String::from_utf8(message[..length].to_vec()).unwrap()
}

#[test]
fn service_manager_is_told_that_the_end_takes_time() {
    let dir = TempDir::new();
    let path = dir.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let expected = "STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\n";
    assert_eq!(told(&manager, path.to_str().unwrap()), expected);
    // systemd uses abstract names, too.
    let name = path.to_str().unwrap();
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    assert_eq!(told(&manager, &format!("@{name}")), expected);
}

#[test]
fn unreachable_service_manager_causes_a_warning_only() {
    let dir = TempDir::new();
    let full = dir.join("full");
    let manager = UnixDatagram::bind(&full).unwrap();
    // Each sender may have a few messages in the queue.
    let sends = || {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        sender.send_to(b"x", &full).is_ok()
    };
    while sends() {}
    for (name, why) in [
        (dir.join("nobody"), "No such file or directory"),
        (full.clone(), "Resource temporarily unavailable"),
        (dir.join(&"x".repeat(108)), "File name too long"),
    ] {
        let server = cmd(["s6-tcpserver", "-1", "--drain=30", "127.0.0.1", "0", "cat"]);
        let server = server.env("NOTIFY_SOCKET", &name).start();
        server.port();
        server.signal(Signal::SIGTERM);
        let warning =
            format!("s6-tcpserverd: warning: unable to notify the service manager: {why}\n");
        assert_eq!(server.finish().success().err(), warning);
    }
    drop(manager);
}

/// A server on a socket that others have open, too. It tells its name and echoes.
fn instance(name: &str, socket: &TcpListener) -> Cmd {
    let program = format!("echo {name}; exec cat");
    cmd(["s6-tcpserverd", "-v2", "-c1000", "-C1000", "--drain=3600"])
        .args(["sh", "-c", &program])
        .fd(0, socket.try_clone().unwrap())
}

/// Connects and talks; returns the name of the instance that serves. Fails if the connection is
/// lost.
fn talk_to_any(port: u16) -> String {
    let mut stream = connect(port);
    let mut name = [0; 4];
    stream.read_exact(&mut name).unwrap();
    for _ in 0..3 {
        assert!(echoes(&mut stream));
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    String::from_utf8_lossy(&name).trim_end().to_owned()
}

#[test]
fn restart_on_a_socket_that_stays_open_loses_nobody() {
    let (socket, port) = listener();
    let first = instance("one", &socket).start();
    let mut long = connect(port);
    let (stop, served) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 2]);
    let visit = || {
        while !stop.load(Ordering::Relaxed) {
            let name = talk_to_any(port);
            let which = ["one", "two"].iter().position(|other| *other == name);
            served[which.unwrap()].fetch_add(1, Ordering::Relaxed);
        }
    };
    let reaches = |which: usize, count| {
        eventually("the instance serves", || {
            (served[which].load(Ordering::Relaxed) >= count).then_some(())
        });
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(visit)).collect();
        reaches(0, 20);
        first.signal(Signal::SIGTERM);
        first.wait_err("info: received SIGTERM, waiting for ");
        // Clients wait in the queue of the socket, which the test has open.
        let second = instance("two", &socket).start();
        reaches(1, 20);
        // And back to a third one, with the second still there.
        let third = instance("one", &socket).start();
        third.wait_err("status: 0/1000\n");
        second.signal(Signal::SIGTERM);
        second.finish().success();
        let before = served[0].load(Ordering::Relaxed);
        reaches(0, before + 20);
        stop.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    // A connection of the first instance has outlived two successors.
    long.read_exact(&mut [0; 4]).unwrap();
    assert!(echoes(&mut long) && first.alive());
    drop(long);
    let log = first.finish().success().err();
    assert!(!log.contains("warning"), "{log}");
}

#[test]
fn server_that_drains_leaves_the_clients_of_a_shared_socket_alone() {
    let (socket, port) = listener();
    let first = instance("one", &socket).start();
    let mut long = connect(port);
    long.read_exact(&mut [0; 4]).unwrap();
    first.signal(Signal::SIGTERM);
    first.wait_err("waiting for 1 connections");
    let mut waiting: Vec<_> = (0..5).map(|_| connect(port)).collect();
    let before = first.cpu();
    crate::util::idle(Duration::from_millis(200));
    assert!(first.cpu() - before < Duration::from_millis(20), "it spins");
    let _second = instance("two", &socket).start();
    for client in &mut waiting {
        let mut name = [0; 4];
        client.read_exact(&mut name).unwrap();
        assert_eq!(name, *b"two\n");
    }
    assert!(echoes(&mut long));
}

/// The example of doc/scaling.md.
#[test]
fn two_instances_behind_one_socketbinder_hand_over() {
    let script = "exec 3<&0 </dev/null\n\
                  s6-tcpserverd -1 --drain=30 sh -c 'echo old; cat' <&3 3<&- & old=$!\n\
                  read go < \"$GO\"\n\
                  kill $old\n\
                  s6-tcpserverd --drain=30 sh -c 'echo new; cat' <&3 3<&- & new=$!\n\
                  exec 3<&-\n\
                  wait $old && echo ended >&2\n\
                  wait $new";
    let dir = TempDir::new();
    let go = dir.join("go");
    cmd(["mkfifo", go.to_str().unwrap()]).run().success();
    let service = cmd([
        "s6-tcpserver-socketbinder",
        "127.0.0.1",
        "0",
        "sh",
        "-c",
        script,
    ]);
    let service = service.env("GO", &go).start();
    let port = service.port();
    let mut old = connect(port);
    let greeting = |stream: &mut TcpStream| {
        let mut name = [0; 4];
        stream.read_exact(&mut name).unwrap();
        String::from_utf8(name.to_vec()).unwrap()
    };
    assert_eq!(greeting(&mut old), "old\n");
    std::fs::write(&go, "go\n").unwrap();
    eventually("the new one serves", || {
        (greeting(&mut connect(port)) == "new\n").then_some(())
    });
    assert!(echoes(&mut old));
    drop(old);
    service.wait_err("ended\n");
}
