//! s6-ident-client and `s6-tcpclient -r`, against an IDENT server of our own.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::util::{Output, accept, cmd, ident_listener, need, pipe};

/// An IDENT server. It reads one query and answers with `pieces`, in which `PORTS`
/// stands for the ports of the query. Its thread returns the query. None, with a
/// message, if port 113 cannot be bound.
fn server(pieces: &'static [&'static str]) -> Option<(Ipv4Addr, JoinHandle<String>)> {
    let (listener, ip) = ident_listener()?;
    let thread = std::thread::spawn(move || {
        let stream = accept(&listener);
        stream.set_nodelay(true).unwrap();
        let mut question = String::new();
        BufReader::new(&stream).read_line(&mut question).unwrap();
        let ports = question.trim_end().to_owned();
        for piece in pieces {
            if *piece == "WAIT" {
                // The other side closes first.
                let _ = BufReader::new(&stream).read_line(&mut question);
                return question;
            }
            // The client may close before it has read everything.
            let _ = (&stream).write_all(piece.replace("PORTS", &ports).as_bytes());
        }
        let _ = stream.shutdown(Shutdown::Both);
        question
    });
    Some((ip, thread))
}

/// The output of s6-ident-client for an answer.
fn ask(pieces: &'static [&'static str], options: &[&str]) -> Option<Output> {
    let (ip, thread) = server(pieces)?;
    let output = cmd(["s6-ident-client"])
        .args(options)
        .args([&ip.to_string(), "6191", "127.0.0.1", "23"])
        .run();
    assert_eq!(thread.join().unwrap(), "6191 , 23\r\n");
    Some(output)
}

#[test]
fn a_user_is_printed() {
    for (pieces, user) in [
        (&["PORTS : USERID : UNIX : joe\r\n"][..], "joe\n"),
        (&["6191,23:USERID:UNIX,US-ASCII:a:b c\n"], "a:b c\n"),
        (
            &["619", "1\t,  23 : USERID", " : OTHER :  x ", "\r", "\nrest"],
            " x \n",
        ),
    ] {
        if let Some(output) = ask(pieces, &[]) {
            assert_eq!(output.success().out(), user);
        }
    }
}

#[test]
fn refusals_have_their_words() {
    for (pieces, words) in [
        (&["PORTS : ERROR : NO-USER\r\n"][..], "no such user"),
        (
            &["PORTS : ERROR : HIDDEN-USER\r\n"],
            "identification denied",
        ),
        (&["PORTS : ERROR : INVALID-PORT\r\n"], "invalid port"),
        (&["PORTS : ERROR : UNKNOWN-ERROR\r\n"], "unknown error"),
        (&["PORTS : ERROR : XNOT-TODAY\r\n"], "X-error-token"),
        (&["PORTS : USERID : UNIX : jo"], "unknown error"),
        (&[], "unknown error"),
    ] {
        if let Some(output) = ask(pieces, &[]) {
            let line = format!("s6-ident-client: warning: ident server replied: {words}");
            assert_eq!(output.fatal(1, &line).out(), "");
        }
    }
}

#[test]
fn nonsense_is_a_protocol_error() {
    const LONG: &str = "6191, 23 : USERID : UNIX : \
        0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for pieces in [
        &["hello\r\n"][..],
        &["6191, 24 : USERID : UNIX : joe\r\n"],
        &["PORTS : USERID : UNIX : j\0e\r\n"],
        &["PORTS : USERID : UNIX : j\x1b[2Je\r\n"],
        &["PORTS : USERID : UNIX : j\u{9b}2Je\r\n"],
        &["PORTS : ERROR : WHAT\r\n"],
        &[
            LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG,
        ],
        // A line of more than 1024 bytes, but with an end.
        &[
            LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, "\n",
        ],
    ] {
        if let Some(output) = ask(pieces, &[]) {
            let start = "s6-ident-client: fatal: unable to ";
            let output = output.fatal_with(111, start, &["Protocol error"]);
            assert_eq!(output.out(), "");
        }
    }
}

