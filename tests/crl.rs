//! `CRLFILE`: revoked certificates are refused.

use std::path::PathBuf;

use crate::util::tls::{ENGINES, VERSIONS, Visit, call, door, visit};
use crate::util::{TempDir, certs, cmd, need};

/// Names of issuers, as messages show what a peer has sent.
const ROOT: &str = r"O\x3ds6-tls\x20tests,\x20CN\x3dRoot";
const INTERMEDIATE: &str = r"O\x3ds6-tls\x20tests,\x20CN\x3dIntermediate";

/// A file with these lists of certs.sh, concatenated.
fn file(dir: &TempDir, lists: &[&str]) -> PathBuf {
    let lists = lists.iter().map(|list| certs().read(list));
    dir.file("lists", lists.collect::<Vec<_>>().concat())
}

/// The result for a certificate: None if it is accepted, else the alert and the
/// reason.
type Verdict = Option<(&'static str, String)>;

fn revoked() -> Verdict {
    let why = "certificate of remote refused: revoked";
    Some(("certificate revoked", why.to_owned()))
}

fn uncovered(issuer: &str) -> Verdict {
    let why = format!("certificate of remote refused: there is no revocation list of {issuer}");
    Some(("unknown ca", why))
}

fn outdated(issuer: &str) -> Verdict {
    let why =
        format!("certificate of remote refused: the revocation list of {issuer} is out of date");
    Some(("unknown ca", why))
}

fn not_valid_yet(issuer: &str) -> Verdict {
    let why =
        format!("certificate of remote refused: the revocation list of {issuer} is not valid yet");
    Some(("unknown ca", why))
}

fn unsigned(why: &str) -> Verdict {
    Some((
        "handshake failure",
        format!("revocation list refused: {why}"),
    ))
}

fn other_key(issuer: &str) -> Verdict {
    let why = format!(
        "certificate of remote refused: \
         no revocation list of {issuer} is signed by the key that signed the certificate"
    );
    Some(("unknown ca", why))
}

fn check(visit: &Visit, pair: &str, verdict: &Verdict) {
    match verdict {
        None => visit.accepted("SUCCESS", pair.strip_suffix("-chain").unwrap_or(pair)),
        Some((alert, why)) => visit.refused(alert, &format!("handshake failed: {why}")),
    }
}

/// Lists, options and the results for a certificate issued by the root, and for
/// one issued by the intermediate.
fn cases() -> Vec<(
    &'static [&'static str],
    &'static [&'static str],
    Verdict,
    Verdict,
)> {
    let leaf: &[&str] = &["--crl-check=leaf"];
    let chain: &[&str] = &["--crl-check=chain"];
    let no_key = || other_key(ROOT);
    vec![
        (&["ca-none.crl"], &[], None, uncovered(INTERMEDIATE)),
        (&["ca-later.crl"], &[], revoked(), uncovered(INTERMEDIATE)),
        (&["inter-none.crl"], chain, uncovered(ROOT), uncovered(ROOT)),
        (&["inter-none.crl"], leaf, uncovered(ROOT), None),
        (&["ca-none.crl", "inter-none.crl"], &[], None, None),
        (&["inter-none.crl.der", "ca-none.crl.der"], &[], None, None),
        (&["ca-none.crl", "inter-leaf.crl"], chain, None, revoked()),
        (&["ca-none.crl", "inter-leaf.crl"], leaf, None, revoked()),
        (&["ca-inter.crl", "inter-none.crl"], &[], None, revoked()),
        (&["ca-inter.crl", "inter-none.crl"], leaf, None, None),
        (&["ca-old.crl"], &[], outdated(ROOT), outdated(ROOT)),
        (
            &["ca-old.crl", "inter-none.crl"],
            leaf,
            outdated(ROOT),
            None,
        ),
        (
            &["ca-future.crl"],
            leaf,
            not_valid_yet(ROOT),
            uncovered(INTERMEDIATE),
        ),
        (
            &["ca-future.crl", "inter-none.crl"],
            &[],
            not_valid_yet(ROOT),
            not_valid_yet(ROOT),
        ),
        (
            &["ca-later.crl", "ca-future.crl"],
            &[],
            revoked(),
            uncovered(INTERMEDIATE),
        ),
        // Of several lists of one issuer the newest counts, wherever it is in
        // the file.
        (
            &["ca-old.crl", "ca-later.crl"],
            leaf,
            revoked(),
            uncovered(INTERMEDIATE),
        ),
        (
            &["ca-none.crl", "ca-later.crl"],
            leaf,
            revoked(),
            uncovered(INTERMEDIATE),
        ),
        (
            &["ca-later.crl", "ca-none.crl"],
            leaf,
            revoked(),
            uncovered(INTERMEDIATE),
        ),
        (
            &["ca-later.crl", "ca-old.crl"],
            leaf,
            revoked(),
            uncovered(INTERMEDIATE),
        ),
        // Another authority has the same name.
        (&["twin-none.crl"], &[], no_key(), no_key()),
        (
            &["twin-none.crl", "ca-none.crl", "inter-none.crl"],
            &[],
            None,
            None,
        ),
        (
            &["inter-none.crl", "ca-later.crl", "twin-none.crl"],
            &[],
            revoked(),
            None,
        ),
    ]
}

