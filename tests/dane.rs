//! Verification by TLSA records (DANE) in the engine, beside openssl's.

use crate::util::tls::{VERSIONS, Visit, call, key_of, openssl_server};
use crate::util::{Cmd, certs, cmd, need};

/// The hexadecimal data of a record with these fields for the certificate `name`.
pub fn data(selector: u8, matching: u8, name: &str) -> String {
    let script = "if [ $1 = 0 ]; then openssl x509 -in \"$0\" -outform DER
        else openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform DER
        fi | case $2 in
            0) od -An -v -tx1 | tr -d ' \n' ;;
            1) openssl dgst -sha256 -r ;;
            2) openssl dgst -sha512 -r ;;
        esac";
    let file = certs().path(&format!("{name}.pem"));
    let argv = ["sh", "-c", script, &file];
    let output = cmd(argv).args([selector.to_string(), matching.to_string()]);
    let output = output.run().success().out();
    output.split(' ').next().unwrap().to_owned()
}

/// A record with the fields `usage selector matching` for the certificate `name`.
pub fn record(fields: &str, name: &str) -> String {
    let numbers: Vec<u8> = fields
        .split(' ')
        .map(|field| field.parse().unwrap())
        .collect();
    format!("{fields} {}", data(numbers[1], numbers[2], name))
}

/// s6-tlsc with these records, at a server of openssl's with the certificate `pair`.
fn by(records: &[String], options: &[&str], pair: &str) -> Visit {
    by_version(records, options, "-tls1_3", pair)
}

fn by_version(records: &[String], options: &[&str], version: &str, pair: &str) -> Visit {
    let records = records.join("\n");
    call(options, version, pair, |client| client.env("TLSA", records))
}

/// Whether `openssl s_client` accepts a server with the certificate `pair`.
fn openssl_accepts(records: &[String], name: &str, anchors: bool, pair: &str) -> bool {
    let key = key_of(pair);
    let chain = certs().path(&format!("{pair}.pem"));
    let (_server, port) = openssl_server(key, ["-tls1_3", "-cert_chain", &chain]);
    let to = format!("127.0.0.1:{port}");
    let mut client = cmd(["openssl", "s_client", "-connect", &to])
        .args(["-verify_return_error", "-dane_ee_no_namechecks"])
        .args(["-dane_tlsa_domain", name]);
    for record in records {
        client = client.args(["-dane_tlsa_rrdata", record]);
    }
    let ca = certs().path("ca.pem");
    client = match anchors {
        true => client.args(["-CAfile", &ca]),
        false => client.arg("-no-CAfile"),
    };
    let output = client.args(["-no-CApath", "-no-CAstore"]).run();
    let said = output.out() + &output.err();
    let accepted = said.contains("Verification: OK");
    let refused = said.contains("verify error:");
    assert!(accepted != refused, "{said}");
    accepted
}

fn unmatched(pair: &str) -> String {
    let hash = certs().hash(key_of(pair));
    let key = data(1, 1, key_of(pair));
    format!(
        "handshake failed: no TLSA record matches the remote certificate SHA256:{hash} \
         or its key SPKI-SHA256:{key}"
    )
}

const ALL: [&str; 6] = ["0 0", "0 1", "0 2", "1 0", "1 1", "1 2"];

#[test]
fn usage_3_describes_the_certificate_and_nothing_else_is_checked() {
    if !need(&["openssl"]) {
        return;
    }
    for fields in ALL {
        let records = [record(&format!("3 {fields}"), "expired")];
        by(&records, &["-k", "x.test"], "expired").accepted("SUCCESS", "expired");
        assert!(
            openssl_accepts(&records, "x.test", false, "expired"),
            "{fields}"
        );
    }
    for version in VERSIONS {
        for pair in ["selfleaf", "wrong", "version1"] {
            for options in [&["-k", "localhost"][..], &[]] {
                let visit = by_version(&[record("3 0 1", pair)], options, version, pair);
                visit.accepted("SUCCESS", pair);
            }
        }
        let visit = by_version(&[record("3 1 1", "p256")], &[], version, "rsa");
        visit.refused("bad certificate", &unmatched("rsa"));
    }
    // Anchors are not even read, and do not help.
    let records = [record("3 0 1", "p256")];
    for (pair, good) in [("p256", true), ("rsa", false)] {
        let visit = call(&["-k", "localhost"], "-tls1_3", pair, |client| {
            let file = if good {
                "/nonexistent".into()
            } else {
                certs().path("ca.pem")
            };
            client.env("CAFILE", file).env("TLSA", &records[0])
        });
        assert_eq!(openssl_accepts(&records, "localhost", true, pair), good);
        match good {
            true => visit.accepted("SUCCESS", pair),
            false => visit.refused("bad certificate", &unmatched(pair)),
        }
    }
}

