//! The descriptors of a tunnel: their kinds, and the flags that others share.

use std::fs::File;
use std::io::{Read, Write};

use crate::util::tls::tlsd;
use crate::util::{certs, cmd, noise, pipe, tcp_pair};

#[test]
fn descriptors_of_any_kind_work() {
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
