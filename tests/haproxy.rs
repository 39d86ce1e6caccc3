//! The same PROXY headers through haproxy and proxy-server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use crate::util::{DEADLINE, Ended, Numbers, Running, TempDir, cmd, eventually, free_port, need};

/// haproxy, which accepts PROXY headers and sends what it has read, in a header of its own, to
/// proxy-server and a program that shows it.
struct Haproxy {
    _dir: TempDir,
    _running: [Running; 2],
    port: u16,
}

/// Shows what proxy-server has read, and all that follows.
const SHOW_PROXY: &str = "echo $PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT \
    $SSL_TLS_SNI_SERVERNAME; cat";

impl Haproxy {
    fn start() -> Self {
        let backend = cmd([
            "s6-tcpserver",
            "-1",
            "127.0.0.1",
            "0",
            "proxy-server",
            "-v0",
        ])
        .args(["sh", "-c", SHOW_PROXY])
        .start();
        let (dir, port) = (TempDir::new(), free_port());
        let config = format!(
            "defaults\n mode tcp\n timeout connect 50s\n timeout client 50s\n timeout server 50s\n\
             listen x\n bind 127.0.0.1:{port} accept-proxy\n \
             server s 127.0.0.1:{} send-proxy-v2 proxy-v2-options authority\n",
            backend.port()
        );
        let config = dir.file("haproxy.cfg", config);
        let haproxy = cmd(["haproxy", "-f"]).arg(config).start();
        eventually("haproxy listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            _dir: dir,
            _running: [haproxy, backend],
            port,
        }
    }

    /// What arrives behind haproxy; None if haproxy does not accept the header.
    fn read(&self, header: &[u8]) -> Option<String> {
        let mut client = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        let own = client.local_addr().unwrap().port().to_string();
        let mut text = Vec::new();
        // haproxy may end the connection before it has read everything.
        let _ = client.write_all(&[header, b"rest"].concat());
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        let port = self.port.to_string();
        // For LOCAL and UNKNOWN haproxy sends the real addresses of the connection.
        let text = text.replace(&format!("TCP 127.0.0.1 {own} 127.0.0.1 {port}\n"), "\n");
        (!text.is_empty()).then_some(text)
    }
}

/// What proxy-server reads itself; None if it does not accept the header.
fn read_by_us(header: &[u8]) -> Option<String> {
    let output = cmd(["proxy-server", "-v0", "sh", "-c", SHOW_PROXY])
        .input([header, b"rest"].concat())
        .run();
    (output.ended == Ended::Exited(0)).then(|| output.out())
}

/// A header of version 2.
fn v2(version_and_command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([version_and_command, family]);
    header.extend((block.len() as u16).to_be_bytes());
    header.extend_from_slice(block);
    header
}

/// Two addresses of this version of IP, two ports, and additional fields.
fn block(of_ipv6: bool, fields: &[u8]) -> Vec<u8> {
    let mut block = if of_ipv6 {
        let mut addresses = [0; 32];
        addresses[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        addresses[16..20].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        (addresses[15], addresses[31]) = (1, 2);
        addresses.to_vec()
    } else {
        [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2)]
            .map(|ip| ip.octets())
            .concat()
    };
    block.extend([0x10, 0, 0, 80]);
    block.extend(fields);
    block
}

/// Headers that are good.
fn good() -> Vec<Vec<u8>> {
    let name = [&[2, 0, 9][..], b"host.test"].concat();
    let unknown = [0xe0, 0, 2, 1, 2];
    vec![
        b"PROXY TCP4 192.0.2.1 198.51.100.2 4096 80\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::1 2001:db8::2 4096 80\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2(0x21, 0x11, &block(false, &[])),
        v2(0x21, 0x21, &block(true, &[])),
        v2(0x20, 0x11, &block(false, &[])),
        v2(0x20, 0, &[]),
        v2(0x21, 0x11, &block(false, &name)),
        v2(0x21, 0x21, &block(true, &[&unknown[..], &name].concat())),
    ]
}

