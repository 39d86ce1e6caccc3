//! SNIDIR: a directory of pairs.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::util::tls::{HELLO, connect, tlsc, tlsd};
use crate::util::{Cmd, Output, TempDir, certs, cmd, idle};

/// A server at this SNI level with pairs from `dir`, and no others.
fn server(options: &[&str], dir: &Path, program: &str) -> Cmd {
    tlsd(options, "p256", program)
        .env_remove("KEYFILE")
        .env_remove("CERTFILE")
        .env("SNIDIR", dir)
}

/// The output of a client that asks for `name` and accepts any certificate.
fn visit(server: Cmd, name: &str) -> (Output, Output) {
    let name = format!("-k{name}");
    connect(server, tlsc(&[&name, "--no-verify-cert"], HELLO))
}

/// The pair whose certificate the client was shown.
fn shown(client: &Output) -> &'static str {
    let out = client.out();
    let pairs = ["p256", "p384", "rsa", "ed25519"];
    let hash = |pair: &&&str| {
        let der = certs().read(&format!("{pair}.der"));
        out.contains(&format!(
            "SSL_PEER_CERT_HASH=SHA256:{}\n",
            crate::util::sha256(&der)
        ))
    };
    pairs.iter().find(hash).copied().unwrap_or("none")
}

/// A copy of a pair's key or chain.
fn copy(pair: &str, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let end = to.to_string_lossy();
    let key = certs().read(&format!("{pair}.key"));
    let chain = certs().read(&format!("{pair}.pem"));
    let content = match () {
        () if end.ends_with("privkey.pem") || end.ends_with(".key") => key,
        () if end.ends_with("both.pem") => [chain, key].concat(),
        () => chain,
    };
    std::fs::write(to, content).unwrap();
}

#[test]
fn certbot_directory_is_served_unchanged() {
    let dir = TempDir::new();
    for (name, pair) in [("a.example", "p384"), ("b.example", "rsa")] {
        for file in ["privkey", "fullchain"] {
            let archive = format!("archive/{name}/{file}1.pem");
            copy(pair, &dir.join(&format!("tmp/{file}.pem")));
            std::fs::create_dir_all(dir.join(&archive).parent().unwrap()).unwrap();
            std::fs::rename(dir.join(&format!("tmp/{file}.pem")), dir.join(&archive)).unwrap();
            let live = dir.join(&format!("live/{name}/{file}.pem"));
            std::fs::create_dir_all(live.parent().unwrap()).unwrap();
            symlink(format!("../../{archive}"), live).unwrap();
        }
    }
    let live = dir.join("live");
    for (name, pair) in [("a.example", "p384"), ("B.Example", "rsa")] {
        let (server, client) = visit(server(&["--mandatory-sni"], &live, "cat"), name);
        assert_eq!(shown(&client.success()), pair, "{name}");
        server.success();
    }
}

#[test]
fn the_first_place_that_has_a_whole_pair_counts() {
    let dir = TempDir::new();
    let ask = |name: &str| {
        let (server, client) = visit(server(&["-k2"], dir.path(), "cat"), name);
        drop(server);
        shown(&client)
    };
    // Fills the places of a pair from the last to the first.
    let both = [certs().read("rsa.pem"), certs().read("rsa.key")].concat();
    std::fs::write(dir.join("*.example.org.pem"), both).unwrap();
    assert_eq!(ask("www.example.org"), "rsa");
    copy("p384", &dir.join("_.example.org/privkey.pem"));
    assert_eq!(ask("www.example.org"), "rsa", "half a pair is none");
    copy("p384", &dir.join("_.example.org/fullchain.pem"));
    assert_eq!(ask("www.example.org"), "p384");
    copy("ed25519", &dir.join("www.example.org.key"));
    copy("ed25519", &dir.join("www.example.org.crt"));
    assert_eq!(ask("www.example.org"), "ed25519");
    copy("p256", &dir.join("www.example.org/privkey.pem"));
    copy("p256", &dir.join("www.example.org/fullchain.pem"));
    assert_eq!(ask("www.example.org"), "p256");
    assert_eq!(ask("example.org"), "none");
    assert_eq!(ask("a.b.example.org"), "none");
}

