//! Queries over a socket pair, and replies.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::*;

fn reply(line: &str) -> Result<Reply, Errno> {
    parse(line.as_bytes(), (6191, 23))
}

#[test]
fn user_is_what_follows_the_third_colon_and_one_blank() {
    for (line, name) in [
        ("6191, 23 : USERID : UNIX : joe\r", "joe"),
        ("6191,23:USERID:UNIX:joe", "joe"),
        (" 6191\t,\t23 : USERID : OTHER :  a:b \r", " a:b "),
        ("6191,23:USERID:UNIX:", ""),
    ] {
        assert_eq!(reply(line), Ok(Reply::User(name.into())), "{line}");
    }
}

#[test]
fn error_codes_have_texts() {
    for (code, words) in [
        ("NO-USER", "no such user"),
        ("HIDDEN-USER", "identification denied"),
        ("INVALID-PORT", "invalid port"),
        ("UNKNOWN-ERROR", "unknown error"),
        ("XYZZY", "X-error-token"),
    ] {
        let line = format!("6191, 23 : ERROR : {code}\r");
        assert_eq!(reply(&line), Ok(Reply::Error(words)));
    }
}

/// A query that has to be sent on a connection, and the server's end of it.
fn query(until: Instant) -> (Query, UnixStream) {
    let (socket, server) = UnixStream::pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let query = Query {
        socket: socket.into(),
        send: b"6191 , 23\r\n".to_vec(),
        received: Vec::new(),
        ports: (6191, 23),
        until,
        required: false,
        result: None,
    };
    (query, server)
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn query_without_deadline_times_out() {
    let (mut query, _server) = query(until(None));
    query.step(Instant::now());
    query.step(Instant::now());
    assert_eq!(query.result, None);
    query.step(Instant::now() + DEFAULT_LIMIT);
    assert_eq!(query.result, Some(Err(Errno::ETIMEDOUT)));
}

#[test]
fn a_silent_server_is_waited_for_until_the_deadline() {
    let deadline = Instant::now() + Duration::from_millis(20);
    let (query, _server) = query(deadline);
    assert_eq!(query.finish(), Err(Errno::ETIMEDOUT));
    assert!(Instant::now() >= deadline);
}

#[test]
fn the_query_is_one_line_and_its_reply_may_come_in_pieces() {
    let (mut query, mut server) = query(far());
    assert_eq!(turn(&mut [&mut query], Some(far())), Ok(true));
    let mut line = [0; 11];
    server.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"6191 , 23\r\n");
    for piece in ["6191,23:USERID:", "UNIX:joe", "\r\nmore\n"] {
        assert!(!query.is_finished());
        server.write_all(piece.as_bytes()).unwrap();
        assert_eq!(turn(&mut [&mut query], Some(far())), Ok(true));
    }
    assert!(query.is_finished());
    assert_eq!(query.finish(), Ok(Reply::User(b"joe".to_vec())));
}

#[test]
fn a_server_that_says_nothing_knows_nothing() {
    let (query, server) = query(far());
    server.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(query.finish(), Ok(Reply::Error("unknown error")));
}

#[test]
fn a_reply_without_an_end_is_not_read_forever() {
    let head = b"6191,23:ERROR:X";
    let reply = |length: usize| {
        let (mut query, mut server) = query(far());
        let blanks = vec![b' '; length - head.len()];
        let line = [head, &blanks[..], b"\n"].concat();
        // Its first byte comes alone, so that more than MAX_REPLY bytes can be there at last.
        server.write_all(&line[..1]).unwrap();
        for _ in 0..2 {
            assert_eq!(turn(&mut [&mut query], Some(far())), Ok(true));
        }
        server.write_all(&line[1..]).unwrap();
        query.finish()
    };
    assert_eq!(reply(MAX_REPLY - 1), Ok(Reply::Error("X-error-token")));
    for long in [MAX_REPLY, MAX_REPLY + 1, 2 * MAX_REPLY] {
        assert_eq!(reply(long), Err(Errno::EPROTO));
    }
}

#[test]
fn only_a_query_that_was_started_is_a_task() {
    assert!(Query::task(&mut Some(Ok(query(far()).0))).is_some());
    assert!(Query::task(&mut Some(Err(Errno::ENETUNREACH))).is_none());
    assert!(Query::task(&mut None).is_none());
}

#[test]
fn query_ends_the_tasks_beside_it_only_without_a_user_that_is_required() {
    let ends = |required, reply: &[u8]| {
        let (query, mut server) = query(far());
        let mut query = query.required(required);
        server.write_all(reply).unwrap();
        assert!(!query.ends_all());
        while turn(&mut [&mut query], None).unwrap() {}
        query.ends_all()
    };
    assert!(ends(true, b"6191,23:ERROR:NO-USER\n"));
    assert!(ends(true, b"nonsense\n"));
    assert!(!ends(true, b"6191,23:USERID:UNIX:joe\n"));
    assert!(!ends(false, b"6191,23:ERROR:NO-USER\n"));
}

#[test]
fn malformed_reply_is_a_protocol_error() {
    for line in [
        "",
        "6191, 23",
        "6191, 24 : USERID : UNIX : joe",
        "6191, 23, 1 : USERID : UNIX : joe",
        "6191 : USERID : UNIX : joe",
        "6191, 23 : USERID : UNIX",
        "6191, 23 : USERID : UNIX : j\0e",
        "6191, 23 : USERID : UNIX : j\re",
        "6191, 23 : USERID : UNIX : j\x1b[2Je",
        "6191, 23 : USERID : UNIX : joe\x7f",
        "6191, 23 : ERROR : WHAT",
        "6191, 23 : NOTHING : x : y",
    ] {
        assert_eq!(reply(line), Err(Errno::EPROTO), "{line:?}");
    }
    let named = |length| reply(&format!("6191, 23:USERID:UNIX:{}", "x".repeat(length)));
    assert_eq!(named(MAX_NAME), Ok(Reply::User(vec![b'x'; MAX_NAME])));
    assert_eq!(named(MAX_NAME + 1), Err(Errno::EPROTO));
}
