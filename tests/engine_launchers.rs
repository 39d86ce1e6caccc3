//! s6-tlsd and s6-tlsc: the chain is transparent, and the program runs only
//! after the handshake.

use nix::sys::signal::Signal;

use crate::util::tls::{connect, tlsc, tlsd};
use crate::util::{Cmd, Ended, TempDir, certs, cmd, need, skip, tcp_pair};

/// A directory with an engine that shows its command line on standard error,
/// and then runs `script`; `$fd` is its notification descriptor.
fn fake(script: &str) -> TempDir {
    let dir = TempDir::new();
    let text = format!(
        "#!/bin/sh\necho \"${{0##*/}} $*\" >&2\nwhile [ $# -gt 0 ]; do [ \"$1\" = -d ] && fd=$2; shift; done\n{script}\n"
    );
    for name in ["s6-tlsd-io", "s6-tlsc-io"] {
        dir.program(name, &text);
    }
    dir
}

fn network(command: Cmd) -> Cmd {
    let (near, far) = tcp_pair();
    // The other end stays open for as long as the process of the test.
    std::mem::forget(near);
    let all = [0, 1, 6, 7];
    all.into_iter().fold(command, |command, number| {
        command.fd(number, far.try_clone().unwrap())
    })
}

#[test]
fn the_engine_gets_its_command_line_in_order() {
    let dir = fake("exit 98");
    for (argv, line) in [
        ("s6-tlsd p", "s6-tlsd-io -d N -- N N"),
        (
            "s6-tlsd -v2 -SJ -Y -K7 -k1 p",
            "s6-tlsd-io -v 2 -d N -S -J -Y -K 7 --sni -- N N",
        ),
        (
            "s6-tlsd --mandatory-sni --no-sandbox -y --idle-timeout=5 p",
            "s6-tlsd-io -d N -y --idle-timeout=5 --no-sandbox --mandatory-sni -- N N",
        ),
        ("s6-tlsc p", "s6-tlsc-io -d N -- 6 7"),
        (
            "s6-tlsc --no-sandbox p",
            "s6-tlsc-io -d N --no-sandbox -- 6 7",
        ),
        (
            "s6-tlsc -v0 -SJy -K7 -k name --no-verify-cert -6 7 -7 6 p",
            "s6-tlsc-io -v 0 -d N -S -J -y --no-verify-cert -K 7 -k name -- 7 6",
        ),
    ] {
        let output = network(cmd(argv.split(' ')).path_first(dir.path()))
            .run()
            .code(98);
        let mut words: Vec<String> = output
            .err()
            .trim_end()
            .split(' ')
            .map(str::to_owned)
            .collect();
        let server = words[0] == "s6-tlsd-io";
        for i in 1..words.len() {
            let number = words[i].parse::<u32>().is_ok();
            if number && (words[i - 1] == "-d" || (server && i + 2 >= words.len())) {
                words[i] = "N".to_owned();
            }
        }
        assert_eq!(words.join(" "), line, "{argv}");
    }
}

#[test]
fn the_engines_end_is_ours_when_there_was_no_handshake() {
    for (script, ended) in [
        ("exit 98", Ended::Exited(98)),
        ("exit 96", Ended::Exited(96)),
        ("exit 200", Ended::Exited(128)),
        ("kill -9 $$", Ended::Exited(137)),
        ("printf 'A=1\\0' >/dev/fd/$fd; exit 97", Ended::Exited(97)),
        ("exit 0", Ended::Exited(111)),
    ] {
        let dir = fake(&format!("exec 2>&-; {script}"));
        let output =
            network(cmd(["s6-tlsd", "touch", "/nonexistent/x"]).path_first(dir.path())).run();
        assert_eq!(output.ended, ended, "{script}");
    }
}

/// The command with SIGCHLD ignored, which dash cannot do. None, with a message, if env(1) cannot.
fn with_sigchld_ignored(command: Cmd) -> Option<Cmd> {
    let option = "--ignore-signal=CHLD";
    if cmd(["env", option, "true"]).run().ended != Ended::Exited(0) {
        skip("env has no option --ignore-signal");
        return None;
    }
    Some(command.prelude(&format!("set -- env {option} \"$@\"")))
}

