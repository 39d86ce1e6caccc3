//! proxy-server: headers that are split, truncated or malformed.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::util::{Ended, cmd, need};

const SHOW: &str = "env | grep -E '^(PROTO|TCP|tlsbak|SSL_)' | sort | tr '\\n' ' '; cat";

fn proxy(options: &[&str], input: &[u8]) -> (Ended, String, String) {
    let output = cmd(["proxy-server"])
        .args(options)
        .args(["sh", "-c", SHOW])
        .input(input)
        .run();
    (output.ended, output.out(), output.err())
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, family]);
    header.extend((block.len() as u16).to_be_bytes());
    header.extend_from_slice(block);
    header
}

const INET: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x10, 0, 0, 80];
const SHOWN: &str =
    "PROTO=TCP TCPLOCALIP=198.51.100.2 TCPLOCALPORT=80 TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=4096 ";

#[test]
fn both_versions_set_the_variables_and_leave_the_stream() {
    let one = b"PROXY TCP4 192.0.2.1 198.51.100.2 4096 80\r\nrest\n";
    let two = [v2(1, 0x11, &INET), b"rest\n".to_vec()].concat();
    for input in [&one[..], &two] {
        let (ended, out, _) = proxy(&[], input);
        assert_eq!((ended, out), (Ended::Exited(0), format!("{SHOWN}rest\n")));
    }
    assert_eq!(proxy(&["-1"], &two).0, Ended::Exited(1));
    assert_eq!(proxy(&["--only-v2"], one).0, Ended::Exited(1));
    for input in [
        &b"PROXY UNKNOWN\r\nrest"[..],
        b"PROXY UNKNOWN what ever\r\nrest",
        &[v2(0, 0x11, &INET), b"rest".to_vec()].concat(),
    ] {
        let (ended, out, _) = proxy(&[], input);
        assert_eq!((ended, out.as_str()), (Ended::Exited(0), "rest"));
    }
}

#[test]
fn a_local_header_with_addresses_gives_a_warning_at_verbosity_1_and_above() {
    let local = v2(0, 0x11, &INET);
    for (options, warned) in [(&[][..], true), (&["-v1"], true), (&["-v0"], false)] {
        let (ended, out, err) = proxy(options, &local);
        assert_eq!((ended, out.as_str()), (Ended::Exited(0), ""));
        let warning = ": warning: LOCAL header with an address family\n";
        assert_eq!(err.ends_with(warning), warned, "{err}");
        assert_eq!(err.is_empty(), !warned, "{err}");
    }
}

#[test]
fn a_header_cut_anywhere_is_no_header() {
    for whole in [
        b"PROXY TCP4 192.0.2.1 198.51.100.2 4096 80\r\n".to_vec(),
        v2(1, 0x11, &INET),
    ] {
        for cut in [0, 1, 14, 15, 16, 17, whole.len() - 1] {
            let (ended, out, err) = proxy(&[], &whole[..cut]);
            assert_eq!(
                (ended, out.as_str()),
                (Ended::Exited(111), ""),
                "{cut}: {err}"
            );
        }
    }
}

#[test]
fn invalid_header_has_its_exit_code() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    let mut datagram = v2(1, 0x12, &INET);
    datagram[13] = 0x12;
    for (input, code, word) in [
        (&b"GET / HTTP/1.0\r\n\r\n"[..], 1, "invalid magic"),
        (b"PROXY TCP4X1.2.3.4 1.2.3.4 1 2\r\n", 1, "invalid"),
        (b"PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n", 1, "invalid local ip"),
        (
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
            1,
            "invalid local port",
        ),
        (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", 1, "invalid protocol"),
        (long.as_bytes(), 1, "too long"),
        (&v2(2, 0x11, &INET), 1, "invalid command"),
        (&v2(1, 0x41, &INET), 1, "invalid family"),
        (&v2(1, 0x13, &INET), 1, "invalid transport"),
        (&v2(1, 0x11, &INET[..11]), 1, "invalid address length"),
        (&datagram, 2, "datagram"),
    ] {
        let (ended, out, err) = proxy(&[], input);
        assert_eq!((ended, out.as_str()), (Ended::Exited(code), ""), "{err}");
        assert!(
            err.starts_with("proxy-server: pid ") && err.contains(word),
            "{word}: {err}"
        );
    }
}

#[test]
fn a_path_with_a_control_character_is_refused() {
    let path = |text: &[u8]| [text, &[0; 108]].concat()[..108].to_vec();
    let run = |remote: &[u8], local: &[u8]| {
        let header = v2(1, 0x31, &[path(remote), path(local)].concat());
        let show = "echo $PROTO $IPCREMOTEPATH $IPCLOCALPATH";
        cmd(["proxy-server", "sh", "-c", show]).input(header).run()
    };
    // What follows a NUL is no part of the path.
    let plain = run(b"/a b\0\n", "/\u{e9}".as_bytes()).success();
    assert_eq!(plain.out(), "IPC /a b /\u{e9}\n");
    let odd = b"/a\n\x1b[2Jx";
    for (remote, local) in [(&odd[..], &b"/l"[..]), (b"/r", odd)] {
        let output = run(remote, local).code(1);
        assert_eq!(output.out(), "");
        let why = ": fatal: invalid path in PROXY header\n";
        assert!(output.err().ends_with(why), "{}", output.err());
    }
}