#[test]
fn usage_2_describes_the_anchor_of_a_chain() {
    if !need(&["openssl"]) {
        return;
    }
    let accepted = |records: &[String], pair: &str, leaf: &str| {
        by(records, &["-k", "localhost"], pair).accepted("SUCCESS", leaf);
        assert!(
            openssl_accepts(records, "localhost", false, pair),
            "{records:?}"
        );
    };
    // The anchor is sent by the server: the issuer, or the root above it.
    for fields in ALL {
        let record = |name| record(&format!("2 {fields}"), name);
        accepted(&[record("inter")], "leaf-chain", "leaf");
    }
    accepted(&[record("2 0 1", "ca")], "leaf-long", "leaf");
    accepted(&[record("2 1 2", "ca")], "leaf-long", "leaf");
    // It is in the record, as a certificate or a key.
    for fields in ["2 0 0", "2 1 0"] {
        accepted(&[record(fields, "ca")], "leaf-chain", "leaf");
        accepted(&[record(fields, "ca")], "p256", "p256");
    }
    let refused = |records: &[String], pair: &str, alert: &str, why: &str| {
        by(records, &["-k", "localhost"], pair).refused(alert, why);
        assert!(
            !openssl_accepts(records, "localhost", false, pair),
            "{records:?}"
        );
    };
    let no_match = |records: &[String], pair: &str| {
        refused(records, pair, "bad certificate", &unmatched(pair));
    };
    // The digest of an anchor that nobody has.
    no_match(&[record("2 0 1", "ca")], "leaf-chain");
    no_match(&[record("2 1 1", "other")], "leaf-chain");
    // A server's own certificate is not an anchor.
    no_match(&[record("2 0 1", "selfleaf")], "selfleaf");
    let unknown = "handshake failed: certificate of remote refused: unknown issuer: \
        no chain to a trust anchor";
    refused(&[record("2 0 0", "other")], "p256", "unknown ca", unknown);
    // Dates and names are checked.
    let expired = "handshake failed: certificate of remote refused: expired";
    refused(
        &[record("2 0 0", "ca")],
        "expired",
        "certificate expired",
        expired,
    );
    let name = "handshake failed: certificate of remote refused: not valid for this name: \
        localhost is wanted, it has other.test";
    refused(&[record("2 0 0", "ca")], "wrong", "bad certificate", name);
}

#[test]
fn what_the_certificate_of_an_anchor_says_counts() {
    if !need(&["openssl"]) {
        return;
    }
    let good = |fields: &str, name: &str, pair: &str, leaf: &str| {
        let records = [record(fields, name)];
        by(&records, &["-k", "localhost"], pair).accepted("SUCCESS", leaf);
    };
    good("2 0 1", "nosub", "nosubleaf-chain", "nosubleaf");
    good("2 1 0", "nosub", "nosubleaf-chain", "nosubleaf");
    good("2 1 0", "inter", "leaf-chain", "leaf");
    good("2 1 0", "sub", "subleaf-chain", "subleaf");
    let refused = |fields: &str, anchor: &str, name: &str, pair: &str| {
        let visit = by(&[record(fields, anchor)], &["-k", name], pair);
        visit.logged("s6-tlsc-io: fatal: handshake failed: ");
    };
    for fields in ["2 0 0", "2 0 1", "2 1 0", "2 1 1"] {
        // It is no CA's, allows no intermediate, or not this name.
        refused(fields, "leaf", "localhost", "noca-chain");
        refused(fields, "nosub", "localhost", "subleaf-chain");
        refused(fields, "limited", "www.bank.example", "limitedout-chain");
    }
}