#[test]
fn server_checks_the_chain_against_crls() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    for (lists, options, of_root, of_inter) in cases() {
        let lists = file(&dir, lists);
        for (pair, verdict) in [("client", of_root), ("client-inter-chain", of_inter)] {
            for version in VERSIONS {
                let door = door(&[&["-y"], options].concat())
                    .env("CAFILE", certs().path("ca.pem"))
                    .env("CRLFILE", &lists);
                check(&visit(door, version, Some(pair)), pair, &verdict);
            }
        }
    }
}

#[test]
fn client_checks_the_chain_against_crls() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    for (lists, options, of_root, of_inter) in cases() {
        let lists = file(&dir, lists);
        for (pair, verdict) in [("p256", of_root), ("leaf-chain", of_inter)] {
            for version in VERSIONS {
                let options = [&["-k", "localhost"], options].concat();
                let call = call(&options, version, pair, |client| {
                    client
                        .env("CAFILE", certs().path("ca.pem"))
                        .env("CRLFILE", &lists)
                });
                check(&call, pair, &verdict);
            }
        }
    }
}

#[test]
fn issuer_without_crl_sign_has_no_valid_crl() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let lists = file(&dir, &["ca-none.crl", "nocrl-none.crl"]);
    for (option, version) in ["--crl-check=leaf", "--crl-check=chain"]
        .into_iter()
        .zip(VERSIONS)
    {
        let door = door(&["-y", option])
            .env("CAFILE", certs().path("ca.pem"))
            .env("CRLFILE", &lists);
        let why = "its issuer's keyUsage does not allow it to sign revocation lists";
        let visit = visit(door, version, Some("client-nocrl-chain"));
        check(&visit, "client-nocrl", &unsigned(why));
    }
}

#[test]
fn certificate_accepted_without_issuer_needs_no_crl() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let lists = file(&dir, &["ca-later.crl"]);
    let pin = format!("--pin=SHA256:{}", certs().hash("client"));
    let door = |options: &[&str]| door(options).env("CRLFILE", &lists);
    for version in VERSIONS {
        let listed = door(&["-y"]).env("CAFILE", certs().path("client.pem"));
        visit(listed, version, Some("client")).accepted("SUCCESS", "client");
        visit(door(&["-y", &pin]), version, Some("client")).accepted("SUCCESS", "client");
        let any = door(&["--any-client-cert"]);
        visit(any, version, Some("client")).accepted("GENEROUS", "client");
        // A pin does not replace the check by anchors.
        let both = door(&["-y", &pin]).env("CAFILE", certs().path("ca.pem"));
        check(&visit(both, version, Some("client")), "client", &revoked());
        let nobody = door(&["-Y"]).env("CAFILE", certs().path("ca.pem"));
        visit(nobody, version, None).accepted_without();
        let call = call(&["--no-verify-cert"], version, "p256", |client| {
            client
                .env("CAFILE", certs().path("ca.pem"))
                .env("CRLFILE", &lists)
        });
        call.accepted("GENEROUS", "p256");
    }
}

