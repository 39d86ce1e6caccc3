//! The line that says how a connection went, for logs and what reads them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use unix::Env;

use crate::ending::Word;

/// What the line says, in its order.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The peer's address and port.
    pub remote: Option<SocketAddr>,
    /// The names of protocol version, cipher suite and key exchange group.
    pub protocol: Option<&'static str>,
    /// See `protocol`.
    pub cipher: Option<&'static str>,
    /// See `protocol`.
    pub group: Option<&'static str>,
    /// The server name that the client sent.
    pub sni: Option<String>,
    /// The application protocol.
    pub alpn: Option<Vec<u8>>,
    /// Whether the session goes on with an earlier one, once that is known.
    pub resumed: Option<bool>,
    /// The hash of the peer's certificate.
    pub certificate: Option<String>,
    /// Bytes of cleartext from the network.
    pub bytes_in: u64,
    /// Bytes of cleartext to the network.
    pub bytes_out: u64,
    /// Milliseconds since the engine was started.
    pub ms: u128,
    /// The exit code.
    pub code: u8,
    /// How it ended.
    pub end: Word,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = self.remote.map(|remote| remote.to_string());
        let resumed = self
            .resumed
            .map(|resumed| if resumed { "yes" } else { "no" });
        let sni = self.sni.as_ref().map(|name| escaped(name.as_bytes()));
        let alpn = self.alpn.as_deref().map(escaped);
        for (name, value) in [
            ("remote", remote.as_deref()),
            ("protocol", self.protocol),
            ("cipher", self.cipher),
            ("group", self.group),
            ("sni", sni.as_deref()),
            ("alpn", alpn.as_deref()),
            ("resumed", resumed),
            ("cert", self.certificate.as_deref()),
        ] {
            let value = value.filter(|value| !value.is_empty());
            write!(f, "{name}={} ", value.unwrap_or("-"))?;
        }
        let Self {
            bytes_in,
            bytes_out,
            ms,
            code,
            end,
            ..
        } = self;
        write!(
            f,
            "in={bytes_in} out={bytes_out} ms={ms} code={code} end={end}"
        )
    }
}

/// What the peer wrote, so that it can be no other field: bytes other than
/// printable ASCII, blanks, `=` and the backslash itself are `\xHH`.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'=' | b'\\' => text.push_str(&format!("\\x{byte:02x}")),
            b'!'..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// The peer's address as whoever accepted or made the connection left it in
/// `${PROTO}REMOTEIP` and `${PROTO}REMOTEPORT`: behind a proxy it is not the
/// socket's.
pub fn remote_in_environment(env: &Env) -> Option<SocketAddr> {
    let text = |name: &str| env.get(name)?.to_str();
    let proto = text("PROTO").unwrap_or("TCP");
    let ip: IpAddr = text(&format!("{proto}REMOTEIP"))?.parse().ok()?;
    let port = text(&format!("{proto}REMOTEPORT"))?.parse().ok()?;
    Some(plain(SocketAddr::new(ip, port)))
}

/// An address of IPv4 as such, even if its socket is one of IPv6 (RFC 4291
/// section 2.5.5.2): rules are written for that.
pub fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: LogLine = LogLine {
        remote: None,
        protocol: None,
        cipher: None,
        group: None,
        sni: None,
        alpn: None,
        resumed: None,
        certificate: None,
        bytes_in: 0,
        bytes_out: 0,
        ms: 7,
        code: 96,
        end: Word::System,
    };

    #[test]
    fn a_field_without_a_value_is_a_dash() {
        assert_eq!(
            NOTHING.to_string(),
            "remote=- protocol=- cipher=- group=- sni=- alpn=- resumed=- cert=- \
             in=0 out=0 ms=7 code=96 end=system"
        );
    }

    #[test]
    fn the_fields_are_there_in_their_order() {
        let line = LogLine {
            remote: Some("[2001:db8::1]:443".parse().unwrap()),
            protocol: Some("TLSv1.3"),
            cipher: Some("TLS_AES_128_GCM_SHA256"),
            group: Some("X25519"),
            sni: Some("a.test".into()),
            alpn: Some(b"h2".into()),
            resumed: Some(false),
            certificate: Some("SHA256:00".into()),
            bytes_in: 1,
            bytes_out: u64::MAX,
            code: 0,
            end: Word::Closed,
            ..NOTHING
        };
        assert_eq!(
            line.to_string(),
            "remote=[2001:db8::1]:443 protocol=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256 \
             group=X25519 sni=a.test alpn=h2 resumed=no cert=SHA256:00 \
             in=1 out=18446744073709551615 ms=7 code=0 end=closed"
        );
    }

    #[test]
    fn what_the_peer_wrote_cannot_pass_for_another_field() {
        let line = LogLine {
            sni: Some("a end=closed\n\\x20é".into()),
            alpn: Some(vec![0, b'=', 0x7f]),
            resumed: Some(true),
            ..NOTHING
        };
        let line = line.to_string();
        assert!(
            line.contains(
                " sni=a\\x20end\\x3dclosed\\x0a\\x5cx20\\xc3\\xa9 alpn=\\x00\\x3d\\x7f resumed=yes "
            ),
            "{line}"
        );
    }

    #[test]
    fn the_environment_names_the_peer_under_the_name_of_its_protocol() {
        let remote = |variables: &[(&str, &str)]| {
            let mut env = Env::default();
            variables
                .iter()
                .for_each(|(name, value)| env.set(name, value));
            remote_in_environment(&env).map(|remote| remote.to_string())
        };
        let tcp = [("TCPREMOTEIP", "192.0.2.1"), ("TCPREMOTEPORT", "5")];
        assert_eq!(remote(&tcp).as_deref(), Some("192.0.2.1:5"));
        let other = [
            ("PROTO", "X"),
            ("XREMOTEIP", "::1"),
            ("XREMOTEPORT", "65535"),
            tcp[0],
            tcp[1],
        ];
        assert_eq!(remote(&other).as_deref(), Some("[::1]:65535"));
        let mapped = [("TCPREMOTEIP", "::ffff:192.0.2.1"), tcp[1]];
        assert_eq!(remote(&mapped).as_deref(), Some("192.0.2.1:5"));
        assert_eq!(remote(&tcp[..1]), None);
        let forged = [("TCPREMOTEIP", "a end=closed"), ("TCPREMOTEPORT", "1")];
        assert_eq!(remote(&forged), None);
        assert_eq!(remote(&[tcp[0], ("TCPREMOTEPORT", "65536")]), None);
    }
}