/// The system then keeps no exit codes of children.
#[test]
fn the_engines_end_is_ours_even_if_children_are_ignored() {
    let dir = fake("exec 2>&-; exit 96");
    let launcher = cmd(["s6-tlsd", "true"]).path_first(dir.path());
    if let Some(launcher) = with_sigchld_ignored(network(launcher)) {
        launcher.run().code(96);
    }
}

#[test]
fn an_engine_that_a_signal_kills_is_named_even_without_verbosity() {
    let dir = fake("kill -SEGV $$");
    for options in [&[][..], &["-v0"]] {
        for (program, engine) in [("s6-tlsd", "s6-tlsd-io"), ("s6-tlsc", "s6-tlsc-io")] {
            let launcher = cmd([program]).args(options).arg("true");
            let output = network(launcher.path_first(dir.path())).run();
            let line = format!("{program}: fatal: {engine} killed by signal 11\n");
            let told = output.code(139).err();
            assert!(told.ends_with(&line), "{told}");
        }
    }
}

#[test]
fn only_a_server_of_challenges_may_end_well_without_the_program() {
    let dir = fake("exec 2>&-; exit 0");
    for (argv, code) in [
        ("s6-tlsd --alpn=h2,acme-tls/1", 0),
        ("s6-tlsd --alpn=h2 --alpn=acme-tls/1", 0),
        ("s6-tlsd --alpn=acme-tls/1 --alpn=h2", 111),
        ("s6-tlsc --alpn=acme-tls/1", 111),
    ] {
        let program = ["touch", "/nonexistent/x"];
        let launcher = cmd(argv.split(' ')).args(program).path_first(dir.path());
        network(launcher).run().code(code);
    }
}

#[test]
fn a_report_may_come_in_pieces_and_be_long() {
    let long = "x".repeat(70_000);
    let dir = fake(
        "exec 2>/dev/null; printf 'SSL_CIPHER=1\\0SSL_GROUP' >/dev/fd/$fd; sleep 0.05; \
         printf '\\0SSL_CLIENT_CERT=' >/dev/fd/$fd; \
         head -c 70000 /dev/zero | tr '\\0' x >/dev/fd/$fd; printf '\\0' >/dev/fd/$fd; sleep 0.05; printf '\\0' >/dev/fd/$fd; sleep 0.1",
    );
    let program = "echo \"$SSL_CIPHER,${SSL_GROUP-unset},$SSL_CLIENT_CERT\" >&2";
    let output = network(
        cmd(["s6-tlsd", "sh", "-c", program])
            .path_first(dir.path())
            .env("SSL_GROUP", "inherited"),
    );
    assert_eq!(
        output.run().success().err().lines().last(),
        Some(format!("1,unset,{long}").as_str())
    );
}

#[test]
fn an_engine_whose_report_has_no_end_cannot_block() {
    let dir = fake("exec 2>&-; head -c 2000000 /dev/zero | tr '\\0' x >/dev/fd/$fd; exit 97");
    let launcher = cmd(["s6-tlsd", "true"]).path_first(dir.path());
    network(launcher).run().code(97);
}

#[test]
fn report_sets_only_the_engines_variables() {
    let dir = fake(
        "exec 2>/dev/null; printf 'SSL_CIPHER=x\\0LD_PRELOAD=/x\\0BASH_ENV\\0SSL_CERT_FILE=/x\\0\\0' >/dev/fd/$fd",
    );
    for (options, warning) in [
        (
            &[][..],
            "s6-tlsd: warning: the engine sent variables that it may not set: LD_PRELOAD and 2 more\n",
        ),
        (&["-v0"], ""),
    ] {
        let show = "echo \"$SSL_CIPHER ${LD_PRELOAD-unset} $BASH_ENV ${SSL_CERT_FILE-unset}\"";
        let output = cmd(["s6-tlsd"])
            .args(options)
            .args(["sh", "-c", &format!("({show}) >&5")]);
        let (reader, writer) = crate::util::pipe();
        let output = network(output.path_first(dir.path()))
            .env("BASH_ENV", "kept")
            .fd(5, writer)
            .run()
            .success();
        assert!(output.err().ends_with(warning), "{}", output.err());
        let mut told = String::new();
        std::io::Read::read_to_string(&mut std::fs::File::from(reader), &mut told).unwrap();
        assert_eq!(told, "x unset kept unset\n");
    }
}