/// Unusual headers that a changed byte does not produce.
fn odd() -> Vec<Vec<u8>> {
    let line = |rest: &str| format!("PROXY {rest}\r\n").into_bytes();
    let mut all: Vec<_> = [
        "",
        "TCP4",
        "TCP4 192.0.2.1",
        "TCP4 192.0.2.1 198.51.100.2 1",
        "TCP4 192.0.2.1 198.51.100.2 1 2 3",
        "TCP4 192.0.2.1 198.51.100.2 0 65535",
        "TCP4 192.0.2.1 198.51.100.2 65536 1",
        "TCP4 192.0.2.1 198.51.100.2 -1 1",
        "TCP4 192.0.2 198.51.100.2 1 1",
        "TCP4 3221225985 198.51.100.2 1 1",
        "TCP4 ::1 ::2 1 1",
        "TCP6 192.0.2.1 198.51.100.2 1 1",
        "TCP6 fe80::1%lo fe80::2 1 1",
        "TCP6 [::1] [::2] 1 1",
        "UDP4 192.0.2.1 198.51.100.2 1 2",
    ]
    .map(line)
    .into();
    all.extend(
        [108, 200].map(|length: usize| line(&format!("UNKNOWN {}", "x".repeat(length - 16)))),
    );
    let fields: [&[u8]; 10] = [
        &[2],
        &[2, 0, 5, b'a'],
        &[2, 0, 0],
        &[2, 0, 1, b'\n'],
        &[4, 0, 3, 0, 0, 0],
        &[3, 0, 4, 1, 2, 3, 4],
        &[3, 0, 3, 1, 2, 3],
        &[0x20, 0, 1, 1],
        &[&[5, 1, 0][..], &[b'u'; 256]].concat(),
        &[&[0xe0, 4, 0][..], &[b'u'; 1024]].concat(),
    ];
    all.extend(fields.map(|fields| v2(0x21, 0x11, &block(false, fields))));
    let fixed: [(u8, u8, usize); 16] = [
        (0x21, 0x12, 12),
        (0x21, 0x22, 36),
        (0x21, 0x31, 216),
        (0x21, 0, 0),
        (0x21, 0, 12),
        (0x22, 0x11, 12),
        (0x11, 0x11, 12),
        (0x31, 0x11, 12),
        (0x21, 0x13, 12),
        (0x21, 0x41, 12),
        (0x21, 0x10, 12),
        (0x21, 0x01, 12),
        (0x21, 0x11, 11),
        (0x20, 0x11, 0),
        (0x20, 0x41, 3),
        (0x21, 0x21, 35),
    ];
    all.extend(fixed.map(|(command, family, length)| v2(command, family, &vec![1; length])));
    all
}

/// Why only one of the two accepts this header: proxy-server if `by_us`. None if no reason is
/// known.
fn reason(header: &[u8], by_us: bool) -> Option<&'static str> {
    let of_v2 = header.get(12..14);
    let has_field = |kind: u8| header.get(28) == Some(&kind);
    match (by_us, of_v2) {
        _ if header.starts_with(b"PROXY UNKNOWN ") => {
            by_us.then_some("the specification says to ignore what follows UNKNOWN")
        }
        _ if header.starts_with(b"PROXY TCP") => {
            (!by_us).then_some("haproxy accepts a malformed address or port")
        }
        (true, Some([0x21, family])) if *family >> 4 == 0 || *family & 15 == 0 => {
            Some("unspecified addresses are those of the connection, or refused")
        }
        (true, Some([0x21, 0x31])) => Some("haproxy refuses addresses of Unix sockets"),
        (true, Some([0x21, 0x11])) if has_field(3) => Some("proxy-server ignores the checksum"),
        (true, Some([0x21, 0x11])) if has_field(5) => {
            Some("haproxy limits identifiers to 128 bytes")
        }
        (false, Some([0x20, 0x40..=0xff])) => {
            Some("haproxy accepts LOCAL with a family that does not exist")
        }
        (false, Some([0x21, 0x11])) if has_field(0x20) => Some("haproxy ignores PP2_TYPE_SSL"),
        _ => None,
    }
}

#[test]
fn haproxy_reads_the_same_from_good_headers() {
    if !need(&["haproxy"]) {
        return;
    }
    let haproxy = Haproxy::start();
    for header in good() {
        let ours = read_by_us(&header);
        assert!(ours.is_some(), "{header:?}");
        assert_eq!(haproxy.read(&header), ours, "{}", header.escape_ascii());
    }
}

/// How many changed headers are tried.
const MUTATED: u64 = 100;

/// A good header with a byte changed, removed or added.
fn mutated(seed: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    let mut header = numbers.one_of(&good());
    let place = numbers.below(header.len());
    match numbers.below(4) {
        0 => header[place] ^= 1 << numbers.below(8),
        1 => header[place] = numbers.one_of(b" \r\n\0.:0159aF\xff"),
        2 => drop(header.remove(place)),
        _ => header.insert(place, numbers.one_of(b" \r\n\0.:0159aF\xff")),
    }
    header
}

#[test]
fn haproxy_refuses_the_same_headers_or_there_is_a_reason() {
    if !need(&["haproxy"]) {
        return;
    }
    let haproxy = Haproxy::start();
    let (mut refused, mut unknown) = (0, Vec::new());
    for header in odd().into_iter().chain((0..MUTATED).map(mutated)) {
        let (ours, theirs) = (read_by_us(&header), haproxy.read(&header));
        let explained =
            ours.is_some() != theirs.is_some() && reason(&header, ours.is_some()).is_some();
        if ours != theirs && !explained {
            unknown.push(format!("{}: {ours:?} {theirs:?}", header.escape_ascii()));
        }
        refused += u64::from(ours.is_none());
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(refused > MUTATED / 4, "{refused}");
}