#[test]
fn variables_come_first_and_the_default_pair_last() {
    let dir = TempDir::new();
    for name in ["a.example", "b.example"] {
        copy("p384", &dir.join(&format!("{name}.key")));
        copy("p384", &dir.join(&format!("{name}.crt")));
    }
    for (name, pair) in [
        ("a.example", "rsa"),
        ("b.example", "p384"),
        ("c.example", "p256"),
    ] {
        let server = tlsd(&["--sni"], "p256", "cat")
            .env("KEYFILE:a.example", certs().path("rsa.key"))
            .env("CERTFILE:a.example", certs().path("rsa.pem"))
            .env("SNIDIR", dir.path());
        let (server, client) = visit(server, name);
        assert_eq!(shown(&client.success()), pair, "{name}");
        server.success();
    }
}

#[test]
fn a_name_without_a_pair_is_refused_at_level_2() {
    let dir = TempDir::new();
    for name in ["a.example", "under_score.example", "192.0.2.1"] {
        let (server, client) = visit(server(&["-k2"], dir.path(), "echo never"), name);
        server.code(98);
        client.fatal_with(98, "s6-tlsc-io: fatal: ", &["unrecognized_name"]);
    }
}

/// With `.key` appended, a name of this length is too long for a file.
#[test]
fn a_name_that_is_too_long_for_a_file_has_no_pair() {
    let dir = TempDir::new();
    let label = "a".repeat(61);
    let longest = [&label[..]; 4].join(".") + ".long";
    assert_eq!(longest.len(), 252);
    let ask = |options: &[&str]| {
        let server = tlsd(options, "p256", "cat").env("SNIDIR", dir.path());
        visit(server, &longest)
    };
    let (server, client) = ask(&["-k2"]);
    server.fatal_with(98, "s6-tlsd-io: fatal: ", &["which has no certificate"]);
    client.fatal_with(98, "s6-tlsc-io: fatal: ", &["unrecognized_name"]);
    let (server, client) = ask(&["-k1"]);
    server.success();
    assert_eq!(shown(&client.success()), "p256");
}

#[test]
fn unusable_pair_is_reported_to_both_sides() {
    let dir = TempDir::new();
    copy("p384", &dir.join("a.example.key"));
    copy("rsa", &dir.join("a.example.crt"));
    let (server, client) = visit(server(&["-k2"], dir.path(), "echo never"), "a.example");
    let path = dir.path().display();
    server.fatal(
        96,
        &format!(
            "s6-tlsd-io: fatal: private key in {path}/a.example.key does not belong to the \
             certificate in {path}/a.example.crt"
        ),
    );
    client.fatal_with(98, "s6-tlsc-io: fatal: ", &["internal_error"]);
}

#[test]
fn links_in_the_directory_itself_stay_inside() {
    let outside = TempDir::new();
    let files = ["x.key", "x.crt", "x/privkey.pem", "x/fullchain.pem"];
    for file in files {
        copy("p384", &outside.join(file));
    }
    for linked in [&["a.example.key", "a.example.crt"][..], &["a.example"]] {
        let dir = TempDir::new();
        for link in linked {
            let target = outside.join(&link.replace("a.example", "x"));
            symlink(target, dir.join(link)).unwrap();
        }
        let (server, _) = visit(server(&["-k2"], dir.path(), "echo never"), "a.example");
        let first = dir.join(linked[0]);
        server.fatal(
            96,
            &format!(
                "s6-tlsd-io: fatal: unable to use {}: it is a symbolic link that is absolute or \
                 leads out of SNIDIR",
                first.display()
            ),
        );
    }
    let dir = TempDir::new();
    for file in files {
        copy("p384", &dir.join(file));
    }
    for link in ["a.example.key", "a.example.crt", "b.example"] {
        let target = link.replace("a.example", "x").replace("b.example", "x");
        symlink(target, dir.join(link)).unwrap();
    }
    for name in ["a.example", "b.example"] {
        let (server, client) = visit(server(&["-k2"], dir.path(), "cat"), name);
        assert_eq!(shown(&client.success()), "p384", "{name}");
        server.success();
    }
}

