//! DANE beside Postfix, which mail servers use for it: `posttls-finger` runs its client's code.

use std::fs;

use crate::dane::record;
use crate::util::resolver::{Signed, Validator, Zone};
use crate::util::{Ended, Output, Running, TempDir, certs, cmd, need, skip};

/// The result of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// A record matches.
    Verified,
    /// None matches.
    Refused,
    /// No record counts.
    Unverified,
    /// It is not known whether there is one.
    Unknown,
}

use Verdict::{Refused, Unknown, Unverified, Verified};

/// The records of hosts; `PORT` is for the port of their server.
fn records() -> String {
    let mut records = "alias CNAME ee\nown CNAME none\noutside CNAME host.plain.test.\n\
        named A 127.0.0.1\n_PORT._tcp.named CNAME _dane\nnone A 127.0.0.1\n"
        .to_owned();
    for (host, of, fields) in [
        ("ee", "wild", "3 1 1"),
        ("long", "wild", "3 0 2"),
        ("wrong", "rsa", "3 1 1"),
        ("two", "wild", "3 0 1"),
        ("two", "rsa", "3 0 1"),
        ("ta", "ca", "2 0 1"),
        ("whole", "ca", "2 0 0"),
        ("key", "ca", "2 1 0"),
        ("other", "other", "2 1 1"),
        ("pkix", "wild", "1 1 1"),
        ("own", "wild", "3 1 1"),
        ("outside", "wild", "3 1 1"),
        ("bogus", "p384", "3 1 1"),
        ("denied", "wild", "3 1 1"),
    ] {
        if !records.contains(&format!("\n{host} ")) {
            records += &format!("{host} A 127.0.0.1\n");
        }
        records += &format!("_PORT._tcp.{host} TLSA {}\n", record(fields, of));
    }
    let known = record("3 1 1", "wild");
    records += &format!("_dane TLSA {known}\nodd A 127.0.0.1\n");
    records + &format!("_PORT._tcp.odd TLSA {}\n", known.replace("3 1 1", "3 1 9"))
}

/// The resolver. One record is changed, and another one hidden, after they were signed.
fn validator(port: u16) -> Option<Validator> {
    let port = port.to_string();
    let records = records().replace("PORT", &port);
    let zones = [
        Zone {
            name: "example.test",
            records: &records,
            signed: Signed::Well,
        },
        Zone {
            name: "plain.test",
            records: "host A 127.0.0.1\n",
            signed: Signed::Not,
        },
    ];
    let [bogus, other] = ["p384", "p256"].map(|name| record("3 1 1", name));
    let hidden = format!("_{port}._tcp.denied.");
    Validator::start(&zones, |text| {
        let changed = text.replace(&bogus, &other);
        let lines = changed.lines().filter(|line| !line.starts_with(&hidden));
        lines.map(|line| format!("{line}\n")).collect()
    })
}

/// An SMTP server over TLS for any host of example.test.
fn server(dir: &TempDir) -> Running {
    let chain = [certs().read("wild.pem"), certs().read("ca.pem")].concat();
    let smtp = "printf '220 x ESMTP\\r\\n'
        while read -r line; do case $line in
            QUIT*) printf '221 x\\r\\n'; exit ;;
            *) printf '250 x\\r\\n' ;;
        esac; done";
    cmd(["s6-tlsserver", "-1H", "127.0.0.1", "0", "sh", "-c", smtp])
        .env("KEYFILE", certs().path("wild.key"))
        .env("CERTFILE", dir.file("chain.pem", chain))
        .start()
}

/// posttls-finger, with this name server and a configuration of its own. None, with a message,
/// if this machine does not allow that.
fn postfix(dir: &TempDir, host: &str, port: u16) -> Option<Output> {
    let resolv = dir.path().join("resolv.conf");
    let mount = format!("mount --bind {} /etc/resolv.conf", resolv.display());
    let probe = cmd(["unshare", "-m", "sh", "-ec", &mount]).run();
    if probe.ended != Ended::Exited(0) {
        let why = probe.err();
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "{why}"
        );
        skip(&format!("no mount namespace: {why}"));
        return None;
    }
    let script = mount + "; exec \"$@\"";
    let to = format!("[{host}]:{port}");
    let finger = cmd(["unshare", "-m", "sh", "-ec", &script, "sh"])
        .args([
            "posttls-finger",
            "-w",
            "-c",
            "-l",
            "dane",
            "-L",
            "summary",
            &to,
        ])
        .env("MAIL_CONFIG", dir.path());
    Some(finger.run())
}

fn verdict_of_postfix(output: &Output) -> Verdict {
    let text = output.out() + &output.err();
    let says = |words: &str| text.contains(words);
    match () {
        () if says(": Verified TLS connection established") => Verified,
        () if says("no matching DANE TLSA records") => Refused,
        () if says("TLSA lookup problem") => Unknown,
        () if says(": Untrusted TLS connection established") => Unverified,
        () => panic!("{text}"),
    }
}

fn our_verdict(validator: &Validator, host: &str, port: u16) -> Verdict {
    let output = cmd([
        "s6-tlsclient",
        "--dane",
        "--webpki-roots",
        "--no-verify-cert",
    ])
    .args(["--peer-info", "-4", "-l0", host, &port.to_string()])
    .args(["sh", "-c", "echo $SSL_SERVER_VERIFY"])
    .env("DNSCACHEIP", validator.ip.to_string())
    .run();
    match (output.ended, &output.out()[..]) {
        (Ended::Exited(0), "SUCCESS\n") => Verified,
        (Ended::Exited(0), "GENEROUS\n") => Unverified,
        (Ended::Exited(98), "") => Refused,
        (Ended::Exited(111), "") => Unknown,
        (ended, out) => panic!("{ended:?} {out} {}", output.err()),
    }
}

#[test]
fn postfix_comes_to_the_same_verdicts() {
    if !need(&["posttls-finger", "unshare"]) {
        return;
    }
    let dir = TempDir::new();
    let server = server(&dir);
    let port = server.port();
    let Some(validator) = validator(port) else {
        return;
    };
    let resolv = format!("nameserver {}\noptions trust-ad\n", validator.ip);
    fs::write(dir.path().join("resolv.conf"), resolv).unwrap();
    // Users that every Debian has.
    let config = "compatibility_level = 3.6\nsmtp_dns_support_level = dnssec\n\
        mail_owner = daemon\nsetgid_group = mail\nmyhostname = client.example.test\n";
    dir.file("main.cf", config);
    for (host, expected) in [
        ("ee", Verified),
        ("long", Verified),
        ("two", Verified),
        ("ta", Verified),
        ("whole", Verified),
        ("key", Verified),
        ("alias", Verified),
        ("own", Verified),
        ("outside", Verified),
        ("named", Verified),
        ("wrong", Refused),
        ("other", Refused),
        ("none", Unverified),
        ("odd", Unverified),
        ("pkix", Unverified),
        ("bogus", Unknown),
        ("denied", Unknown),
    ] {
        let name = format!("{host}.example.test");
        assert_eq!(our_verdict(&validator, &name, port), expected, "{host}");
        let Some(output) = postfix(&dir, &name, port) else {
            return;
        };
        assert_eq!(verdict_of_postfix(&output), expected, "Postfix: {host}");
    }
}
