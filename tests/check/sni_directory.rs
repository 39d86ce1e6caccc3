//! What the check prints of SNIDIR.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{fact, facts, snidir};
use crate::util::tls::{HELLO, connect, tlsc, tlsd};
use crate::util::{certs, cmd};

#[test]
fn all_pairs_of_snidir_are_described() {
    let dir = snidir(&[
        ("localhost/privkey.pem", "rsa.key"),
        ("localhost/fullchain.pem", "rsa.pem"),
        ("*.b.example.key", "p384.key"),
        ("*.b.example.crt", "p384.pem"),
        ("*.c.example.key", "rsa.key"),
        ("*.c.example.crt", "rsa.pem"),
        ("_.c.example.key", "p384.key"),
        ("_.c.example.pem", "p384.pem"),
        ("half.example.key", "p256.key"),
        ("b\u{fc}cher.example.key", "rsa.key"),
        ("README", "ca.pem"),
        ("notes", "ca.pem"),
        ("empty/x", "ca.pem"),
        (".hidden/x", "ca.pem"),
    ]);
    let output = cmd(["s6-tlsd", "--check", "--mandatory-sni", "true"])
        .env("SNIDIR", dir.path())
        .env("CAFILE", certs().path("ca.pem"))
        .run()
        .success();
    let names = ["*.b.example", "_.c.example", "localhost"];
    assert_eq!(facts(&output, "pair"), names);
    let file = |name: &str| dir.join(name).display().to_string();
    let files = [
        "*.b.example.crt",
        "_.c.example.pem",
        "localhost/fullchain.pem",
    ]
    .map(file);
    assert_eq!(facts(&output, "certificate-file"), files);
    assert_eq!(fact(&output, "key-guard"), "yes");
    let not_for =
        |number: usize, name| format!("the certificate in {} is not for {name}", files[number]);
    let never = |name: &str, why: &str| format!("{} is never used: {why}", file(name));
    let unicode = "a name that is not ASCII has to be given as its A-label (xn--...)";
    let first = format!("{} comes first", file("_.c.example.key"));
    let warnings = [
        never("*.c.example.crt", &first),
        never("*.c.example.key", &first),
        never("b\u{fc}cher.example.key", unicode),
        "SNIDIR has no pair for empty".to_owned(),
        "SNIDIR has no pair for half.example".to_owned(),
        not_for(0, "*.b.example"),
        not_for(1, "*.c.example"),
    ];
    assert_eq!(facts(&output, "warning"), warnings);
    for half in ["half.example.key", "empty"] {
        let why = format!("{half}: there is no ");
        assert!(output.err().contains(&why), "{}", output.err());
    }
}

#[test]
fn files_of_snidir_that_no_client_gets_are_a_warning_and_not_loaded() {
    let dir = snidir(&[
        ("a.example.key", "rsa.key"),
        ("a.example.crt", "p256.pem"),
        ("b.other.example/privkey.pem", "rsa.key"),
        ("b.other.example/fullchain.pem", "p256.pem"),
        ("*.other.example.pem", "p256.pem"),
        ("C.example.key", "rsa.key"),
        ("C.example.crt", "p256.pem"),
        ("c.example.key", "rsa.key"),
        ("c.example.crt", "rsa.pem"),
        ("c.example.pem", "p256.pem"),
        ("*.example.key", "rsa.key"),
        ("ca.pem", "ca.pem"),
    ]);
    let output = cmd(["s6-tlsd", "--check", "--mandatory-sni", "true"])
        .env("SNIDIR", dir.path())
        .env("KEYFILE:a.Example", certs().path("rsa.key"))
        .env("CERTFILE:a.Example", certs().path("rsa.pem"))
        .env("KEYFILE:*.other.example", certs().path("rsa.key"))
        .env("CERTFILE:*.other.example", certs().path("rsa.pem"))
        .env("CAFILE", certs().path("ca.pem"))
        .run()
        .success();
    let pairs = facts(&output, "pair");
    assert_eq!(pairs.len(), 3, "{pairs:?}");
    assert_eq!(pairs[2], "c.example");
    let file = |name: &str| dir.join(name).display().to_string();
    let never = |name: &str, why: &str| format!("{} is never used: {why}", file(name));
    let lower = "names are looked up in lower case, without a final dot";
    let variable = "KEYFILE:*.other.example comes first";
    let found: Vec<String> = facts(&output, "warning");
    let found = found.iter().filter(|line| line.contains(&file("")));
    let found: Vec<&str> = found.map(String::as_str).collect();
    assert_eq!(
        found,
        [
            never("*.example.key", "two labels must follow the *"),
            never("*.other.example.pem", variable),
            never("C.example.crt", lower),
            never("C.example.key", lower),
            never("a.example.crt", "KEYFILE:a.example comes first"),
            never("a.example.key", "KEYFILE:a.example comes first"),
            never("b.other.example/fullchain.pem", variable),
            never("b.other.example/privkey.pem", variable),
            never(
                "c.example.pem",
                &format!("{} comes first", file("c.example.key"))
            ),
            format!(
                "the certificate in {} is not for c.example",
                file("c.example.crt")
            ),
        ]
    );
}

