//! s6-tlsa and `s6-tlsclient --dane`, with a validating resolver.

use crate::dane::{data, record};
use crate::util::resolver::{Signed, Validator, Zone};
use crate::util::tls::openssl_server;
use crate::util::{Answer, Cmd, DnsServer, certs, cmd, need};

/// A record that describes nothing, by its last digit.
fn digest(last: char) -> String {
    format!("3 1 1 {}{last}", "0".repeat(63))
}

/// A name in good.test of 245 characters in all. Those of its records would be too long.
fn long() -> String {
    let labels = [63, 63, 63, 43].map(|length| "a".repeat(length));
    labels.join(".")
}

/// The records of a signed zone.
fn names() -> String {
    let mut records = String::new();
    let mut host = |name: &str, tlsa: &[String]| {
        records += &format!("{name} A 127.0.0.1\n");
        for tlsa in tlsa {
            records += &format!("_443._tcp.{name} TLSA {tlsa}\n");
        }
    };
    host("good", &[digest('1')]);
    host("two", &[digest('2'), record("2 0 1", "ca")]);
    host("none", &[]);
    host("bogus", &[digest('3')]);
    host("denied", &[digest('4')]);
    host("unusable", &[digest('5').replace("3 1 1", "3 1 9")]);
    let many: Vec<String> = (100..140).map(|n| format!("3 1 1 {n:064x}")).collect();
    host("many", &many);
    records += &format!(
        "alias CNAME good\nown CNAME none\n_443._tcp.own TLSA {}\n\
         outside CNAME host.plain.test.\n_443._tcp.outside TLSA {}\n\
         hidden CNAME nobody.plain.test.\n_443._tcp.hidden TLSA {}\n\
         empty CNAME text.plain.test.\n_443._tcp.empty TLSA {}\n\
         bare CNAME text.plain.test.\n\
         far A 127.0.0.1\n_443._tcp.far CNAME _443._tcp.host.plain.test.\n\
         void A 127.0.0.1\n_443._tcp.void CNAME text.plain.test.\n\
         named A 127.0.0.1\n_443._tcp.named CNAME _dane\n_dane TLSA {}\n\
         hyphen CNAME edge-\nedge- A 127.0.0.1\n_443._tcp.edge- TLSA {}\n\
         blank CNAME a\\032b\na\\032b A 127.0.0.1\n_443._tcp.a\\032b TLSA {}\n\
         spare CNAME -\n- A 127.0.0.1\n_443._tcp.spare TLSA {}\n\
         idle CNAME c\\032d\nc\\032d A 127.0.0.1\n\
         mail A 127.0.0.1\n_25._tcp.mail TLSA {}\n{} A 127.0.0.1\n",
        digest('6'),
        digest('7'),
        digest('a'),
        digest('b'),
        digest('8'),
        digest('1'),
        digest('1'),
        digest('c'),
        digest('9'),
        long()
    );
    records
}

/// A resolver with one zone of each kind.
fn validator() -> Option<Validator> {
    let plain = format!(
        "host A 127.0.0.1\n_443._tcp.host TLSA {}\ntext TXT text\nalias CNAME host\n",
        digest('1')
    );
    let zones = [
        Zone {
            name: "good.test",
            records: &names(),
            signed: Signed::Well,
        },
        Zone {
            name: "expired.test",
            records: &plain,
            signed: Signed::Expired,
        },
        Zone {
            name: "plain.test",
            records: &plain,
            signed: Signed::Not,
        },
    ];
    // One record is changed, and another one is hidden, though an NSEC3 record says that
    // it is there.
    Validator::start(&zones, |signed| {
        let changed = signed.replace(&digest('3')[6..], &digest('0')[6..]);
        let hidden = "_443._tcp.denied.good.test.";
        let lines = changed.lines().filter(|line| !line.starts_with(hidden));
        lines.map(|line| format!("{line}\n")).collect()
    })
}