#[test]
fn a_variable_too_long_for_exec_is_unset_and_the_program_runs() {
    // "SSL_CLIENT_S_DN=", the value and a NUL have 128 KiB in the first case.
    for (len, told) in [
        (131_055, "x 131055\n"),
        (
            131_056,
            "s6-tlsd: warning: too long for a variable, so unset: SSL_CLIENT_S_DN\nx unset\n",
        ),
    ] {
        let dir = fake(&format!(
            "exec 2>/dev/null; {{ printf 'SSL_CLIENT_S_DN='; head -c {len} /dev/zero | tr '\\0' x; \
             printf '\\0SSL_CIPHER=x\\0\\0'; }} >/dev/fd/$fd"
        ));
        let show = "[ -z \"${SSL_CLIENT_S_DN+x}\" ] && len=unset || len=${#SSL_CLIENT_S_DN}; \
                    echo $SSL_CIPHER $len >&2";
        let server = cmd(["s6-tlsd", "sh", "-c", show]).env("SSL_CLIENT_S_DN", "inherited");
        let output = network(server.path_first(dir.path())).run().success();
        assert!(
            output.err().ends_with(&format!("\n{told}")),
            "{}",
            output.err()
        );
    }
}

#[test]
fn missing_engine_is_named() {
    let dir = TempDir::new();
    for (name, engine) in [("s6-tlsd", "s6-tlsd-io"), ("s6-tlsc", "s6-tlsc-io")] {
        let line = format!("{name}: fatal: unable to spawn {engine}: No such file or directory");
        let copy = dir.copy_program(&crate::util::bin_dir().join(name), name);
        for path in ["/nonexistent", "/dev/null:/nonexistent"] {
            let launcher = cmd([&copy]).arg("true").env("PATH", path);
            network(launcher).run().fatal(111, &line);
        }
    }
}

#[test]
fn programs_find_each_other_beside_themselves() {
    let bin = crate::util::bin_dir();
    let server = network(
        cmd([bin.join("s6-tlsd")])
            .arg("/bin/true")
            .env("PATH", "/nonexistent"),
    );
    server
        .run()
        .fatal(100, "s6-tlsd-io: fatal: KEYFILE not set");
}

#[test]
fn program_that_cannot_be_executed_exits_126_or_127() {
    for (program, code, why) in [
        ("/nonexistent", 127, "No such file or directory"),
        ("/etc/passwd", 126, "Permission denied"),
    ] {
        let server = cmd(["s6-tlsd", program])
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"));
        let (server, _) = connect(server, tlsc(&[], "cat <&6"));
        server.fatal(
            code,
            &format!("s6-tlsd: fatal: unable to exec {program}: {why}"),
        );
    }
}

/// What a server's program, which is no shell, writes to its client.
fn told(server: Cmd) -> String {
    let (server, client) = connect(server, tlsc(&[], "exec cat <&6"));
    server.success();
    client.success().out()
}

fn server(options: &[&str], program: &[&str]) -> Cmd {
    cmd(["s6-tlsd"])
        .args(options)
        .args(program)
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
}

#[test]
fn the_environment_is_cleaned_unless_kept() {
    for (option, left) in [
        (&[][..], "CADIRS KEYFILEX"),
        (&["-z"], "CADIRS KEYFILEX"),
        (
            &["-Z"],
            "CADIR CADIRS CAFILE CERTFILE CERTFILE:x KEYFILE KEYFILE:x KEYFILEX TLS_GID TLS_UID",
        ),
    ] {
        let mut server = server(option, &["env"])
            .env("TLS_UID", "0")
            .env("TLS_GID", "0");
        for name in [
            "CADIR",
            "CAFILE",
            "KEYFILE:x",
            "CERTFILE:x",
            "KEYFILEX",
            "CADIRS",
        ] {
            server = server.env(name, "x");
        }
        let told = told(server);
        let names = told
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0));
        let begins = ["CA", "CERTFILE", "KEYFILE", "TLS_"];
        let mut names: Vec<&str> = names
            .filter(|name| begins.iter().any(|begin| name.starts_with(begin)))
            .collect();
        names.sort();
        assert_eq!(names.join(" "), left);
    }
}

/// The signal in a set of /proc/PID/status.
fn bit(signal: Signal) -> u64 {
    1 << (signal as u32 - 1)
}