#[test]
fn entries_of_snidir_that_cannot_be_looked_into_are_a_warning() {
    let dir = snidir(&[
        ("localhost/privkey.pem", "rsa.key"),
        ("localhost/fullchain.pem", "rsa.pem"),
    ]);
    let outside = snidir(&[("x.example/privkey.pem", "rsa.key")]);
    symlink("/etc", dir.join("backup")).unwrap();
    symlink("/etc/passwd", dir.join("notes.txt")).unwrap();
    let run = || {
        let check = cmd(["s6-tlsd", "--check", "--mandatory-sni", "true"]);
        check.env("SNIDIR", dir.path()).run()
    };
    let output = run().success();
    assert_eq!(fact(&output, "pair"), "localhost");
    let refused = "a client that asks for this name is refused";
    let backup = format!(
        "unable to use {}: it is a symbolic link that is absolute or leads out of SNIDIR: {refused}",
        dir.join("backup").display()
    );
    let found = facts(&output, "warning");
    assert!(found.contains(&backup), "{found:?}");
    fs::create_dir(dir.join("old")).unwrap();
    fs::set_permissions(dir.join("old"), Permissions::from_mode(0o700)).unwrap();
    if nix::unistd::geteuid().is_root() {
        let check = cmd(["s6-applyuidgid", "-u", "65534", "-g", "65534", "s6-tlsd-io"]);
        let check = check.args(["--check", "--mandatory-sni", "6", "7"]);
        let output = check.env("SNIDIR", dir.path()).run().success();
        let old = format!(
            "unable to read {} as uid 65534: Permission denied: {refused}",
            dir.join("old").display()
        );
        let found = facts(&output, "warning");
        assert!(found.contains(&old), "{found:?}");
    }
    // A pair that links of the directory lead to is one that clients are to get.
    symlink(outside.join("x.example"), dir.join("x.example")).unwrap();
    run().code(96);
}

#[test]
fn a_certificate_alone_in_snidir_is_half_a_pair() {
    let dir = snidir(&[
        ("a.b.example.pem", "p256.pem"),
        ("_.b.example.key", "p384.key"),
        ("_.b.example.crt", "p384.pem"),
        ("_.c.example.pem", "p256.pem"),
        ("*.c.example.key", "rsa.key"),
        ("*.c.example.crt", "rsa.pem"),
    ]);
    let output = cmd(["s6-tlsd", "--check", "--mandatory-sni", "true"])
        .env("SNIDIR", dir.path())
        .run()
        .success();
    assert_eq!(facts(&output, "pair"), ["*.c.example", "_.b.example"]);
    let file = |name: &str| dir.join(name).display().to_string();
    let files = ["*.c.example.key", "_.b.example.key"].map(file);
    assert_eq!(facts(&output, "key-file"), files);
    let found = facts(&output, "warning");
    for half in ["_.c.example", "a.b.example"] {
        let none = format!("SNIDIR has no pair for {half}");
        assert!(found.contains(&none), "{found:?}");
        let why = format!(
            "unable to use {}: no private key inside",
            file(&format!("{half}.pem"))
        );
        assert!(output.err().contains(&why), "{}", output.err());
    }
}

#[test]
fn a_faulty_pair_of_snidir_is_told_as_to_a_client() {
    for key in ["rsa.key", "p256.pem"] {
        let dir = snidir(&[("a.example.key", key), ("a.example.crt", "p256.pem")]);
        let server = |options: &[&str]| {
            let server = tlsd(options, "p256", "cat").env("SNIDIR", dir.path());
            server.env_remove("KEYFILE").env_remove("CERTFILE")
        };
        let client = tlsc(&["-ka.example", "--no-verify-cert"], HELLO);
        let (service, _) = connect(server(&["--mandatory-sni"]), client);
        let check = server(&["--mandatory-sni", "--check"]).run().code(96);
        assert_eq!(service.code(96).err(), check.err());
    }
}