/// s6-tlsa with these options for `host`, which shows the variables.
fn tlsa(validator: &Validator, options: &[&str], host: &str) -> Cmd {
    let show = "echo \"${TLSA-unset} ${TLSADOMAIN-unset}\"; \
        case \"$0\" in *required*) test \"$TLSAREQUIRED\" ;; *) test ! \"$TLSAREQUIRED\" ;; esac";
    cmd(["s6-tlsa"])
        .args(options)
        .args([host, "sh", "-c", show, &options.join(" ")])
        .env("DNSCACHEIP", validator.ip.to_string())
        .env("TLSA", "inherited")
        .env("TLSADOMAIN", "inherited")
        .env("TLSAREQUIRED", "inherited")
}

#[test]
fn records_that_dnssec_secures_are_found() {
    let Some(validator) = validator() else {
        return;
    };
    let two = format!("{}\n{}", digest('2'), record("2 0 1", "ca"));
    let many: Vec<String> = (100..140).map(|n| format!("3 1 1 {n:064x}")).collect();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for (options, host, records, base) in [
        (&[][..], "good", digest('1'), "good"),
        (&["--required"], "two", two, "two"),
        (&["-p", "25", "-t", "20"], "mail", digest('9'), "mail"),
        // The answer does not fit into a datagram.
        (&[], "many", many.join("\n"), "many"),
        // The records of the alias's target count, or if it has none those of the host.
        (&[], "alias", digest('1'), "good"),
        (&[], "own", digest('6'), "own"),
        // DNSSEC secures the alias but not its target.
        (&[], "outside", digest('7'), "outside"),
        // Anybody can say that the target has no address.
        (&[], "hidden", digest('a'), "hidden"),
        (&[], "empty", digest('b'), "empty"),
        (&[], "named", digest('8'), "named"),
        // The target is no host name, but has no records.
        (&[], "spare", digest('c'), "spare"),
    ] {
        let output = tlsa(&validator, options, &format!("{host}.good.test"))
            .run()
            .success();
        let shown = output.out();
        let (found, domain) = shown.trim().rsplit_once(' ').unwrap();
        assert_eq!(sorted(found), sorted(&records), "{host}");
        assert_eq!(domain, format!("{base}.good.test"));
        assert_eq!(output.err(), "");
    }
    let output = tlsa(&validator, &["-v2"], "GOOD.good.test.")
        .run()
        .success();
    assert_eq!(output.out(), format!("{} good.good.test\n", digest('1')));
    let line = format!(
        "s6-tlsa: info: TLSA record of good.good.test: {}\n",
        digest('1')
    );
    assert_eq!(output.err(), line);
}

#[test]
fn without_authentic_records_the_program_runs_unless_they_are_required() {
    let Some(validator) = validator() else {
        return;
    };
    let insecure = "DNSSEC does not secure the addresses of the host, or the resolver does not \
        validate";
    let no_name = "the host is not a name in the DNS";
    let no_record = "there are none";
    for (host, why) in [
        ("none.good.test", no_record),
        ("bare.good.test", no_record),
        ("idle.good.test", no_record),
        (&format!("{}.good.test", long()), no_record),
        ("far.good.test", "DNSSEC does not secure them"),
        (
            "void.good.test",
            "DNSSEC does not secure the answer that there are none",
        ),
        ("host.plain.test", insecure),
        ("alias.plain.test", insecure),
        ("text.plain.test", "the host has no address: no such record"),
        (
            "nobody.good.test",
            "the host has no address: no such domain",
        ),
        (
            "_25._tcp.mail.good.test",
            "the host has no address: no such record",
        ),
        ("127.0.0.1", no_name),
        ("::1,127.0.0.1", no_name),
        ("localhost", no_name),
        ("", no_name),
    ] {
        let output = tlsa(&validator, &["-v2"], host).run().success();
        assert_eq!(output.out(), "unset unset\n", "{host}");
        let text = format!("no authentic TLSA records of _443._tcp.{host}: {why}");
        assert_eq!(output.err(), format!("s6-tlsa: info: {text}\n"));
        let required = tlsa(&validator, &["--required"], host).run();
        required.fatal(111, &format!("s6-tlsa: fatal: {text}"));
    }
    let unusable = "no TLSA record of _443._tcp.unusable.good.test is usable";
    let output = tlsa(&validator, &[], "unusable.good.test").run().success();
    assert_eq!(output.out(), "unset unset\n");
    assert_eq!(output.err(), format!("s6-tlsa: warning: {unusable}\n"));
    let required = tlsa(&validator, &["--required"], "unusable.good.test").run();
    required.fatal(111, &format!("s6-tlsa: fatal: {unusable}"));
}

