//! The same HTTP-like traffic through haproxy, which decrypts it, and through s6-tlsserver, to
//! the same web server: both ends receive the same bytes, and see the same end.

mod front;

use crate::log_line::reset;
use crate::util::{certs, cmd, need, noise, sha256};

use front::{Client, Front};

/// What a client does.
type Act = fn(&mut Client);

/// How much the largest answer has.
const LARGE: usize = 3_000_000;

/// haproxy and s6-tlsserver in front of servers of the same noise; None if a peer is missing.
fn fronts() -> Option<[Front; 2]> {
    let data = noise(LARGE, 1);
    need(&["haproxy", "python3"]).then(|| [Front::haproxy(&data), Front::ours(&data)])
}

/// What both ends have to see.
struct Expected<'a> {
    /// The answers.
    received: &'a [u8],
    /// The end for the client, if it waits for that.
    end: Option<&'static str>,
    /// The ends for the web server, behind haproxy and behind s6-tlsserver.
    ends: [&'static str; 2],
}

/// Fails unless the ends of a connection on which the client does this see what is expected,
/// through haproxy and through s6-tlsserver, with both versions of TLS. The web server has to
/// read all that the client sends.
fn compare(act: Act, expected: &Expected) {
    let Some(fronts) = fronts() else {
        return;
    };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (front, ends) in fronts.iter().zip(expected.ends) {
            let seen = front.see(version, act);
            let place = format!("{} {:?}", front.name, version.version);
            let length = seen.received.len();
            assert!(seen.received == expected.received, "{place}: {length}");
            assert_eq!(seen.end, expected.end, "{place}");
            let read = format!("{} {}", seen.sent.len(), sha256(&seen.sent));
            assert_eq!(
                seen.backend,
                format!("backend: read {read}, {ends}"),
                "{place}"
            );
        }
    }
}

/// The same if all goes well: the client gets these answers and a close_notify, and the web
/// server sees the end of file if the client ends first.
fn same(act: Act, answers: &[Vec<u8>], client_ends: bool) {
    let ends = match client_ends {
        true => "end of file; write open",
        false => "open; write open",
    };
    let expected = Expected {
        received: &answers.concat(),
        end: Some("close_notify"),
        ends: [ends; 2],
    };
    compare(act, &expected);
}

