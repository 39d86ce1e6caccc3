//! What is accepted, and when.

use cli::address::Address;

use super::*;

/// A context without variables.
fn context() -> Context {
    Context {
        verbosity: 0,
        ..Context::new(&cli::tables::TCPSERVERD, Vec::new(), unix::Env::default())
    }
}

/// Runs `test` with a server that has these limits, in all and for each address, and with this
/// number of waiting clients. Its children end at once; nobody reaps them.
pub(super) fn with_server(
    [total, per_address]: [u32; 2],
    waiting: usize,
    test: impl FnOnce(&mut Server<'_>),
) {
    let mut context = context();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let _clients: Vec<_> = (0..waiting)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let prog = ["/bin/sh", "-c", "exit 0"].map(OsString::from).to_vec();
    let local_address = address.into();
    let rules = Rules {
        limits: ConnectionLimits {
            total,
            per_address,
            ipv6_prefix: None,
        },
        throttle: None,
        drain: None,
    };
    let mut server = Server::new(&mut context, listener, local_address, prog, rules);
    test(&mut server);
}

#[test]
fn everybody_who_waits_is_accepted_and_then_there_is_nothing_to_do() {
    with_server([9, 9], 3, |server| {
        server.accept_all().unwrap();
        assert_eq!((server.table.len(), server.ready), (3, false));
        // Without an event the server does not look for clients.
        server.limits.total = 2;
        server.accept_all().unwrap();
        assert_eq!(server.table.len(), 3);
    });
}

#[test]
fn no_more_than_the_limit_are_accepted_and_the_others_wait() {
    with_server([2, 2], 3, |server| {
        server.accept_all().unwrap();
        assert_eq!((server.table.len(), server.ready), (2, true));
        let first = server.table.pids().next().unwrap();
        server.table.remove(first);
        server.accept_all().unwrap();
        assert_eq!(server.table.len(), 2);
    });
}

#[test]
fn an_address_at_its_limit_is_closed() {
    with_server([9, 2], 4, |server| {
        server.accept_all().unwrap();
        assert_eq!((server.table.len(), server.ready), (2, false));
    });
}

#[test]
fn a_client_that_comes_too_often_is_closed() {
    with_server([9, 9], 4, |server| {
        let rate = cli::Rate {
            count: 3,
            seconds: 86400,
        };
        server.throttle = Some(Throttle::new(rate, None));
        server.accept_all().unwrap();
        assert_eq!((server.table.len(), server.ready), (3, false));
        assert_eq!(server.timeout(), None);
    });
}

#[test]
fn client_refused_for_its_number_uses_its_rate() {
    with_server([9, 1], 3, |server| {
        let rate = cli::Rate {
            count: 4,
            seconds: 86400,
        };
        server.throttle = Some(Throttle::new(rate, None));
        server.accept_all().unwrap();
        assert_eq!(server.table.len(), 1);
        assert!(!server.is_too_soon(server.local));
        assert!(server.is_too_soon(server.local));
    });
}

#[test]
fn ipv6_clients_are_counted_by_the_prefix() {
    for (prefix, counts) in [(None, [1, 1]), (Some(128), [1, 1]), (Some(64), [1, 2])] {
        with_server([9, 9], 0, |server| {
            server.limits.ipv6_prefix = prefix;
            let admit = |address: &str| {
                let (_, connection) = pair();
                let address = Address::parse(address.as_bytes()).unwrap();
                server.admit(connection, Endpoint { address, port: 1 });
                let number = server.context.env.get("TCPCONNNUM").unwrap();
                number.to_str().unwrap().parse::<u32>().unwrap()
            };
            assert_eq!(["2001:db8::1", "2001:db8::2"].map(admit), counts);
        });
    }
}

/// The two ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

#[test]
fn nobody_is_accepted_in_a_pause() {
    with_server([9, 9], 1, |server| {
        server.resume = Some(Instant::now() + Duration::from_secs(3600));
        server.accept_all().unwrap();
        assert_eq!((server.table.len(), server.resume.is_some()), (0, true));
        server.resume = Some(Instant::now());
        server.accept_all().unwrap();
        assert_eq!((server.table.len(), server.resume), (1, None));
    });
}

#[test]
fn end_of_a_connection_ends_a_pause() {
    with_server([9, 9], 1, |server| {
        server.accept_all().unwrap();
        let child = server.table.pids().next().unwrap();
        let resume = Some(Instant::now() + Duration::from_secs(3600));
        server.resume = resume;
        server.forget(Pid::this(), Ended::Exited(0));
        assert_eq!(server.resume, resume);
        server.forget(child, Ended::Exited(0));
        assert_eq!((server.table.len(), server.resume), (0, None));
    });
}

#[test]
fn local_address_of_a_wildcard_socket_is_the_wildcard_of_the_clients_family() {
    with_server([9, 9], 0, |server| {
        for (local, client, expected) in [
            ("::", "192.0.2.1", "0.0.0.0"),
            ("::", "2001:db8::1", "::"),
            ("2001:db8::2", "192.0.2.1", "2001:db8::2"),
            ("::ffff:127.0.0.1", "192.0.2.1", "127.0.0.1"),
        ] {
            let endpoint = |address: &str| {
                let address = Address::parse(address.as_bytes()).unwrap();
                Endpoint { address, port: 1 }
            };
            server.local = endpoint(local);
            server.describe(endpoint(client), 1);
            let told = server.context.env.get("TCPLOCALIP").unwrap();
            assert_eq!(told, expected, "{local}, {client}");
        }
    });
}

#[test]
fn each_pause_is_longer_up_to_a_limit_until_somebody_is_accepted() {
    with_server([9, 9], 1, |server| {
        let mut pauses = Vec::new();
        for _ in 0..5 {
            pauses.push(server.pause.as_millis());
            server.accept_failed(Errno::EMFILE).unwrap();
            assert!(server.resume.take().is_some());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 800]);
        server.accept_all().unwrap();
        assert_eq!(server.pause, FIRST_PAUSE);
    });
}

#[test]
fn a_failed_accept_ends_the_server_only_if_the_socket_is_unusable() {
    with_server([9, 9], 0, |server| {
        for errno in [
            Errno::EINVAL,
            Errno::EOPNOTSUPP,
            Errno::EBADF,
            Errno::ENOTSOCK,
        ] {
            assert!(server.accept_failed(errno).is_err(), "{errno}");
        }
        for errno in [
            Errno::ECONNABORTED,
            Errno::EPERM,
            Errno::ENETDOWN,
            Errno::ETIMEDOUT,
        ] {
            server.accept_failed(errno).unwrap();
            assert_eq!((server.resume, server.ready), (None, true), "{errno}");
        }
        server.accept_failed(Errno::EAGAIN).unwrap();
        assert_eq!((server.resume, server.ready), (None, false));
        server.accept_failed(Errno::ENOMEM).unwrap();
        assert!(server.resume.is_some());
    });
}
