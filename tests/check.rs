//! `--check`: it says what the service would do, with the codes and lines of the service.

mod description;
mod faults;
mod lists;
mod settings;
mod sni_directory;
mod staple;

use std::fs;

use crate::util::{Cmd, Output, TempDir, bin_dir, certs, cmd, need};

/// The values of all lines with this key, in order.
fn facts(output: &Output, key: &str) -> Vec<String> {
    let out = output.out();
    let lines = out.lines().map(|line| line.split_once(": "));
    let wanted = lines.map(|line| line.expect("a key and a value"));
    let wanted = wanted.filter(|(name, _)| *name == key);
    wanted.map(|(_, value)| value.to_owned()).collect()
}

/// The value of the only line with this key.
fn fact(output: &Output, key: &str) -> String {
    let found = facts(output, key);
    assert_eq!(found.len(), 1, "{key} in {}", output.out());
    found[0].clone()
}

/// `s6-tlsd-io --check` with these options and the pair `pair`.
fn server(options: &[&str], pair: &str) -> Cmd {
    cmd(["s6-tlsd-io"])
        .args(options)
        .args(["6", "7"])
        .env("KEYFILE", certs().path(&format!("{pair}.key")))
        .env("CERTFILE", certs().path(&format!("{pair}.pem")))
}

/// A directory with a pair for each of these names.
fn snidir(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new();
    for (file, from) in files {
        dir.file(file, certs().read(from));
    }
    dir
}

#[test]
fn foreign_text_of_a_certificate_is_quoted() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let [key, certificate] = ["key", "certificate"].map(|name| dir.join(name));
    cmd([
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ])
    .args([
        "-nodes",
        "-days",
        "9",
        "-subj",
        "/CN=a\nwarning: b\u{1b}",
        "-utf8",
    ])
    .arg("-keyout")
    .arg(&key)
    .arg("-out")
    .arg(&certificate)
    .run()
    .success();
    let output = cmd(["s6-tlsd-io", "--check=days=10", "6", "7"])
        .env("KEYFILE", &key)
        .env("CERTFILE", &certificate)
        .run()
        .code(1);
    assert_eq!(fact(&output, "names"), r"a\x0awarning:\x20b\x1b");
    assert!(["8", "9"].contains(&fact(&output, "days-left").as_str()));
    let warning = format!(
        "the certificate in {} has no subjectAltName: most clients refuse it",
        certificate.display()
    );
    assert_eq!(facts(&output, "warning"), [warning]);
}

/// System calls that a check must not make: they execute what is not ours, make processes,
/// or reach the network.
const CALLS: &str = "trace=execve,execveat,fork,vfork,clone,clone3,connect,listen,accept,accept4,\
                     sendto,sendmsg,socketpair";

#[test]
fn a_check_executes_only_our_programs_and_sends_nothing() {
    if !need(&["strace"]) {
        return;
    }
    let dir = snidir(&[
        ("localhost/privkey.pem", "rsa.key"),
        ("localhost/fullchain.pem", "rsa.pem"),
    ]);
    let proof = dir.join("proof");
    let program = dir.program("program", format!("#!/bin/sh\n: > {}\n", proof.display()));
    let trace = dir.join("trace");
    for line in [
        "s6-tlsserver --check -y --sni --key-guard -L -u 5 -g 5 -G 5 127.0.0.1 0",
        "s6-tlsd --check",
        "s6-ucspitlsd --check",
        "s6-tlsclient --check -y --key-guard localhost 443",
        "s6-tlsc --check",
        "s6-ucspitlsc --check",
    ] {
        if line.contains("-u 5") && !nix::unistd::geteuid().is_root() {
            continue;
        }
        cmd(["strace", "-f", "-qq", "-e", CALLS, "-o"])
            .arg(&trace)
            .args(line.split(' '))
            .arg(&program)
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .env("CAFILE", certs().path("ca.pem"))
            .env("SNIDIR", dir.path())
            .run()
            .success();
        assert!(!proof.exists(), "{line}");
        let calls = fs::read_to_string(&trace).unwrap();
        let ours = format!("execve(\"{}/", bin_dir().display());
        for call in calls
            .lines()
            .filter(|call| !call.ends_with("ENOENT (No such file or directory)"))
        {
            assert!(call.contains(&ours), "{line}: {call}");
        }
        assert!(calls.contains("-io\""), "{line}: {calls}");
    }
}