#[test]
fn unusable_crlfile_is_named() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let text = String::from_utf8(certs().read("ca-none.crl")).unwrap();
    let der = certs().read("ca-none.crl.der");
    let version1 = "a revocation list of version 1, and only version 2 can be read";
    for (content, why) in [
        (Vec::new(), "no revocation list inside"),
        (certs().read("ca.pem"), "no revocation list inside"),
        (text.replace("MI", "!!").into_bytes(), "malformed content"),
        (text[..text.len() - 9].into(), "malformed content"),
        ((text.clone() + &text[..200]).into(), "malformed content"),
        ((text.clone() + "-----BEGIN X5").into(), "malformed content"),
        (der[..der.len() - 1].into(), "no revocation list inside"),
        (certs().read("ca.der"), "malformed content"),
        (certs().read("ca-version1.crl"), version1),
        (
            [text.into(), certs().read("ca-version1.crl")].concat(),
            version1,
        ),
    ] {
        let file = dir.file("lists", &content);
        let line = format!("fatal: unable to use {}: {why}", file.display());
        fails(&file, &line);
    }
    let missing = "fatal: unable to read /nonexistent: No such file or directory";
    fails("/nonexistent".as_ref(), missing);
    fails("/".as_ref(), "fatal: unable to read /: Is a directory");
}

