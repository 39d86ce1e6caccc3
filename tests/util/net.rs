//! Sockets on the loopback interface.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use nix::unistd::Pid;

use super::{DEADLINE, eventually};

/// A listener on 127.0.0.1, and its port, which the kernel chose.
pub fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A listener on the port of IDENT, and its address: each test has another one, even in several
/// runs at a time. None, with a message, if the port cannot be bound.
pub fn ident_listener() -> Option<(TcpListener, Ipv4Addr)> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [x, y] = [2, 3].map(|i| std::process::id().to_be_bytes()[i]);
    let ip = Ipv4Addr::new(127, x.max(1), y, NEXT.fetch_add(1, Ordering::Relaxed));
    match TcpListener::bind((ip, 113)) {
        Ok(listener) => Some((listener, ip)),
        Err(error) => {
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{error}"
            );
            super::skip(&format!("no port 113: {error}"));
            None
        }
    }
}

/// A port for a program that cannot tell which one the kernel chose. Another
/// process might take it before, so prefer port 0 where it is understood.
pub fn free_port() -> u16 {
    listener().1
}

/// A port that refuses connections.
pub fn refused_port() -> u16 {
    free_port()
}

/// Whether somebody listens on `port` of 127.0.0.1.
pub fn is_listened_on(port: u16) -> bool {
    let socket = format!("0100007F:{port:04X} 00000000:0000 0A");
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    sockets.contains(&socket)
}

/// Whether the process `pid` listens on `port` of 127.0.0.1.
pub fn process_listens_on(pid: Pid, port: u16) -> bool {
    let socket = format!("0100007F:{port:04X} 00000000:0000 0A");
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = sockets.lines().find(|line| line.contains(&socket));
    let Some(inode) = line.and_then(|line| line.split_whitespace().nth(9)) else {
        return false;
    };
    // It may have ended meanwhile.
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let links = descriptors.into_iter().flatten().flatten();
    let mut links = links.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.any(|link| link.as_os_str() == format!("socket:[{inode}]").as_str())
}

/// Waits until somebody listens on `port` of 127.0.0.1.
pub fn listens(port: u16) {
    eventually("somebody listens", || is_listened_on(port).then_some(()));
}

/// The next connection to `listener`, or a failure after the deadline.
pub fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let end = Instant::now() + DEADLINE;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(Instant::now() < end, "nobody connected");
                super::idle(std::time::Duration::from_millis(1));
            }
            Err(error) => panic!("accept: {error}"),
        }
    }
}

/// Both ends of a TCP connection: the client's, the server's. Reads in the
/// test fail after the deadline.
pub fn tcp_pair() -> (TcpStream, TcpStream) {
    let (listener, port) = listener();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let server = accept(&listener);
    (client, server)
}