#[test]
fn signals_directory_and_descriptors_pass_through() {
    let signals = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
    let state = |command: Cmd| {
        let text = told(command);
        let bits = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        let ours = [Signal::SIGPIPE, Signal::SIGCHLD].map(bit);
        (bits("SigBlk:"), bits("SigIgn:") & (ours[0] | ours[1]))
    };
    let blocked = server(&[], &signals).blocked(Signal::SIGUSR1);
    assert_eq!(state(blocked), (bit(Signal::SIGUSR1), 0));
    let ignored = server(&[], &signals).ignored("PIPE");
    assert_eq!(state(ignored), (0, bit(Signal::SIGPIPE)));
    if let Some(ignored) = with_sigchld_ignored(server(&[], &signals)) {
        assert_eq!(state(ignored), (0, bit(Signal::SIGCHLD)));
    }
    if need(&["python3"]) {
        // SIGRTMIN of glibc, which musl reserves for itself.
        let blocking = "set -- python3 -c 'import os, signal, sys; \
                        signal.pthread_sigmask(signal.SIG_BLOCK, {34}); \
                        os.execv(sys.argv[1], sys.argv[1:])' \"$@\"";
        let (blocked, _) = state(server(&[], &signals).prelude(blocking));
        assert_eq!(blocked, 1 << (34 - 1));
    }
    let dir = TempDir::new();
    let here = std::fs::canonicalize(dir.path()).unwrap();
    let place = told(server(&[], &["pwd"]).cwd(dir.path()));
    assert_eq!(place.trim(), here.to_str().unwrap());
    let (extra, _writer) = crate::util::pipe();
    // 3 is the descriptor with which ls reads the directory.
    let open = told(server(&[], &["ls", "/proc/self/fd"]).fd(9, extra));
    assert_eq!(
        open.split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3", "9"]
    );
}

#[test]
fn program_gets_blocking_pipes_on_its_descriptors() {
    let kinds = "for i in 6 7; do readlink /proc/$$/fd/$i | cut -c1-4; grep -o 'flags:.*' /proc/$$/fdinfo/$i; done; \
                 echo x >&7; exec 7>&-; cat <&6 >/dev/null";
    let (_, client) = connect(tlsd(&[], "p256", "exec cat"), tlsc(&[], kinds));
    assert_eq!(
        client.success().out(),
        "pipe\nflags:\t00\npipe\nflags:\t01\n"
    );
}

#[test]
fn closed_standard_descriptors_do_no_harm() {
    let (near, far) = tcp_pair();
    let server = tlsd(&[], "p256", "exec cat")
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    let client = tlsc(
        &[],
        "for i in 0 1 2; do [ \"$(readlink /proc/$$/fd/$i)\" = /dev/null ] || exit 9; done; \
         echo x >&7; exec 7>&-; read -r line <&6; [ \"$line\" = x ]",
    )
    .fd(6, near.try_clone().unwrap())
    .fd(7, near)
    .closed(0)
    .closed(1)
    .closed(2);
    client.run().success();
    server.finish().success();
}

#[test]
fn the_clients_descriptors_are_checked() {
    for (argv, code, message) in [
        (
            "-6 2 p",
            100,
            "read-fd must be an unsigned integer (3 or more): 2",
        ),
        (
            "-7 x p",
            100,
            "write-fd must be an unsigned integer (3 or more): x",
        ),
        ("-6 8 -7 8 p", 100, "read-fd and write-fd must be different"),
        (
            "-6 80 p",
            111,
            "unable to check network fds: Bad file descriptor: 80 is not open (s6-tcpclient opens 6 and 7)",
        ),
        (
            "p",
            111,
            "unable to check network fds: Bad file descriptor: 6 is not open (s6-tcpclient opens 6 and 7)",
        ),
    ] {
        let output = cmd(["s6-tlsc"]).args(argv.split(' ')).run();
        output.fatal(code, &format!("s6-tlsc: fatal: {message}"));
    }
    let line = "s6-ucspitlsc (parent): fatal: unable to check network fds: Bad file descriptor: \
                80 is not open (s6-tcpclient opens 6 and 7)";
    cmd(["s6-ucspitlsc", "-6", "80", "p"])
        .run()
        .fatal(111, line);
}
