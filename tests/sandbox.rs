//! The engines' sandbox: the state of a serving engine in /proc, and what other
//! processes can read of it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::stat::Mode;

use crate::util::tls::{HELLO, INTERNAL_ERROR, connect, engine, start, tlsc, tlsd};
use crate::util::{Cmd, Running, TempDir, certs, cmd, eventually, need, pipe, skip, tcp_pair};

/// A connection after its handshake that stays open: the pids of the server's
/// engine and the client's.
fn serving(server: Cmd, client: &[&str]) -> (Running, Running, [i32; 2]) {
    let (server, client) = start(server, tlsc(client, "echo up >&7; exec cat <&6"));
    client.wait_out("up\n");
    let engines = [engine(&server), engine(&client)];
    (server, client, engines)
}

/// The value of a field of /proc/PID/status.
fn status(pid: i32, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap().trim().to_owned()
}

/// Whether this kernel has all that the sandbox uses: MDWE is the newest part,
/// so a kernel with MDWE has the rest except Landlock.
fn whole() -> bool {
    let release = nix::sys::utsname::uname().unwrap();
    let release = release.release().to_str().unwrap().to_owned();
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let version = (
        numbers.next().unwrap().unwrap(),
        numbers.next().unwrap().unwrap(),
    );
    if version < (6, 3) {
        skip(&format!("Linux {release}"));
    }
    version >= (6, 3)
}

#[test]
fn serving_engine_is_sandboxed() {
    if !whole() {
        return;
    }
    let (_server, _client, engines) = serving(tlsd(&[], "p256", "exec cat"), &[]);
    for pid in engines {
        assert_eq!(status(pid, "Seccomp"), "2");
        assert_eq!(status(pid, "NoNewPrivs"), "1");
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name));
            let words = line.unwrap().split_whitespace().take(2);
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(limit("Max core file size"), ["0", "0"]);
        assert_eq!(limit("Max open files"), ["4", "4"]);
    }
}

#[test]
fn only_four_descriptors_and_standard_error_are_left() {
    if !whole() || !nix::unistd::geteuid().is_root() {
        skip("not root, who alone may look");
        return;
    }
    let server = tlsd(&[], "p256", "exec cat")
        .fd(9, pipe().0)
        .fd(77, pipe().1);
    let (_server, _client, engines) = serving(server, &[]);
    for pid in engines {
        // The report is written before the program runs, and closed.
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut kinds: Vec<String> = entries
            .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap())
            .map(|link| link.to_string_lossy()[..4].to_owned())
            .collect();
        kinds.sort();
        // Two for the network, two for the cleartext, standard error.
        assert_eq!(kinds, ["pipe", "pipe", "pipe", "sock", "sock"]);
    }
}

#[test]
fn verbose_engine_lists_its_sandbox() {
    if !whole() {
        return;
    }
    let (server, client) = connect(tlsd(&["-v2"], "p256", "cat"), tlsc(&["-v2"], HELLO));
    for (name, output) in [("s6-tlsd-io", server), ("s6-tlsc-io", client)] {
        let text = output.success().err();
        let start = format!(
            "{name}: info: sandbox: no-new-privs, not dumpable, no core, no new code, \
             other descriptors closed, new descriptors only below 4, "
        );
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        let rest = line.unwrap_or_else(|| panic!("{text}"));
        let rest = rest
            .strip_suffix("seccomp")
            .unwrap_or_else(|| panic!("{text}"));
        // The library knows 9 versions.
        let landlock = unix::lockdown::landlock_version().ok();
        let named = landlock.map(|version| format!("landlock {}, ", version.min(9)));
        assert_eq!(rest, named.unwrap_or_default());
    }
}

#[test]
fn no_sandbox_turns_it_off() {
    let options = ["-v2", "--no-sandbox"];
    let (server, client, engines) = serving(tlsd(&options, "p256", "exec cat"), &options);
    let own = i32::try_from(std::process::id()).unwrap();
    for pid in engines {
        for field in ["Seccomp", "NoNewPrivs"] {
            assert_eq!(status(pid, field), status(own, field));
        }
    }
    assert_eq!(server.stderr.text() + &client.stderr.text(), "");
}

/// A server that runs `cat`, for an ordinary user, with copies of its files.
pub fn ordinary(options: &[&str], dir: &TempDir) -> Cmd {
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let file = |name: &str| {
        let path = dir.file(name, certs().read(name));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        path
    };
    as_nobody(&[])
        .arg("s6-tlsd")
        .args(options)
        .arg("cat")
        .env("KEYFILE", file("p256.key"))
        .env("CERTFILE", file("p256.pem"))
}

/// The command, as an ordinary user.
fn as_nobody(argv: &[&str]) -> Cmd {
    let drop = [
        "s6-applyuidgid",
        "-u",
        "65534",
        "-g",
        "65534",
        "-G",
        "65534",
    ];
    let root = nix::unistd::geteuid().is_root();
    cmd(if root { &drop[..] } else { &["env"] }).args(argv)
}

