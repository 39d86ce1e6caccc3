//! How a server drains.

use mio::Poll;

use super::super::tests::with_server;
use super::*;

const LONG: Duration = Duration::from_secs(3600);

/// Has a server drain that is registered like a running one.
fn drain(server: &mut Server<'_>, limit: Duration) {
    let poll = Poll::new().unwrap();
    let (wake, _writer) = unix::fd::pipe().unwrap();
    server.register(poll.registry(), wake.as_fd()).unwrap();
    server.begin_drain(limit, poll.registry()).unwrap();
}

#[test]
fn server_that_drains_has_accepted_everybody_in_the_queue() {
    with_server([9, 9], 3, |server| {
        server.ready = false;
        server.resume = Some(Instant::now() + LONG);
        drain(server, LONG);
        assert_eq!(
            (server.table.len(), server.stage.is_listening()),
            (3, false)
        );
        assert!(!server.is_drained());
        assert!(server.timeout().is_some_and(|time| time <= LONG));
        server.accept_all().unwrap();
        for pid in server.table.pids().collect::<Vec<_>>() {
            server.table.remove(pid);
        }
        assert!(server.is_drained());
    });
}

#[test]
fn server_that_drains_keeps_its_limit() {
    with_server([2, 2], 3, |server| {
        assert!(server.has_queue());
        drain(server, LONG);
        assert_eq!(server.table.len(), 2);
        let first = server.table.pids().next().unwrap();
        server.table.remove(first);
        server.accept_all().unwrap();
        assert_eq!((server.table.len(), server.has_queue()), (1, false));
    });
}

#[test]
fn client_that_comes_after_the_last_accept_causes_no_warning() {
    with_server([1, 1], 2, |server| {
        server.accept_queue().unwrap();
        assert!(server.leaves_queue());
        // As after EAGAIN.
        server.ready = false;
        assert!(server.has_queue() && !server.leaves_queue());
    });
}

#[test]
fn server_is_drained_when_the_time_is_over() {
    with_server([9, 9], 1, |server| {
        drain(server, Duration::ZERO);
        assert_eq!(server.table.len(), 1);
        assert!(server.is_drained());
        assert_eq!(server.timeout(), Some(Duration::ZERO));
    });
}

#[test]
fn sigterm_drains_once_and_only_with_the_option() {
    with_server([9, 9], 1, |server| {
        assert!(matches!(server.terminate(), Next::Quit));
        server.drain = Some(LONG);
        assert!(matches!(server.terminate(), Next::Drain(LONG)));
        drain(server, LONG);
        assert!(matches!(server.terminate(), Next::Quit));
    });
}
