//! The pipes between an engine and its program: enlarged during a bulk
//! transfer, small again afterwards, and within the user's limit.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use crate::util::tls::{start, tlsc};
use crate::util::{Cmd, TempDir, certs, cmd, eventually, idle, need, pipe, skip};

/// The capacity of a pipe in bytes.
fn size(pipe: impl AsFd) -> i32 {
    fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap()
}

/// An engine of a server whose cleartext comes from 4 and goes to 5.
fn server_engine() -> Cmd {
    cmd(["s6-tlsd-io", "4", "5"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
}

#[test]
fn a_pipe_that_a_program_left_full_is_small_again_once_it_is_drained() {
    const ALL: usize = 20_000_000;
    let (silent, speaks) = pipe();
    let (output, input) = pipe();
    let former = size(&output);
    let server = server_engine().fd(4, silent).fd(5, input);
    let client = format!("head -c {ALL} /dev/zero >&7; exec cat <&6");
    let (_server, _client) = start(server, tlsc(&[], &client));
    let mut output = File::from(output);
    let (mut left, mut largest) = (ALL, 0);
    let mut buf = vec![0; 1 << 16];
    while left > 300_000 {
        left -= output.read(&mut buf).unwrap();
        largest = size(&output).max(largest);
    }
    assert!(largest > former, "{largest}");
    // It does not read for a while, during which everything else shrinks.
    idle(Duration::from_millis(1500));
    output.read_exact(&mut vec![0; left]).unwrap();
    eventually("the pipe is small", || {
        (size(&output) == former).then_some(())
    });
    drop(speaks);
}

#[test]
fn pipe_of_a_paused_client_is_small_again_once_it_was_read() {
    // More than the network takes.
    const ALL: usize = 100_000_000;
    let (output, input) = pipe();
    let former = size(&output);
    let sizes = input.try_clone().unwrap();
    let server = server_engine().fd(4, output).fd(5, pipe().1);
    let program = std::thread::spawn(move || File::from(input).write_all(&vec![7; ALL]));
    let client = "head -c 8000000 <&6 >/dev/null; echo paused >&2
        while read x && test \"$x\"; do head -c 1000000 <&6 >/dev/null; done
        cat <&6 >/dev/null; echo all";
    let (_server, mut client) = start(server, tlsc(&[], client).input_pipe());
    eventually("the pipe is large", || {
        (size(&sizes) > former).then_some(())
    });
    client.wait_err("paused");
    // On a busy machine the program may fill the pipe again before the engine
    // shrinks it. The engine tries again as soon as there is space.
    let mut rounds = 0;
    while size(&sizes) > former {
        rounds += 1;
        assert!(rounds < 16, "the pipe stays large");
        client.write("more\n");
        idle(Duration::from_millis(2500));
    }
    assert!(!program.is_finished());
    drop(sizes);
    // What was read ahead arrives as well.
    client.write("\n");
    client.wait_out("all\n");
    program.join().unwrap().unwrap();
}

/// The command as a user without other processes, even if these tests run several times at once.
/// Containers may have no ids from 65536 on.
fn as_user(argv: &[&str]) -> Cmd {
    let user = (30_000 + std::process::id() % 20_000).to_string();
    let drop = ["s6-applyuidgid", "-u", &user, "-g", &user, "-G", &user];
    cmd(drop).args(argv)
}

/// Uses all but 128 of the pipe pages that the user may have, prints a line, and waits. The two
/// pipes of a tunnel take 32, and 48 more when one grows; the five pipes of [`OTHER`] take 80.
const FILL: &str = "
import fcntl, os, sys
left = int(open('/proc/sys/fs/pipe-user-pages-soft').read()) - 128
while left > 0:
    pages = 1 << (min(256, left).bit_length() - 1)
    reader, writer = os.pipe()
    assert fcntl.fcntl(writer, 1031, pages * os.sysconf('SC_PAGE_SIZE')) > 0
    left -= pages
print('full', flush=True)
sys.stdin.read()
";

/// Makes five pipes, and prints the capacity of the smallest.
const OTHER: &str = "
import fcntl, os
pipes = [os.pipe() for _ in range(5)]
print(min(fcntl.fcntl(pipe[0], 1032) for pipe in pipes))
";

#[test]
fn a_tunnel_leaves_room_for_the_other_pipes_of_its_user() {
    let limit = std::fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft");
    let bounded = limit.is_ok_and(|limit| limit.trim() != "0");
    if !bounded || !nix::unistd::geteuid().is_root() || !need(&["python3"]) {
        skip("not root, or a user may have any number of pipes");
        return;
    }
    let dir = TempDir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let file = |name: &str| {
        let path = dir.file(name, certs().read(name));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        path
    };
    let filler = as_user(&["python3", "-c", FILL]).input_pipe().start();
    filler.wait_out("full\n");
    let server = as_user(&["s6-tlsd", "head", "-c", "60000000", "/dev/zero"])
        .env("KEYFILE", file("p256.key"))
        .env("CERTFILE", file("p256.pem"));
    let client = "head -c 30000000 <&6 >/dev/null; echo paused >&2; exec sleep 60";
    let (_server, client) = start(server, tlsc(&[], client));
    client.wait_err("paused");
    let other = as_user(&["python3", "-c", OTHER]).run().success();
    assert_eq!(other.out(), format!("{}\n", size(pipe().0)));
}