/// Whether another process of the same ordinary user may open this file of
/// /proc/PID.
fn readable(pid: i32, name: &str) -> bool {
    let script = format!("exec 3</proc/{pid}/{name}");
    as_nobody(&["sh", "-c", &script]).run().ended == crate::util::Ended::Exited(0)
}

#[test]
fn engine_memory_is_hidden_from_the_same_user() {
    let dir = TempDir::new();
    let (_server, _client, [pid, _]) = serving(ordinary(&[], &dir), &[]);
    for name in ["mem", "maps", "environ", "fd/0"] {
        assert!(!readable(pid, name), "{name}");
    }
    let (_server, _client, [pid, _]) = serving(ordinary(&["--no-sandbox"], &dir), &[]);
    assert!(readable(pid, "maps"));
}

#[test]
fn engine_memory_is_hidden_while_it_reads_the_key() {
    let dir = TempDir::new();
    for (options, visible) in [(&[][..], false), (&["--no-sandbox"], true)] {
        let fifo = dir.join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::from_bits_truncate(0o666)).unwrap();
        std::fs::set_permissions(&fifo, PermissionsExt::from_mode(0o666)).unwrap();
        let (_near, far) = tcp_pair();
        let server = ordinary(options, &dir).env("KEYFILE", &fifo);
        let server = server.fd(0, far.try_clone().unwrap()).fd(1, far).start();
        let pid = engine(&server);
        // It waits for the key: the fifo can be opened for writing.
        let _writer = eventually("the engine reads", || open_fifo(&fifo));
        assert_eq!(readable(pid, "maps"), visible);
        std::fs::remove_file(&fifo).unwrap();
    }
}

#[test]
fn engine_memory_is_hidden_after_setuid() {
    if !need(&["strace"]) || !nix::unistd::geteuid().is_root() {
        skip("no strace, or not root, who alone takes on identities");
        return;
    }
    let dir = TempDir::new();
    for (name, options) in [("engine", &["-v2"][..]), ("guard", &["-v2", "--key-guard"])] {
        // A file for each process: engine and guard work side by side.
        let server = cmd(["strace", "-ff", "-o"])
            .arg(dir.join(name))
            .arg("s6-tlsd")
            .args(options)
            .arg("cat")
            .env("TLS_UID", "65534")
            .env("TLS_GID", "65534")
            .env("KEYFILE", certs().path("p256.key"))
            .env("CERTFILE", certs().path("p256.pem"));
        let (server, client) = connect(server, tlsc(&[], HELLO));
        server.success();
        client.success();
        // After a change of identity the kernel makes a process dumpable if
        // fs.suid_dumpable says so; it is 0 on most machines, but not on all.
        let mut dropped = 0;
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_none_or(|stem| stem != name) {
                continue;
            }
            let trace = std::fs::read_to_string(path).unwrap();
            let mut calls = trace.lines();
            // With 32 bits the call is setresuid32.
            let drops = |call: &str| call.starts_with("setresuid") && call.contains("(65534,");
            while calls.any(drops) {
                dropped += 1;
                let next = calls.find(|call| !call.starts_with("rt_sigprocmask"));
                let next = next.unwrap();
                let hides = next.starts_with("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)");
                assert!(hides, "{name}: {next}");
            }
        }
        assert_eq!(dropped, options.len(), "{name}");
    }
}

/// The fifo for writing, if somebody reads it.
fn open_fifo(path: &Path) -> Option<std::os::fd::OwnedFd> {
    use nix::fcntl::OFlag;
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    nix::fcntl::open(path, flags, Mode::empty()).ok()
}

#[test]
fn a_key_may_come_through_a_descriptor() {
    let dir = TempDir::new();
    let server = ordinary(&[], &dir);
    let key = std::fs::File::open(dir.join("p256.key")).unwrap();
    let server = server.env("KEYFILE", "/dev/fd/5").fd(5, key);
    let (_, client) = connect(server, tlsc(&[], HELLO));
    assert!(client.success().out().starts_with("hello\n"));
}