#[test]
fn tls_variables_of_the_proxy_survive_s6_tlsd() {
    let ssl = [
        &[0x01, 0, 0, 0, 0][..],
        &[0x21, 0, 7],
        b"TLSv1.2",
        &[0x22, 0, 2],
        b"cn",
    ]
    .concat();
    let block = [
        &INET[..],
        &[0x02, 0, 4],
        b"name",
        &[0x20, 0, ssl.len() as u8],
        &ssl,
    ]
    .concat();
    let (_, out, _) = proxy(&["--before-tlsd"], &v2(1, 0x11, &block));
    assert_eq!(
        out,
        format!(
            "{SHOWN}tlsbak_SSL_PEER_CERT_CN=cn tlsbak_SSL_PROTOCOL=TLSv1.2 tlsbak_SSL_TLS_SNI_SERVERNAME=name "
        )
    );
    let after = cmd(["proxy-server", "--after-tlsd", "sh", "-c", SHOW])
        .env("tlsbak_SSL_PROTOCOL", "TLSv1.2")
        .env("SSL_PROTOCOL", "TLSv1.3")
        .env("SSL_CIPHER", "ours")
        .input("untouched");
    assert_eq!(
        after.run().success().out(),
        "SSL_PROTOCOL=TLSv1.2 untouched"
    );
    let alone =
        cmd(["proxy-server", "--after-tlsd", "sh", "-c", SHOW]).env("SSL_PROTOCOL", "TLSv1.3");
    assert_eq!(alone.run().success().out(), "SSL_PROTOCOL=TLSv1.3 ");
}

#[test]
fn header_without_variables_about_tls_keeps_those_of_s6_tlsd() {
    let output = cmd(["proxy-server", "--before-tlsd"])
        .args(["env", "SSL_PROTOCOL=TLSv1.3", "SSL_CIPHER=ours"])
        .args(["proxy-server", "--after-tlsd", "sh", "-c", SHOW])
        .env("SSL_TLS_SNI_SERVERNAME", "ours")
        .input(v2(1, 0x11, &INET))
        .run();
    assert_eq!(
        output.success().out(),
        SHOWN.replace(
            "TCPLOCALIP",
            "SSL_CIPHER=ours SSL_PROTOCOL=TLSv1.3 SSL_TLS_SNI_SERVERNAME=ours TCPLOCALIP"
        )
    );
}

#[test]
fn a_name_alone_from_the_proxy_replaces_all_variables_of_s6_tlsd() {
    let output = cmd(["proxy-server", "--after-tlsd", "sh", "-c", SHOW])
        .env("tlsbak_SSL_TLS_SNI_SERVERNAME", "name")
        .env("SSL_TLS_SNI_SERVERNAME", "ours")
        .env("SSL_PROTOCOL", "TLSv1.3")
        .env("SSL_CIPHER", "ours")
        .env("SSL_PEER_CERT_CN", "proxy")
        .run();
    assert_eq!(output.success().out(), "SSL_TLS_SNI_SERVERNAME=name ");
}

#[test]
fn mapped_addresses_are_those_of_ipv4() {
    let line = b"PROXY TCP6 ::ffff:192.0.2.1 ::FFFF:c633:6402 4096 80\r\n";
    let mapped = |ip: &[u8]| [&[0; 10][..], &[0xff, 0xff], ip].concat();
    let block = [mapped(&INET[..4]), mapped(&INET[4..8]), INET[8..].to_vec()].concat();
    for header in [line.to_vec(), v2(1, 0x21, &block)] {
        let (ended, out, _) = proxy(&[], &header);
        assert_eq!((ended, out.as_str()), (Ended::Exited(0), SHOWN));
    }
    let mixed = [vec![0; 16], block[16..].to_vec()].concat();
    for header in [
        b"PROXY TCP6 ::1 ::ffff:192.0.2.1 4096 80\r\n".to_vec(),
        b"PROXY TCP6 ::ffff:192.0.2.1 ::1 4096 80\r\n".to_vec(),
        v2(1, 0x21, &mixed),
    ] {
        let (ended, out, err) = proxy(&[], &header);
        assert_eq!((ended, out.as_str()), (Ended::Exited(1), ""), "{err}");
    }
}