#[test]
fn strongest_digest_of_a_usage_and_selector_counts() {
    if !need(&["openssl"]) {
        return;
    }
    let records = [record("3 1 1", "p256"), record("3 1 2", "rsa")];
    by(&records, &[], "p256").refused("bad certificate", &unmatched("p256"));
    by(&records, &[], "rsa").accepted("SUCCESS", "rsa");
    for (pair, good) in [("p256", false), ("rsa", true)] {
        assert_eq!(openssl_accepts(&records, "localhost", false, pair), good);
    }
}

#[test]
fn usage_0_and_1_limit_what_the_anchors_accept() {
    if !need(&["openssl"]) {
        return;
    }
    let anchored = |records: &[String], pair: &str| {
        let value = records.join("\n");
        call(&["-k", "localhost"], "-tls1_3", pair, |client| {
            client
                .env("TLSA", value)
                .env("CAFILE", certs().path("ca.pem"))
        })
    };
    for (fields, name, pair, leaf) in [
        ("0 0 1", "ca", "leaf-chain", "leaf"),
        ("0 1 2", "ca", "p256", "p256"),
        ("0 0 0", "inter", "leaf-chain", "leaf"),
        ("0 1 1", "inter", "leaf-chain", "leaf"),
        ("1 0 1", "p256", "p256", "p256"),
        ("1 1 1", "leaf", "leaf-chain", "leaf"),
    ] {
        let records = [record(fields, name)];
        anchored(&records, pair).accepted("SUCCESS", leaf);
        assert!(
            openssl_accepts(&records, "localhost", true, pair),
            "{records:?}"
        );
    }
    let unknown = "handshake failed: certificate of remote refused: unknown issuer: \
        no chain to a trust anchor";
    let expired = "handshake failed: certificate of remote refused: expired";
    let name = "handshake failed: certificate of remote refused: not valid for this name: \
        localhost is wanted, it has other.test";
    for (fields, of, pair, alert, why) in [
        (
            "0 0 1",
            "inter",
            "p256",
            "bad certificate",
            &unmatched("p256")[..],
        ),
        ("1 0 1", "p256", "rsa", "bad certificate", &unmatched("rsa")),
        // The record alone is not enough.
        ("1 0 1", "ed", "ed", "unknown ca", unknown),
        ("0 0 1", "ca", "ed", "unknown ca", unknown),
        (
            "1 0 1",
            "expired",
            "expired",
            "certificate expired",
            expired,
        ),
        ("1 1 1", "wrong", "wrong", "bad certificate", name),
        ("0 1 1", "ca", "wrong", "bad certificate", name),
    ] {
        let records = [record(fields, of)];
        anchored(&records, pair).refused(alert, why);
        assert!(
            !openssl_accepts(&records, "localhost", true, pair),
            "{records:?}"
        );
    }
}

#[test]
fn one_of_several_records_is_enough_and_the_log_names_it() {
    if !need(&["openssl"]) {
        return;
    }
    let rollover = [record("3 1 1", "rsa"), record("3 1 1", "p256")];
    for pair in ["p256", "rsa"] {
        by(&rollover, &[], pair).accepted("SUCCESS", pair);
        assert!(openssl_accepts(&rollover, "localhost", false, pair));
    }
    by(&rollover, &[], "p384").refused("bad certificate", &unmatched("p384"));
    for (records, label) in [
        (["3 1 1 00".to_owned(), record("3 0 2", "p256")], "3-0-2"),
        ([record("3 1 1", "rsa"), record("2 0 0", "ca")], "2-0-0"),
        ([record("2 0 1", "other"), record("1 1 1", "p256")], "1-1-1"),
        ([record("2 0 0", "other"), record("0 1 1", "ca")], "0-1-1"),
    ] {
        let visit = call(&["-k", "localhost"], "-tls1_3", "p256", |client| {
            let client = client.env("TLSA", records.join("\n"));
            client.env("CAFILE", certs().path("ca.pem"))
        });
        visit.accepted("SUCCESS", "p256");
        visit.logged(&format!(" tlsa={label} in="));
    }
}