#[test]
fn records_of_an_alias_whose_target_is_no_host_name_are_an_error_before_the_program_runs() {
    let Some(validator) = validator() else {
        return;
    };
    for (host, what) in [
        ("hyphen", "the target of the alias is no host name: edge-"),
        ("blank", "the target of the alias is no host name: a\\x20b"),
        ("a b", "it is no host name: a\\x20b"),
    ] {
        let owner = format!("_443._tcp.{host}.good.test");
        let line =
            format!("s6-tlsa: fatal: unable to use TLSA records of {owner}: {what}.good.test");
        let host = format!("{host}.good.test");
        tlsa(&validator, &[], &host).run().fatal(111, &line);
    }
}

#[test]
fn failed_lookup_is_not_taken_for_missing_records() {
    let Some(validator) = validator() else {
        return;
    };
    for host in [
        "bogus.good.test",
        "denied.good.test",
        "host.expired.test",
        "nobody.expired.test",
    ] {
        let line = format!(
            "s6-tlsa: fatal: unable to look up TLSA records of _443._tcp.{host}: server failure"
        );
        tlsa(&validator, &[], host).run().fatal(111, &line);
        tlsa(&validator, &["--required"], host)
            .run()
            .fatal(111, &line);
    }
}

#[test]
fn resolver_that_does_not_validate_does_not_overrule_one_that_fails() {
    let Some(validator) = validator() else {
        return;
    };
    let zones = ["good.test", "expired.test"].map(|name| Zone {
        name,
        records: "bogus A 127.0.0.1\nhost A 127.0.0.1\ngood A 127.0.0.1\n",
        signed: Signed::Not,
    });
    let Some(other) = Validator::start(&zones, |text| text) else {
        return;
    };
    let both = format!("{} {}", validator.ip, other.ip);
    let asked = |host: &str| tlsa(&validator, &[], host).env("DNSCACHEIP", &both).run();
    for host in ["bogus.good.test", "denied.good.test", "host.expired.test"] {
        let line = format!(
            "s6-tlsa: fatal: unable to look up TLSA records of _443._tcp.{host}: server failure"
        );
        asked(host).fatal(111, &line);
    }
    let found = asked("good.good.test").success().out();
    assert_eq!(found, format!("{} good.good.test\n", digest('1')));
}

#[test]
fn refusal_of_all_resolvers_is_a_failed_lookup() {
    const FORMERR: u8 = 1;
    const NOTIMP: u8 = 4;
    const REFUSED: u8 = 5;
    for code in [FORMERR, NOTIMP, REFUSED] {
        let answer = Answer::Code(code);
        let answers = [("h.test. A", answer.clone()), ("h.test. AAAA", answer)];
        let [Some(first), Some(second)] = [(), ()].map(|()| DnsServer::start(&answers)) else {
            return;
        };
        let servers = format!("{} {}", first.ip, second.ip);
        let output = cmd(["s6-tlsa", "h.test", "true"]).env("DNSCACHEIP", servers);
        let line = "s6-tlsa: fatal: unable to look up TLSA records of _443._tcp.h.test: \
            server refused";
        output.run().fatal(111, line);
    }
}

#[test]
fn resolver_that_does_not_validate_does_not_overrule_one_that_refuses() {
    let Some(validator) = validator() else {
        return;
    };
    let refused = [
        "host.plain.test. A",
        "host.plain.test. AAAA",
        "good.good.test. A",
        "good.good.test. AAAA",
        "_443._tcp.good.good.test. ?",
    ];
    let Some(first) = DnsServer::start(&refused.map(|key| (key, Answer::Code(5)))) else {
        return;
    };
    let both = format!("{} {}", first.ip, validator.ip);
    let asked = |host: &str| tlsa(&validator, &[], host).env("DNSCACHEIP", &both).run();
    let line = "s6-tlsa: fatal: unable to look up TLSA records of _443._tcp.host.plain.test: \
        server refused";
    asked("host.plain.test").fatal(111, line);
    let found = asked("good.good.test").success().out();
    assert_eq!(found, format!("{} good.good.test\n", digest('1')));
}