fn fails(file: &std::path::Path, line: &str) {
    for program in ["s6-tlsd-io", "s6-tlsc-io"] {
        let engine = cmd([program, "-y", "0", "1"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .env("CAFILE", certs().path("ca.pem"))
            .env("CRLFILE", file);
        engine.run().fatal(96, &format!("{program}: {line}"));
    }
    // Without a chain to verify the file is not read.
    let (near, far) = crate::util::tcp_pair();
    drop(near);
    let engine = cmd(["s6-tlsd-io", "3", "4"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("CRLFILE", file)
        .fd(0, far.try_clone().unwrap())
        .fd(1, far.try_clone().unwrap())
        .fd(3, far.try_clone().unwrap())
        .fd(4, far);
    engine.run().code(98);
}

#[test]
fn program_sees_crlfile_only_with_z() {
    if !need(&["openssl"]) {
        return;
    }
    for (option, seen) in [("-Z", true), ("-z", false)] {
        let server = cmd(["s6-tlsserver", "-1H", option, "127.0.0.1", "0", "env"])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .env("CRLFILE", "/lists")
            .start();
        let client = cmd(["openssl", "s_client", "-quiet", "-connect"])
            .arg(format!("127.0.0.1:{}", server.port()))
            .run();
        assert_eq!(client.out().contains("CRLFILE=/lists\n"), seen);
    }
}

#[test]
fn crl_check_covers_leaf_or_chain() {
    for (program, operands) in ENGINES {
        for check in ["", "Leaf", "all"] {
            let output = cmd([program, &format!("--crl-check={check}")]).args(operands);
            let line = format!("{program}: fatal: crl-check must be leaf or chain: {check}");
            output.run().fatal(100, &line);
        }
    }
}

/// Anchors and lists of an authority with a new key and its old name, each in
/// its own order.
fn rolled_over(dir: &TempDir, anchors: &[&str], lists: &[&str]) -> [PathBuf; 2] {
    let anchors = anchors.iter().map(|name| certs().read(name));
    let anchors = dir.file("anchors", anchors.collect::<Vec<_>>().concat());
    [anchors, file(dir, lists)]
}

/// Pairs of lists by the old and the new key: the newer list is by either key, and the lists name
/// their key or (bare) do not.
const ROLL_OVERS: [(&str, &str); 4] = [
    ("ca-none.crl", "twin-later.crl"),
    ("ca-later.crl", "twin-none.crl"),
    ("ca-none-bare.crl", "twin-later-bare.crl"),
    ("ca-later-bare.crl", "twin-none-bare.crl"),
];

#[test]
fn crls_of_old_and_new_issuer_key_work_in_any_order() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    for (old, new) in ROLL_OVERS {
        for anchors in [["ca.pem", "twin.pem"], ["twin.pem", "ca.pem"]] {
            for lists in [[old, new], [new, old]] {
                let [anchors, lists] = rolled_over(&dir, &anchors, &lists);
                for (pair, list) in [("p256", old), ("twinleaf", new)] {
                    let verdict = list.contains("later").then(|| revoked().unwrap());
                    let call = call(&["-klocalhost"], "-tls1_3", pair, |client| {
                        client.env("CAFILE", &anchors).env("CRLFILE", &lists)
                    });
                    check(&call, pair, &verdict);
                }
                for (pair, list) in [("client", old), ("client-twin", new)] {
                    let verdict = list.contains("later").then(|| revoked().unwrap());
                    let door = door(&["-y"]).env("CAFILE", &anchors).env("CRLFILE", &lists);
                    check(&visit(door, "-tls1_3", Some(pair)), pair, &verdict);
                }
            }
        }
    }
}

#[test]
fn crl_of_another_key_of_the_issuer_is_not_enough() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    for anchors in [["ca.pem", "twin.pem"], ["twin.pem", "ca.pem"]] {
        for (pair, list) in [("p256", "twin-none.crl"), ("twinleaf", "ca-none.crl")] {
            let [anchors, lists] = rolled_over(&dir, &anchors, &[list]);
            let call = call(&["-klocalhost"], "-tls1_3", pair, |client| {
                client.env("CAFILE", &anchors).env("CRLFILE", &lists)
            });
            check(&call, pair, &other_key(ROOT));
        }
    }
}

/// Lists, options and what becomes of a certificate of the new key when the old
/// key is the anchor and has signed a certificate of the new one.
fn cross_cases() -> Vec<([&'static str; 2], &'static str, Verdict)> {
    let (leaf, chain) = ("--crl-check=leaf", "--crl-check=chain");
    vec![
        (["ca-none.crl", "twin-none.crl"], chain, None),
        (["ca-none-bare.crl", "twin-none-bare.crl"], chain, None),
        (["ca-later.crl", "twin-none.crl"], leaf, None),
        (
            ["ca-later-bare.crl", "twin-later-bare.crl"],
            leaf,
            revoked(),
        ),
        (["ca-none.crl", "twin-later.crl"], chain, revoked()),
        (["ca-cross.crl", "twin-none.crl"], chain, revoked()),
        (["ca-cross.crl", "twin-none.crl"], leaf, None),
        (["ca-old.crl", "twin-none.crl"], chain, outdated(ROOT)),
        (["ca-old.crl", "twin-none.crl"], leaf, None),
        (["ca-none.crl", "inter-none.crl"], leaf, other_key(ROOT)),
        (["twin-none.crl", "inter-none.crl"], chain, other_key(ROOT)),
    ]
}

#[test]
fn an_old_key_that_signed_the_new_one_has_a_list_of_its_own() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    for ([first, second], option, verdict) in cross_cases() {
        for lists in [[first, second], [second, first]] {
            let lists = file(&dir, &lists);
            let anchor = certs().path("ca.pem");
            let call = call(
                &["-klocalhost", option],
                "-tls1_3",
                "twinleaf-chain",
                |client| client.env("CAFILE", &anchor).env("CRLFILE", &lists),
            );
            check(&call, "twinleaf-chain", &verdict);
            let door = door(&["-y", option])
                .env("CAFILE", &anchor)
                .env("CRLFILE", &lists);
            let visit = visit(door, "-tls1_3", Some("client-twin-chain"));
            check(&visit, "client-twin-chain", &verdict);
        }
    }
}
