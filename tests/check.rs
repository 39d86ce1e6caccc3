//! `--check`: it says what the service would do, with the codes and lines of the service.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::util::tls::{HELLO, connect, serve, tlsc, tlsd};
use crate::util::{Cmd, Output, TempDir, bin_dir, certs, cmd, listener, need, skip, tcp_pair};

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

/// The command `line`, in which `CHECK` stands for `--check` or nothing, with these
/// variables.
fn command(line: &str, check: bool, env: &str) -> Cmd {
    let words = line.split(' ').map(|word| match word {
        "CHECK" if check => "--check",
        word => word,
    });
    let words = words.filter(|word| *word != "CHECK");
    let variables = env.split(' ').filter_map(|word| word.split_once('='));
    variables.fold(cmd(words), |cmd, (name, value)| cmd.env(name, value))
}

/// Runs a faulty service on a connection with a silent peer, and the check without one.
/// Both must end with `code` and the same line.
fn same(line: &str, env: &str, code: u8) {
    let (_near, far) = tcp_pair();
    let service = [6, 7]
        .into_iter()
        .fold(command(line, false, env), |cmd, number| {
            cmd.fd(number, far.try_clone().unwrap())
        });
    let service = match line.starts_with("s6-tlsd ") || line.starts_with("s6-ucspitlsd ") {
        true => service.fd(0, far.try_clone().unwrap()).fd(1, far),
        false => service,
    };
    let service = service.run().code(code);
    let check = command(line, true, env).run().code(code);
    assert_eq!(check.err(), service.err(), "{line} {env}");
    let kind = if code == 100 { ": " } else { ": fatal: " };
    assert!(check.err().contains(kind), "{line} {env}: {}", check.err());
}

/// Files that cannot be used.
fn faulty_files() -> TempDir {
    let dir = TempDir::new();
    dir.file("empty", "");
    dir.file("junk", "junk\n");
    dir.secret("secret.pem", certs().read("ca.pem"));
    dir.secret("secret.key", certs().read("p256.key"));
    dir.secret("short", "c2hvcnQ=\n");
    fs::create_dir(dir.join("nothing")).unwrap();
    dir
}