#[test]
fn engine_serves_without_kernel_support() {
    if !need(&["strace"]) {
        return;
    }
    let calls = "prctl,prlimit64,getrlimit,setrlimit,close_range,landlock_create_ruleset,seccomp";
    let server = cmd(["strace", "-f", "-o", "/dev/null"])
        .args(["-e", &format!("inject={calls}:error=ENOSYS")])
        .args(["s6-tlsd", "-v2", "cat"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"));
    let (server, client) = connect(server, tlsc(&[], HELLO));
    assert!(client.success().out().starts_with("hello\n"));
    let text = server.success().err();
    let (line, last) = text.split_once('\n').unwrap();
    assert_eq!(line, "s6-tlsd-io: info: sandbox: other descriptors closed");
    assert!(last.starts_with("s6-tlsd-io: info: remote="), "{text}");
    assert_eq!(last.lines().count(), 1, "{text}");
}

/// A server's engine and a client's, both with this fault injected.
fn with_fault(fault: &str) -> [Cmd; 2] {
    let strace = |argv: [&str; 3]| {
        cmd(["strace", "-f", "-o", "/dev/null", "-e"])
            .arg(format!("inject={fault}"))
            .args(argv)
    };
    let server = strace(["s6-tlsd", "-v2", "cat"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"));
    let client = strace(["s6-tlsc", "-v2", "true"]).env("CAFILE", certs().path("ca.pem"));
    [server, client]
}

#[test]
fn descriptors_are_closed_one_by_one_where_a_range_is_forbidden() {
    if !whole() || !need(&["strace"]) {
        return;
    }
    for errno in ["EPERM", "ENOSYS"] {
        let [server, client] = with_fault(&format!("close_range:error={errno}"));
        let (server, client) = connect(server, client);
        for output in [server, client] {
            let text = output.success().err();
            assert!(text.contains(", other descriptors closed, "), "{text}");
        }
    }
}

#[test]
fn engine_that_cannot_enter_the_sandbox_serves_nobody() {
    if !whole() || !need(&["strace"]) {
        return;
    }
    for fault in [
        "seccomp:error=ENOMEM",
        "seccomp:error=EAGAIN",
        "landlock_create_ruleset:error=ENFILE",
        "landlock_create_ruleset:error=ENOMEM:when=2+",
        "landlock_restrict_self:error=ENOMEM",
    ] {
        for command in with_fault(fault) {
            let (mut near, far) = tcp_pair();
            let command = [0, 1, 6, 7].iter().fold(command, |command, number| {
                command.fd(*number, far.try_clone().unwrap())
            });
            drop(far);
            let text = command.run().code(111).err();
            assert!(
                text.contains("-io: fatal: unable to enter the sandbox: "),
                "{text}"
            );
            // In both cases the peer gets an alert; the client has sent its
            // ClientHello by then.
            let mut said = Vec::new();
            std::io::Read::read_to_end(&mut near, &mut said).unwrap();
            assert!(said.ends_with(&INTERNAL_ERROR), "{fault}: {said:?}");
        }
    }
    for errno in ["EPERM", "EACCES", "EINVAL", "ENOSYS", "EOPNOTSUPP"] {
        let [server, client] = with_fault(&format!("seccomp,landlock_restrict_self:error={errno}"));
        let (server, client) = connect(server, client);
        for output in [server, client] {
            let text = output.success().err();
            assert!(
                text.contains("-io: info: sandbox: no-new-privs, "),
                "{text}"
            );
            assert!(!text.contains("seccomp"), "{text}");
        }
    }
}

#[test]
fn engine_makes_no_forbidden_call() {
    if !need(&["strace"]) {
        return;
    }
    let dir = TempDir::new();
    let traced = |name: &str, options: &[&str]| {
        let strace = cmd(["strace", "-f", "-o"]).arg(dir.join(name));
        strace.args([name]).args(options)
    };
    let program = ["sh", "-c", "head -c 3000000 /dev/zero; cat"];
    let server = traced("s6-tlsd", &["-SYv2"])
        .args(program)
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .env("CAFILE", certs().path("ca.pem"));
    let program = [
        "sh",
        "-c",
        "(head -c 3000000 /dev/zero; exec 7>&-) >&7; exec 7>&-; wc -c <&6",
    ];
    let client = traced("s6-tlsc", &["-Syv2"])
        .args(program)
        .env("KEYFILE", certs().path("client.key"))
        .env("CERTFILE", certs().path("client.pem"))
        .env("CAFILE", certs().path("ca.pem"));
    let (server, client) = connect(server, client);
    server.success();
    assert_eq!(client.success().out().trim(), "6000000");
    for name in ["s6-tlsd", "s6-tlsc"] {
        let trace = std::fs::read_to_string(dir.join(name)).unwrap();
        let refused: Vec<&str> = trace.lines().filter(|l| l.contains(" EPERM ")).collect();
        assert!(refused.is_empty(), "{refused:#?}");
        // The engine reads nothing from the network or the program before that;
        // the client has sent its ClientHello by then.
        let place = |call: &str| trace.find(call).unwrap_or_else(|| panic!("{name}: {call}"));
        let locked_in = place("seccomp(SECCOMP_SET_MODE_FILTER");
        assert!(place(" recvfrom(") > locked_in, "{name}");
        assert!(place(" poll(") > locked_in, "{name}");
        assert_eq!(place(" sendto(") < locked_in, name == "s6-tlsc");
    }
}
