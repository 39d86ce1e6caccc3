//! s6-ucspitlsd and s6-ucspitlsc: TLS when the program asks for it.

use std::io::Write;

use crate::util::tls::{ECHO, HELLO, connect, tlsd};
use crate::util::{Cmd, TempDir, certs, cmd, need, tcp_pair};

/// A program that talks in clear, asks for TLS with the command in `$1`, and
/// then echoes what comes through the tunnel.
const SERVER: &str = r#"
import os, sys
ctl, rfd, wfd = (int(os.environ[v]) for v in ("SSLCTLFD", "SSLREADFD", "SSLWRITEFD"))
assert len({ctl, rfd, wfd}) == 3 and all(os.get_inheritable(f) and os.get_blocking(f) for f in (ctl, rfd, wfd))
assert "KEYFILE" not in os.environ and not [v for v in os.environ if v.startswith("SSL_")]
line = os.read(0, 6)
assert line == b"clear\n", line
os.write(1, b"ready\n")
os.write(ctl, sys.argv[1].encode())
report = b""
while True:
    piece = os.read(ctl, 4096)
    if not piece: break
    report += piece
os.write(2, report.replace(b"\0", b"\n"))
os.close(0); os.close(1)
while True:
    data = os.read(rfd, 4096)
    if not data: break
    os.write(wfd, data)
"#;

fn ucspitlsd(options: &[&str], program: &str, command: &str) -> Cmd {
    cmd(["s6-ucspitlsd"])
        .args(options)
        .args(["python3", "-c", program, command])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
}

/// A client that waits for the clear answer before it starts TLS.
fn client(options: &str, program: &str) -> Cmd {
    let script = format!(
        "echo clear >&7; read -r line <&6; [ \"$line\" = ready ] && exec s6-tlsc {options} sh -c '{program}'"
    );
    cmd(["sh", "-c", &script]).env("CAFILE", certs().path("ca.pem"))
}

#[test]
fn program_starts_tls_on_request() {
    if !need(&["python3"]) {
        return;
    }
    let reported = "SSL_PROTOCOL=TLSv1.3\nSSL_CIPHER=TLS_AES_256_GCM_SHA384\n\
                    SSL_TLS_SNI_SERVERNAME=localhost\n\
                    SSL_PEER_CERT_HASH\nSSL_PEER_CERT_SUBJECT\n\n";
    // Only the first byte counts.
    let long = "Y".repeat(20_000);
    for (command, report) in [
        ("y", ""),
        ("y\n", ""),
        ("Y", reported),
        ("Y\n", reported),
        (&long, reported),
    ] {
        let (server, client) = connect(
            ucspitlsd(&[], SERVER, command),
            client("-k localhost", HELLO.replace('\'', "\"").as_str()),
        );
        assert_eq!(server.success().err(), report);
        assert!(client.success().out().starts_with("hello\n"));
    }
}

#[test]
fn client_program_starts_tls_on_request() {
    let program = r#"
import os
ctl, rfd, wfd = (int(os.environ[v]) for v in ("SSLCTLFD", "SSLREADFD", "SSLWRITEFD"))
os.write(ctl, b"Y")
report = b""
while not report.endswith(b"\0\0"):
    piece = os.read(ctl, 4096)
    assert piece
    report += piece
assert report.startswith(b"SSL_PROTOCOL=TLSv1.3\0"), report
os.write(wfd, b"hello\n"); os.close(wfd)
print(os.read(rfd, 4096).decode(), end="")
"#;
    if !need(&["python3"]) {
        return;
    }
    let client = cmd(["s6-ucspitlsc", "-k", "localhost", "python3", "-c", program])
        .env("CAFILE", certs().path("ca.pem"));
    let (server, client) = connect(tlsd(&[], "p256", ECHO), client);
    server.success();
    assert_eq!(client.success().out(), "hello\n");
}

