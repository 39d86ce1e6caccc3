//! The private key in memory, messages and system calls.

use std::collections::HashSet;
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};

use crate::util::tls::{HELLO, connect, serve, start, tlsc, tlsd};
use crate::util::{Running, TempDir, certs, cmd, eventually, need, skip, tcp_pair};

/// A server's engine that waits for a client with this key.
fn waiting(key: &str, certificate: &str) -> (Running, std::net::TcpStream) {
    let (near, far) = tcp_pair();
    let server = tlsd(&[], "p256", "echo never")
        .env("KEYFILE", certs().path(key))
        .env("CERTFILE", certs().path(certificate))
        .fd(0, far.try_clone().unwrap())
        .fd(1, far)
        .start();
    (server, near)
}

/// The engine, once it waits for the network.
fn engine(server: &Running) -> i32 {
    eventually("an engine that waits", || {
        let pids = server.group().into_iter().map(|pid| pid.as_raw());
        let mut pids = pids.filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            // Waiting for the network is the only sleep.
            stat.unwrap_or_default().contains(" (s6-tlsd-io) S ")
        });
        pids.next()
    })
}

/// The writable memory of a process, without zeros; None if it may not be read.
pub fn memory(pid: i32) -> Option<Vec<u8>> {
    memory_of(pid, "")
}

/// The same, but only of mappings whose lines in /proc/PID/maps end with `end`.
fn memory_of(pid: i32, end: &str) -> Option<Vec<u8>> {
    let file = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut all = Vec::new();
    let writable = maps.lines().filter(|line| line.contains(" rw"));
    for line in writable.filter(|line| line.ends_with(end)) {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; (end - start) as usize];
        if file.read_exact_at(&mut bytes, start).is_ok() {
            let pages = bytes.chunks(4096);
            pages
                .filter(|page| page.iter().any(|byte| *byte != 0))
                .for_each(|page| all.extend(page));
        }
    }
    Some(all)
}

/// Every sequence of so many bytes is looked for.
const PIECE: usize = 16;

/// The sequences of `secret` that are not in `public`.
pub fn pieces<'a>(secret: &'a [u8], public: &[u8]) -> HashSet<&'a [u8]> {
    let public: HashSet<&[u8]> = public.windows(PIECE).collect();
    let all = secret.windows(PIECE);
    all.filter(|piece| !public.contains(piece)).collect()
}

pub fn found(memory: &[u8], pieces: &HashSet<&[u8]>) -> Vec<Vec<u8>> {
    let mut first = vec![false; 256];
    pieces
        .iter()
        .for_each(|piece| first[usize::from(piece[0])] = true);
    let places =
        (0..memory.len().saturating_sub(PIECE)).filter(|at| first[usize::from(memory[*at])]);
    let candidates = places.map(|at| &memory[at..at + PIECE]);
    let found = candidates.filter(|piece| pieces.contains(piece));
    found.map(<[u8]>::to_vec).collect()
}

#[test]
fn the_key_file_leaves_nothing_in_memory() {
    for (key, certificate) in [
        ("p256.key", "p256"),
        ("p256.sec1", "p256"),
        ("p256.params", "p256"),
        ("p256.pkcs8.der", "p256"),
        ("p256.sec1.der", "p256"),
        ("p384.sec1", "p384"),
        ("p256.bare.sec1", "p256"),
        ("p384.bare.key", "p384"),
        ("rsa.key", "rsa"),
        ("rsa.pkcs1", "rsa"),
        ("rsa.pkcs1.der", "rsa"),
        ("ed25519.key", "ed25519"),
    ] {
        let (server, _network) = waiting(key, &format!("{certificate}.pem"));
        let Some(memory) = memory(engine(&server)) else {
            skip("the memory of an engine may not be seen");
            return;
        };
        let content = certs().read(key);
        let public = certs().read(&format!("{certificate}.der"));
        // The search must find what is certainly there; otherwise finding
        // nothing proves nothing.
        let certificate = pieces(&public, &[]);
        assert!(
            !found(&memory, &certificate).is_empty(),
            "{key}: no certificate"
        );
        let der = if content.starts_with(b"-----") {
            cmd([
                "openssl",
                "pkey",
                "-outform",
                "DER",
                "-in",
                &certs().path(key),
            ])
            .run()
            .success()
            .stdout
        } else {
            content.clone()
        };
        for secret in [&content, &der] {
            let found = found(&memory, &pieces(secret, &public));
            assert!(found.is_empty(), "{key}: {} {found:x?}", found.len());
        }
    }
}