#[test]
fn resolver_that_does_not_validate_does_not_deny_records_of_a_host_that_is_secured() {
    let Some(validator) = validator() else {
        return;
    };
    // It refuses the addresses, and knows nothing of the records.
    let refused = ["good.good.test. A", "good.good.test. AAAA"];
    let Some(first) = DnsServer::start(&refused.map(|key| (key, Answer::Code(5)))) else {
        return;
    };
    let both = format!("{} {}", first.ip, validator.ip);
    let output = tlsa(&validator, &[], "good.good.test").env("DNSCACHEIP", both);
    let line = "s6-tlsa: fatal: unable to look up TLSA records of _443._tcp.good.good.test: \
        DNS servers disagree on whether DNSSEC secures the records";
    output.run().fatal(111, line);
}

#[test]
fn resolver_that_does_not_validate_does_not_deny_records_of_an_alias_that_is_secured() {
    let Some(validator) = validator() else {
        return;
    };
    // It knows the alias as anybody may, refuses to show its record, and knows nothing else.
    let target = Answer::Alias("host.plain.test", [127, 0, 0, 1].into());
    let answers = [
        ("outside.good.test. A", target),
        ("outside.good.test. ?", Answer::Code(5)),
    ];
    let Some(first) = DnsServer::start(&answers) else {
        return;
    };
    let both = format!("{} {}", first.ip, validator.ip);
    let output = tlsa(&validator, &[], "outside.good.test").env("DNSCACHEIP", both);
    let line = "s6-tlsa: fatal: unable to look up TLSA records of \
        _443._tcp.outside.good.test: DNS servers disagree on whether DNSSEC secures the records";
    output.run().fatal(111, line);
}

#[test]
fn resolver_on_another_machine_is_asked_only_if_it_is_trusted() {
    let Some(validator) = validator() else {
        return;
    };
    let host = "good.good.test";
    let elsewhere = "192.0.2.1";
    let both = format!("{elsewhere} {}", validator.ip);
    let output = tlsa(&validator, &[], host)
        .env("DNSCACHEIP", both)
        .run()
        .success();
    assert_eq!(output.out(), format!("{} {host}\n", digest('1')));
    let asked = |options: &[&str]| {
        let tlsa = tlsa(&validator, options, host).env("DNSCACHEIP", elsewhere);
        tlsa.run()
    };
    let why = "no authentic TLSA records of _443._tcp.good.good.test: no resolver on this \
        machine, and no --trust-resolver or --dane-trust-resolver given";
    let output = asked(&[]).success();
    assert_eq!(output.out(), "unset unset\n");
    assert_eq!(output.err(), format!("s6-tlsa: warning: {why}\n"));
    asked(&["--required"]).fatal(111, &format!("s6-tlsa: fatal: {why}"));
    // Nobody is there.
    let line = "s6-tlsa: fatal: unable to look up TLSA records of _443._tcp.good.good.test: ";
    asked(&["--trust-resolver", "-t", "1"]).fatal_with(111, line, &[]);
}

#[test]
fn wrong_usage_is_told() {
    for (argv, line) in [
        (
            &["-p", "https", "h", "true"][..],
            "port must be a port number: https",
        ),
        (
            &["-t", "x", "h", "true"],
            "timeout must be an unsigned integer (-t s, at most 4294967295): x",
        ),
        (
            &["[::1]", "true"],
            "host must be an IP address without brackets: [::1]",
        ),
    ] {
        let line = format!("s6-tlsa: fatal: {line}");
        cmd(["s6-tlsa"]).args(argv).run().fatal(100, &line);
    }
    cmd(["s6-tlsa", "host"])
        .run()
        .fatal_with(100, "s6-tlsa: usage: ", &[]);
}