/// Replaces `@NAME` by a certificate's path, and `%NAME` by that of a faulty file.
fn paths(faulty: &TempDir, env: &str) -> String {
    let word = |word: &str| match word.split_once('=') {
        Some((name, value)) if value.starts_with('@') => {
            format!("{name}={}", certs().path(&value[1..]))
        }
        Some((name, value)) if value.starts_with('%') => {
            format!("{name}={}", faulty.join(&value[1..]).display())
        }
        _ => word.to_owned(),
    };
    env.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

const PAIR: &str = "KEYFILE=@p256.key CERTFILE=@p256.pem";

#[test]
fn a_server_with_a_fault_and_its_check_end_alike() {
    let faulty = faulty_files();
    for (line, env, code) in [
        ("CHECK", "", 100),
        ("CHECK", "KEYFILE=@p256.key", 100),
        ("CHECK", "KEYFILE= CERTFILE=@p256.pem", 96),
        ("CHECK", "KEYFILE=%none CERTFILE=@p256.pem", 96),
        ("CHECK", "KEYFILE=%empty CERTFILE=@p256.pem", 96),
        ("CHECK", "KEYFILE=%junk CERTFILE=@p256.pem", 96),
        ("CHECK", "KEYFILE=@rsa.encrypted CERTFILE=@rsa.pem", 96),
        ("CHECK", "KEYFILE=@p384.key CERTFILE=@p256.pem", 96),
        (
            "CHECK --key-guard",
            "KEYFILE=@p384.key CERTFILE=@p256.pem",
            96,
        ),
        ("CHECK", "{} TLS_UID=x", 100),
        ("CHECK", "{} TICKETKEYFILE=%short", 96),
        ("CHECK", "{} TICKETKEYFILE=%junk", 96),
        ("CHECK -y", "{}", 100),
        ("CHECK -y", "{} CAFILE=%none", 96),
        ("CHECK -y", "{} CADIR=%nothing", 96),
        ("CHECK -y", "{} CAFILE=@ca.pem CRLFILE=%junk", 96),
        ("CHECK -y", "{} CAFILE=@ca.pem CRLFILE=", 96),
        ("CHECK --mandatory-sni", "{}", 96),
        ("CHECK --sni", "{} KEYFILE:a.org=@p256.key", 96),
        ("CHECK --sni", "{} SNIDIR=%none", 96),
        ("CHECK --sni", "SNIDIR=%nothing", 100),
        ("CHECK --pin=SHA256:00", "{}", 100),
        ("CHECK --groups=x", "{}", 100),
        ("CHECK -K x", "{}", 100),
        ("CHECK -!", "{}", 100),
    ] {
        let env = paths(&faulty, &env.replace("{}", PAIR));
        same(&format!("s6-tlsd {line} true"), &env, code);
    }
    same("s6-tlsd-io CHECK 6 7", "", 100);
    same("s6-tlsd-io CHECK 6", "", 100);
    same("s6-tlsc-io CHECK 6 7", "", 100);
    same("s6-tlsserver CHECK 127.0.0.1 0", "", 100);
    same("s6-tlsserver CHECK -G x 127.0.0.1 0 true", "", 100);
    same("s6-tlsserver CHECK localhost 0 true", "", 100);
    same("s6-tlsserver CHECK -H 192.0.2.1 0 true", "", 111);
}

#[test]
fn a_client_with_a_fault_and_its_check_end_alike() {
    let faulty = faulty_files();
    for (line, env, code) in [
        ("CHECK", "", 100),
        ("CHECK", "CAFILE=", 96),
        ("CHECK", "CAFILE=%none", 96),
        ("CHECK", "CAFILE=%empty", 96),
        ("CHECK --no-verify-cert", "CAFILE=%empty", 96),
        ("CHECK", "CADIR=%nothing", 96),
        ("CHECK", "CAFILE=@ca.pem CRLFILE=%junk", 96),
        ("CHECK -y", "CAFILE=@ca.pem", 100),
        (
            "CHECK -y --key-guard",
            "CAFILE=@ca.pem KEYFILE=%none CERTFILE=%none",
            96,
        ),
        ("CHECK -k a..b", "CAFILE=@ca.pem", 97),
        ("CHECK --alpn=,", "CAFILE=@ca.pem", 100),
    ] {
        let env = paths(&faulty, env);
        same(&format!("s6-tlsc {line} true"), &env, code);
    }
    same("s6-tlsclient CHECK -H localhost 1 true", "", 100);
    same("s6-tlsclient CHECK -i x localhost 1 true", "", 100);
    same("s6-tlsclient CHECK localhost x true", "", 100);
    same("s6-tlsclient CHECK -i fe80::1%s6none ::1 1 true", "", 111);
    same("s6-tlsclient CHECK -H fe80::1%s6none 1 true", "", 111);
    same(
        "s6-tlsclient CHECK -H -i 192.0.2.1 127.0.0.1 1 true",
        "",
        111,
    );
    same("s6-tlsclient CHECK -k a.org a..b 1 true", "", 111);
    same("s6-tlsclient CHECK -4 ::1 1 true", "", 100);
}

#[test]
fn files_are_read_as_the_user_who_will_read_them() {
    if !nix::unistd::geteuid().is_root() {
        skip("only for root");
        return;
    }
    let faulty = faulty_files();
    let nobody = "TLS_UID=65534 TLS_GID=65534";
    // The key is read by root, the anchors by nobody.
    let env = format!("KEYFILE=%secret.key CERTFILE=@p256.pem CAFILE=%secret.pem {nobody}");
    let env = paths(&faulty, &env);
    for guard in ["CHECK", "CHECK --key-guard"] {
        same(&format!("s6-tlsd-io {guard} -y 6 7"), &env, 96);
        same(&format!("s6-tlsc-io {guard} 6 7"), &env, 96);
        let check = command(&format!("s6-tlsd-io {guard} 6 7"), true, &env);
        let check = check.run().success();
        assert_eq!(fact(&check, "engine-uid"), "65534");
        let warning = format!(
            "unable to read {} as uid 65534: Permission denied",
            faulty.join("secret.pem").display()
        );
        assert!(
            facts(&check, "warning").contains(&warning),
            "{}",
            check.out()
        );
    }
    let line = "s6-applyuidgid -u 65534 -g 65534 s6-tlsd-io CHECK 6 7";
    same(line, &env.replace(nobody, ""), 96);
}

#[test]
fn a_port_that_is_taken_is_told_as_by_the_service() {
    let (_listener, port) = listener();
    let line = format!("s6-tlsserver CHECK -H 127.0.0.1 {port} true");
    same(&line, "", 111);
}

#[test]
fn a_missing_program_of_the_chain_is_told_as_by_the_service() {
    let dir = TempDir::new();
    let env = paths(
        &dir,
        &format!("PATH={}:/nowhere {PAIR}", dir.path().display()),
    );
    let copy = |name: &str| fs::copy(bin_dir().join(name), dir.join(name)).unwrap();
    let run = |program: &str, rest: &str, code| {
        let line = format!("{} CHECK {rest}", dir.join(program).display());
        same(&line, &env, code);
    };
    copy("s6-tlsserver");
    run("s6-tlsserver", "-H 127.0.0.1 0 /bin/true", 127);
    copy("s6-tcpserver");
    run("s6-tlsserver", "-H 127.0.0.1 0 /bin/true", 127);
    copy("s6-tcpserver-socketbinder");
    run("s6-tlsserver", "-H 127.0.0.1 0 /bin/true", 127);
    copy("s6-tlsclient");
    run("s6-tlsclient", "::1 1 /bin/true", 127);
    copy("s6-tlsd");
    run("s6-tlsd", "/bin/true", 111);
    // The service would only warn, for each connection.
    copy("s6-tcpserverd");
    let line = format!(
        "{} CHECK -H 127.0.0.1 0 true",
        dir.join("s6-tlsserver").display()
    );
    fs::remove_file(dir.join("s6-tlsd")).unwrap();
    command(&line, true, &env).run().fatal(
        111,
        "s6-tcpserverd: fatal: unable to spawn s6-tlsd: No such file or directory",
    );
}

#[test]
fn a_program_that_cannot_be_executed_is_told_as_by_the_service() {
    let dir = TempDir::new();
    let plain = dir.file("plain", "#!/bin/sh\n");
    let home = dir.path().to_str().unwrap().to_owned();
    for (program, code) in [
        ("/nonexistent", 127),
        ("s6-tls-none", 127),
        (plain.to_str().unwrap(), 126),
        (&home, 126),
    ] {
        let around = |name: &str, check: &[&str]| {
            cmd([name])
                .args(check)
                .arg(program)
                .env("KEYFILE", certs().path("p256.key"))
                .env("CERTFILE", certs().path("p256.pem"))
                .env("CAFILE", certs().path("ca.pem"))
        };
        let (service, _) = connect(around("s6-tlsd", &[]), tlsc(&[], HELLO));
        let check = around("s6-tlsd", &["--check"]).run().code(code);
        assert_eq!(service.code(code).err(), check.err());
        let (_, service) = connect(tlsd(&[], "p256", "cat"), around("s6-tlsc", &[]));
        let check = around("s6-tlsc", &["--check"]).run().code(code);
        assert_eq!(service.code(code).err(), check.err());
        for name in ["s6-ucspitlsd", "s6-ucspitlsc"] {
            let (_near, far) = tcp_pair();
            let service = around(name, &[]).fd(6, far.try_clone().unwrap()).fd(7, far);
            let service = service.run().code(code);
            let check = around(name, &["--check"]).run().code(code);
            assert_eq!(service.err(), check.err());
        }
    }
}

#[test]
fn the_program_is_sought_as_the_user_who_will_run_it() {
    if !nix::unistd::geteuid().is_root() {
        skip("only for root");
        return;
    }
    let dir = TempDir::new();
    let program = dir.program("inner/program", "#!/bin/sh\n");
    fs::set_permissions(dir.join("inner"), Permissions::from_mode(0o700)).unwrap();
    let program = program.to_str().unwrap();
    let options = ["-u", "65534", "-g", "65534", "-G", "7"];
    let check = |options: &[&str]| {
        cmd(["s6-tlsserver", "--check", "-H"])
            .args(options)
            .args(["127.0.0.1", "0", program])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"))
            .run()
    };
    let line = format!("s6-applyuidgid: fatal: unable to exec {program}: Permission denied");
    let (server, port) = serve(&options, "p256", &[program]);
    let client = cmd(["s6-tlsclient", "127.0.0.1", &port.to_string(), "true"]);
    client.env("CAFILE", certs().path("ca.pem")).run().success();
    server.wait_err(&line);
    check(&options).fatal(126, &line);
    let output = check(&[]).success();
    assert_eq!(facts(&output, "program").last().unwrap(), program);
    fs::set_permissions(dir.join("inner"), Permissions::from_mode(0o755)).unwrap();
    let output = check(&options).success();
    assert_eq!(fact(&output, "program-uid"), "65534");
    assert_eq!(fact(&output, "program-groups"), "7");
    assert!(
        facts(&output, "program")
            .iter()
            .any(|found| found == program)
    );
    let refused = ["-u", "4294967295", "-g", "5", "-G", ""];
    check(&refused).fatal(
        111,
        "s6-applyuidgid: fatal: unable to setuid: Invalid argument",
    );
}

#[test]
fn groups_that_cannot_be_set_are_told_as_by_the_service() {
    let line = if nix::unistd::geteuid().is_root() {
        "s6-applyuidgid -u 65534 -g 65534 s6-tlsserver CHECK -H -G 5 127.0.0.1 0 true"
    } else {
        "s6-tlsserver CHECK -H -G 5 127.0.0.1 0 true"
    };
    command(line, true, "").run().fatal(
        111,
        "s6-applyuidgid: fatal: unable to set supplementary group list: Operation not permitted",
    );
}

#[test]
fn a_client_that_requires_records_needs_no_anchors() {
    let check = |line: &str| command(&format!("s6-tlsclient CHECK {line} 443 true"), true, "");
    let output = check("--dane=required a.invalid").run().success();
    assert_eq!(fact(&output, "verification"), "TLSA records");
    check("--dane a.invalid").run().code(100);
}

#[test]
fn ids_from_the_environment_must_be_there() {
    let check = |env: &str| command("s6-tlsserver CHECK -HU 127.0.0.1 0 true", true, env).run();
    check("UID=5 GID=5").fatal(100, "s6-applyuidgid: fatal: GIDLIST not set");
    check("UID=5 GID=x").fatal(100, "s6-applyuidgid: fatal: invalid $GID");
}

#[test]
fn access_rules_must_be_there() {
    let dir = TempDir::new();
    let check = |option: &str| {
        let line = format!("s6-tlsserver CHECK {option} 127.0.0.1 0 true");
        command(&line, true, &paths(&dir, PAIR)).run()
    };
    let none = dir.join("none").display().to_string();
    check(&format!("-x {none}")).fatal(
        111,
        &format!(
            "s6-tcpserver-access: fatal: unable to cdb_init {none}: No such file or directory"
        ),
    );
    check(&format!("-i {none}")).fatal(
        111,
        &format!(
            "s6-tcpserver-access: fatal: unable to check fs ruleset for IP in {none}: \
             No such file or directory"
        ),
    );
    let fifo = dir.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let there = dir.path().to_str().unwrap();
    for path in ["/dev/null", there, fifo.to_str().unwrap()] {
        let output = check(&format!("-x {path}")).code(111);
        let text = format!("s6-tcpserver-access: fatal: unable to cdb_init {path}: ");
        assert!(output.err().starts_with(&text), "{}", output.err());
    }
    let output = check(&format!("-i {there}")).success();
    assert_eq!(fact(&output, "access-rules"), there);
}

/// `s6-tlsd-io --check` with these options and the pair `pair`.
fn server(options: &[&str], pair: &str) -> Cmd {
    cmd(["s6-tlsd-io"])
        .args(options)
        .args(["6", "7"])
        .env("KEYFILE", certs().path(&format!("{pair}.key")))
        .env("CERTFILE", certs().path(&format!("{pair}.pem")))
}

#[test]
fn a_pair_is_described() {
    let output = server(&["--check", "-K", "500", "--alpn=h2,http/1.1"], "rsa");
    let output = output.env("CAFILE", certs().path("ca.pem")).run().success();
    for (key, value) in [
        ("pair", "default"),
        ("key-file", &certs().path("rsa.key")),
        ("certificate-file", &certs().path("rsa.pem")),
        ("names", "localhost 127.0.0.1"),
        ("key-type", "RSA 2048"),
        ("issuer", r"O\x3ds6-tls\x20tests,\x20CN\x3dRoot"),
        ("certificates", "1"),
        ("chain-to-anchor", "yes"),
        ("handshake-timeout", "500 ms"),
        ("idle-timeout", "none"),
        ("max-record", "none"),
        ("alpn", "h2 http/1.1"),
        ("key-guard", "no"),
        ("client-certificates", "not asked for"),
    ] {
        assert_eq!(fact(&output, key), value, "{key}");
    }
    assert_eq!(output.err(), "");
    assert_eq!(facts(&output, "warning"), [""; 0]);
    let days: i64 = fact(&output, "days-left").parse().unwrap();
    assert!((3000..3650).contains(&days), "{days}");
    assert_eq!(fact(&output, "least-days-left"), days.to_string());
}

#[test]
fn fewer_days_than_asked_for_are_exit_code_1() {
    for (pair, option, code) in [
        ("p256", "--check=days=3000", 0),
        ("p256", "--check=days=4000", 1),
        ("expired", "--check", 0),
        ("expired", "--check=days=0", 1),
        ("future", "--check", 0),
        ("future", "--check=days=0", 1),
        ("p256", "--check=days=x", 100),
        ("p256", "--check=days", 100),
    ] {
        server(&[option], pair).run().code(code);
        let launcher = cmd(["s6-tlsserver", option, "-H", "127.0.0.1", "0", "true"])
            .env("KEYFILE", certs().path(&format!("{pair}.key")))
            .env("CERTFILE", certs().path(&format!("{pair}.pem")));
        launcher.run().code(code);
    }
    let output = server(&["--check=days=4000"], "p256").run().code(1);
    assert!(!fact(&output, "days-left").starts_with('-'));
}

#[test]
fn each_certificate_that_is_sent_counts_for_the_days() {
    let dir = TempDir::new();
    let chain = ["p256.pem", "expired.pem"].map(|name| certs().read(name));
    let file = dir.file("chain", chain.concat());
    for (option, code) in [("--check", 0), ("--check=days=0", 1)] {
        let output = server(&[option], "p256").env("CERTFILE", &file).run();
        let output = output.code(code);
        assert!(!fact(&output, "days-left").starts_with('-'));
        assert!(fact(&output, "least-days-left").starts_with('-'));
        let which = format!("certificate 2 in {}", file.display());
        assert_eq!(fact(&output, "least-days-of"), which);
        let warnings = facts(&output, "warning");
        assert!(warnings.contains(&format!("{which} has expired")));
    }
}

#[test]
fn a_date_that_the_calendar_does_not_have_is_malformed() {
    if !need(&["base64"]) {
        return;
    }
    let dir = TempDir::new();
    let mut der = certs().read("p256.der");
    // The second UTCTime is notAfter: the 30th of February.
    let dates = der.windows(2).enumerate();
    let mut dates = dates.filter(|(_, head)| *head == [0x17, 13]);
    let at = dates.nth(1).unwrap().0 + 4;
    der[at..at + 4].copy_from_slice(b"0230");
    let der = dir.file("der", der);
    let text = cmd(["base64"]).arg(&der).run().success().out();
    let text = format!("-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n");
    let file = dir.file("pem", text);
    for (option, code) in [("--check", 0), ("--check=days=0", 1)] {
        let output = server(&[option], "p256").env("CERTFILE", &file).run();
        let output = output.code(code);
        assert_eq!(fact(&output, "not-after"), "malformed");
        assert!(facts(&output, "days-left").is_empty());
        let text = format!(
            "the certificate in {} has a malformed date: peers refuse it",
            file.display()
        );
        assert!(facts(&output, "warning").contains(&text));
    }
}

#[test]
fn a_certificate_that_is_an_anchor_leads_to_one_only_while_it_is_valid() {
    for (pair, answer) in [("p256", "yes"), ("expired", "no: "), ("future", "no: ")] {
        let output = server(&["--check"], pair)
            .env("CAFILE", certs().path(&format!("{pair}.pem")))
            .run()
            .success();
        let found = fact(&output, "chain-to-anchor");
        assert!(found.starts_with(answer), "{pair}: {found}");
    }
}

#[test]
fn a_server_that_can_serve_nobody_is_a_warning_and_fails_the_days() {
    let half = snidir(&[("a.example.key", "rsa.key")]);
    for dir in [snidir(&[]), half] {
        for (option, code) in [("--check", 0), ("--check=days=0", 1)] {
            let check = cmd(["s6-tlsd", option, "--mandatory-sni", "true"]);
            let output = check.env("SNIDIR", dir.path()).run().code(code);
            let text = "there is no pair: every client is refused".to_owned();
            assert!(facts(&output, "warning").contains(&text));
        }
    }
}

#[test]
fn paths_and_names_cannot_be_taken_for_others() {
    let dir = TempDir::new();
    let key = dir.file("a\\x0a\u{202e}", certs().read("p256.key"));
    let output = server(&["--check", "--sni"], "p256")
        .env("KEYFILE", key)
        .env("KEYFILE:default", certs().path("rsa.key"))
        .env("CERTFILE:default", certs().path("rsa.pem"))
        .run()
        .success();
    let path = dir.join("a\\x5cx0a\\xe2\\x80\\xae").display().to_string();
    assert_eq!(facts(&output, "key-file")[0], path);
    assert_eq!(facts(&output, "pair"), ["default", "\\x64efault"]);
}

#[test]
fn variables_without_an_effect_are_a_warning() {
    let output = server(&["--check", "--sni"], "p256")
        .env("KEYFILE:_.b.example", certs().path("rsa.key"))
        .env("CERTFILE:_.b.example", certs().path("rsa.pem"))
        .env("CERTFILE:a.example", "/nonexistent")
        .env("OCSPFILE:c.example", "/nonexistent")
        .run()
        .success();
    let found = facts(&output, "warning");
    for text in [
        "CERTFILE:a.example is never used: KEYFILE:a.example is not set",
        "OCSPFILE:c.example is never used: KEYFILE:c.example is not set",
        "KEYFILE:_.b.example is for the name _.b.example alone: \
         in variables only * is a wildcard",
    ] {
        assert!(found.iter().any(|line| line == text), "{text}: {found:?}");
    }
}

/// The warnings about this pair; `chain` is its file.
fn warnings(pair: &str, chain: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let server = server(&["--check", "--sni"], pair).env("CERTFILE", certs().path(chain));
    let server = variables.iter().fold(server, |server, (name, value)| {
        server.env(name, certs().path(value))
    });
    let output = server.run().success();
    let warnings = facts(&output, "warning").into_iter();
    let home = certs().path("ca.pem").replace("ca.pem", "");
    warnings.map(|warning| warning.replace(&home, "")).collect()
}

#[test]
fn what_peers_may_refuse_is_a_warning() {
    let ca = ("CAFILE", "ca.pem");
    let ocsp = |file| [ca, ("OCSPFILE", file)];
    let none: [&str; 0] = [];
    assert_eq!(warnings("p256", "p256.pem", &[ca]), none);
    assert_eq!(warnings("p256", "p256.pem", &ocsp("p256.ocsp")), none);
    assert_eq!(warnings("leaf", "leaf-chain.pem", &[]), none);
    assert_eq!(
        warnings("expired", "expired.pem", &[ca]),
        ["the certificate in expired.pem has expired"]
    );
    assert_eq!(
        warnings("future", "future.pem", &[ca]),
        ["the certificate in future.pem is not valid yet"]
    );
    assert_eq!(
        warnings("leaf", "leaf.pem", &[ca]),
        [
            "leaf.pem has no certificate of the issuer: only peers that know \
             O\\x3ds6-tls\\x20tests,\\x20CN\\x3dIntermediate will accept it"
        ]
    );
    let other = [
        ca,
        ("KEYFILE:a.org", "rsa.key"),
        ("CERTFILE:a.org", "rsa.pem"),
    ];
    assert_eq!(
        warnings("p256", "p256.pem", &other),
        ["the certificate in rsa.pem is not for a.org"]
    );
    let own = [
        ca,
        ("KEYFILE:localhost", "rsa.key"),
        ("CERTFILE:localhost", "rsa.pem"),
    ];
    assert_eq!(warnings("p256", "p256.pem", &own), none);
}

#[test]
fn a_chain_out_of_order_is_a_warning() {
    let dir = TempDir::new();
    let [leaf, other, inter] = ["leaf.pem", "p384.pem", "inter.pem"].map(|name| certs().read(name));
    let file = dir.file("chain", [leaf, other, inter].concat());
    let output = server(&["--check"], "leaf")
        .env("CERTFILE", &file)
        .run()
        .success();
    let warnings = [2, 3].map(|number| {
        format!(
            "certificate {number} in {} is not the issuer of the one before it",
            file.display()
        )
    });
    assert_eq!(facts(&output, "warning"), warnings);
    assert_eq!(fact(&output, "certificates"), "3");
}

#[test]
fn an_issuer_with_another_key_is_a_warning() {
    let dir = TempDir::new();
    for (issuer, expected) in [
        ("ca.pem", None),
        ("twin.pem", Some("has the name of the issuer")),
    ] {
        let chain = ["p256.pem", issuer].map(|name| certs().read(name));
        let file = dir.file("chain", chain.concat());
        let output = server(&["--check"], "p256").env("CERTFILE", &file).run();
        let found = facts(&output.success(), "warning");
        match expected {
            None => assert_eq!(found, [""; 0]),
            Some(text) => assert!(found.len() == 1 && found[0].contains(text), "{found:?}"),
        }
    }
}

#[test]
fn a_stapled_response_is_described() {
    let response = |file: &str| {
        server(&["--check"], "p256")
            .env("OCSPFILE", file)
            .env("CAFILE", certs().path("ca.pem"))
            .run()
            .success()
    };
    let output = response(&certs().path("p256.ocsp"));
    assert_eq!(fact(&output, "ocsp"), "good");
    assert!(fact(&output, "ocsp-next-update").ends_with(" GMT"));
    assert_eq!(facts(&output, "warning"), [""; 0]);
    let other = server(&["--check"], "p384").env("OCSPFILE", certs().path("p256.ocsp"));
    let other = other.env("CAFILE", certs().path("ca.pem")).run().success();
    let text = format!(
        "the OCSP response for {} is about another certificate: the serial numbers differ",
        certs().path("p384.pem")
    );
    assert_eq!(facts(&other, "warning"), [text]);
    let dir = TempDir::new();
    let file = dir.file("sequence", [0x30, 0]);
    assert_eq!(
        fact(&response(file.to_str().unwrap()), "ocsp"),
        "unreadable"
    );
    let output = response("/nonexistent");
    assert!(facts(&output, "ocsp").is_empty());
    assert!(
        output
            .err()
            .starts_with("s6-tlsd-io: warning: unable to read /nonexistent: ")
    );
}

#[test]
fn trust_is_described() {
    let dir = TempDir::new();
    let key = dir.secret("tickets", format!("{}=\n", "A".repeat(43)));
    let pin = format!("SHA256:{}", certs().hash("client"));
    let pin_option = format!("--pin={pin}");
    let output = server(&["--check", "-y", &pin_option], "p256")
        .env("CAFILE", certs().path("ca.pem"))
        .env("CRLFILE", certs().path("ca-old.crl"))
        .env("TICKETKEYFILE", &key)
        .run()
        .success();
    for (key, value) in [
        ("client-certificates", "mandatory"),
        ("verification", "anchors and pins"),
        ("anchors-file", &certs().path("ca.pem")),
        ("anchors", "1"),
        ("pin", &pin),
        ("crl-file", &certs().path("ca-old.crl")),
        ("crl", r"O\x3ds6-tls\x20tests,\x20CN\x3dRoot"),
    ] {
        assert_eq!(fact(&output, key), value, "{key}");
    }
    let warnings = facts(&output, "warning").join("\n");
    assert!(
        warnings.contains("CN\\x3dRoot is out of date"),
        "{warnings}"
    );
    assert!(warnings.contains("no tickets are sent"), "{warnings}");
    assert!(!warnings.contains("CRLFILE has no list"), "{warnings}");
    let other = cmd(["s6-tlsc-io", "--check", "6", "7"])
        .env("CAFILE", certs().path("inter.pem"))
        .env("CRLFILE", certs().path("ca-none.crl"))
        .run()
        .success();
    let text = "CRLFILE has no list of a trust anchor: certificates that an anchor has issued \
                are refused";
    assert!(facts(&other, "warning").contains(&text.to_owned()));
    let output = server(&["--check"], "p256")
        .env("TICKETKEYFILE", &key)
        .run()
        .success();
    assert_eq!(fact(&output, "ticket-keys"), "1");
    fs::write(
        &key,
        ["A", "B"]
            .map(|digit| format!("{}=\n", digit.repeat(42) + "A"))
            .concat(),
    )
    .unwrap();
    let output = server(&["--check"], "p256").env("TICKETKEYFILE", &key);
    assert_eq!(fact(&output.run().success(), "ticket-keys"), "2");
}

#[test]
fn a_client_is_described() {
    let client = |options: &[&str]| {
        let client = cmd(["s6-tlsc-io", "--check"])
            .args(options)
            .args(["6", "7"]);
        client
            .env("CADIR", certs().path("ca.pem").replace("ca.pem", ""))
            .run()
    };
    let output = client(&["--webpki-roots", "-k", "a.org"]).success();
    assert_eq!(fact(&output, "server-name"), "a.org");
    assert_eq!(fact(&output, "anchors-compiled-in"), "yes");
    assert!(fact(&output, "anchors").parse::<u32>().unwrap() > 50);
    let output = client(&["--webpki-roots"]).success();
    assert!(fact(&output, "warning").starts_with("no name is checked"));
    let output = client(&["--no-verify-cert"]).success();
    assert_eq!(fact(&output, "warning"), "any certificate is accepted");
    assert_eq!(fact(&output, "verification"), "none");
    let output = cmd([
        "s6-tlsclient",
        "--check=days=4000",
        "-y",
        "a.invalid",
        "443",
        "true",
    ])
    .env("CAFILE", certs().path("ca.pem"))
    .env("KEYFILE", certs().path("client.key"))
    .env("CERTFILE", certs().path("client.pem"))
    .run()
    .code(1);
    assert_eq!(fact(&output, "host"), "a.invalid");
    assert_eq!(fact(&output, "server-name"), "a.invalid");
    assert_eq!(fact(&output, "chain-to-anchor"), "yes");
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
        ("empty/x", "ca.pem"),
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
        "SNIDIR has no pair for half.example".to_owned(),
        not_for(0, "*.b.example"),
        not_for(1, "*.c.example"),
    ];
    assert_eq!(facts(&output, "warning"), warnings);
    assert!(
        output.err().contains("half.example.key: there is no "),
        "{}",
        output.err()
    );
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
                "{} is one file of a pair: it has no private key inside",
                file("ca.pem")
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
        "unable to read {}: Invalid cross-device link: {refused}",
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
