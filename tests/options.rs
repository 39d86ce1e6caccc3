//! The command lines of all programs: each mistake has its message.

use std::ffi::OsString;

use cli::id::{Id, Server, Tls};
use cli::variables::VARIABLES;
use cli::{OptionSpec, ParsedOptions, Program, Reads, tables};

use crate::util::{Cmd, TempDir, cmd, pipe, tcp_pair};

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

/// The programs without long options.
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
            (
                "--nope",
                &format!("unrecognized option: --nope ({program} --help lists them)"),
            ),
            (
                "--nope=3",
                &format!("unrecognized option: --nope=3 ({program} --help lists them)"),
            ),
            ("--=x", "invalid option: --=x"),
        ] {
            let output = cmd([program, option]).args(operands).run();
            output.fatal(100, &format!("{program}: fatal: {message}"));
        }
        let usage = format!("{program}: usage: {program} [ ");
        cmd([program]).run().fatal_with(100, &usage, &[]);
    }
}

#[test]
fn missing_program_is_easy_to_see_in_the_usage_line() {
    for (argv, operands) in [
        ("s6-tlsserver 127.0.0.1:4433 ./page", "ip port prog..."),
        ("s6-tlsclient localhost 4433", "host port prog..."),
        ("s6-tlsd", "prog..."),
        ("s6-tlsc-io 6", "fdr fdw"),
    ] {
        let run = cmd(argv.split(' ')).run();
        let program = argv.split(' ').next().unwrap_or_default();
        let help = format!("({program} --help lists the options)");
        let line = format!("{program}: usage: {program} [ options ] {operands} {help}");
        run.fatal(100, &line);
    }
    cmd(["s6-tcpserver", "::", "0"]).run().fatal_with(
        100,
        "s6-tcpserver: usage: s6-tcpserver [ -q | ",
        &["] ip port prog..."],
    );
}

