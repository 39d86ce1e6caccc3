//! Variables that must name a file, and the messages if they do not.

use crate::util::{TempDir, certs, cmd};

#[test]
fn empty_variable_is_named() {
    let path = |name| certs().path(name);
    for (program, options, variable) in [
        ("s6-tlsd-io", &["-y"][..], "KEYFILE"),
        ("s6-tlsd-io", &["-y"], "CERTFILE"),
        ("s6-tlsd-io", &["-k1"], "KEYFILE:x"),
        ("s6-tlsd-io", &["-k1"], "CERTFILE:x"),
        ("s6-tlsd-io", &["-k1"], "SNIDIR"),
        ("s6-tlsd-io", &["-y"], "TICKETKEYFILE"),
        ("s6-tlsd-io", &["-y"], "CAFILE"),
        ("s6-tlsd-io", &["-y"], "CADIR"),
        ("s6-tlsd-io", &["-y"], "CRLFILE"),
        ("s6-tlsc-io", &["-y"], "KEYFILE"),
        ("s6-tlsc-io", &["-y"], "CERTFILE"),
        ("s6-tlsc-io", &[], "CAFILE"),
        ("s6-tlsc-io", &[], "CADIR"),
        ("s6-tlsc-io", &[], "CRLFILE"),
    ] {
        for guard in [&[][..], &["--key-guard"]] {
            let engine = cmd([program])
                .args(options)
                .args(guard)
                .args(["0", "1"])
                .env("KEYFILE", path("p256.key"))
                .env("CERTFILE", path("p256.pem"))
                .env("KEYFILE:x", path("p256.key"))
                .env("CERTFILE:x", path("p256.pem"))
                .env("CAFILE", path("ca.pem"))
                .env(variable, "");
            let line = format!("{program}: fatal: {variable} is set but empty: it must be a path");
            engine.run().fatal(96, &line);
        }
    }
}

#[test]
fn an_empty_variable_for_a_response_is_a_warning() {
    let (near, far) = crate::util::tcp_pair();
    drop(near);
    let server = cmd(["s6-tlsd-io", "3", "4"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("OCSPFILE", "")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far.try_clone().unwrap())
        .fd(3, far.try_clone().unwrap())
        .fd(4, far);
    let warning = "s6-tlsd-io: warning: OCSPFILE is set but empty: it must be a path\n";
    assert!(server.run().err().starts_with(warning));
}

#[test]
fn snidir_without_sni_level_says_what_is_missing() {
    let dir = TempDir::new();
    for (options, why) in [
        (&[][..], "SNIDIR needs --sni or --mandatory-sni"),
        (&["--sni"], "only with --mandatory-sni is SNIDIR enough"),
    ] {
        let server = cmd(["s6-tlsd-io"]).args(options).args(["0", "1"]);
        let line = format!("s6-tlsd-io: fatal: KEYFILE not set: {why}");
        server.env("SNIDIR", dir.path()).run().fatal(100, &line);
    }
}