/// A zone with the hosts `good` and `wrong`, whose records for this port are those of
/// p256 and of rsa, the host `pkix` with a record of usage 1, and the host `none`.
fn with_port(port: u16) -> Option<Validator> {
    let [good, wrong] = ["p256", "rsa"].map(|name| data(1, 1, name));
    let records = format!(
        "good A 127.0.0.1\n_{port}._tcp.good TLSA 3 1 1 {good}\n\
         wrong A 127.0.0.1\n_{port}._tcp.wrong TLSA 3 1 1 {wrong}\nnone A 127.0.0.1\n\
         pkix A 127.0.0.1\n_{port}._tcp.pkix TLSA 1 1 1 {good}\n"
    );
    let zone = Zone {
        name: "good.test",
        records: &records,
        signed: Signed::Well,
    };
    Validator::start(&[zone], |text| text)
}

#[test]
fn tlsclient_verifies_by_records_and_by_anchors_where_there_are_none() {
    if !need(&["openssl"]) {
        return;
    }
    let unmatched = "s6-tlsc-io: fatal: handshake failed: no TLSA record matches ";
    let name = "s6-tlsc-io: fatal: handshake failed: certificate of remote refused: not valid ";
    let no_record = "s6-tlsa: fatal: no authentic TLSA records of ";
    for (options, host, refused) in [
        (&["--dane"][..], "good", None),
        (&["--dane=required"], "good", None),
        (&["--dane"], "wrong", Some((98, unmatched))),
        (
            &["--dane", "--no-verify-cert"],
            "wrong",
            Some((98, unmatched)),
        ),
        (&["--dane", "--no-verify-cert"], "none", None),
        (&["--dane"], "none", Some((98, name))),
        (&["--dane", "-k", "localhost"], "none", None),
        (
            &["--dane=required", "-k", "localhost"],
            "none",
            Some((111, no_record)),
        ),
        (&["-k", "localhost"], "wrong", None),
    ] {
        let (_server, port) = openssl_server("p256", ["-tls1_3"]);
        let Some(validator) = with_port(port) else {
            return;
        };
        let client = cmd(["s6-tlsclient", "--peer-info", "-4", "-l0"])
            .args(options)
            .args([&format!("{host}.good.test"), &port.to_string()])
            .args([
                "sh",
                "-c",
                "echo $SSL_SERVER_VERIFY ${TLSA-cleaned} ${TLSADOMAIN-cleaned}",
            ])
            .env("CAFILE", certs().path("ca.pem"))
            .env("DNSCACHEIP", validator.ip.to_string());
        let output = client.run();
        match refused {
            Some((code, line)) => drop(output.fatal_with(code, line, &[])),
            None => {
                let any = options.contains(&"--no-verify-cert");
                let verify = if any { "GENEROUS" } else { "SUCCESS" };
                assert_eq!(
                    output.success().out(),
                    format!("{verify} cleaned cleaned\n")
                );
            }
        }
    }
}

#[test]
fn tlsclient_without_anchors_fails_alike_with_and_without_dane_if_there_are_no_records() {
    if !need(&["openssl"]) {
        return;
    }
    for dane in [&[][..], &["--dane"]] {
        let (_server, port) = openssl_server("p256", ["-tls1_3"]);
        let Some(validator) = with_port(port) else {
            return;
        };
        let client = cmd(["s6-tlsclient", "-4", "-l0", "--no-verify-cert"])
            .args(dane)
            .args(["none.good.test", &port.to_string(), "true"])
            .env("DNSCACHEIP", validator.ip.to_string());
        let line = "s6-tlsc-io: fatal: CADIR or CAFILE not set, and no --webpki-roots given";
        client.run().fatal(100, line);
    }
}

#[test]
fn ucspi_client_verifies_by_the_records_of_a_chain_before_it() {
    if !need(&["openssl"]) {
        return;
    }
    for (host, code) in [("good", 0), ("wrong", 98)] {
        let (_server, port) = openssl_server("p256", ["-tls1_3"]);
        let Some(validator) = with_port(port) else {
            return;
        };
        let host = format!("{host}.good.test");
        let port = port.to_string();
        let start = "printf Y >&$SSLCTLFD; cat <&$SSLCTLFD | tr '\\0' '\\n' | grep -c ^SSL_CIPHER=";
        let client = cmd([
            "s6-tlsa",
            "-p",
            &port,
            &host,
            "s6-tcpclient",
            "-4",
            "-l0",
            &host,
        ])
        .args([&port, "s6-ucspitlsc", "-v2", "sh", "-c", start])
        .env("DNSCACHEIP", validator.ip.to_string())
        .start();
        client.wait_err(&format!(" code={code} end="));
        let expected = if code == 0 { "1\n" } else { "0\n" };
        assert_eq!(client.finish_open().out(), expected);
    }
}