#[test]
fn a_renewal_is_served_at_once() {
    let dir = TempDir::new();
    for pair in ["p384", "rsa", "ed25519"] {
        for file in ["privkey.pem", "fullchain.pem"] {
            copy(pair, &dir.join(&format!("a.example/{file}")));
        }
        let (_, client) = visit(server(&["-k2"], dir.path(), "cat"), "a.example");
        assert_eq!(shown(&client.success()), pair);
    }
}

/// As certbot renews: each link is removed and made anew, one after the other.
fn renew(live: &Path, number: usize) {
    for file in ["cert", "privkey", "chain", "fullchain"] {
        let link = live.join(format!("{file}.pem"));
        let _ = std::fs::remove_file(&link);
        // Longer than a connection takes, so that connections meet it.
        idle(Duration::from_millis(1));
        symlink(format!("../../archive/a.example/{file}{number}.pem"), link).unwrap();
    }
}

#[test]
fn certbot_renewal_under_load_breaks_no_connection() {
    let dir = TempDir::new();
    let live = dir.join("live/a.example");
    std::fs::create_dir_all(&live).unwrap();
    for (number, pair) in ["p256", "p384"].into_iter().enumerate() {
        for (file, end) in [("privkey", "key"), ("fullchain", "pem")] {
            let content = certs().read(&format!("{pair}.{end}"));
            dir.file(&format!("archive/a.example/{file}{number}.pem"), content);
        }
    }
    renew(&live, 0);
    let server = cmd(["s6-tlsserver", "-1Hk2", "127.0.0.1", "0", "cat"])
        .env("SNIDIR", dir.join("live"))
        .start();
    let port = server.port().to_string();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let visitors = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut seen = [0; 2];
                while !done.load(Ordering::Relaxed) {
                    let client = cmd(["s6-tlsclient", "-Hka.example", "--no-verify-cert"])
                        .args(["127.0.0.1", &port, "sh", "-c", HELLO])
                        .env("CAFILE", certs().path("ca.pem"));
                    let pair = shown(&client.run().success());
                    seen[usize::from(pair == "p384")] += 1;
                }
                seen
            })
        });
        for number in (0..100).map(|number| number % 2) {
            renew(&live, number);
            idle(Duration::from_millis(20));
        }
        done.store(true, Ordering::Relaxed);
        for visitor in visitors {
            let seen = visitor.join().unwrap();
            assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
        }
    });
    server.signal(Signal::SIGTERM);
    let said = server.finish().success().err();
    assert!(!said.contains("fatal"), "{said}");
}

#[test]
fn only_root_reads_the_directory_and_nobody_hears_the_network_as_root() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = TempDir::new();
    copy("p384", &dir.join("a.example.key"));
    copy("p384", &dir.join("a.example.crt"));
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let server = server(&["-k2"], dir.path(), "cat").env("TLS_UID", "65534");
    let (server, client) = visit(server, "a.example");
    assert_eq!(shown(&client.success()), "p384");
    server.success();
}

#[test]
fn unopenable_snidir_is_reported_at_start() {
    let dir = TempDir::new();
    let file = dir.file("file", "");
    let pipe = dir.join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for (path, why) in [
        (dir.join("missing"), "No such file or directory"),
        (file, "Not a directory"),
        // Nobody writes to it: opening it as a file would never end.
        (pipe, "Not a directory"),
    ] {
        let shown = path.display().to_string();
        server(&["-k1"], &path, "echo never")
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .run()
            .fatal(
                96,
                &format!("s6-tlsd-io: fatal: unable to open directory {shown}: {why}"),
            );
    }
}

