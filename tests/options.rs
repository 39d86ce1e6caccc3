//! The command lines of all programs: each mistake has its line.

use crate::util::cmd;

/// The programs that have long options, with operands that suffice.
const LONG: [(&str, &[&str]); 9] = [
    ("s6-tlsd-io", &["6", "7"]),
    ("s6-tlsc-io", &["6", "7"]),
    ("s6-tlsd", &["true"]),
    ("s6-tlsc", &["true"]),
    ("s6-ucspitlsd", &["true"]),
    ("s6-ucspitlsc", &["true"]),
    ("s6-tlsclient", &["h", "1", "true"]),
    ("s6-tlsserver", &["0", "1", "true"]),
    ("s6-tcpserver-socketbinder", &["0.0.0.0", "1", "true"]),
];

/// Those that have none.
const TERSE: [&str; 5] = [
    "s6-tcpserver",
    "s6-tcpserverd",
    "s6-tcpclient",
    "s6-applyuidgid",
    "s6-ident-client",
];

#[test]
fn every_mistake_is_named() {
    for (program, operands) in LONG {
        for (option, message) in [
            ("-!", "unrecognized short option: !"),
            ("--nope", "unrecognized boolean option: --nope"),
            ("--nope=3", "unrecognized option with argument: --nope=3"),
            ("--=x", "invalid option: --=x"),
        ] {
            let output = cmd([program, option]).args(operands).run();
            output.fatal(100, &format!("{program}: fatal: {message}"));
        }
        let usage = cmd([program]).run().code(100);
        assert!(
            usage
                .err()
                .starts_with(&format!("{program}: usage: {program} [")),
            "{}",
            usage.err()
        );
    }
}

#[test]
fn values_are_checked() {
    for (argv, message) in [
        (
            "s6-tlsd-io -K x 6 7",
            "handshake-timeout must be an unsigned integer",
        ),
        (
            "s6-tlsd-io -v -1 6 7",
            "verbosity must be an unsigned integer",
        ),
        (
            "s6-tlsd-io -d 4294967296 6 7",
            "notification-fd must be an unsigned integer",
        ),
        (
            "s6-tlsd -k 0x1 true",
            "sni-level must be an unsigned integer",
        ),
        (
            "s6-tlsd -K -- true",
            "option -K (--handshake-timeout) needs a value",
        ),
        (
            "s6-tlsc --verbosity 2 true",
            "unrecognized boolean option: --verbosity",
        ),
        (
            "s6-tlsc --keep=1 true",
            "unrecognized option with argument: --keep=1",
        ),
        (
            "s6-tcpserver-socketbinder -b x 0.0.0.0 1 true",
            "backlog must be an unsigned integer",
        ),
    ] {
        let output = cmd(argv.split(' ')).run();
        let program = argv.split(' ').next().unwrap_or_default();
        output.fatal(100, &format!("{program}: fatal: {message}"));
    }
    let usage = cmd(["s6-tlsd-io", "x", "7"]).run().code(100);
    assert!(usage.err().starts_with("s6-tlsd-io: usage: s6-tlsd-io ["));
}

#[test]
fn a_server_name_that_is_none_cannot_be_set_up() {
    let client = cmd(["s6-tlsc-io", "-k", "a..b", "6", "7"]).env("CAFILE", "/dev/null");
    client.run().fatal(
        97,
        "s6-tlsc-io: fatal: invalid server name a..b: neither host name nor address",
    );
}

#[test]
fn terse_programs_show_their_usage() {
    for program in TERSE {
        for args in [&["-!"][..], &["--nope"], &[]] {
            let output = cmd([program]).args(args).run().code(100);
            assert!(
                output
                    .err()
                    .starts_with(&format!("{program}: usage: {program} [")),
                "{}",
                output.err()
            );
        }
    }
}

#[test]
fn a_broken_or_closed_standard_error_changes_no_exit_code() {
    let (reader, writer) = crate::util::pipe();
    drop(reader);
    cmd(["s6-tlsd", "-!"]).fd(2, writer).run().code(100);
    cmd(["s6-tlsd", "-!"]).closed(2).run().code(100);
}
