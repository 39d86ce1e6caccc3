//! A fault ends the check as it ends the service: the same code, the same line.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::{fact, facts};
use crate::util::tls::{HELLO, connect, serve, tlsc, tlsd};
use crate::util::{Cmd, TempDir, bin_dir, certs, cmd, listener, skip, tcp_pair};

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
}

#[test]
fn a_tlsclient_with_a_fault_and_its_check_end_alike() {
    same("s6-tlsclient CHECK -H localhost 1 true", "", 100);
    same("s6-tlsclient CHECK -i x localhost 1 true", "", 100);
    same("s6-tlsclient CHECK localhost x true", "", 100);
    same("s6-tlsclient CHECK 127.0.0.1,::1 1 true", "", 100);
    same("s6-tlsclient CHECK 0 1 true", "", 100);
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
fn a_server_that_does_not_listen_is_told_as_by_the_service() {
    same("s6-tlsserver CHECK -H -b 0 127.0.0.1 0 true", PAIR, 111);
}

#[test]
fn a_missing_program_of_the_chain_is_told_as_by_the_service() {
    let dir = TempDir::new();
    let env = paths(
        &dir,
        &format!("PATH={}:/nowhere {PAIR}", dir.path().display()),
    );
    let copy = |name: &str| dir.copy_program(&bin_dir().join(name), name);
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
    run("s6-tlsclient", "--dane ::1 1 /bin/true", 127);
    copy("s6-tlsd");
    run("s6-tlsd", "/bin/true", 111);
    // The service would connect first.
    copy("s6-tcpclient");
    let missing = |program: &str, rest: &str, code, what: &str| {
        let line = format!("{} CHECK {rest} /bin/true", dir.join(program).display());
        let why = format!("{what}: No such file or directory");
        command(&line, true, &env).run().fatal(code, &why);
    };
    let what = "s6-tcpclient: fatal: unable to exec s6-tlsc";
    missing("s6-tlsclient", "::1 1", 127, what);
    // The service would only warn, for each connection.
    copy("s6-tcpserverd");
    fs::remove_file(dir.join("s6-tlsd")).unwrap();
    for (options, next) in [
        ("-H", "s6-tlsd"),
        ("--dns", "s6-tcpserver-access"),
        ("-HL", "proxy-server"),
    ] {
        let what = format!("s6-tcpserverd: fatal: unable to spawn {next}");
        missing(
            "s6-tlsserver",
            &format!("{options} 127.0.0.1 0"),
            111,
            &what,
        );
    }
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
fn a_client_reads_records_from_its_environment_unless_it_looks_them_up() {
    let zeros = "0".repeat(64);
    let check = |options: &str| {
        let line = format!("s6-tlsclient CHECK {options} a.invalid 443 true");
        let client = command(&line, true, "").env("TLSA", format!("3 1 1 {zeros}"));
        client.env("TLSAREQUIRED", "1").run()
    };
    assert_eq!(fact(&check("-Q").success(), "verification"), "TLSA records");
    let line = "s6-tlsc-io: fatal: CADIR or CAFILE not set, and no --webpki-roots given";
    check("--dane").fatal(100, line);
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
    // Rules by name count where names are looked up.
    dir.file("reversedns", "");
    let text = format!(
        "s6-tcpserver-access: fatal: unable to check fs ruleset for reverse DNS in {there}: \
         Not a directory"
    );
    for options in ["--dns", "-H -p"] {
        check(&format!("{options} -i {there}")).fatal(111, &text);
    }
    check(&format!("-H -i {there}")).success();
}
