//! The options of the engines, read and handed on.

use super::*;
use crate::option_spec::Program;
use crate::tables::{TLSC, TLSC_IO, TLSD, TLSD_IO};

fn given(program: &'static Program, args: &[&str]) -> ParsedOptions {
    let args = args.iter().chain(&["6", "7"]).map(OsString::from);
    crate::parse(program, args.collect()).unwrap().0
}

fn server(args: &[&str]) -> ServerOptions {
    ServerOptions::new(&given(&TLSD_IO, args)).unwrap()
}

/// What s6-tlsd hands on; with `keep`, what s6-tlsserver hands on.
fn forwarded(program: &'static Program, args: &[&str], keep: bool) -> Vec<OsString> {
    let mut given = given(program, args);
    normalize_sni_level(&mut given);
    let mut argv = Vec::new();
    let wanted = |id| match id {
        Id::Tls(id) => id != Tls::Verbosity,
        Id::Launcher(_) => keep,
        _ => true,
    };
    given.forward(wanted, &mut argv);
    argv
}

#[test]
fn options_are_forwarded_in_canonical_order() {
    for (given, expected) in [
        (&[][..], &[][..]),
        (
            &["-SJyK500", "-k1"],
            &["-S", "-J", "-y", "-K", "500", "--sni"],
        ),
        (&["--mandatory-sni", "-Y"], &["-Y", "--mandatory-sni"]),
        (&["-Ss", "-Jj", "-K", "0"], &[]),
        (&["--mandatory-sni", "-k0"], &[]),
        (&["-k2", "--sni"], &["--mandatory-sni"]),
        (
            &["--no-sandbox", "--sni", "--idle-timeout=9"],
            &["--idle-timeout=9", "--no-sandbox", "--sni"],
        ),
        (&["--handshake-timeout=8", "-v3"], &["-K", "8"]),
    ] {
        assert_eq!(forwarded(&TLSD, given, false), expected, "{given:?}");
    }
    for (given, expected) in [
        (&[][..], &[][..]),
        (
            &["-Sjy", "-k", "a.b", "--no-verify-cert", "-K7"],
            &["-S", "-y", "--no-verify-cert", "-K", "7", "-k", "a.b"],
        ),
        (&["-yY", "--no-verify-cert", "--verify-cert"], &[]),
        (
            &["--webpki-roots", "--servername=x", "--no-sandbox"],
            &["--webpki-roots", "--no-sandbox", "-k", "x"],
        ),
        (&["--servername=--"], &["-k--"]),
    ] {
        assert_eq!(forwarded(&TLSC, given, false), expected, "{given:?}");
    }
}

#[test]
fn keep_is_forwarded_in_the_order_of_the_table() {
    let server = forwarded(&TLSD, &["-Z", "-S", "--sni"], true);
    assert_eq!(server, ["-S", "-Z", "--sni"]);
    let client = forwarded(&TLSC, &["-Z", "-y", "-K1"], true);
    assert_eq!(client, ["-y", "-Z", "-K", "1"]);
}

#[test]
fn a_client_verifies_unless_it_is_told_not_to() {
    let client = |args: &[&str]| ClientOptions::new(&given(&TLSC_IO, args)).unwrap();
    let default = ClientOptions::default();
    assert_eq!(client(&[]), default);
    assert!(!default.accept_any_certificate && !default.webpki_roots);
    let args = ["-y", "-k", "a.test", "--no-verify-cert", "--webpki-roots"];
    let expected = ClientOptions {
        engine: EngineOptions::default(),
        client_certificate: true,
        server_name: Some("a.test".into()),
        accept_any_certificate: true,
        webpki_roots: true,
    };
    assert_eq!(client(&args), expected);
}

#[test]
fn a_check_of_the_start_may_name_the_days_that_a_certificate_has_to_last() {
    for (args, check) in [
        (&[][..], None),
        (&["--check"], Some(StartCheck { days: None })),
        (&["--check=days=30"], Some(StartCheck { days: Some(30) })),
    ] {
        assert_eq!(server(args).engine.check, check);
        assert_eq!(
            StartCheck::is_given(&given(&TLSD_IO, args)),
            check.is_some()
        );
    }
}

#[test]
fn only_a_server_of_the_challenge_protocol_answers_challenges() {
    let answers = |args: &[&str]| answers_challenges(&server(args).engine.alpn);
    assert!(answers(&["--alpn=h2,acme-tls/1"]));
    assert!(!answers(&["--alpn=h2,acme-tls/2"]) && !answers(&[]));
}

fn context(program: &'static Program, args: &[&str]) -> Context {
    Context::new(
        program,
        args.iter().map(OsString::from).collect(),
        unix::Env::default(),
    )
}

#[test]
fn a_notification_has_a_descriptor_of_its_own_and_not_that_of_messages() {
    let descriptors = |args: &[&str]| {
        let server = ServerOptions::read(&mut context(&TLSD_IO, args)).map(|(_, fds)| fds);
        let client = ClientOptions::read(&mut context(&TLSC_IO, args)).map(|(_, fds)| fds);
        assert_eq!(server, client);
        server
    };
    let taken = Fatal::user("notification-fd must differ from the other descriptors");
    for (args, expected) in [
        (&["6", "7"][..], Ok([6, 7])),
        (&["0", "1"], Ok([0, 1])),
        (&["-d", "5", "6", "7"], Ok([6, 7])),
        (&["-d", "6", "6", "7"], Err(taken.clone())),
        (&["-d", "7", "6", "7"], Err(taken.clone())),
        (&["-d", "1", "6", "7"], Err(taken.clone())),
        (&["-d", "2", "6", "7"], Err(taken)),
    ] {
        assert_eq!(descriptors(args), expected, "{args:?}");
    }
}