/// The private number of a key on a curve, as the library has it in memory.
pub fn scalar(key: &str) -> Vec<u8> {
    let text = cmd([
        "openssl",
        "pkey",
        "-noout",
        "-text",
        "-in",
        &certs().path(key),
    ]);
    let text = text.run().success().out();
    let (_, rest) = text.split_once("priv:\n").unwrap();
    let (number, _) = rest.split_once("pub:").unwrap();
    let digits: String = number.chars().filter(char::is_ascii_hexdigit).collect();
    let bytes = (0..digits.len() / 2).rev();
    let bytes = bytes.map(|at| u8::from_str_radix(&digits[2 * at..][..2], 16).unwrap());
    bytes.collect()
}

#[test]
fn after_the_handshake_the_key_is_in_one_place() {
    for (key, pair) in [("p256.key", "p256"), ("p384.sec1", "p384")] {
        let server = tlsd(&[], pair, "exec cat").env("KEYFILE", certs().path(key));
        let (server, client) = start(server, tlsc(&[], "echo up >&7; exec cat <&6"));
        client.wait_out("up\n");
        let Some(memory) = memory(engine(&server)) else {
            skip("the memory of an engine may not be seen");
            return;
        };
        let scalar = scalar(key);
        let there = found(&memory, &pieces(&scalar, &[])).len();
        // Where it is used, if at all; a library may hold it in another form.
        let whole = scalar.len() - PIECE + 1;
        assert!(there <= whole, "{key}: {there} pieces, {whole} in a key");
        let backwards: Vec<u8> = scalar.iter().rev().copied().collect();
        let left = found(&memory, &pieces(&backwards, &[]));
        assert!(left.is_empty(), "{key}: {} {left:x?}", left.len());
    }
}

/// The secrets in a key log file.
fn logged(file: &std::path::Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(file).unwrap();
    let secrets = text.lines().filter_map(|line| line.split(' ').nth(2));
    let hex = |digits: &str| {
        let pairs = digits.as_bytes().chunks(2).map(std::str::from_utf8);
        let bytes = pairs.map(|pair| u8::from_str_radix(pair.unwrap(), 16).unwrap());
        bytes.collect::<Vec<_>>()
    };
    secrets.filter(|text| text.len() >= 64).map(hex).collect()
}

#[test]
fn after_the_handshake_its_secrets_are_not_on_the_stack() {
    if !need(&["openssl"]) {
        return;
    }
    let dir = TempDir::new();
    let log = dir.join("log");
    let (server, port) = serve(&[], "p256", &["cat"]);
    let mut client = cmd(["openssl", "s_client", "-quiet", "-tls1_3", "-keylogfile"])
        .arg(&log)
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .input_pipe()
        .start();
    client.write("hello\n");
    client.wait_out("hello\n");
    let pid = engine(&server);
    let (Some(memory), Some(stack)) = (memory(pid), memory_of(pid, "[stack]")) else {
        skip("the memory of an engine may not be seen");
        return;
    };
    let secrets = logged(&log);
    // Some calls have overwritten parts of what was left.
    let has = |memory: &[u8]| {
        let of_one = |secret: &&Vec<u8>| {
            let mut pieces = secret.windows(8);
            pieces.any(|piece| memory.windows(8).any(|bytes| bytes == piece))
        };
        secrets.iter().filter(of_one).count()
    };
    assert_ne!(has(&memory), 0, "none of {} is anywhere", secrets.len());
    assert!(!stack.is_empty());
    assert_eq!(has(&stack), 0);
}