/// An answer with this body.
fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The first `count` bytes that the web server serves.
fn page(count: usize) -> Vec<u8> {
    ok(&noise(count, 1))
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn pipelined_requests_are_answered_as_through_haproxy() {
    let pipelined = |client: &mut Client| {
        client.send(
            "GET /10 HTTP/1.1\r\n\r\nGET /20000 HTTP/1.1\r\n\r\n\
             GET /0 HTTP/1.1\r\nConnection: close\r\n\r\n",
        );
        client.receive_all();
    };
    same(pipelined, &[page(10), page(20_000), page(0)], false);
}

#[test]
fn a_chunked_upload_arrives_as_through_haproxy() {
    const SIZES: [usize; 4] = [1, 1000, 16_384, 100_000];
    let upload = |client: &mut Client| {
        client.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        for size in SIZES {
            client.send(format!("{size:x}\r\n"));
            client.send(noise(size, 2));
            client.send("\r\n");
        }
        client.send("0\r\n\r\n");
        client.receive(ok(&[0; 64]).len());
        // The connection is kept.
        client.send("GET /3 HTTP/1.1\r\nConnection: close\r\n\r\n");
        client.receive_all();
    };
    let body = SIZES.map(|size| noise(size, 2)).concat();
    same(upload, &[ok(sha256(&body).as_bytes()), page(3)], false);
}

#[test]
fn a_large_download_arrives_as_through_haproxy() {
    let download = |client: &mut Client| {
        client.send(format!(
            "GET /{LARGE} HTTP/1.1\r\nConnection: close\r\n\r\n"
        ));
        client.receive_all();
    };
    same(download, &[page(LARGE)], false);
}

#[test]
fn a_client_that_has_closed_its_direction_gets_the_answer_as_through_haproxy() {
    let close_notify = |client: &mut Client| {
        client.send(format!("GET /{LARGE} HTTP/1.1\r\n\r\n"));
        client.close_notify();
        client.receive_all();
    };
    same(close_notify, &[page(LARGE)], true);
    let without = |client: &mut Client| {
        client.send(format!("GET /{LARGE} HTTP/1.1\r\n\r\n"));
        client.shutdown();
        client.receive_all();
    };
    same(without, &[page(LARGE)], true);
}

#[test]
fn a_client_that_closes_in_the_middle_of_an_upload_is_seen_as_through_haproxy() {
    let upload = |client: &mut Client| {
        client.send("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n");
        client.send(noise(100_000, 2));
        client.close_notify();
        client.shutdown();
        client.receive_all();
    };
    same(upload, &[], true);
}

/// The web server has a pipe behind s6-tlsserver: doc/s6-tlsd.md says so.
#[test]
fn a_reset_in_the_middle_of_an_upload_is_an_end_of_file_but_a_reset_behind_haproxy() {
    let upload = |client: &mut Client| {
        client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n");
        client.receive(CONTINUE.len());
        reset(&mut client.network);
    };
    let expected = Expected {
        received: CONTINUE,
        end: None,
        ends: [
            "Connection reset by peer; write open",
            "end of file; write open",
        ],
    };
    compare(upload, &expected);
}

#[test]
fn a_reset_in_the_middle_of_a_download_ends_it_as_through_haproxy() {
    let download = |client: &mut Client| {
        client.send("GET /endless HTTP/1.1\r\n\r\n");
        client.receive(100_000);
        reset(&mut client.network);
    };
    let expected = Expected {
        received: &noise(100_000, 1),
        end: None,
        ends: ["open; write failed"; 2],
    };
    compare(download, &expected);
}

#[test]
fn an_upload_waits_for_its_100_continue_as_through_haproxy() {
    let upload = |client: &mut Client| {
        client.send(
            "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 20000\r\n\
             Connection: close\r\n\r\n",
        );
        client.receive(CONTINUE.len());
        client.send(noise(20_000, 2));
        client.receive_all();
    };
    let digest = sha256(&noise(20_000, 2));
    same(upload, &[CONTINUE.to_vec(), ok(digest.as_bytes())], false);
}

#[test]
fn an_upgraded_connection_is_a_raw_stream_as_through_haproxy() {
    const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\n\r\n";
    const SIZES: [usize; 4] = [1, 100, 16_384, 50_000];
    let raw = |client: &mut Client| {
        client.send("GET / HTTP/1.1\r\nUpgrade: raw\r\n\r\nearly");
        client.receive(SWITCHED.len() + 5);
        for size in SIZES {
            client.send(noise(size, 2));
            client.receive(size);
        }
        client.send("last");
        client.close_notify();
        client.receive_all();
    };
    let echoed = SIZES.map(|size| noise(size, 2)).concat();
    let answers = [SWITCHED, b"early", &echoed, b"last"].map(<[u8]>::to_vec);
    same(raw, &answers, true);
}

/// What a program on each connection prints, and what the web server reads: the same through
/// both. The port is PORT in its environment. Its standard input is `input`, without an end: it
/// goes by the end of the connection.
fn same_for_program(peer: &str, script: &str, input: &str) -> Option<Vec<u8>> {
    let fronts = fronts().filter(|_| need(&[peer]))?;
    let [theirs, ours] = fronts.map(|front| {
        let mut client = cmd(["sh", "-c", script])
            .env("CA", certs().path("ca.pem"))
            .env("PORT", front.port.to_string())
            .input_pipe()
            .start();
        client.write(input);
        (client.finish_open().success().stdout, front.backend(0))
    });
    assert!(theirs == ours, "{} {}", theirs.1, ours.1);
    Some(ours.0)
}

#[test]
fn curl_keeps_a_connection_as_through_haproxy() {
    // Without a Host field, which has the port.
    let script = "url=https://localhost:$PORT
        set -- -sS --cacert \"$CA\" -H Host: -w ' %{num_connects}\\n'
        head -c 100000 /dev/zero | exec curl \"$@\" \"$url/10\" \"$url/70000\" --next \"$@\" \
            -H 'Transfer-Encoding: chunked' -H 'Connection: close' --data-binary @- \"$url/\"";
    let Some(printed) = same_for_program("curl", script, "") else {
        return;
    };
    let digest = sha256(&[0; 100_000]);
    let (first, second) = (noise(10, 1), noise(70_000, 1));
    let expected = [
        &first,
        &b" 1\n"[..],
        &second,
        b" 0\n",
        digest.as_bytes(),
        b" 0\n",
    ]
    .concat();
    assert!(printed == expected, "{}", printed.len());
}

#[test]
fn openssl_receives_the_same_as_through_haproxy() {
    let script = "exec openssl s_client -quiet -CAfile \"$CA\" -connect \"localhost:$PORT\"";
    let request = "GET /70000 HTTP/1.1\r\nConnection: close\r\n\r\n";
    if let Some(printed) = same_for_program("openssl", script, request) {
        assert!(printed == page(70_000), "{}", printed.len());
    }
}
