//! The actions that the sandbox allows.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Instant, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox::{Descriptors, Filter, Profile};

/// Runs the work of an engine and of a key guard.
pub fn an_engine_and_a_guard_can_do_their_work() {
    let output = super::run("INSIDE", "work");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}: {text}", output.status);
    assert_eq!(text, "a message\n");
    println!("allowed: an engine's work");
    assert_eq!(super::run("INSIDE", "guard").status.code(), Some(0));
    println!("allowed: the key guard's work");
}

/// Everything that the key guard does; what only an engine does is refused.
pub fn guard() {
    let (near, far) = unix::net::socket_pair().unwrap();
    let (reader, writer) = unix::fd::pipe().unwrap();
    // Its number is above those of the others: they stay open.
    let near = unix::fd::duplicate_above(near, 50).unwrap();
    let enforced = Profile::guard(&near.as_raw_fd()).enter().unwrap();
    assert!(enforced.descriptors_below == Some(0) && enforced.seccomp == Filter::Enforced);

    let mut buf = [0; 4];
    unix::fd::write_all(&far, b"ask").unwrap();
    // A guard waits in read.
    let mut polled = [PollFd::new(near.as_fd(), PollFlags::POLLIN)];
    let polled = poll(&mut polled, PollTimeout::from(1000u16));
    assert_eq!(polled, Err(Errno::EPERM));
    assert_eq!(unix::fd::read(&near, &mut buf), Ok(3));
    unix::fd::write_all(&near, b"answer").unwrap();
    memory();
    assert_eq!(HashMap::from([(1, 2)]).len(), 1);

    unix::fd::write_all(&writer, b"x").unwrap();
    let refused = Err(Errno::EPERM);
    assert_eq!(unix::fd::read(&reader, &mut buf), refused);
    assert_eq!(unix::fd::read(&far, &mut buf), refused);
    for socket in [&near, &far] {
        assert_eq!(unix::net::receive_at_once(socket, &mut buf), refused);
        assert_eq!(unix::net::send(socket, b"x"), refused);
        assert_eq!(unix::net::end_sending(socket), Err(Errno::EPERM));
        assert_eq!(fcntl(socket, FcntlArg::F_GETFL), Err(Errno::EPERM));
        let flags = FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
        assert_eq!(fcntl(socket, flags), Err(Errno::EPERM));
    }
    drop((far, writer));
    std::process::exit(0)
}

/// Everything that an engine does, once.
pub fn work() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let (reader, writer) = unix::fd::pipe().unwrap();
    let read = [near.as_raw_fd(), reader.as_raw_fd()];
    let write = [far.as_raw_fd(), writer.as_raw_fd()];
    let kept = Descriptors {
        read: &read,
        write: &write,
        sockets: &[near.as_raw_fd(), far.as_raw_fd()],
        switched: &[reader.as_raw_fd(), writer.as_raw_fd()],
        pipes: &read[1..],
    };
    let enforced = Profile::engine(kept).enter().unwrap();
    assert!(enforced.no_new_privs && enforced.not_dumpable && enforced.no_core);
    assert!(enforced.descriptors_below == Some(4) && enforced.seccomp == Filter::Enforced);

    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    fcntl(&writer, FcntlArg::F_GETFD).unwrap();
    // One page, whatever its size.
    assert!(fcntl(&reader, FcntlArg::F_SETPIPE_SZ(4096)).is_ok());
    let fds = [near.as_fd(), far.as_fd(), reader.as_fd(), writer.as_fd()];
    let mut polled = fds.map(|fd| PollFd::new(fd, PollFlags::POLLOUT));
    assert!(poll(&mut polled, PollTimeout::from(1000u16)).unwrap() > 0);
    unix::net::acknowledge(&far).unwrap();

    let mut buf = [0; 4];
    assert_eq!(unix::net::send_at_once(&far, b"abc"), Ok(3));
    assert_eq!(unix::net::receive_at_once(&near, &mut buf), Ok(3));
    assert_eq!(unix::fd::write_all(&writer, b"abc"), Ok(()));
    assert_eq!(unix::fd::read(&reader, &mut buf), Ok(3));
    unix::net::end_sending(&far).unwrap();
    drop(writer);
    assert_eq!(unix::fd::read(&reader, &mut buf), Ok(0));

    memory();
    assert!(Instant::now().elapsed().as_secs() < 60);
    #[allow(clippy::disallowed_methods, reason = "rustls compares it with dates")]
    let now = SystemTime::now();
    assert!(SystemTime::UNIX_EPOCH < now);
    // A HashMap has random keys.
    assert_eq!(HashMap::from([(1, 2)]).len(), 1);
    unix::fd::message(b"a message\n");
    std::process::exit(0)
}

/// Allocates small and large blocks, grows and frees them.
fn memory() {
    let mut all: Vec<Vec<u8>> = (1..200).map(|i| vec![1; i * 1000]).collect();
    all.retain(|piece| piece.len() % 3000 == 0);
    for _ in 0..12 {
        all.iter_mut().for_each(|piece| piece.reserve(piece.len()));
        all.iter_mut().for_each(|piece| piece.push(1));
    }
    let mut large = vec![0u8; 1 << 20];
    large.resize(64 << 20, 1);
    drop(all);
    let size = std::num::NonZeroUsize::new(1 << 20).unwrap();
    let mut pages = unix::pages::Pages::new(size).unwrap();
    pages.fill(7);
    pages.release();
    assert!(pages.iter().all(|byte| *byte == 0) && large[63 << 20] == 1);
}
