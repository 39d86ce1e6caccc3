//! s6-tcpserver-access: every row of what it decides.

mod banner;
mod ident;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::util::{Answer, Cmd, DnsServer, TempDir, cmd, mounted, need, skip};

/// Far less than the limits that hold without `-t`, and more than a busy machine takes.
const EARLY: Duration = Duration::from_secs(20);

const SHOW: &str =
    "echo \"${TCPREMOTEHOST-unset} ${TCPLOCALHOST-unset} ${TCPREMOTEINFO-unset} ${RULE-none}\"";

fn access(options: &[&str]) -> Cmd {
    cmd(["s6-tcpserver-access"])
        .args(options)
        .args(["sh", "-c", SHOW])
        .env("PROTO", "TCP")
        .env("TCPLOCALIP", "127.0.0.1")
        .env("TCPLOCALPORT", "80")
        .env("TCPREMOTEIP", "127.0.0.9")
        .env("TCPREMOTEPORT", "4000")
        .env("TCPREMOTEHOST", "inherited")
        .env("TCPREMOTEINFO", "inherited")
}

/// The log line without the pids.
fn said(text: &str) -> String {
    let words = text
        .trim()
        .split(' ')
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()) || word.contains('.'));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn without_lookups_everybody_passes_and_names_are_unset() {
    let output = access(&["-H"]).run().success();
    assert_eq!(output.out(), "unset unset unset none\n");
    assert_eq!(
        said(&output.err()),
        "s6-tcpserver-access: pid info: allow pid ip 127.0.0.9"
    );
    let output = access(&["-H", "-v0", "-l", "me"]).run().success();
    assert_eq!(
        (output.out().as_str(), output.err().as_str()),
        ("unset me unset none\n", "")
    );
}

#[test]
fn a_prefix_of_variables_need_not_be_utf8() {
    let name = |rest: &str| OsString::from_vec([b"\xff", rest.as_bytes()].concat());
    let access = cmd(["s6-tcpserver-access", "-H", "-l", "me", "env"])
        .env("PROTO", name(""))
        .env(name("LOCALIP"), "127.0.0.1")
        .env(name("LOCALPORT"), "80")
        .env(name("REMOTEIP"), "127.0.0.9")
        .env(name("REMOTEPORT"), "4000")
        .env(name("REMOTEHOST"), "inherited");
    let shown = access.run().success().stdout;
    let has = |text: &[u8]| shown.split(|byte| *byte == b'\n').any(|line| line == text);
    assert!(has(b"PROTO=\xff") && has(b"\xffLOCALHOST=me"));
    assert!(!shown.windows(10).any(|part| part == b"REMOTEHOST"));
}

#[test]
fn the_environment_is_checked() {
    let missing = access(&["-H"]).env_remove("TCPLOCALIP").run();
    missing.fatal(100, "s6-tcpserver-access: fatal: TCPLOCALIP not set");
    let bad = access(&["-H"]).env("TCPLOCALIP", "127.0.0.1x").run();
    bad.fatal(100, "s6-tcpserver-access: fatal: invalid $TCPLOCALIP");
    let bad = access(&["-H"]).env("TCPREMOTEPORT", "65536").run();
    bad.fatal(100, "s6-tcpserver-access: fatal: invalid $TCPREMOTEPORT");
    let bare = access(&["-H"]).env_remove("PROTO").run();
    bare.fatal(100, "s6-tcpserver-access: fatal: PROTO not set");
}

#[test]
fn the_banner_goes_out_first_and_options_are_accepted() {
    let output = access(&["-HD", "-B", "one ", "-B", "two\n", "-WdRP", "-t", "5000"])
        .run()
        .success();
    assert_eq!(output.out(), "one two\nunset unset unset none\n");
    assert!(!output.err().contains("TCP_NODELAY"));
    let output = access(&["-HD"]).run().success();
    let no_socket = "warning: unable to set TCP_NODELAY: ";
    assert!(output.err().contains(no_socket), "{}", output.err());
    let (reader, writer) = crate::util::pipe();
    drop(reader);
    let output = access(&["-H", "-B", "x"]).fd(1, writer).run();
    assert!(
        output
            .code(111)
            .err()
            .contains("fatal: unable to write banner: Broken pipe")
    );
}

