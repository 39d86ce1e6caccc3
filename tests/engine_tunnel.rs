//! The tunnel: every byte arrives, whoever ends first.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::util::tls::{connect, engine, openssl_server, serve, start, tlsc, tlsd};
use crate::util::{
    Running, TempDir, accept, certs, cmd, eventually, idle, listener, need, noise, pipe, sha256,
    tcp_pair,
};

const MEGABYTES: usize = 8 << 20;

/// A pair of programs that send `count` bytes each way at once; both print
/// the digest of what they got.
fn both_ways(server_options: &[&str], client_options: &[&str]) {
    let data = noise(MEGABYTES, 1);
    let dir = crate::util::TempDir::new();
    let file = dir.file("data", &data);
    let name = file.to_str().unwrap();
    let server = format!("cat {name} & sha256sum >&2; wait");
    let client = format!("(cat {name} >&7) & exec 7>&-; sha256sum <&6; wait");
    let (server, client) = connect(
        tlsd(server_options, "p256", &server),
        tlsc(client_options, &client),
    );
    let digest = sha256(&data);
    assert_eq!(client.success().out(), format!("{digest}  -\n"));
    assert_eq!(server.success().err(), format!("{digest}  -\n"));
}

#[test]
fn megabytes_cross_both_ways_at_once() {
    both_ways(&[], &[]);
    both_ways(&["-SJ"], &["-SJ"]);
}

#[test]
fn megabytes_cross_with_openssl() {
    if !need(&["openssl"]) {
        return;
    }
    let data = noise(MEGABYTES, 2);
    for version in ["-tls1_2", "-tls1_3"] {
        let dir = crate::util::TempDir::new();
        let file = dir.file("data", &data);
        // Down: openssl as the client.
        let (_server, port) = serve(&["-S"], "p256", &["cat", file.to_str().unwrap()]);
        let client = cmd(["openssl", "s_client", "-quiet", version]);
        let client = client
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .input_pipe()
            .start();
        let end = std::time::Instant::now() + crate::util::DEADLINE;
        let all = client.stdout.wait(end, |bytes| {
            (bytes.len() == MEGABYTES).then(|| bytes.to_vec())
        });
        assert!(all.expect("all of it") == data);
        // Up: openssl as the server.
        let (server, port) = openssl_server("p256", ["-quiet", version]);
        let before = server.stdout.len();
        let client = cmd(["s6-tlsclient", "-SH", "127.0.0.1", &port.to_string()])
            .args(["sh", "-c", "cat \"$0\" >&7", file.to_str().unwrap()])
            .env("CAFILE", certs().path("ca.pem"));
        client.run().success();
        let all = server.stdout.wait(end, |bytes| {
            (bytes.len() - before >= MEGABYTES).then(|| bytes[before..].to_vec())
        });
        assert!(all.expect("all of it") == data);
    }
}

#[test]
fn an_answer_after_the_client_has_ended_arrives_whole() {
    for options in [&[][..], &["-S"]] {
        let server = "cat >/dev/null; head -c 3000000 /dev/zero";
        let client = "head -c 500000 /dev/zero >&7; exec 7>&-; wc -c <&6";
        let (server, client) = connect(tlsd(options, "p256", server), tlsc(options, client));
        server.success();
        assert_eq!(client.success().out().trim(), "3000000");
    }
}

#[test]
fn what_a_program_wrote_before_it_went_arrives() {
    // The server's program never reads; the client keeps sending.
    let server = "head -c 2000000 /dev/zero";
    let client = "(head -c 20000000 /dev/zero >&7) 2>/dev/null & exec 7>&-; wc -c <&6";
    for _ in 0..5 {
        let (server, client) = connect(tlsd(&[], "p256", server), tlsc(&[], client));
        server.success();
        assert_eq!(client.success().out().trim(), "2000000");
    }
}