#[test]
fn base_domain_is_sent_and_may_be_in_the_certificate() {
    if !need(&["openssl"]) {
        return;
    }
    let records = record("2 0 0", "ca");
    let with_domain = |name: &str, domain: &str, pair: &str| {
        call(&["-k", name], "-tls1_3", pair, |client| {
            client.env("TLSA", &records).env("TLSADOMAIN", domain)
        })
    };
    for (name, domain) in [("x.test", "other.test"), ("other.test", "x.test")] {
        let visit = with_domain(name, domain, "wrong");
        visit.accepted("SUCCESS", "wrong");
        visit.logged(&format!(" sni={domain} "));
    }
    let name = "handshake failed: certificate of remote refused: not valid for this name: \
        x.test is wanted, it has other.test";
    with_domain("y.test", "x.test", "wrong").refused("bad certificate", name);
    // Without records the domain means nothing.
    let visit = call(&["-k", "localhost"], "-tls1_3", "p256", |client| {
        let client = client.env("TLSADOMAIN", "x.test");
        client.env("CAFILE", certs().path("ca.pem"))
    });
    visit.accepted("SUCCESS", "p256");
    visit.logged(" sni=localhost ");
}

/// s6-tlsc without a connection: it ends before it needs one.
fn unconnected(value: &str, options: &[&str]) -> Cmd {
    cmd(["s6-tlsc"])
        .args(options)
        .arg("true")
        .env("TLSA", value)
        .prelude("exec 6</dev/null 7>/dev/null")
}

#[test]
fn malformed_or_nameless_records_are_wrong_usage() {
    let good = format!("3 1 1 {}", "0".repeat(64));
    for (value, number) in [
        (String::new(), 1),
        ("3 1 1 0".to_owned(), 1),
        ("3 1 300 00".to_owned(), 1),
        (format!("{good}\nx"), 2),
        (format!("{good}\n\n{good}"), 2),
    ] {
        let why = format!("line {number} is not of the form `usage selector matching hex`");
        let line = format!("s6-tlsc-io: fatal: invalid TLSA: {why}");
        unconnected(&value, &["-k", "x"]).run().fatal(100, &line);
    }
    let anchor = format!("{good}\n2 1 1 {}", "0".repeat(64));
    let line = "s6-tlsc-io: fatal: TLSA has records of usage 0 to 2, which need a server name";
    unconnected(&anchor, &[]).run().fatal(100, line);
    let domain = unconnected(&good, &[]).env("TLSADOMAIN", "a..b").run();
    domain.fatal_with(97, "s6-tlsc-io: fatal: invalid server name a..b", &[]);
}

#[test]
fn unusable_records_are_as_none() {
    if !need(&["openssl"]) {
        return;
    }
    let digest = data(0, 1, "p256");
    let unusable = [
        format!("4 0 1 {digest}"),
        format!("3 2 1 {digest}"),
        format!("3 0 3 {digest}"),
        format!("3 0 2 {digest}"),
        format!("3 0 0 {digest}"),
    ]
    .join("\n");
    let warning = "s6-tlsc-io: warning: no record in TLSA is usable: the variable is ignored\n";
    let without = "s6-tlsc-io: fatal: CADIR or CAFILE not set, and no --webpki-roots given\n";
    let output = unconnected(&unusable, &["-k", "x"]).run().code(100);
    assert_eq!(output.err(), format!("{warning}{without}"));
    // Without anchors usage 0 and 1 are unusable, too.
    let warning = "s6-tlsc-io: warning: no record in TLSA is usable without verification by trust \
        anchors: the variable is ignored\n";
    let output = unconnected(&format!("1 0 1 {digest}"), &["-k", "x"])
        .run()
        .code(100);
    assert_eq!(output.err(), format!("{warning}{without}"));
    let with = |pair: &str, options: &[&str], value: &str| {
        call(options, "-tls1_3", pair, |client| {
            client
                .env("TLSA", value)
                .env("CAFILE", certs().path("ca.pem"))
        })
    };
    let name = &["-k", "localhost"][..];
    with("rsa", name, &unusable).accepted("SUCCESS", "rsa");
    let unknown = "handshake failed: certificate of remote refused: unknown issuer: \
        no chain to a trust anchor";
    with("ed", name, &unusable).refused("unknown ca", unknown);
    // One that is usable counts.
    let some = format!("{unusable}\n3 0 1 {digest}");
    with("p256", name, &some).accepted("SUCCESS", "p256");
    with("rsa", name, &some).refused("bad certificate", &unmatched("rsa"));
    // Any certificate will do only where no record is usable: RFC 7672 section 2.2.
    let any = &["-k", "localhost", "--no-verify-cert"][..];
    with("selfleaf", any, &format!("1 0 1 {digest}")).accepted("GENEROUS", "selfleaf");
    with("selfleaf", any, &some).refused("bad certificate", &unmatched("selfleaf"));
    with("p256", any, &some).accepted("SUCCESS", "p256");
}