#[test]
fn time_and_addresses_are_limited() {
    let begun = Instant::now();
    if let Some(output) = ask(&["PORTS : USERID", "WAIT"], &["-t", "100"]) {
        output.fatal_with(99, "s6-ident-client: fatal: unable to ", &[]);
        // Without a limit it would wait for ever.
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    let run = |args: [&str; 4]| cmd(["s6-ident-client"]).args(args).run();
    let fatal = |args, text| drop(run(args).fatal(100, &format!("s6-ident-client: fatal: {text}")));
    fatal(["::1", "1", "127.0.0.1", "2"], "address family mismatch");
    fatal(
        ["127.0.0.1x", "1", "127.0.0.1", "2"],
        "invalid IP address: 127.0.0.1x",
    );
    fatal(
        ["127.0.0.1", "1", "::1%lo", "2"],
        "invalid IP address: ::1%lo",
    );
    fatal(
        ["127.0.0.1", "smtp", "127.0.0.1", "2"],
        "invalid port number: smtp",
    );
    fatal(
        ["127.0.0.1", "1", "127.0.0.1", "65536"],
        "invalid port number: 65536",
    );
    fatal(
        ["::ffff:127.0.0.1", "1", "::1", "2"],
        "address family mismatch",
    );
    for ips in [
        ["127.255.255.2", "127.0.0.1"],
        ["::ffff:127.255.255.2", "::ffff:127.0.0.1"],
    ] {
        let refused = run([ips[0], "1", ips[1], "2"]);
        let start = "s6-ident-client: fatal: unable to ";
        refused.fatal_with(111, start, &["Connection refused"]);
    }
    let usage = cmd(["s6-ident-client", "127.0.0.1", "1", "127.0.0.1"])
        .run()
        .code(100);
    assert!(
        usage
            .err()
            .starts_with("s6-ident-client: usage: s6-ident-client ")
    );
}

#[test]
fn an_address_on_a_missing_interface_is_named_whichever_end_has_it() {
    for [remote, local] in [["nowhere0", "lo"], ["lo", "nowhere0"]] {
        let ends = [format!("fe80::1%{remote}"), format!("fe80::1%{local}")];
        let output = cmd(["s6-ident-client", &ends[0], "1", &ends[1], "2"]).run();
        let line = "s6-ident-client: fatal: unable to find the interface of fe80::1%nowhere0: \
            No such device";
        output.fatal(111, line);
    }
}

#[test]
fn no_program_waits_for_an_answer_without_end() {
    if !need(&["strace"]) {
        return;
    }
    for program in ["s6-ident-client", "s6-tcpserver-access", "s6-tcpclient"] {
        let Some((ip, _thread)) = server(&["WAIT"]) else {
            return;
        };
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let (ip, port) = (
            ip.to_string(),
            listener.local_addr().unwrap().port().to_string(),
        );
        let args = match program {
            "s6-ident-client" => vec![&*ip, "6191", "127.0.0.1", "23"],
            "s6-tcpserver-access" => vec!["-Hr", "true"],
            _ => vec!["-Hr", &ip, &port, "true"],
        };
        let waiting = cmd(["strace", "-e", "trace=poll,ppoll", program])
            .args(args)
            .env("PROTO", "TCP")
            .env("TCPREMOTEIP", &ip)
            .env("TCPREMOTEPORT", "6191")
            .env("TCPLOCALIP", "127.0.0.1")
            .env("TCPLOCALPORT", "23")
            .start();
        // The last wait is for the answer.
        let calls = waiting.wait_err("POLLIN}], 1, ");
        let limit = calls.rsplit("POLLIN}], 1, ").next().unwrap();
        assert!(limit.starts_with(['2', '3', '{']), "{program}: {calls}");
    }
}

#[test]
fn a_closed_or_broken_output_is_an_error_and_no_signal() {
    for closed in [true, false] {
        let Some((ip, thread)) = server(&["PORTS : USERID : UNIX : joe\r\n"]) else {
            return;
        };
        let command = cmd([
            "s6-ident-client",
            &ip.to_string(),
            "6191",
            "127.0.0.1",
            "23",
        ]);
        let command = if closed {
            command.closed(1)
        } else {
            command.fd(1, pipe().1)
        };
        let start = "s6-ident-client: fatal: unable to write to stdout: ";
        command.run().fatal_with(111, start, &[]);
        thread.join().unwrap();
    }
}

#[test]
fn the_client_asks_for_the_user_of_the_other_end() {
    let show = "echo \"${TCPREMOTEINFO-unset}\"";
    let Some((ip, thread)) = server(&["PORTS : USERID : UNIX : Joe\r\n"]) else {
        return;
    };
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let client = |options: &[&str]| {
        cmd(["s6-tcpclient", "-H"])
            .args(options)
            .args([&ip.to_string(), &port, "sh", "-c", show])
            .env("TCPREMOTEINFO", "inherited")
            .run()
            .success()
    };
    assert_eq!(client(&["-r"]).out(), "Joe\n");
    let question = thread.join().unwrap();
    assert!(question.starts_with(&format!("{port} , ")), "{question}");
    // From here on no server answers.
    let refused = client(&["-r"]);
    assert_eq!(refused.out(), "\n");
    let warning = refused.err();
    assert!(
        warning.starts_with("s6-tcpclient: warning: unable to "),
        "{warning}"
    );
    assert_eq!(client(&["-rq"]).err(), "");
    assert_eq!(client(&["-rR"]).out(), "unset\n");
}

#[test]
fn the_client_warns_of_a_server_that_names_nobody() {
    let Some((ip, thread)) = server(&["PORTS : ERROR : HIDDEN-USER\r\n"]) else {
        return;
    };
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let output = cmd(["s6-tcpclient", "-Hr", &ip.to_string(), &port])
        .args(["sh", "-c", "echo \"$TCPREMOTEINFO.\""])
        .run()
        .success();
    assert_eq!(output.out(), ".\n");
    let warning = "s6-tcpclient: warning: ident server replied: identification denied\n";
    assert_eq!(output.err(), warning);
    thread.join().unwrap();
}
