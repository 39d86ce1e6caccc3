//! Files that are replaced in place, while engines read them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::util::tls::{ECHO, HELLO, connect, start, tlsc, tlsd};
use crate::util::{Cmd, TempDir, certs, cmd, idle};

/// Keys for tickets.
const TICKETS: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// A file in the middle of its renewal.
#[derive(Clone, Copy, Debug)]
enum Middle {
    Missing,
    Empty,
    Cut,
    /// A directory, as a file that even root cannot read.
    Unreadable,
}

const MIDDLES: [Middle; 4] = [
    Middle::Missing,
    Middle::Empty,
    Middle::Cut,
    Middle::Unreadable,
];

impl Middle {
    fn begin(self, path: &Path, content: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match self {
            Self::Missing => {}
            Self::Empty => std::fs::write(path, "").unwrap(),
            Self::Cut => std::fs::write(path, &content[..content.len() / 2]).unwrap(),
            Self::Unreadable => std::fs::create_dir(path).unwrap(),
        }
    }

    /// Renames the complete file into place.
    fn end(self, path: &Path, content: &[u8]) {
        if let Self::Unreadable = self {
            std::fs::remove_dir(path).unwrap();
        }
        let new = path.with_extension("new");
        std::fs::write(&new, content).unwrap();
        std::fs::set_permissions(&new, PermissionsExt::from_mode(0o640)).unwrap();
        std::fs::rename(new, path).unwrap();
    }
}

/// How long an engine looks again for a file in the middle of a renewal that it can do without,
/// less some time.
const IN_TIME: Duration = Duration::from_millis(130);

/// Connections of a server and a client, until one during which the file at `path` is renewed
/// in time: on a busy machine it may take longer than an engine waits.
fn renewed(middle: Middle, path: &Path, content: &[u8], commands: impl Fn() -> (Cmd, Cmd)) {
    for _ in 0..20 {
        middle.begin(path, content);
        let begun = Instant::now();
        let (server, client) = commands();
        let (server, client) = start(server, client);
        idle(Duration::from_millis(60));
        middle.end(path, content);
        let took = begun.elapsed();
        let (server, client) = (server.finish(), client.finish());
        if client.out().starts_with("hello\n") && !server.err().contains("warning") {
            return;
        }
        let errors = [server.err(), client.err()].concat();
        assert!(took > IN_TIME, "{middle:?} {}: {errors}", path.display());
        std::fs::remove_file(path).unwrap();
    }
    panic!("no renewal was in time");
}

/// A server that asks for a certificate and has all of its files.
fn server(options: &[&str], variable: &str, path: &Path) -> Cmd {
    let server = tlsd(&[&["-y"], options].concat(), "p256", ECHO);
    server
        .env("CAFILE", certs().path("ca.pem"))
        .env(variable, path)
}

fn client() -> Cmd {
    tlsc(&["-y", "-klocalhost"], HELLO)
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem"))
}

#[test]
fn every_file_of_a_server_may_be_renewed_in_place() {
    let read = |name| certs().read(name);
    for (variable, content) in [
        ("KEYFILE", read("p256.key")),
        ("CERTFILE", read("p256.pem")),
        ("TICKETKEYFILE", TICKETS.to_vec()),
        ("OCSPFILE", read("p256.ocsp")),
        ("CAFILE", read("ca.pem")),
        ("CRLFILE", read("ca-none.crl")),
    ] {
        for middle in MIDDLES {
            for options in [&[][..], &["--key-guard"]] {
                let dir = TempDir::new();
                let path = dir.join("file");
                let commands = || (server(options, variable, &path), client());
                renewed(middle, &path, &content, commands);
            }
        }
    }
}

#[test]
fn every_file_of_a_client_may_be_renewed_in_place() {
    let read = |name| certs().read(name);
    for (variable, content) in [
        ("KEYFILE", read("client.key")),
        ("CERTFILE", read("client.pem")),
        ("CAFILE", read("ca.pem")),
        ("CRLFILE", read("ca-none.crl")),
    ] {
        for middle in MIDDLES {
            let dir = TempDir::new();
            let path = dir.join("file");
            renewed(middle, &path, &content, || {
                let server = tlsd(&["-y"], "p256", ECHO).env("CAFILE", certs().path("ca.pem"));
                (server, client().env(variable, &path))
            });
        }
    }
}