/// The chain that doc/dane.md gives to those who want the log line.
#[test]
fn engine_of_a_chain_logs_which_record_matches() {
    if !need(&["openssl"]) {
        return;
    }
    let (_server, port) = openssl_server("p256", ["-tls1_3"]);
    let Some(validator) = with_port(port) else {
        return;
    };
    let (host, port) = ("good.good.test", port.to_string());
    let client = cmd(["s6-tlsa", "-p", &port, host, "s6-tcpclient", "-l0", "-4"])
        .args([host, &port, "s6-tlsc", "-v2", "-k", host, "true"])
        .env("DNSCACHEIP", validator.ip.to_string());
    let log = client.run().success().err();
    assert!(log.contains(" tlsa=3-1-1 "), "{log}");
}

#[test]
fn tlsclient_has_to_have_the_anchors_that_required_records_need() {
    if !need(&["openssl"]) {
        return;
    }
    let (_server, port) = openssl_server("p256", ["-tls1_3"]);
    let Some(validator) = with_port(port) else {
        return;
    };
    let pin = format!("--pin=SHA256:{}", certs().hash("p256"));
    let client = |dane: &str| {
        cmd(["s6-tlsclient", "-4", "-l0", dane, &pin])
            .args(["-k", "localhost", "pkix.good.test", &port.to_string()])
            .args(["echo", "connected"])
            .env("DNSCACHEIP", validator.ip.to_string())
    };
    let line = "s6-tlsc-io: fatal: no record in TLSA is usable without verification by trust \
        anchors, but TLSAREQUIRED is set";
    client("--dane=required").run().fatal(100, line);
}

#[test]
fn tlsclient_without_dane_verifies_by_the_records_in_its_environment() {
    if !need(&["openssl"]) {
        return;
    }
    let client = |variables: &[(&str, &str)]| {
        let (_server, port) = openssl_server("p256", ["-tls1_3"]);
        let client = cmd(["s6-tlsclient", "-l0", "-k", "localhost", "127.0.0.1"])
            .args([&port.to_string(), "echo", "connected"])
            .env("CAFILE", certs().path("ca.pem"));
        let with = |client: Cmd, (name, value): &(&str, &str)| client.env(name, value);
        variables.iter().fold(client, with).run()
    };
    let right = record("3 1 1", "p256");
    let output = client(&[("TLSA", &right), ("TLSAREQUIRED", "1")]).success();
    assert_eq!(output.out(), "connected\n");
    let unmatched = "s6-tlsc-io: fatal: handshake failed: no TLSA record matches ";
    client(&[("TLSA", &digest('1'))]).fatal_with(98, unmatched, &[]);
    let unset = "s6-tlsc-io: fatal: TLSAREQUIRED is set, but TLSA is not";
    client(&[("TLSAREQUIRED", "1")]).fatal(100, unset);
}

#[test]
fn tlsclient_with_dane_does_not_verify_by_inherited_records() {
    if !need(&["openssl"]) {
        return;
    }
    for (options, host) in [
        ("--dane", "good"),
        ("--dane=required", "good"),
        ("--dane", "none"),
    ] {
        let (_server, port) = openssl_server("p256", ["-tls1_3"]);
        let Some(validator) = with_port(port) else {
            return;
        };
        let host = format!("{host}.good.test");
        let client = cmd(["s6-tlsclient", "-4", "-l0", "-k", "localhost", options])
            .args([&host, &port.to_string(), "echo", "connected"])
            .env("CAFILE", certs().path("ca.pem"))
            .env("DNSCACHEIP", validator.ip.to_string())
            .env("TLSA", digest('1'))
            .env("TLSADOMAIN", "other.test")
            .env("TLSAREQUIRED", "1");
        assert_eq!(client.run().success().out(), "connected\n", "{host}");
    }
}