#[test]
fn enforcement_tells_an_end_without_close_notify() {
    let client = |options: &[&str]| tlsc(options, "cat <&6; exec 6<&-; sleep 0");
    let (_, output) = connect(tlsd(&[], "p256", "echo x; exec >&-"), client(&["-J"]));
    assert_eq!(output.out(), "x\n");
    assert_eq!(
        output.err(),
        "s6-tlsc-io: fatal: remote closed connection without a close_notify\n"
    );
    let (_, output) = connect(tlsd(&["-S"], "p256", "echo x; exec >&-"), client(&["-J"]));
    assert_eq!((output.out().as_str(), output.err().as_str()), ("x\n", ""));
    let (_, output) = connect(tlsd(&[], "p256", "echo x"), client(&[]));
    assert_eq!((output.out().as_str(), output.err().as_str()), ("x\n", ""));
}

/// Programs that close their output and only then leave, as all of coreutils
/// do: clients that take such an end for an error say so in an alert.
#[test]
fn a_client_may_dislike_an_end_without_close_notify() {
    let python = "import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
with socket.create_connection(('127.0.0.1', int(sys.argv[2]))) as plain:
    tls = context.wrap_socket(plain, server_hostname='localhost')
    try:
        while bytes := tls.recv(100): print(bytes.decode())
    except ssl.SSLError: pass
";
    let ca = certs().path("ca.pem");
    let dir = crate::util::TempDir::new();
    let file = dir.file("hello", b"hello\n");
    for program in [&["echo", "hello"], &["cat", file.to_str().unwrap()]] {
        for client in ["openssl", "python3", "curl"] {
            if !need(&[client]) {
                continue;
            }
            for _ in 0..20 {
                let (near, port) = listener();
                let server = |network: TcpStream| {
                    cmd(["s6-tlsd"])
                        .args(program)
                        .env("KEYFILE", certs().path("p256.key"))
                        .env("CERTFILE", certs().path("p256.pem"))
                        .fd(0, network.try_clone().unwrap())
                        .fd(1, network)
                        .start()
                };
                let to = format!("127.0.0.1:{port}");
                let client = match client {
                    "openssl" => cmd(["openssl", "s_client", "-quiet", "-connect", &to]),
                    "python3" => cmd(["python3", "-c", python, &ca, &port.to_string()]),
                    _ => cmd(["curl", "-s", "--http0.9", "--cacert", &ca])
                        .arg(format!("https://localhost:{port}/")),
                };
                let client = client.start();
                let server = server(accept(&near));
                let output = client.finish();
                assert!(output.out().contains("hello"), "{output:?}");
                assert_eq!(server.finish().success().err(), "");
            }
        }
    }
}