#[test]
fn values_are_checked() {
    for (argv, message) in [
        (
            "s6-tlsd-io -K x 6 7",
            "handshake-timeout must be an unsigned integer (-K ms, at most 4294967295): x",
        ),
        (
            "s6-tlsd-io -v -1 6 7",
            "verbosity must be an unsigned integer (-v n, at most 4294967295): -1",
        ),
        (
            "s6-tlsd-io -d 4294967296 6 7",
            "notification-fd must be an unsigned integer (-d fd, at most 4294967295): 4294967296",
        ),
        (
            "s6-tlsd -k 0x1 true",
            "sni-level must be an unsigned integer (-k level, at most 4294967295): 0x1",
        ),
        (
            "s6-tlsd -K -- true",
            "option -K (--handshake-timeout) needs a value",
        ),
        (
            "s6-tlsc --verbosity 2 true",
            "--verbosity needs a value: --verbosity=n",
        ),
        ("s6-tlsc --keep=1 true", "--keep takes no value: --keep=1"),
        (
            "s6-tcpserver-socketbinder -b x 0.0.0.0 1 true",
            "backlog must be an unsigned integer (-b n, at most 4294967295): x",
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
fn invalid_server_name_exits_97() {
    let client = cmd(["s6-tlsc-io", "-k", "a..b", "6", "7"]).env("CAFILE", "/dev/null");
    client.run().fatal(
        97,
        "s6-tlsc-io: fatal: invalid server name a..b: neither host name nor address",
    );
    let client = cmd(["s6-tlsc-io", "-k", "b\u{fc}cher.test", "6", "7"]);
    client.env("CAFILE", "/dev/null").run().fatal(
        97,
        "s6-tlsc-io: fatal: invalid server name b\u{fc}cher.test: \
         a name that is not ASCII has to be given as its A-label (xn--...)",
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

#[test]
fn help_and_version_are_for_one_argument_alone() {
    for program in tables::PROGRAMS {
        let name = program.name;
        let help = cmd([name, "--help"]).run().success().out();
        let usage = format!("usage: {name} {} ", program.synopsis());
        assert!(words(&help).starts_with(&usage), "{help}");
        let version = cmd([name, "--version"]).run().success().out();
        let expected = format!("{name} (s6-tls) {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(version, expected);
        for first in ["--help", "--version"] {
            let more = cmd([name, first, "--help", "x", "y", "z"]).run();
            assert_eq!(more.out(), "", "{name}");
        }
    }
    let full = std::fs::File::options().write(true).open("/dev/full");
    let output = cmd(["s6-tlsd", "--help"]).fd(1, full.unwrap()).run();
    output.fatal(
        111,
        "s6-tlsd: fatal: unable to write to stdout: No space left on device",
    );
    let (reader, nobody_reads) = pipe();
    drop(reader);
    let output = cmd(["s6-tlsd", "--help"]).fd(1, nobody_reads).run();
    output.fatal(
        111,
        "s6-tlsd: fatal: unable to write to stdout: Broken pipe",
    );
}

/// The words of `text`, with one blank after each.
fn words(text: &str) -> String {
    text.split_whitespace()
        .map(|word| word.to_owned() + " ")
        .collect()
}

#[test]
fn help_has_each_option_and_variable_and_no_line_over_80_columns() {
    for program in tables::PROGRAMS {
        let help = cmd([program.name, "--help"]).run().success().out();
        for line in help.lines() {
            assert!(line.len() <= 80 && !line.ends_with(' '), "{line:?}");
        }
        let said = words(&help);
        assert!(said.contains(program.summary), "{help}");
        for spec in program.option_specs() {
            let entry = format!(" {} {} ", program.spelling(spec), spec.help);
            assert!(said.contains(&entry), "{entry}: {help}");
        }
        let reads = |side: fn(&Reads) -> bool| program.reads.iter().any(side);
        let server = reads(|reads| matches!(reads, Reads::Server));
        let client = reads(|reads| matches!(reads, Reads::Client));
        for variable in VARIABLES {
            let read = server && variable.server.is_some() || client && variable.client.is_some();
            let entry = variable_line(&variable.named("name"), variable.help);
            assert_eq!(help.contains(&entry), read, "{entry}: {help}");
        }
    }
}

/// How `--help` shows a variable.
fn variable_line(name: &str, text: &str) -> String {
    format!("\n  {name:<31} {text}\n")
}

#[test]
fn help_has_the_variables_of_all_programs_of_the_chain() {
    for (program, name, text) in [
        ("s6-tlsserver", "KEYFILE", "file with the private key"),
        ("s6-tlsserver", "UID", "numeric user id for -U"),
        (
            "s6-tcpserver",
            "NOTIFY_SOCKET",
            "socket of the service manager, for --drain",
        ),
        (
            "s6-tlsserver",
            "DNSCACHEIP",
            "DNS servers, instead of /etc/resolv.conf's",
        ),
        (
            "s6-tlsclient",
            "CAFILE",
            "file with trusted CA certificates",
        ),
        (
            "s6-tlsclient",
            "DNSQUALIFY",
            "suffixes for -n, instead of /etc/resolv.conf's",
        ),
        (
            "s6-tcpserver-access",
            "PROTO",
            "prefix of the connection's variables",
        ),
        (
            "s6-tlsd-io",
            "${PROTO}REMOTEIP",
            "address of the peer, for the log line",
        ),
    ] {
        let help = cmd([program, "--help"]).run().success().out();
        assert!(
            help.contains(&variable_line(name, text)),
            "{program}: {name}: {help}"
        );
    }
    let help = cmd(["s6-ident-client", "--help"]).run().success().out();
    assert!(!help.contains("environment:"), "{help}");
}

#[test]
fn a_notification_goes_nowhere_else() {
    for (program, number) in [
        ("s6-tlsd-io", "1"),
        ("s6-tlsd-io", "2"),
        ("s6-tlsd-io", "6"),
        ("s6-tlsd-io", "7"),
        ("s6-tlsc-io", "1"),
        ("s6-tlsc-io", "2"),
        ("s6-tlsc-io", "6"),
        ("s6-tlsc-io", "7"),
    ] {
        let message = "fatal: notification-fd must differ from the other descriptors";
        let output = cmd([program, "-d", number, "6", "7"]).run();
        output.fatal(100, &format!("{program}: {message}"));
    }
}

/// Fake programs: they print their command lines, or just run what follows
/// their options and two operands.
fn fakes() -> TempDir {
    let dir = TempDir::new();
    for name in ["s6-tlsd-io", "s6-tlsc-io"] {
        dir.program(
            name,
            "#!/bin/sh\nfor i; do printf 'given %s\\n' \"$i\"; done >&2\nexit 98\n",
        );
    }
    let pass = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 3\nexec \"$@\"\n";
    for name in ["s6-tcpserver", "s6-tcpclient"] {
        dir.program(name, pass);
    }
    dir
}

/// A command line without its program, which requests TLS where needed.
fn chain(program: &Program, options: &[String], dir: &TempDir) -> Cmd {
    let operands: &[&str] = match program.name {
        "s6-tlsserver" => &["-H", "127.0.0.1", "0", "true"],
        "s6-tlsclient" => &["-H", "127.0.0.1", "1", "true"],
        "s6-ucspitlsd" | "s6-ucspitlsc" => &["sh", "-c", "printf y >&$SSLCTLFD; cat <&$SSLCTLFD"],
        _ => &["true"],
    };
    let (near, far) = tcp_pair();
    // The other end stays open for as long as the process of the test.
    std::mem::forget(near);
    let command = cmd([program.name]).args(options).args(operands);
    let command = command.path_first(dir.path());
    [0, 1, 6, 7].into_iter().fold(command, |command, number| {
        command.fd(number, far.try_clone().unwrap())
    })
}

/// The options that the engine reads when the program is given this option.
fn arrived(
    program: &Program,
    engine: &'static Program,
    spec: &OptionSpec,
    dir: &TempDir,
) -> ParsedOptions {
    let option = match spec.argument.sample() {
        Some(value) => format!("--{}={value}", spec.long),
        None => format!("--{}", spec.long),
    };
    // A pin needs -Y: only then is the client asked for a certificate.
    let asking = spec.long == "pin"
        && program
            .option_spec(Id::Server(Server::ClientCert))
            .is_some();
    let options = asking.then(|| "-Y".to_owned()).into_iter().chain([option]);
    let output = chain(program, &options.collect::<Vec<_>>(), dir).run();
    let text = output.err();
    let args = text.lines().filter_map(|line| line.strip_prefix("given "));
    cli::parse(engine, args.map(OsString::from).collect())
        .unwrap()
        .0
}

#[test]
fn every_option_of_an_engine_arrives_there() {
    let dir = fakes();
    let servers = [&tables::TLSD, &tables::UCSPITLSD, &tables::TLSSERVER];
    let clients = [&tables::TLSC, &tables::UCSPITLSC, &tables::TLSCLIENT];
    for (engine, programs) in [(&tables::TLSD_IO, servers), (&tables::TLSC_IO, clients)] {
        for (spec, id) in engine
            .option_specs()
            .filter_map(|spec| Some((spec, spec.id()?)))
        {
            for program in programs {
                // Launchers choose -d themselves, and s6-tlsserver and
                // s6-tlsclient have another form of -v.
                let Some(known) = program.option_spec(id) else {
                    let own = [Tls::NotificationFd, Tls::Verbosity].map(Id::Tls);
                    assert!(own.contains(&id), "{}: {}", program.name, spec.long);
                    continue;
                };
                let given = arrived(program, engine, known, &dir);
                let written = match spec.long {
                    "sni-level" => given.has(Id::Server(Server::MandatorySni)),
                    _ => given
                        .get(id)
                        .is_some_and(|opt| opt.text == spec.argument.sample().unwrap_or("")),
                };
                assert!(written, "{}: {}", program.name, spec.long);
            }
        }
    }
}
