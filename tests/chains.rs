//! Our programs under foreign super-servers, and in execline scripts.

use crate::util::tls::tlsclient;
use crate::util::{certs, cmd, free_port, need};

/// Serves `s6-tlsd cat` under `argv`, which ends before the program, and
/// talks to it.
fn served_by(argv: &[&str], port: u16) {
    let _server = cmd(argv)
        .args(["s6-tlsd", "cat"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .start();
    crate::util::eventually("it listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let program = "echo there and back >&7; exec 7>&-; cat <&6";
    let client = tlsclient(&[], port, program);
    assert_eq!(client.run().success().out(), "there and back\n");
}

#[test]
fn djbs_and_others_super_servers_run_s6_tlsd() {
    if !need(&["tcpserver", "tcpsvd", "socat"]) {
        return;
    }
    for program in ["tcpserver", "tcpsvd"] {
        let port = free_port();
        let options: &[&str] = if program == "tcpserver" {
            &["-RHl0"]
        } else {
            &[]
        };
        let number = port.to_string();
        let argv = [&[program], options, &["127.0.0.1", &number]].concat();
        served_by(&argv, port);
    }
}

/// The program that was called reports the mistake before it runs anything: no
/// program of the chain is in PATH.
#[test]
fn first_program_rejects_what_a_later_one_would_refuse() {
    for (argv, why) in [
        (
            "s6-tlsserver -H localhost 1",
            "ip must be an IP address: localhost",
        ),
        (
            "s6-tlsserver -H [::] 1",
            "ip must be an IP address without brackets: [::]",
        ),
        (
            "s6-tlsserver -H :: https",
            "port must be a number from 0 to 65535: https",
        ),
        ("s6-tcpserver 127.1 1", "ip must be an IP address: 127.1"),
        (
            "s6-tcpserver :: 99999",
            "port must be a number from 0 to 65535: 99999",
        ),
        (
            "s6-tlsclient -H h 1",
            "host must be an IP address with -H: h",
        ),
        (
            "s6-tlsclient [::1] 1",
            "host must be an IP address without brackets: [::1]",
        ),
        (
            "s6-tlsclient h https",
            "port must be a number from 0 to 65535: https",
        ),
        (
            "s6-tlsclient -i [::1] h 1",
            "local-ip must be an IP address without brackets: [::1]",
        ),
        (
            "s6-tlsclient --dane -n h 1",
            "dane and qualify exclude each other",
        ),
        (
            "s6-tlsclient 0 1",
            "host is not one name or address, so -k or -H is needed: 0",
        ),
        (
            &format!("s6-tlsserver -H --pin=SHA256:{} :: 1", "0".repeat(64)),
            "pin needs client-cert or mandatory-client-cert",
        ),
    ] {
        let program = argv.split(' ').next().unwrap();
        let output = cmd(argv.split(' ')).arg("true").env("PATH", "/nonexistent");
        output.run().fatal(100, &format!("{program}: fatal: {why}"));
    }
}

#[test]
fn a_socat_of_unix_sockets_may_be_the_network() {
    if !need(&["socat"]) {
        return;
    }
    let dir = crate::util::TempDir::new();
    let socket = dir.join("socket");
    let listen = format!("UNIX-LISTEN:{},fork", socket.display());
    let _server = cmd(["socat", &listen, "EXEC:s6-tlsd cat"])
        .env("KEYFILE", certs().path("p256.key"))
        .env("CERTFILE", certs().path("p256.pem"))
        .start();
    let stream = crate::util::eventually("it listens", || {
        std::os::unix::net::UnixStream::connect(&socket).ok()
    });
    // The answer comes before the end: after an end of file socat waits half a
    // second for the other side, then discards data in transit.
    let client = cmd([
        "s6-tlsc",
        "-k",
        "localhost",
        "sh",
        "-c",
        "echo x >&7; read -r answer <&6; echo $answer",
    ])
    .env("CAFILE", certs().path("ca.pem"))
    .fd(6, stream.try_clone().unwrap())
    .fd(7, stream);
    assert_eq!(client.run().success().out(), "x\n");
}

#[test]
fn execline_script_runs_the_whole_chain() {
    if !need(&["execlineb"]) {
        return;
    }
    let script = format!(
        "export KEYFILE {} export CERTFILE {} s6-tlsserver -1H 127.0.0.1 0 \
         cat",
        certs().path("p256.key"),
        certs().path("p256.pem")
    );
    let server = cmd(["execlineb", "-Pc", &script]).start();
    let port = server.port().to_string();
    let client = format!(
        "s6-tlsclient -H -k localhost 127.0.0.1 {port} foreground {{ fdmove 1 7 echo hi }} fdclose 7 fdmove 0 6 cat"
    );
    let output = cmd(["execlineb", "-Pc", &client])
        .env("CAFILE", certs().path("ca.pem"))
        .run();
    assert_eq!(output.success().out(), "hi\n");
}