#[test]
fn nagle_is_as_told() {
    if !need(&["python3"]) {
        return;
    }
    let show = "import socket; print(socket.socket(fileno=1).getsockopt(6, 1), file=open(2, 'w'))";
    for (option, shown) in [("-d", "0\n"), ("-D", "1\n")] {
        let (_client, server) = crate::util::tcp_pair();
        let output = cmd(["s6-tcpserver-access", "-Hv0", option, "python3", "-c", show])
            .env("PROTO", "TCP")
            .env("TCPLOCALIP", "127.0.0.1")
            .env("TCPLOCALPORT", "80")
            .env("TCPREMOTEIP", "127.0.0.9")
            .env("TCPREMOTEPORT", "4000")
            .fd(0, server.try_clone().unwrap())
            .fd(1, server)
            .run();
        assert_eq!(output.success().err(), shown, "{option}");
    }
}

/// Rules that admit 127.0.0.9 with a variable, refuse the rest of 127.0.0.8/31,
/// and admit names below good.test.
fn rules() -> TempDir {
    let dir = TempDir::new();
    dir.file("ip4/127.0.0.9_32/allow", "");
    dir.file("ip4/127.0.0.9_32/env/RULE", "ruled\n");
    dir.file("ip4/127.0.0.9_32/env/TCPLOCALHOST", "by-rule");
    // Nothing in it: the variable is unset.
    dir.file("ip4/127.0.0.9_32/env/INHERITED", "");
    dir.file("ip4/127.0.0.8_31/deny", "");
    dir.file("ip4/127.0.0.16_32/other", "says nothing");
    dir.file("ip4/127.0.0.18_32/allow", "");
    dir.file("ip4/127.0.0.18_32/exec", "echo replaced");
    dir.file("reversedns/good.test/allow", "");
    dir.file("reversedns/bad.good.test/deny", "");
    dir
}

fn database(rules: &Path, dir: &TempDir) -> String {
    let file = dir.join("rules.cdb").to_str().unwrap().to_owned();
    cmd(["s6-accessrules-cdb-from-fs", &file])
        .arg(rules)
        .run()
        .success();
    file
}

#[test]
fn rules_by_address_decide_from_the_most_precise_on() {
    if !need(&["s6-accessrules-cdb-from-fs", "execlineb"]) {
        return;
    }
    let (rules, dir) = (rules(), TempDir::new());
    let file = database(rules.path(), &dir);
    let path = rules.path().to_str().unwrap();
    for ruleset in [["-i", path], ["-x", &file]] {
        let run = |ip: &str| {
            access(&["-H", ruleset[0], ruleset[1]])
                .env("TCPREMOTEIP", ip)
                .run()
        };
        assert_eq!(
            run("127.0.0.9").success().out(),
            "unset by-rule unset ruled\n"
        );
        let shown = cmd(["s6-tcpserver-access", "-H", ruleset[0], ruleset[1], "env"])
            .env("PROTO", "TCP")
            .env("TCPLOCALIP", "127.0.0.1")
            .env("TCPLOCALPORT", "80")
            .env("TCPREMOTEIP", "127.0.0.9")
            .env("TCPREMOTEPORT", "4000")
            .env("INHERITED", "1")
            .env("OTHER", "1");
        let shown = shown.run().success().out();
        assert!(
            shown.contains("OTHER=1\n") && !shown.contains("INHERITED"),
            "{shown}"
        );
        for (refused, rule) in [
            ("127.0.0.8", "ip4/127.0.0.8_31"),
            ("127.0.0.16", "none"),
            ("10.0.0.1", "none"),
            ("::1", "none"),
        ] {
            let output = run(refused).code(1);
            assert_eq!(output.out(), "");
            let line = format!("s6-tcpserver-access: pid info: deny pid ip {refused} rule {rule}");
            assert_eq!(said(&output.err()), line);
        }
        assert_eq!(run("127.0.0.18").success().out(), "replaced\n");
    }
    let quiet = access(&["-Hv0", "-i", path]).env("TCPREMOTEIP", "127.0.0.8");
    assert_eq!(quiet.run().code(1).err(), "");
}