#[test]
fn no_connection_without_a_usable_record_if_one_is_required() {
    let digest = data(0, 1, "p256");
    let pin = format!("--pin=SHA256:{}", certs().hash("p256"));
    let unusable = "s6-tlsc-io: fatal: no record in TLSA is usable, but TLSAREQUIRED is set";
    let required = |value: &str, options: &[&str]| {
        let client = unconnected(value, options).env("TLSAREQUIRED", "");
        client.env("CAFILE", certs().path("ca.pem"))
    };
    // Trust anchors and pins take the place of no record.
    let name = &["-k", "x"][..];
    let other = required(&format!("3 1 9 {digest}"), name);
    other.run().fatal(100, unusable);
    for usage in [0, 1] {
        let record = format!("{usage} 0 1 {digest}");
        let unusable = "s6-tlsc-io: fatal: no record in TLSA is usable without verification by \
            trust anchors, but TLSAREQUIRED is set";
        let any = required(&record, &["-k", "x", "--no-verify-cert"]);
        any.run().fatal(100, unusable);
        let pinned = unconnected(&record, &["-k", "x", &pin]).env("TLSAREQUIRED", "1");
        pinned.run().fatal(100, unusable);
    }
    let unset = cmd(["s6-tlsc", "-k", "x", &pin, "true"])
        .env("TLSAREQUIRED", "1")
        .prelude("exec 6</dev/null 7>/dev/null");
    let line = "s6-tlsc-io: fatal: TLSAREQUIRED is set, but TLSA is not";
    unset.run().fatal(100, line);
    if !need(&["openssl"]) {
        return;
    }
    for fields in ["1 0 1", "3 0 1"] {
        let visit = call(&["-k", "localhost"], "-tls1_3", "p256", |client| {
            let client = client.env("TLSA", format!("{fields} {digest}"));
            let client = client.env("CAFILE", certs().path("ca.pem"));
            client.env("TLSAREQUIRED", "1")
        });
        visit.accepted("SUCCESS", "p256");
    }
}

#[test]
fn pins_and_revocation_lists_count_beside_records() {
    if !need(&["openssl"]) {
        return;
    }
    let records = [record("3 0 1", "p256"), record("3 0 1", "rsa")];
    let pin = format!("--pin=SHA256:{}", certs().hash("p256"));
    by(&records, &[&pin], "p256").accepted("SUCCESS", "p256");
    let hash = certs().hash("rsa");
    let unpinned =
        format!("handshake failed: remote certificate SHA256:{hash} is not among the pins");
    by(&records, &[&pin], "rsa").refused("bad certificate", &unpinned);
    let revoked = "handshake failed: certificate of remote refused: revoked";
    let listed = |record: String, pair: &str| {
        call(&["-k", "localhost"], "-tls1_3", pair, |client| {
            let client = client.env("TLSA", record);
            client.env("CRLFILE", certs().path("ca-later.crl"))
        })
    };
    listed(record("2 0 0", "ca"), "p256").refused("certificate revoked", revoked);
    listed(record("2 0 0", "ca"), "rsa").accepted("SUCCESS", "rsa");
    listed(record("3 0 1", "p256"), "p256").accepted("SUCCESS", "p256");
}