/// KiB that a process has for itself.
fn resident(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Private_Dirty:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_reader_that_stops_costs_neither_time_nor_memory() {
    // Only root may ask how much memory an engine in its sandbox has.
    let options: &[&str] = match nix::unistd::geteuid().is_root() {
        true => &[],
        false => &["--no-sandbox"],
    };
    // Neither side reads: everything fills up, and stays so.
    let writer = "exec head -c 50000000 /dev/zero";
    let (server, client) = start(
        tlsd(options, "p256", writer),
        tlsc(options, "exec head -c 50000000 /dev/zero >&7"),
    );
    let (a, b) = (engine(&server), engine(&client));
    rests(&[&server, &client], "engines rest while neither side reads");
    let (idle_server, idle_client) = start(
        tlsd(options, "p256", "echo ready >&2; exec cat"),
        tlsc(options, "echo ready >&2; exec cat <&6"),
    );
    idle_server.wait_err("ready");
    idle_client.wait_err("ready");
    for (pid, other) in [(a, engine(&idle_server)), (b, engine(&idle_client))] {
        eventually("it keeps no more than what is stuck", || {
            let more = resident(pid).saturating_sub(resident(other));
            (more <= STUCK).then_some(())
        });
    }
}

/// The most KiB that an engine holds for good while nobody reads: what has
/// been decrypted for the program, as much as a direction takes in while data
/// flow in bulk; as much for the network, encrypted; of what came from the
/// network a record that is not whole; and what was read ahead from the program,
/// so that its pipe can be small. Each is in pages of its own, the last
/// of which may be almost empty. Everything else is given back after a second,
/// but for small change of the heap.
const STUCK: u64 = {
    let (records, page) = (32_u64, 4);
    let decrypted = records * 16;
    // A header, a type and a tag each.
    let encrypted = decrypted + (records * (5 + 1 + 16)).div_ceil(1024);
    let begun = (5 + 16384 + 256_u64).div_ceil(1024);
    let read_ahead = decrypted;
    let heap = 32;
    decrypted + encrypted + begun + read_ahead + 4 * page + heap
};

/// Fails unless these come to rest. One that turns never does; one that does
/// not may still have work when it is looked at, on a busy machine: to start,
/// or to give back memory after a second.
fn rests(running: &[&Running], what: &str) {
    let used = || running.iter().map(|one| one.cpu()).sum::<Duration>();
    eventually(what, || {
        let before = used();
        idle(Duration::from_millis(500));
        let more = used().saturating_sub(before);
        (more < Duration::from_millis(5)).then_some(())
    });
}

/// The most KiB that an engine holds more while data flow in bulk both ways
/// than when it was last looked at: four buffers for 32 records each, with up
/// to five records more in all, and, if it had given back everything before, an
/// area of the heap and what is given back of a stack.
const BULK: u64 = 4 * 32 * 16 + 5 * 18 + 256 + 64;

#[test]
fn a_client_keeps_no_anchors_when_it_has_verified_the_chain() {
    let options: &[&str] = match nix::unistd::geteuid().is_root() {
        true => &["-k", "localhost"],
        false => &["-k", "localhost", "--no-sandbox"],
    };
    let dir = TempDir::new();
    let many = dir.file("many.pem", certs().read("ca.pem").repeat(2000));
    let client = || tlsc(options, "echo ready >&2; exec cat <&6");
    let server = || tlsd(&options[2..], "p256", "exec cat");
    let (_one, few) = start(server(), client());
    let (_other, many) = start(server(), client().env("CAFILE", many));
    let [few, many] = [few, many].map(|client| {
        client.wait_err("ready");
        (engine(&client), client)
    });
    eventually("they are alike", || {
        (resident(many.0) < resident(few.0) + 200).then_some(())
    });
}

#[test]
fn an_engine_is_large_only_while_data_flow() {
    let options: &[&str] = match nix::unistd::geteuid().is_root() {
        true => &[],
        false => &["--no-sandbox"],
    };
    // Both ways at once, and then nothing.
    let server = "echo hi >&2; read x; exec 3<&0; cat <&3 >/dev/null &
        head -c 40000000 /dev/zero; echo said >&2; wait";
    let client = "echo hi >&2; read x; echo >&7; cat <&6 >/dev/null &
        head -c 40000000 /dev/zero >&7; echo said >&2; wait";
    let (server, mut client) = start(
        tlsd(options, "p256", server),
        tlsc(options, client).input_pipe(),
    );
    server.wait_err("hi");
    client.wait_err("hi");
    let engines = [engine(&server), engine(&client)];
    let before = engines.map(resident);
    client.write("\n");
    let mut peak = before;
    eventually("everything is said", || {
        for (peak, engine) in peak.iter_mut().zip(engines) {
            *peak = resident(engine).max(*peak);
        }
        let said = [&server.stderr, &client.stderr].map(|text| text.bytes().ends_with(b"said\n"));
        (said == [true; 2]).then_some(())
    });
    for (peak, before) in peak.iter().zip(before) {
        let more = peak.saturating_sub(before);
        assert!(more <= BULK, "{more} KiB more while data flow");
    }
    eventually("they are small again", || {
        let after = engines.map(resident);
        let grown = after
            .iter()
            .zip(before)
            .any(|(after, before)| *after > before + 32);
        (!grown).then_some(())
    });
}

#[test]
fn nothing_turns_while_nothing_moves() {
    for (server_program, client_program) in [
        ("exec cat", "exec cat <&6"),
        // The client's direction has ended.
        ("exec sleep 60", "exec 7>&-; exec cat <&6"),
        // The server's program reads nothing and has closed its input.
        ("exec <&-; exec sleep 60", "exec cat <&6"),
        // The server's direction has ended.
        ("exec >&-; exec cat", "exec sleep 60"),
    ] {
        let (server, client) = start(tlsd(&[], "p256", server_program), tlsc(&[], client_program));
        engine(&server);
        engine(&client);
        rests(&[&server, &client], server_program);
    }
}

#[test]
fn nobody_stays_when_both_programs_have_gone() {
    let (server, client) = start(tlsd(&[], "p256", "exec cat"), tlsc(&[], "exec sleep 60"));
    engine(&server);
    client.signal(nix::sys::signal::Signal::SIGKILL);
    eventually("both groups are empty", || {
        (server.group().is_empty() && client.group().is_empty()).then_some(())
    });
}

#[test]
fn a_killed_wrapper_takes_its_engine_along() {
    // Nothing comes from the network: the handshake waits.
    let (near, far) = tcp_pair();
    let server = tlsd(&[], "p256", "echo never")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let pid = engine(&server);
    server.signal(nix::sys::signal::Signal::SIGKILL);
    drop(near);
    eventually("the engine has gone", || {
        (!server.group().iter().any(|p| p.as_raw() == pid)).then_some(())
    });
}

#[test]
fn any_kind_of_descriptor_will_do() {
    // The network through two pipes, the cleartext from and to files.
    let dir = crate::util::TempDir::new();
    let data = noise(300_000, 3);
    let request = File::open(dir.file("request", &data)).unwrap();
    let answer = File::create(dir.join("answer")).unwrap();
    let (up, to_server) = pipe();
    let (down, to_client) = pipe();
    let server = tlsd(&[], "p256", "exec cat")
        .fd(0, up)
        .fd(1, to_client)
        .start();
    let client = cmd(["s6-tlsc-io", "-k", "localhost", "6", "7"])
        .env("CAFILE", certs().path("ca.pem"))
        .fd(0, request)
        .fd(1, answer)
        .fd(6, down)
        .fd(7, to_server);
    client.run().success();
    server.finish().success();
    assert!(std::fs::read(dir.join("answer")).unwrap() == data);
}

#[test]
fn one_descriptor_may_serve_for_both_directions() {
    let (near, far) = tcp_pair();
    let server = tlsd(&[], "p256", "exec cat")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let client = cmd(["s6-tlsc-io", "6", "6"])
        .env("CAFILE", certs().path("ca.pem"))
        .fd(6, near);
    assert_eq!(client.input("one\n").run().success().out(), "one\n");
    server.finish().success();
}

#[test]
fn shared_descriptors_get_their_flags_back() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let (near, far) = tcp_pair();
    let (output, input) = pipe();
    let (request, mut writer) = pipe();
    let server = tlsd(&[], "p256", "exec cat")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let client = cmd(["s6-tlsc-io", "6", "7"])
        .env("CAFILE", certs().path("ca.pem"))
        .fd(0, request.try_clone().unwrap())
        .fd(1, input.try_clone().unwrap())
        .fd(6, near.try_clone().unwrap())
        .fd(7, near.try_clone().unwrap())
        .start();
    writer = {
        let mut file = File::from(writer);
        file.write_all(b"x").unwrap();
        let mut byte = [0];
        File::from(output.try_clone().unwrap())
            .read_exact(&mut byte)
            .unwrap();
        assert_eq!(&byte, b"x");
        file.into()
    };
    drop(writer);
    client.finish().success();
    server.finish().success();
    for fd in [&request, &input] {
        let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK));
    }
    let flags = OFlag::from_bits_retain(fcntl(&near, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
}

#[test]
fn a_terminal_keeps_its_flags_even_if_a_key_ends_the_engine() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let terminal = crate::util::terminal();
    let (near, far) = tcp_pair();
    let _server = tlsd(&[], "p256", "exec cat")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let mut client = cmd(["s6-tlsc-io", "6", "6"])
        .env("CAFILE", certs().path("ca.pem"))
        .fd(0, terminal.slave.try_clone().unwrap())
        .fd(1, terminal.slave.try_clone().unwrap())
        .fd(6, near)
        .start();
    let mut keyboard = File::from(terminal.master);
    keyboard.write_all(b"one\n").unwrap();
    // What is typed is echoed by the terminal, and then by the server.
    let mut screen = [0; 10];
    keyboard.read_exact(&mut screen).unwrap();
    assert_eq!(&screen, b"one\r\none\r\n");
    client.signal(nix::sys::signal::Signal::SIGINT);
    client.wait();
    let flags = OFlag::from_bits_retain(fcntl(&terminal.slave, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
}

#[test]
fn a_descriptor_that_is_not_open_is_named() {
    let client = cmd(["s6-tlsc-io", "6", "7"]).env("CAFILE", certs().path("ca.pem"));
    client.run().fatal(
        111,
        "s6-tlsc-io: fatal: unable to use descriptor 6: Bad file descriptor",
    );
}

/// `s6-tlsd-io` on `network`, whose program has said `answer` and gone.
fn engine_of_gone_program(network: TcpStream) -> Running {
    let (output, input) = pipe();
    File::from(input).write_all(b"answer").unwrap();
    cmd(["s6-tlsd-io", "6", "7"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .fd(0, network.try_clone().unwrap())
        .fd(1, network)
        .fd(6, output)
        .fd(7, pipe().1)
        .start()
}

#[test]
fn an_alert_after_the_program_has_gone_is_no_error() {
    if !need(&["openssl"]) {
        return;
    }
    let (listener, port) = listener();
    let client = cmd(["openssl", "s_client", "-quiet", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .input_pipe()
        .start();
    let engine = engine_of_gone_program(accept(&listener));
    client.wait_out("answer");
    // OpenSSL 3 misses a close_notify, and says so by an alert.
    assert_eq!(engine.finish().success().err(), "");
}

#[test]
fn a_reset_after_the_program_has_gone_is_no_error() {
    let (near, far) = tcp_pair();
    let engine = engine_of_gone_program(far);
    let (output, input) = pipe();
    let client = cmd(["s6-tlsc-io", "6", "7"])
        .env("CAFILE", certs().path("ca.pem"))
        .input_pipe()
        .fd(1, input)
        .fd(6, near.try_clone().unwrap())
        .fd(7, near.try_clone().unwrap())
        .start();
    let mut answer = String::new();
    File::from(output).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
    reset(near, &client);
    assert_eq!(engine.finish().success().err(), "");
}

/// Kills `client`, so that its connection, of which `near` is a copy, is
/// reset.
fn reset(near: TcpStream, client: &Running) {
    use nix::sys::signal::{Signal, killpg};
    use nix::sys::socket::{setsockopt, sockopt::Linger};
    let at_once = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    client.signal(Signal::SIGSTOP);
    setsockopt(&near, Linger, &at_once).unwrap();
    drop(near);
    killpg(client.pid(), Signal::SIGKILL).unwrap();
}

#[test]
fn a_reset_peer_is_an_error_that_is_told() {
    let (near, far) = tcp_pair();
    let server = tlsd(&[], "p256", "echo up >&2; cat; echo eof >&2")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let client = tlsc(&[], "exec sleep 60")
        .fd(6, near.try_clone().unwrap())
        .fd(7, near.try_clone().unwrap())
        .start();
    server.wait_err("up\n");
    reset(near, &client);
    server.wait_err("s6-tlsd-io: fatal: unable to read from remote: Connection reset by peer\n");
    server.wait_err("eof\n");
}