#[test]
fn a_line_without_its_carriage_return_is_refused_at_once() {
    for line in [
        "PROXY TCP4 192.0.2.1 198.51.100.2 4096 80\n",
        "PROXY UNKNOWN\n",
        "PROXY \n",
        "PROXY TCP4 \n",
    ] {
        let mut running = cmd(["proxy-server", "true"]).input_pipe().start();
        running.write(line);
        // Neither more data nor an end follows.
        let output = running.finish_open();
        assert_eq!(output.ended, Ended::Exited(1), "{line:?}: {}", output.err());
    }
}

#[test]
fn wrong_first_bytes_are_refused_at_once() {
    for (options, bytes) in [
        (&[][..], "\n"),
        (&["--before-tlsd"], "\n"),
        (&[], "\r\n\r\n\n"),
        (&[], "PROXX"),
        (&["-1"], "\r"),
        (&["-2"], "P"),
    ] {
        let program = cmd(["proxy-server"]).args(options).args(["true"]);
        let mut running = program.input_pipe().start();
        running.write(bytes);
        let output = running.finish_open();
        assert_eq!(output.ended, Ended::Exited(1), "{bytes:?}");
        assert!(
            output.err().ends_with("fatal: invalid magic\n"),
            "{}",
            output.err()
        );
    }
}

#[test]
fn time_limit_works_on_a_blocking_descriptor() {
    let silent = cmd(["proxy-server", "-t", "200", "true"])
        .input_pipe()
        .start();
    assert_eq!(silent.finish_open().ended, Ended::Exited(111));
}

#[test]
fn handshake_timeout_bounds_the_header() {
    let (server, port) = crate::util::tls::serve(&["-LH", "-K", "200"], "p256", &["true"]);
    for begun in ["", "PROXY TCP4 127.0"] {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(begun.as_bytes()).unwrap();
        client
            .set_read_timeout(Some(crate::util::DEADLINE))
            .unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        server.wait_err("proxy-server: pid ");
    }
}

#[test]
fn haproxy_stands_before_s6_tlsserver() {
    if !need(&["haproxy"]) {
        return;
    }
    for option in ["send-proxy", "send-proxy-v2"] {
        let (_server, port) = crate::util::tls::serve(
            &["-L"],
            "p256",
            &["sh", "-c", "echo $TCPREMOTEIP $TCPREMOTEPORT $SSL_PROTOCOL"],
        );
        let dir = crate::util::TempDir::new();
        let front = crate::util::free_port();
        let config = dir.file(
            "haproxy.cfg",
            format!(
                "defaults\n mode tcp\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n\
                 listen x\n bind 127.0.0.1:{front}\n server s 127.0.0.1:{port} {option}\n"
            ),
        );
        let _haproxy = cmd(["haproxy", "-f"]).arg(config).start();
        crate::util::eventually("haproxy listens", || {
            std::net::TcpStream::connect(("127.0.0.1", front)).ok()
        });
        let client = cmd([
            "s6-tlsclient",
            "-H",
            "-i",
            "127.0.0.5",
            "127.0.0.1",
            &front.to_string(),
        ])
        .args(["sh", "-c", "echo $TCPLOCALPORT; cat <&6"])
        .env("CAFILE", crate::util::certs().path("ca.pem"));
        let out = client.run().success().out();
        let (local, seen) = out.split_once('\n').unwrap();
        assert_eq!(seen, format!("127.0.0.5 {local} TLSv1.3\n"));
    }
}

#[test]
fn haproxy_reports_the_clients_tls() {
    if !need(&["haproxy", "openssl"]) {
        return;
    }
    let program = [
        "sh",
        "-c",
        "echo $TCPREMOTEIP $SSL_PROTOCOL $SSL_CIPHER $SSL_TLS_SNI_SERVERNAME",
    ];
    let (_server, port) = crate::util::tls::serve(&["-L"], "p256", &program);
    let dir = crate::util::TempDir::new();
    let pair = [
        crate::util::certs().read("rsa.pem"),
        crate::util::certs().read("rsa.key"),
    ]
    .concat();
    let pair = dir.file("pair.pem", pair);
    let front = crate::util::free_port();
    let config = dir.file(
        "haproxy.cfg",
        format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n\
             listen x\n bind 127.0.0.1:{front} ssl crt {}\n \
             server s 127.0.0.1:{port} ssl verify none send-proxy-v2-ssl proxy-v2-options ssl,cert-cn,ssl-cipher,authority\n",
            pair.display()
        ),
    );
    let _haproxy = cmd(["haproxy", "-f"]).arg(config).start();
    crate::util::eventually("haproxy listens", || {
        std::net::TcpStream::connect(("127.0.0.1", front)).ok()
    });
    let client = cmd([
        "openssl",
        "s_client",
        "-quiet",
        "-tls1_2",
        "-servername",
        "front.test",
    ])
    .args([
        "-cipher",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "-connect",
        &format!("127.0.0.1:{front}"),
    ])
    .input_pipe()
    .start();
    client.wait_out("127.0.0.1 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 front.test\n");
}
