//! `s6-tcpserver-access -r`, against an IDENT server of our own.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use super::{EARLY, access, said};
use crate::util::{Answer, DnsServer, cmd, ident_listener};

/// The question for the name of `ip`.
fn reversed(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa. PTR")
}

#[test]
fn ident_is_queried_only_with_r() {
    let Some((socket, ip)) = ident_listener() else {
        return;
    };
    let ip = ip.to_string();
    std::thread::spawn(move || {
        for (i, stream) in socket.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut question = [0; 11];
            let _ = stream.read_exact(&mut question);
            let answer = if i == 0 {
                "USERID : UNIX : joe"
            } else {
                "ERROR : NO-USER"
            };
            let _ = write!(stream, "4000 , 80 : {answer}\r\n");
        }
    });
    let run = |options: &[&str]| access(options).env("TCPREMOTEIP", &ip).run();
    assert_eq!(run(&["-Hr"]).success().out(), "unset unset joe none\n");
    let output = run(&["-Hrv3"]).success();
    assert_eq!(output.out(), "unset unset unset none\n");
    assert!(
        output
            .err()
            .contains("warning: ident server replied: no such user\n")
    );
    let refused = |ip: &str| format!("s6-tcpserver-access: pid info: deny pid ip {ip}");
    let output = run(&["-Hrw"]).code(2);
    let no_user = " reason ident server replied: no such user";
    assert_eq!(said(&output.err()), refused(&ip) + no_user);
    let client = cmd(["s6-ident-client", &ip, "4000", "127.0.0.1", "80"]).run();
    client.fatal(
        1,
        "s6-ident-client: warning: ident server replied: no such user",
    );
}

#[test]
fn a_client_without_an_ident_server_is_refused_only_with_w() {
    // Nothing listens on port 113 of the first one; no query to the other one can start,
    // because the server's address is not ours.
    for (remote, local, why) in [
        ("127.0.0.78", "127.0.0.1", "Connection refused"),
        ("127.0.0.78", "192.0.2.1", "Cannot assign requested address"),
    ] {
        let run = |options: &[&str]| {
            let access = access(options).env("TCPREMOTEIP", remote);
            access.env("TCPLOCALIP", local).run()
        };
        let why = format!("unable to ask the ident server: {why}");
        let refused = said(&run(&["-Hrw"]).code(111).err());
        let line = format!("deny pid ip {remote} reason {why}");
        assert!(refused.contains(&line), "{refused}");
        assert!(refused.ends_with(&format!("fatal: {why}")), "{refused}");
        let served = run(&["-Hrv3"]).success();
        assert_eq!(served.out(), "unset unset unset none\n");
        let warning = format!("warning: {why}\n");
        assert!(served.err().contains(&warning), "{}", served.err());
    }
}

#[test]
fn an_ident_server_that_does_not_answer_costs_no_more_than_the_time_limit() {
    let Some((_silent, ip)) = ident_listener() else {
        return;
    };
    let started = Instant::now();
    let run = access(&["-Hr", "-t", "200"])
        .env("TCPREMOTEIP", ip.to_string())
        .run();
    let said = said(&run.code(99).err());
    assert_eq!(said, "s6-tcpserver-access: pid fatal: time limit reached");
    assert!(started.elapsed() < EARLY);
}

#[test]
fn ident_and_dns_are_queried_at_the_same_time() {
    let Some((ident, ip)) = ident_listener() else {
        return;
    };
    // Neither server answers before both have been asked.
    let both = Arc::new(Barrier::new(2));
    let name = Answer::Together(Arc::clone(&both), "a.test");
    let Some(dns) = DnsServer::start(&[
        (&reversed(ip), name),
        // Nobody asks for the local name, which an option gives.
        ("1.0.0.127.in-addr.arpa. PTR", Answer::Nothing),
    ]) else {
        return;
    };
    std::thread::spawn(move || {
        let mut stream = ident.accept().unwrap().0;
        let _ = stream.read_exact(&mut [0; 11]);
        both.wait();
        let _ = stream.write_all(b"4000 , 80 : USERID : UNIX : joe\r\n");
    });
    let run = access(&["-r", "-l", "me", "-t", "20000"])
        .env("TCPREMOTEIP", ip.to_string())
        .env("DNSCACHEIP", dns.ip.to_string())
        .run();
    assert_eq!(run.success().out(), "a.test. me joe none\n");
}

#[test]
fn a_client_that_ident_refuses_with_w_does_not_wait_for_the_dns() {
    let Some((ident, ip)) = ident_listener() else {
        return;
    };
    let answers = ["ERROR : NO-USER", "nonsense"];
    std::thread::spawn(move || {
        for (stream, answer) in ident.incoming().zip(answers) {
            let mut stream = stream.unwrap();
            let _ = stream.read_exact(&mut [0; 11]);
            let _ = write!(stream, "4000 , 80 : {answer}\r\n");
        }
    });
    let Some(dns) = DnsServer::start(&[(&reversed(ip), Answer::Nothing)]) else {
        return;
    };
    let started = Instant::now();
    // No query can start from the last one, because that address is not ours.
    for (local, code, why) in [
        ("127.0.0.1", 2, "ident server replied: no such user"),
        (
            "127.0.0.1",
            111,
            "unable to ask the ident server: Protocol error",
        ),
        (
            "192.0.2.1",
            111,
            "unable to ask the ident server: Cannot assign requested address",
        ),
    ] {
        let run = access(&["-rw"])
            .env("TCPLOCALIP", local)
            .env("TCPREMOTEIP", ip.to_string())
            .env("DNSCACHEIP", dns.ip.to_string());
        let err = said(&run.run().code(code).err());
        assert!(
            err.contains(&format!("deny pid ip {ip} reason {why}")),
            "{err}"
        );
    }
    assert!(started.elapsed() < EARLY);
}

#[test]
fn a_client_without_a_user_keeps_its_name_if_the_dns_answers_after_ident() {
    let Some((ident, ip)) = ident_listener() else {
        return;
    };
    let both = Arc::new(Barrier::new(2));
    let name = Answer::Together(Arc::clone(&both), "a.test");
    let Some(dns) = DnsServer::start(&[(&reversed(ip), name)]) else {
        return;
    };
    std::thread::spawn(move || {
        let mut stream = ident.accept().unwrap().0;
        let _ = stream.read_exact(&mut [0; 11]);
        let _ = stream.write_all(b"4000 , 80 : ERROR : NO-USER\r\n");
        both.wait();
    });
    let run = access(&["-r", "-l", "me", "-t", "20000"])
        .env("TCPREMOTEIP", ip.to_string())
        .env("DNSCACHEIP", dns.ip.to_string())
        .run();
    assert_eq!(run.success().out(), "a.test. me unset none\n");
}
