//! User and group ids: they must be numbers, and groups are dropped with the
//! user.

use nix::sys::signal::Signal;

use crate::sandbox::ordinary;
use crate::util::tls::{HELLO, connect, tlsc};
use crate::util::{Cmd, TempDir, certs, cmd, skip};

#[test]
fn name_instead_of_id_is_refused_with_the_command() {
    let user = "must be an unsigned integer: `id -u www-data` prints the number";
    let group = "must be an unsigned integer: `getent group ssl-cert` shows the number";
    let groups = "must be a list of unsigned integers: `getent group ssl-cert` shows the number";
    for program in ["s6-tlsserver", "s6-tcpserver", "s6-applyuidgid"] {
        for (option, value, line) in [
            ("-u", "www-data", format!("uid {user}")),
            ("-g", "ssl-cert", format!("gid {group}")),
            ("-G", "5,ssl-cert", format!("gidlist {groups}")),
        ] {
            let output = cmd([program, option, value, "127.0.0.1", "0", "true"]).run();
            output.fatal(100, &format!("{program}: fatal: {line}"));
        }
    }
    for (name, value, line) in [
        ("UID", "www-data", user),
        ("GID", "ssl-cert", group),
        ("GIDLIST", "ssl-cert", group),
    ] {
        let ids = cmd(["s6-applyuidgid", "-U", "true"]);
        let ids = ["UID", "GID", "GIDLIST"]
            .iter()
            .fold(ids, |ids, name| ids.env(name, "1"));
        let line = format!("s6-applyuidgid: fatal: invalid ${name}: {line}");
        ids.env(name, value).run().fatal(100, &line);
    }
    if !nix::unistd::geteuid().is_root() {
        skip("only for root");
        return;
    }
    for (engine, name, value, line) in [
        ("s6-tlsd-io", "TLS_UID", "www-data", user),
        ("s6-tlsc-io", "TLS_GID", "ssl-cert", group),
    ] {
        let line = format!("{engine}: fatal: invalid ${name}: {line}");
        let engine = cmd([engine, "6", "7"]).env("CAFILE", certs().path("ca.pem"));
        engine.env(name, value).run().fatal(100, &line);
    }
}

/// The messages of the server with this command line.
fn said(server: Cmd) -> String {
    let server = server.start();
    server.port();
    server.signal(Signal::SIGTERM);
    server.finish().success().err()
}

#[test]
fn a_server_that_keeps_groups_of_root_says_so_at_its_start() {
    if !nix::unistd::geteuid().is_root() {
        skip("only for root");
        return;
    }
    let both = "-u without -g and -G: the program stays in the group of root, and keeps its \
                supplementary groups; -G '' clears them";
    let groups = "-u without -G: the program keeps the supplementary groups of root; \
                  -G '' clears them";
    for program in ["s6-tlsserver", "s6-tcpserver"] {
        for (options, warning) in [
            (&["-u", "8"][..], Some(both)),
            (&["-u", "8", "-g", "8"], Some(groups)),
            (&["-q", "-u", "8"], None),
            (&["-u", "8", "-g", "8", "-G", ""], None),
            (&["-g", "8"], None),
        ] {
            let server = cmd(["s6-applyuidgid", "-G", "4,5", program, "-1"]).args(options);
            let expected = warning.map(|text| format!("{program}: warning: {text}\n"));
            let found = said(server.args(["127.0.0.1", "0", "true"]));
            assert_eq!(found, expected.unwrap_or_default(), "{program} {options:?}");
        }
    }
    let server = cmd([
        "s6-applyuidgid",
        "-G",
        "",
        "s6-tlsserver",
        "-1",
        "-u8",
        "-g8",
    ]);
    assert_eq!(said(server.args(["127.0.0.1", "0", "true"])), "");
    let server = |name| {
        let server = cmd(["s6-tlsserver", "-1", "127.0.0.1", "0", "true"]);
        said(server.env("TLS_UID", "65534").env(name, "65534"))
    };
    let warning = "TLS_UID without TLS_GID: the engine stays in the group of root";
    assert_eq!(server("X"), format!("s6-tlsserver: warning: {warning}\n"));
    assert_eq!(server("TLS_GID"), "");
}

#[test]
fn an_empty_list_leaves_no_group() {
    if !nix::unistd::geteuid().is_root() {
        skip("only for root");
        return;
    }
    // With groups of root to be cleared.
    let started = ["s6-applyuidgid", "-G", "4,5", "s6-tcpserver", "-1"];
    let server = cmd(started)
        .args(["-u", "8", "-g", "9", "-G", "", "127.0.0.1", "0"])
        .args(["sh", "-c", "id -u; id -g; id -G"])
        .start();
    let port = server.port().to_string();
    let client = cmd([
        "s6-tcpclient",
        "-H",
        "127.0.0.1",
        &port,
        "sh",
        "-c",
        "cat <&6",
    ]);
    assert_eq!(client.run().success().out(), "8\n9\n9\n");
}

#[test]
fn tls_uid_and_tls_gid_are_ignored_unless_the_user_is_root() {
    if !nix::unistd::geteuid().is_root() {
        skip("only for root");
        return;
    }
    let dir = TempDir::new();
    for options in [&[][..], &["--key-guard"]] {
        let server = ordinary(options, &dir)
            .env("TLS_UID", "1")
            .env("TLS_GID", "no number");
        let (server, client) = connect(server, tlsc(&[], HELLO));
        client.success();
        server.success();
    }
}