#[test]
fn declined_tls_and_invalid_byte_have_their_exit_codes() {
    let run = |options: &[&str], script: &str| {
        cmd(["s6-ucspitlsd"])
            .args(options)
            .args(["sh", "-c", script])
            .run()
    };
    let quiet = run(&[], "echo clear").success();
    assert_eq!(
        (quiet.out().as_str(), quiet.err().as_str()),
        ("clear\n", "")
    );
    let verbose = run(&["-v2"], "echo $$");
    let pid = verbose.out();
    let line = format!(
        "s6-ucspitlsd: info: pid {} declined opportunistic TLS\n",
        pid.trim()
    );
    assert_eq!(verbose.success().err(), line);
    let nonsense = run(
        &[],
        "eval \"echo no >&$SSLCTLFD; cat <&$SSLCTLFD; cat <&$SSLREADFD\"; echo end",
    );
    assert_eq!(nonsense.out(), "end\n");
    assert_eq!(
        nonsense.err(),
        "s6-ucspitlsd: fatal: unrecognized command on control socket\n"
    );
    let verbose = run(
        &["-v2"],
        "eval \"printf y >&$SSLCTLFD\"; eval \"cat <&$SSLREADFD\"; echo $$",
    );
    let pid = verbose.out();
    let line = format!(
        "s6-ucspitlsd: info: pid {} accepted opportunistic TLS\n",
        pid.trim()
    );
    assert!(verbose.err().starts_with(&line), "{}", verbose.err());
    cmd(["s6-ucspitlsd", "/nonexistent"]).run().fatal(
        127,
        "s6-ucspitlsd (parent): fatal: unable to exec /nonexistent: No such file or directory",
    );
}

#[test]
fn a_failed_handshake_is_seen_on_every_descriptor() {
    if !need(&["python3"]) {
        return;
    }
    let program = r#"
import os, sys
ctl, rfd, wfd = (int(os.environ[v]) for v in ("SSLCTLFD", "SSLREADFD", "SSLWRITEFD"))
os.write(ctl, sys.argv[1].encode())
ended = os.read(ctl, 100) + os.read(rfd, 100) == b""
try:
    os.write(wfd, b"x")
except BrokenPipeError:
    os.write(2, b"ended and broken" if ended else b"broken")
"#;
    // Only the first byte counts.
    for (options, command) in [(&[][..], "y"), (&[], "Y"), (&[], "Yn"), (&["-K100"], "Y")] {
        let (mut near, far) = tcp_pair();
        let server = ucspitlsd(options, program, command)
            .fd(0, far.try_clone().unwrap())
            .fd(1, far)
            .start();
        if options.is_empty() {
            near.write_all(b"EHLO, this is not TLS\r\n").unwrap();
        }
        let told = server.finish().success().err();
        let said = ["ended and broken", "s6-tlsd-io: fatal: handshake "];
        assert!(said.iter().all(|text| told.contains(text)), "{told}");
    }
}

#[test]
fn openssl_speaks_smtp_with_starttls() {
    if !need(&["openssl", "python3"]) {
        return;
    }
    let dir = TempDir::new();
    let smtp = r#"
import os
def lines(fd):
    buf = b""
    while True:
        data = os.read(fd, 4096)
        if not data: return
        buf += data
        while b"\n" in buf:
            line, buf = buf.split(b"\n", 1)
            yield line.strip().upper()
r, w = 0, 1
os.write(w, b"220 test ESMTP\r\n")
secure = False
while True:
    for line in lines(r):
        if line.startswith(b"EHLO"):
            os.write(w, b"250-test\r\n250 STARTTLS\r\n" if not secure else b"250 secured\r\n")
        elif line == b"STARTTLS":
            os.write(w, b"220 go ahead\r\n")
            os.write(int(os.environ["SSLCTLFD"]), b"y")
            os.close(0); os.close(1)
            r, w, secure = int(os.environ["SSLREADFD"]), int(os.environ["SSLWRITEFD"]), True
            break
        elif line == b"QUIT":
            os.write(w, b"221 bye\r\n")
            raise SystemExit
    else:
        raise SystemExit
"#;
    let program = dir.file("smtp.py", smtp);
    let server = cmd([
        "s6-tcpserver",
        "-1",
        "127.0.0.1",
        "0",
        "s6-ucspitlsd",
        "python3",
    ])
    .arg(&program)
    .env("KEYFILE", certs().path("p256.key"))
    .env("CERTFILE", certs().path("p256.pem"))
    .start();
    let port = server.port();
    let mut client = cmd([
        "openssl",
        "s_client",
        "-starttls",
        "smtp",
        "-quiet",
        "-verify_return_error",
    ])
    .args([
        "-CAfile",
        &certs().path("ca.pem"),
        "-connect",
        &format!("127.0.0.1:{port}"),
    ])
    .input_pipe()
    .start();
    client.write("EHLO x\r\n");
    client.wait_out("250 secured");
    client.write("QUIT\r\n");
    client.wait_out("221 bye");
}