#[test]
fn world_readable_key_is_a_warning() {
    let dir = TempDir::new();
    let key = dir.file("key", certs().read("p256.key"));
    let warning = format!(
        "s6-tlsd-io: warning: private key {} is readable by everybody\n",
        key.display()
    );
    for (mode, options, expected) in [
        (0o644, &["-v2"][..], &warning[..]),
        (0o604, &["-v2"], &warning),
        (0o644, &[], ""),
        (0o640, &["-v2"], ""),
        (0o600, &["-v2"], ""),
    ] {
        std::fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let server = tlsd(options, "p256", "cat").env("KEYFILE", &key);
        let (server, client) = connect(server, tlsc(&[], HELLO));
        let told = server.success().err();
        assert_eq!(told.contains("readable"), !expected.is_empty(), "{told}");
        assert!(told.contains(expected), "{mode:o} {options:?}: {told}");
        client.success();
    }
    let name = dir.file("named", certs().read("p256.key"));
    std::fs::set_permissions(&name, Permissions::from_mode(0o604)).unwrap();
    let server = tlsd(&["--sni", "-v2"], "p256", "cat")
        .env("KEYFILE:localhost", &name)
        .env("CERTFILE:localhost", certs().path("p256.pem"));
    let (server, _) = connect(server, tlsc(&["-k", "localhost"], HELLO));
    let told = server.success().err();
    assert!(told.contains("/named is readable by everybody\n"), "{told}");
    let client = tlsc(&["-y", "-v2"], HELLO)
        .env("KEYFILE", &name)
        .env("CERTFILE", certs().path("p256.pem"));
    let (_, client) = connect(tlsd(&[], "p256", "cat"), client);
    let told = client.success().err();
    assert!(
        told.starts_with("s6-tlsc-io: warning: private key "),
        "{told}"
    );
}

/// A strange key never shows up in the message that refuses it.
#[test]
fn no_message_holds_any_of_the_key() {
    let dir = TempDir::new();
    for name in ["p256.key", "p256.sec1.der", "rsa.pkcs1", "ed25519.key"] {
        let mut content = certs().read(name);
        // In the middle of the DER is the public key, which CERTFILE has, too.
        let middle = content.len() / if name.ends_with(".der") { 6 } else { 2 };
        // Keys are random: the byte may have this value already.
        content[middle] = if content[middle] == b'!' { b'?' } else { b'!' };
        let key = dir.file(name, &content);
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        let server = cmd(["s6-tlsd-io", "-v3", "0", "1"])
            .env("KEYFILE", &key)
            .env("CERTFILE", certs().path("p256.pem"));
        let err = server.run().code(96).err();
        let (line, last) = err.split_once('\n').unwrap();
        assert!(line.starts_with("s6-tlsd-io: fatal: "), "{err}");
        let own = "s6-tlsd-io: info: remote=- protocol=- cipher=- group=- sni=- alpn=- resumed=- \
                   cert=- in=0 out=0 ms=";
        let last = last.strip_prefix(own).unwrap();
        assert!(
            last.ends_with(" code=96 end=system\n") && last.len() < 30,
            "{err}"
        );
        let path = key.to_str().unwrap();
        let (_, why) = line.split_once(path).expect("it names the file");
        let reasons = [
            ": malformed content",
            ": unusable private key (RSA of 2048, 3072 or 4096 bits with exponent 65537, ECDSA P-256 or P-384, Ed25519 can be used)",
        ];
        assert!(
            reasons.contains(&why) || why.contains("does not belong"),
            "{line}"
        );
    }
}

/// The system calls of the engine before it reads the key, and how often it
/// reads it.
#[test]
fn the_key_is_read_once_and_as_root() {
    if !need(&["strace"]) {
        return;
    }
    let root = nix::unistd::geteuid().is_root();
    let key = certs().path("p256.key");
    let server = cmd(["strace", "-qq", "-e", "trace=openat,open,/^set(res)?uid"])
        .args(["s6-tlsd-io", "0", "1"])
        .env("KEYFILE", &key)
        .env("CERTFILE", certs().path("p256.pem"))
        .env("TLS_UID", "65534")
        .env("TLS_GID", "65534");
    let trace = server.run().code(98).err();
    let lines: Vec<&str> = trace.lines().collect();
    let reads = lines.iter().filter(|line| line.contains(&key)).count();
    assert_eq!(reads, 1, "{trace}");
    if root {
        let read = lines.iter().position(|line| line.contains(&key));
        let drop = lines.iter().position(|line| line.starts_with("set"));
        assert!(drop.is_some() && read < drop, "{trace}");
    }
}