#[test]
fn a_directory_of_anchors_may_be_renewed_in_place() {
    let read = |name| certs().read(name);
    for middle in [Middle::Missing, Middle::Empty, Middle::Cut] {
        for others in [false, true] {
            let dir = TempDir::new();
            if others {
                // With other anchors present, a missing one cannot be noticed.
                if let Middle::Missing = middle {
                    continue;
                }
                dir.file("anchors/other.pem", read("other.pem"));
            }
            let path = dir.join("anchors/ca.pem");
            let commands = || (server(&[], "CADIR", &dir.join("anchors")), client());
            renewed(middle, &path, &read("ca.pem"), commands);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_pair_in_a_directory_may_be_renewed_in_place() {
    let content = |file: &str| {
        if file.contains("key") {
            certs().read("p256.key")
        } else {
            certs().read("p256.pem")
        }
    };
    for pair in [
        ["localhost/privkey.pem", "localhost/fullchain.pem"],
        ["localhost.key", "localhost.crt"],
        ["localhost.key", "localhost.pem"],
    ] {
        for [renewing, other] in [pair, [pair[1], pair[0]]] {
            for middle in MIDDLES {
                let dir = TempDir::new();
                dir.file(other, content(other));
                let path: PathBuf = dir.join(renewing);
                renewed(middle, &path, &content(renewing), || {
                    let server = tlsd(&["-k2"], "p256", ECHO).env("SNIDIR", dir.path());
                    (server, tlsc(&["-klocalhost"], HELLO))
                });
            }
        }
    }
}

/// Half a pair before a complete one: the end of the renewal decides which
/// counts.
#[cfg(target_os = "linux")]
#[test]
fn wildcard_does_not_replace_a_pair_in_renewal() {
    let dir = TempDir::new();
    dir.file("_.example.test.key", certs().read("rsa.key"));
    dir.file("_.example.test.crt", certs().read("rsa.pem"));
    dir.file("a.example.test.key", certs().read("wild.key"));
    let path = dir.join("a.example.test.crt");
    let content = certs().read("wild.pem");
    renewed(Middle::Missing, &path, &content, || {
        let server = tlsd(&["-k2"], "p256", ECHO).env("SNIDIR", dir.path());
        // Its own certificate is for this name, that of the wildcard is not.
        (server, tlsc(&["-ka.example.test"], HELLO))
    });
}

#[test]
fn bad_entry_in_cadir_is_a_warning() {
    let dir = TempDir::new();
    dir.file("ca.pem", certs().read("ca.pem"));
    dir.file("note", "nothing");
    let client = || {
        let client = tlsc(&["-klocalhost"], HELLO).env("CADIR", dir.path());
        let (_, client) = connect(tlsd(&[], "p256", ECHO), client);
        client.success().err()
    };
    assert_eq!(client(), "");
    let cut = dir.file("cut", &certs().read("other.pem")[..100]);
    let warning = "s6-tlsc-io: warning: unable to use";
    let line = format!("{warning} {}: malformed content\n", cut.display());
    assert_eq!(client(), line);
    // One that is truncated before it is written again.
    dir.file("cut", "");
    let line = format!("{warning} {}: no certificate inside\n", cut.display());
    assert_eq!(client(), line);
}

/// Two files that an engine can do without, and the pauses for them.
#[test]
fn pauses_for_optional_files_leave_time_for_the_handshake() {
    let dir = TempDir::new();
    dir.file("ca.pem", certs().read("ca.pem"));
    dir.file("empty", "");
    for guard in [&[][..], &["--key-guard"]] {
        let options = [&["-K600", "-Y"], guard].concat();
        let serves = || {
            let server = tlsd(&options, "p256", ECHO)
                .env("CADIR", dir.path())
                .env("OCSPFILE", "/nonexistent");
            let (server, client) = connect(server, tlsc(&["-klocalhost"], HELLO));
            for optional in ["/nonexistent", "empty"] {
                assert!(server.err().contains(optional), "{}", server.err());
            }
            client.out().starts_with("hello\n")
        };
        // On a busy machine the handshake may take longer than what is left.
        assert!((0..20).any(|_| serves()), "{guard:?}");
    }
}

#[test]
fn a_file_that_ends_within_a_certificate_is_malformed() {
    let dir = TempDir::new();
    let text = certs().read("leaf-chain.pem");
    let cut = dir.file("chain", &text[..text.len() - 9]);
    let server = cmd(["s6-tlsd-io", "0", "1"])
        .env("KEYFILE", certs().path("leaf.key"))
        .env("CERTFILE", &cut);
    let line = format!("unable to use {}: malformed content", cut.display());
    server
        .run()
        .fatal(96, &format!("s6-tlsd-io: fatal: {line}"));
}
