//! Keys and certificates that come through pipes and terminals.

use std::io::Write;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;

use crate::util::tls::{ECHO, HELLO, connect, start, tlsc, tlsd};
use crate::util::{Cmd, TempDir, Terminal, certs, pipe, terminal};

const GUARDS: [&[&str]; 2] = [&[], &["--key-guard"]];

fn fifo(dir: &TempDir, name: &str) -> PathBuf {
    let path = dir.join(name);
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    path
}

/// `command` with a pipe at descriptor 9 that holds this content.
fn with_content(command: Cmd, content: Vec<u8>) -> Cmd {
    let (reader, writer) = pipe();
    // It fits into the pipe.
    std::fs::File::from(writer).write_all(&content).unwrap();
    command.fd(9, reader)
}

#[test]
fn inherited_descriptor_is_a_file_with_and_without_guard() {
    for guard in GUARDS {
        for variable in ["KEYFILE", "CERTFILE"] {
            let file = |pair: &str| {
                let end = if variable == "KEYFILE" { "key" } else { "pem" };
                certs().read(&format!("{pair}.{end}"))
            };
            let server = tlsd(&[&["-y"], guard].concat(), "p256", ECHO);
            let server = server.env("CAFILE", certs().path("ca.pem"));
            let server = with_content(server.env(variable, "/dev/fd/9"), file("p256"));
            let client = tlsc(&[&["-y", "-klocalhost"], guard].concat(), HELLO)
                .env("KEYFILE", certs().path("client.key"))
                .env("CERTFILE", certs().path("client.pem"));
            let client = with_content(client.env(variable, "/dev/fd/9"), file("client"));
            let (server, client) = connect(server, client);
            assert!(client.success().out().starts_with("hello\n"));
            server.success();
        }
    }
}

#[test]
fn a_regular_file_on_a_descriptor_is_read_again_by_each_connection() {
    let key = std::fs::File::open(certs().path("p256.key")).unwrap();
    for guard in [GUARDS[0], GUARDS[1], GUARDS[1]] {
        let server = tlsd(guard, "p256", ECHO).env("KEYFILE", "/dev/fd/9");
        let server = server.fd(9, key.try_clone().unwrap());
        let (server, client) = connect(server, tlsc(&["-klocalhost"], HELLO));
        assert!(client.success().out().starts_with("hello\n"));
        server.success();
    }
}

/// The content of a pipe is kept for retries because of another file, and for
/// another variable that names the same pipe.
#[test]
fn a_pipe_is_read_once() {
    for guard in GUARDS {
        let both = [certs().read("p256.key"), certs().read("p256.pem")].concat();
        let server = tlsd(guard, "p256", ECHO)
            .env("KEYFILE", "/dev/fd/9")
            .env("CERTFILE", "/dev/fd/9");
        let server = with_content(server, both);
        let (server, client) = connect(server, tlsc(&["-klocalhost"], HELLO));
        assert!(client.success().out().starts_with("hello\n"));
        server.success();
    }
}

#[test]
fn a_slow_pipe_is_waited_for_with_and_without_the_guard() {
    for guard in GUARDS {
        let dir = TempDir::new();
        let key = fifo(&dir, "key");
        let server = tlsd(&[&["-K60000"], guard].concat(), "p256", ECHO).env("KEYFILE", &key);
        let (server, client) = start(server, tlsc(&["-klocalhost"], HELLO));
        // Returns when the engine has opened the other end.
        let mut writer = std::fs::File::create(&key).unwrap();
        let content = certs().read("p256.key");
        let (first, second) = content.split_at(20);
        writer.write_all(first).unwrap();
        crate::util::idle(std::time::Duration::from_millis(400));
        writer.write_all(second).unwrap();
        drop(writer);
        assert!(client.finish().success().out().starts_with("hello\n"));
        server.finish().success();
    }
}

/// Files without data or end: pipes and a terminal.
struct Silent {
    _dir: TempDir,
    _terminal: Terminal,
    paths: [PathBuf; 2],
}

impl Silent {
    fn new() -> Self {
        let dir = TempDir::new();
        let terminal = terminal();
        let name = nix::unistd::ttyname(&terminal.slave).unwrap();
        Self {
            paths: [fifo(&dir, "pipe"), name],
            _dir: dir,
            _terminal: terminal,
        }
    }
}

/// A server and a client with `path` in a variable.
fn engines(options: &[&str], variable: &str, path: &Path) -> [Cmd; 2] {
    let server = tlsd(&[&["-y"], options].concat(), "p256", "echo never")
        .env("CAFILE", certs().path("ca.pem"));
    let client = tlsc(&[&["-y"], options].concat(), "echo never")
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem"));
    [server, client].map(|engine| engine.env(variable, path))
}

#[test]
fn handshake_timeout_bounds_silent_files() {
    let silent = Silent::new();
    for path in &silent.paths {
        for variable in ["KEYFILE", "CERTFILE", "CAFILE", "CRLFILE"] {
            for guard in GUARDS {
                let options = [&["-K300"], guard].concat();
                let [server, client] = engines(&options, variable, path);
                let (server, client) = connect(server, client);
                server.fatal(98, "s6-tlsd-io: fatal: handshake timed out");
                client.fatal(98, "s6-tlsc-io: fatal: handshake timed out");
            }
        }
    }
    for guard in GUARDS {
        let options = [&["-K300", "-v0"], guard].concat();
        let [server, client] = engines(&options, "KEYFILE", &silent.paths[0]);
        let (server, client) = connect(server, client);
        assert_eq!(server.code(98).err() + &client.code(98).err(), "");
    }
}

#[test]
fn silent_files_have_a_limit_without_handshake_timeout() {
    let silent = Silent::new();
    let [pipe, _] = &silent.paths;
    let mut running = Vec::new();
    for variable in ["KEYFILE", "CAFILE", "CRLFILE", "TICKETKEYFILE"] {
        for guard in GUARDS {
            let [server, client] = engines(guard, variable, pipe);
            running.push((variable, start(server, client)));
        }
    }
    for (variable, (server, client)) in running {
        let path = pipe.display();
        let why = "its end has not come within 10 seconds";
        let line = format!("fatal: unable to read {path}: {why}");
        server.finish().fatal(96, &format!("s6-tlsd-io: {line}"));
        match variable {
            "TICKETKEYFILE" => drop(client),
            _ => drop(client.finish().fatal(96, &format!("s6-tlsc-io: {line}"))),
        }
    }
}