#[test]
fn an_engine_refuses_pins_without_a_request_for_certificates() {
    let pin = format!("--pin=SHA256:{}", "0".repeat(64));
    let read = |args: &[&str]| ServerOptions::read(&mut context(&TLSD_IO, args));
    assert!(read(&["-y", &pin, "6", "7"]).is_ok());
    let error = Fatal::user("pin needs client-cert or mandatory-client-cert");
    assert_eq!(read(&[&pin, "6", "7"]), Err(error));
}

#[test]
fn sni_level_overrides_the_sni_flags_in_any_order() {
    assert_eq!(server(&["-k0", "--mandatory-sni"]).sni(), SniLevel::Ignore);
    assert_eq!(server(&["--sni", "-k", "7"]).sni(), SniLevel::Require);
    assert_eq!(
        server(&["--mandatory-sni", "--sni"]).sni(),
        SniLevel::Prefer
    );
    assert_eq!(server(&["-k5", "-k1"]).sni(), SniLevel::Prefer);
}

#[test]
fn any_client_cert_implies_asking() {
    let asked = |args: &[&str]| server(args).client_certificate;
    assert_eq!(asked(&["--any-client-cert"]), ClientCertificate::Optional);
    for args in [["--any-client-cert", "-y"], ["-y", "--any-client-cert"]] {
        assert_eq!(asked(&args), ClientCertificate::Mandatory);
    }
    assert_eq!(asked(&[]), ClientCertificate::None);
}

#[test]
fn every_pin_counts_and_the_last_crl_check() {
    let pins = ["SHA256:", "SPKI-SHA256:"].map(|kind| format!("{kind}{}", "0A".repeat(32)));
    let pin_args = pins.clone().map(|pin| format!("--pin={pin}"));
    let checks = ["--crl-check=leaf", "--crl-check=chain", "--crl-check=leaf"];
    let args = [checks[0], &pin_args[0], checks[1], &pin_args[1], checks[2]];
    let options = ClientOptions::new(&given(&TLSC_IO, &args)).unwrap().engine;
    let expected = pins.each_ref().map(|pin| Pin::parse(pin.as_ref()).unwrap());
    assert_eq!(options.pins, expected);
    assert_eq!(options.crl_check, CrlCheck::Leaf);
    assert_eq!(EngineOptions::default().crl_check, CrlCheck::Chain);
    let expected = pins.map(|pin| format!("--pin={}", pin.replace("0A", "0a")));
    let argv = forwarded(&TLSC, &args, false);
    assert_eq!(argv[..2], expected.map(OsString::from));
    assert_eq!(argv[2..], [checks[2]]);
}

#[test]
fn pins_need_client_cert_and_exclude_any_client_cert() {
    let pin = format!("--pin=SHA256:{}", "0".repeat(64));
    let checked = |args: &[&str]| check_client_certificates(&given(&TLSD_IO, args));
    let fatal = |text| Err(Fatal::user(text));
    for args in [
        &["-Y", &pin][..],
        &[&pin, "-y"],
        &["--any-client-cert"],
        &[],
    ] {
        assert_eq!(checked(args), Ok(()), "{args:?}");
    }
    assert_eq!(
        checked(&[&pin]),
        fatal("pin needs client-cert or mandatory-client-cert")
    );
    let both = fatal("pin and any-client-cert exclude each other");
    assert_eq!(checked(&["--any-client-cert", &pin]), both);
    assert_eq!(checked(&["-y", "--any-client-cert", &pin]), both);
}

#[test]
fn the_last_of_opposite_options_wins() {
    assert_eq!(
        server(&["-yY"]).client_certificate,
        ClientCertificate::Optional
    );
    assert!(!server(&["-S", "--no-close-notify"]).engine.close_notify);
    assert_eq!(server(&["-v0", "--verbosity=2"]).engine.verbosity, 2);
}

fn typed(program: &Program, given: &ParsedOptions) -> Result<(), Fatal> {
    match program.name {
        "s6-tlsd-io" => ServerOptions::new(given).map(|_| ()),
        _ => ClientOptions::new(given).map(|_| ()),
    }
}

#[test]
fn every_row_of_an_engine_is_read_and_has_the_kind_of_value_that_it_needs() {
    for program in [&TLSD_IO, &TLSC_IO] {
        for spec in program.option_specs() {
            let value = spec.argument.sample().map(|value| format!("={value}"));
            let option = format!("--{}{}", spec.long, value.unwrap_or_default());
            let given = given(program, &[&option]);
            assert_eq!(typed(program, &given), Ok(()), "{option}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_an_error_and_no_empty_list() {
    for id in [Tls::Alpn, Tls::Groups, Tls::Pin, Tls::CrlCheck] {
        for program in [&TLSD_IO, &TLSC_IO] {
            let mut given = ParsedOptions::new(program);
            given.set(Id::Tls(id), Value::Text("x".into()));
            assert!(typed(program, &given).is_err(), "{id:?}");
        }
    }
}