#[test]
fn rules_for_ipv4_hold_for_mapped_addresses() {
    let dir = TempDir::new();
    for rule in [
        "ip4/127.0.0.9_32/deny",
        "ip6/::_0/allow",
        "ip4/127.0.0.8_32/allow",
    ] {
        let path = dir.join(rule);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let run = |ip: &str| {
        access(&["-Hv2", "-i", dir.path().to_str().unwrap()])
            .env("TCPREMOTEIP", ip)
            .env("TCPLOCALIP", "::ffff:127.0.0.1")
            .run()
    };
    let output = run("::ffff:127.0.0.9").code(1);
    assert!(
        output
            .err()
            .ends_with(" ip 127.0.0.9 rule ip4/127.0.0.9_32\n"),
        "{}",
        output.err()
    );
    run("::ffff:127.0.0.8").success();
    // Rules for all of IPv6 apply to mapped addresses, too.
    run("::ffff:127.0.0.7").success();
}

#[test]
fn unreadable_rules_let_nobody_in() {
    let dir = TempDir::new();
    let file = dir.file("file", "x");
    let access = |option: &str, path: &str| {
        let output = cmd(["s6-tcpserver-access", "-H", option, path, "echo", "never"])
            .env("PROTO", "TCP")
            .env("TCPLOCALIP", "127.0.0.1")
            .env("TCPLOCALPORT", "80")
            .env("TCPREMOTEIP", "127.0.0.9")
            .env("TCPREMOTEPORT", "4000")
            .run();
        let output = output.code(111);
        assert_eq!(output.out(), "");
        output.err()
    };
    let text = file.to_str().unwrap();
    assert!(access("-i", text).contains(&format!(
        "fatal: unable to check fs ruleset for IP in {text}: Not a directory"
    )));
    assert!(access("-x", text).contains(&format!(
        "fatal: unable to cdb_init {text}: malformed database"
    )));
    assert!(
        access("-x", "/nonexistent")
            .contains("fatal: unable to cdb_init /nonexistent: No such file")
    );
    assert!(access("-i", "/nonexistent").contains(
        "fatal: unable to check fs ruleset for IP in /nonexistent: No such file or directory"
    ));
    assert!(
        access("-i", "")
            .contains("fatal: unable to check fs ruleset for IP in : No such file or directory")
    );
    let rules = TempDir::new();
    rules.file("ip4/127.0.0.9_32/allow", "");
    rules.file("ip4/127.0.0.9_32/exec", vec![b'x'; 4097]);
    assert!(access("-i", rules.path().to_str().unwrap()).contains("exec file too long"));
    let rules = self::rules();
    rules.file("ip4/127.0.0.9_32/allow", "");
    std::fs::remove_dir_all(rules.join("ip4/127.0.0.9_32/env")).unwrap();
    rules.file("ip4/127.0.0.9_32/env", "no directory");
    assert!(access("-i", rules.path().to_str().unwrap()).contains("Not a directory"));
    // Neither there nor missing: what the rule says is unknown.
    let rule = "ip4/127.0.0.9_32";
    for (allows, file) in [
        (false, format!("{rule}/allow")),
        (false, format!("{rule}/deny")),
        (true, format!("{rule}/exec")),
        (true, "ip4".to_owned()),
    ] {
        let rules = TempDir::new();
        if allows {
            rules.file(&format!("{rule}/allow"), "");
        }
        let link = rules.join(&file);
        let _ = std::fs::remove_dir_all(&link);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&link, &link).unwrap();
        let err = access("-i", rules.path().to_str().unwrap());
        assert!(
            err.contains("Too many levels of symbolic links"),
            "{file}: {err}"
        );
    }
    // Nobody writes to it: opening it as a file would never end.
    let pipe = rules.join("ip4/127.0.0.9_32/env");
    std::fs::remove_file(&pipe).unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(access("-i", rules.path().to_str().unwrap()).contains("Not a directory"));
}