#[test]
fn files_with_a_unicode_name_are_a_warning() {
    let dir = TempDir::new();
    copy("p384", &dir.join("b\u{fc}cher.test/privkey.pem"));
    copy("p384", &dir.join("b\u{fc}cher.test/fullchain.pem"));
    copy("p384", &dir.join("*.\u{440}\u{444}.test.key"));
    copy("p384", &dir.join("*.\u{440}\u{444}.test.crt"));
    for (level, name, file) in [
        (
            "-k1",
            "xn--bcher-kva.test",
            Some("b\u{fc}cher.test/privkey.pem"),
        ),
        (
            "-k2",
            "XN--bcher-kva.test",
            Some("b\u{fc}cher.test/privkey.pem"),
        ),
        (
            "-k2",
            "www.xn--p1ai.test",
            Some("*.\u{440}\u{444}.test.key"),
        ),
        ("-k2", "xn--fsqu00a.test", None),
        ("-k2", "xn--.test", None),
    ] {
        let server = tlsd(&[level], "p256", "true").env("SNIDIR", dir.path());
        let (server, client) = visit(server, name);
        let err = server.err();
        assert_eq!(err.contains("warning: "), file.is_some(), "{name}: {err}");
        if let Some(file) = file {
            let file = dir.join(file);
            let shown = name.to_ascii_lowercase();
            let warning = format!(
                "s6-tlsd-io: warning: {} is of no use for {shown}: \
                 a name that is not ASCII has to be given as its A-label (xn--...)\n",
                file.display()
            );
            assert!(
                err.to_lowercase().starts_with(&warning.to_lowercase()),
                "{err}"
            );
        }
        // A client that sends this form gets the files of this name.
        assert_eq!(shown(&client), if level == "-k1" { "p256" } else { "none" });
    }
    copy("rsa", &dir.join("xn--bcher-kva.test.key"));
    copy("rsa", &dir.join("xn--bcher-kva.test.crt"));
    let (server, client) = visit(server(&["-k2"], dir.path(), "cat"), "xn--bcher-kva.test");
    assert_eq!(shown(&client), "rsa");
    assert_eq!(server.err(), "");
}

#[test]
fn a_certificate_alone_where_the_key_should_be_with_it_is_half_a_pair() {
    let dir = TempDir::new();
    copy("rsa", &dir.join("a.example.org.pem"));
    let warning = format!(
        "s6-tlsd-io: warning: unable to use {}: no private key inside\n",
        dir.join("a.example.org.pem").display(),
    );
    let ask = || {
        let server = tlsd(&["--sni"], "p256", "cat").env("SNIDIR", dir.path());
        let (server, client) = visit(server, "a.example.org");
        assert_eq!(server.success().err(), warning);
        shown(&client.success())
    };
    assert_eq!(ask(), "p256", "the default pair");
    copy("p384", &dir.join("_.example.org.key"));
    copy("p384", &dir.join("_.example.org.crt"));
    assert_eq!(ask(), "p384", "the pair of the wildcard");
}

#[test]
fn half_a_pair_that_stays_half_is_a_warning() {
    for (files, there, missing) in [
        (
            &["a.example.org.crt"][..],
            "a.example.org.crt",
            "a.example.org.key",
        ),
        (
            &["_.example.org.key"],
            "_.example.org.key",
            "_.example.org.crt",
        ),
        (
            &["a.example.org/fullchain.pem"],
            "a.example.org/fullchain.pem",
            "a.example.org/privkey.pem",
        ),
        (
            &["a.example.org/README"],
            "a.example.org",
            "a.example.org/privkey.pem",
        ),
        // Another pair serves the name.
        (
            &[
                "a.example.org.key",
                "*.example.org.key",
                "*.example.org.crt",
            ],
            "a.example.org.key",
            "a.example.org.crt",
        ),
    ] {
        let dir = TempDir::new();
        for file in files {
            copy("p384", &dir.join(file));
        }
        let found = if files.len() > 1 { "p384" } else { "p256" };
        for (verbosity, warned) in [("-v1", true), ("-v0", false)] {
            let server = tlsd(&["--sni", verbosity], "p256", "cat").env("SNIDIR", dir.path());
            let (server, client) = visit(server, "a.example.org");
            assert_eq!(shown(&client.success()), found, "{there}");
            let warning = format!(
                "s6-tlsd-io: warning: unable to use {}: there is no {}\n",
                dir.join(there).display(),
                dir.join(missing).display(),
            );
            assert_eq!(server.success().err().contains(&warning), warned, "{there}");
        }
    }
}