#[test]
fn a_variable_of_a_rule_that_cannot_be_read_is_an_error_with_its_reason() {
    let rules = rules();
    let env = rules.join("ip4/127.0.0.9_32/env");
    let run = |why: &str| {
        let err = access(&["-H", "-i", rules.path().to_str().unwrap()]).run();
        let err = err.code(111).err();
        let line = format!("for IP in {}: {why}\n", rules.path().display());
        assert!(err.ends_with(&line), "{err}");
    };
    std::os::unix::fs::symlink("nowhere", env.join("DANGLING")).unwrap();
    run("No such file or directory");
    std::fs::remove_file(env.join("DANGLING")).unwrap();
    std::fs::create_dir(env.join("DIRECTORY")).unwrap();
    run("Is a directory");
}

/// As a user without the right to search them.
#[test]
fn unsearchable_rules_directory_is_an_error() {
    if !nix::unistd::geteuid().is_root() {
        skip("only root becomes somebody else");
        return;
    }
    let rules = TempDir::new();
    rules.file("ip4/127.0.0.9_32/allow", "");
    rules.file("ip6/::1_128/allow", "");
    let path = rules.path().to_str().unwrap();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(rules.join(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    let run = |ip: &str| {
        cmd(["s6-applyuidgid", "-u", "1", "-g", "1", "-G", ""])
            .args(["s6-tcpserver-access", "-H", "-i", path, "true"])
            .env("PROTO", "TCP")
            .env("TCPLOCALIP", "127.0.0.1")
            .env("TCPLOCALPORT", "80")
            .env("TCPREMOTEIP", ip)
            .env("TCPREMOTEPORT", "4000")
            .run()
    };
    let denied = |ip: &str| {
        let err = run(ip).code(111).err();
        let text = format!("unable to check fs ruleset for IP in {path}: Permission denied");
        assert!(err.contains(&text), "{err}");
    };
    mode("", 0o755);
    mode("ip6", 0o700);
    run("127.0.0.9").success();
    denied("::1");
    // The rules of an IPv4 address may also be those of its IPv6 form.
    mode("ip6", 0o755);
    mode("ip4", 0o700);
    denied("::ffff:127.0.0.9");
    mode("", 0o700);
    denied("127.0.0.9");
}

#[test]
fn names_are_looked_up_and_match_rules() {
    let name = |name| Answer::Name(name);
    let address = |ip: [u8; 4]| Answer::Addresses(vec![Ipv4Addr::from(ip).into()]);
    let Some(server) = DnsServer::start(&[
        ("1.0.0.127.in-addr.arpa. PTR", name("local.test")),
        ("9.0.0.127.in-addr.arpa. PTR", name("a.good.test")),
        ("10.0.0.127.in-addr.arpa. PTR", name("bad.good.test")),
        ("11.0.0.127.in-addr.arpa. PTR", name("other.test")),
        ("12.0.0.127.in-addr.arpa. PTR", Answer::Code(2)),
        ("13.0.0.127.in-addr.arpa. PTR", Answer::Nothing),
        ("14.0.0.127.in-addr.arpa. PTR", name("liar.good.test")),
        ("15.0.0.127.in-addr.arpa. PTR", name("gone.good.test")),
        ("17.0.0.127.in-addr.arpa. PTR", name("../ip4/127")),
        ("a.good.test. A", address([127, 0, 0, 9])),
        ("liar.good.test. A", address([127, 0, 0, 99])),
    ]) else {
        return;
    };
    let rules = rules();
    std::fs::remove_dir_all(rules.join("ip4")).unwrap();
    let path = rules.path().to_str().unwrap();
    let run = |options: &[&str], ip: &str| {
        access(options)
            .env("DNSCACHEIP", server.ip.to_string())
            .env("TCPREMOTEIP", ip)
            .run()
    };
    assert_eq!(
        run(&[], "127.0.0.9").success().out(),
        "a.good.test. local.test. unset none\n"
    );
    assert_eq!(
        run(&["-l", "me"], "127.0.0.9").success().out(),
        "a.good.test. me unset none\n"
    );
    assert_eq!(
        run(&["-H"], "127.0.0.9").success().out(),
        "unset unset unset none\n"
    );
    assert_eq!(
        run(&["-i", path], "127.0.0.9").success().out(),
        "a.good.test. local.test. unset none\n"
    );
    let refused = |options: &[&str], ip: &str, why: &str| {
        let line = format!("s6-tcpserver-access: pid info: deny pid ip {ip} {why}");
        assert_eq!(said(&run(options, ip).code(1).err()), line);
    };
    refused(&["-i", path], "127.0.0.10", "rule reversedns/bad.good.test");
    refused(&["-i", path], "127.0.0.11", "rule none");
    refused(&["-i", path], "127.0.0.17", "rule none");
    assert_eq!(
        run(&[], "127.0.0.17").success().out(),
        "unset local.test. unset none\n"
    );
    // Without -w a failed lookup means no name; with -w it is an error.
    assert_eq!(
        run(&[], "127.0.0.12").success().out(),
        "unset local.test. unset none\n"
    );
    let warning = "warning: unable to look up a name: server failure\n";
    for (verbosity, warns) in [("-v2", false), ("-v3", true)] {
        let err = run(&[verbosity], "127.0.0.12").success().err();
        assert_eq!(err.contains(warning), warns, "{err}");
    }
    let output = run(&["-w"], "127.0.0.12").code(111);
    assert_eq!(
        said(&output.err()),
        "s6-tcpserver-access: pid info: deny pid ip 127.0.0.12 reason unable to look up a name: \
         server failure\ns6-tcpserver-access: pid fatal: unable to look up a name: server failure"
    );
    run(&["-w"], "127.0.0.16").success();
    // The time limit.
    run(&["-t", "200"], "127.0.0.13").code(99);
    // Paranoid.
    assert_eq!(
        run(&["-pH"], "127.0.0.9").success().out(),
        "a.good.test. local.test. unset none\n"
    );
    refused(
        &["-p"],
        "127.0.0.14",
        "reason other addresses of liar.good.test.",
    );
    assert_eq!(
        run(&["-p"], "127.0.0.15").success().out(),
        "unset local.test. unset none\n"
    );
    refused(
        &["-pw"],
        "127.0.0.15",
        "reason no address of gone.good.test.",
    );
    refused(&["-pw"], "127.0.0.16", "reason no name");
    assert_eq!(
        run(&["-p"], "127.0.0.16").success().out(),
        "unset local.test. unset none\n"
    );
    refused(&["-p", "-i", path], "127.0.0.15", "rule none");
}

#[test]
fn names_of_ipv6_clients_are_confirmed_by_their_ipv6_addresses() {
    let reversed = |last: char| format!("{last}.{}ip6.arpa. PTR", "0.".repeat(31));
    let [one, two] = ['1', '2'].map(reversed);
    let address = |ip: &str| Answer::Addresses(vec![ip.parse().unwrap()]);
    let Some(server) = DnsServer::start(&[
        (&one, Answer::Name("six.test")),
        (&two, Answer::Name("six.test")),
        ("six.test. AAAA", address("::1")),
        ("six.test. A", address("127.0.0.9")),
    ]) else {
        return;
    };
    let run = |ip: &str| {
        access(&["-p", "-l", "me"])
            .env("DNSCACHEIP", server.ip.to_string())
            .env("TCPLOCALIP", "::1")
            .env("TCPREMOTEIP", ip)
            .run()
    };
    assert_eq!(run("::1").success().out(), "six.test. me unset none\n");
    let refused = run("::2").code(1).err();
    assert!(
        refused.contains(" reason other addresses of six.test."),
        "{refused}"
    );
}

#[test]
fn a_resolv_conf_that_cannot_be_read_is_a_warning_and_with_w_a_refusal() {
    if !nix::unistd::geteuid().is_root() {
        skip("root alone mounts files");
        return;
    }
    let dir = TempDir::new();
    let file = dir.file("resolv.conf", "");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let Some(mounted) = mounted(&[(&file, "/etc/resolv.conf")]) else {
        return;
    };
    let nobody = ["s6-applyuidgid", "-u", "65534", "-g", "65534", "-G", ""];
    let run = |options: &[&str]| access(options).run_by(nobody).run_by(&mounted).run();
    let why = "unable to set up name resolution: Permission denied";
    let output = run(&["-v2"]).success();
    assert_eq!(output.out(), "unset unset unset none\n");
    let warning = format!("warning: {why}\n");
    assert!(output.err().contains(&warning), "{}", output.err());
    let refused = said(&run(&["-w"]).code(111).err());
    let reason = format!("deny pid ip 127.0.0.9 reason {why}");
    assert!(refused.contains(&reason), "{refused}");
}

#[test]
fn a_list_of_servers_without_an_address_is_a_warning_and_with_w_a_refusal() {
    let run = |options: &[&str]| access(options).env("DNSCACHEIP", "127.0.0.99:53").run();
    let why = "unable to set up name resolution: no valid address in DNSCACHEIP";
    let output = run(&["-v2"]).success();
    assert_eq!(output.out(), "unset unset unset none\n");
    let warning = format!("warning: {why}\n");
    assert!(output.err().contains(&warning), "{}", output.err());
    let refused = said(&run(&["-w"]).code(111).err());
    let reason = format!("deny pid ip 127.0.0.9 reason {why}");
    assert!(refused.contains(&reason), "{refused}");
}

#[test]
fn names_in_the_hosts_file_come_before_the_dns() {
    // The name depends on this machine.
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let here = hosts.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let mut fields = line.split_ascii_whitespace();
        (fields.next() == Some("127.0.0.1")).then(|| fields.next())?
    });
    let Some(here) = here else {
        skip("127.0.0.1 is not in /etc/hosts");
        return;
    };
    let here = format!("{}.", here.to_lowercase());
    let Some(server) = DnsServer::start(&[
        ("1.0.0.127.in-addr.arpa. PTR", Answer::Name("dns.test")),
        ("9.0.0.127.in-addr.arpa. PTR", Answer::Name("local.test")),
    ]) else {
        return;
    };
    // A name from the file needs no address in the DNS, even with -p.
    for (options, name) in [(&["-h"][..], &*here), (&["-hp"], &here), (&[], "dns.test.")] {
        let run = access(options)
            .env("TCPREMOTEIP", "127.0.0.1")
            .env("TCPLOCALIP", "127.0.0.9")
            .env("DNSCACHEIP", server.ip.to_string())
            .run();
        let names = format!("{name} local.test. unset none\n");
        assert_eq!(run.success().out(), names, "{options:?}");
    }
}

#[test]
fn s6_tlsserver_runs_access_by_default() {
    let (_server, port) =
        crate::util::tls::serve(&["-l", "me"], "p256", &["sh", "-c", "echo $TCPLOCALHOST"]);
    let client = cmd([
        "s6-tlsclient",
        "-H",
        "127.0.0.1",
        &port.to_string(),
        "sh",
        "-c",
        "cat <&6",
    ]);
    let output = client
        .env("CAFILE", crate::util::certs().path("ca.pem"))
        .run();
    assert_eq!(output.success().out(), "me\n");
}
