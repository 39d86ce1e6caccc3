//! The log line about a connection.

use std::fmt;
use std::time::Instant;

use cli::address::{Address, Endpoint, parse_port};
use cli::{Context, Fatal};
use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use tunnel::outcome::EndReason;
use unix::Env;
use unix::quoted::quoted;

use crate::crypto;
use crate::report::labels;

/// The fields of the line, as far as they are known.
#[derive(Clone, Debug)]
pub struct LogLine {
    started: Instant,
    remote: Option<Endpoint>,
    protocol: Option<&'static str>,
    cipher: Option<&'static str>,
    group: Option<&'static str>,
    sni: Option<String>,
    alpn: Option<Vec<u8>>,
    resumed: Option<bool>,
    certificate: Option<String>,
    tlsa: Option<String>,
    received: u64,
    sent: u64,
    code: u8,
    end: Option<EndReason>,
}

impl LogLine {
    /// The line of an engine that started at `started` and is connected to `remote`, with no other
    /// fields yet.
    pub fn new(started: Instant, remote: Option<Endpoint>) -> Self {
        Self {
            started,
            // An IPv4 address is logged as such, even of an IPv6 socket (RFC 4291
            // section 2.5.5.2): filters look for that.
            remote: remote.map(Endpoint::unmapped),
            protocol: None,
            cipher: None,
            group: None,
            sni: None,
            alpn: None,
            resumed: None,
            certificate: None,
            tlsa: None,
            received: 0,
            sent: 0,
            code: Fatal::SYSTEM,
            end: None,
        }
    }

    /// A line with these fields, of a server name and a protocol that the peer chose.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn of_peer(remote: Option<Endpoint>, sni: Option<String>, alpn: Option<Vec<u8>>) -> Self {
        Self {
            sni,
            alpn,
            ..Self::new(Instant::now(), remote)
        }
    }

    /// Records the connection: what was negotiated, the peer's chain, the
    /// server name that the client sent, and the bytes of cleartext received from and
    /// sent to the network.
    pub fn connection(
        &mut self,
        state: &CommonState,
        chain: &[CertificateDer<'_>],
        sni: Option<String>,
        bytes: [u64; 2],
    ) {
        self.protocol = labels::protocol(state);
        self.cipher = labels::cipher(state);
        self.group = labels::group(state);
        self.sni = sni;
        self.alpn = state.alpn_protocol().map(<[u8]>::to_vec);
        self.resumed = labels::is_resumed(state);
        self.certificate = chain.first().map(|der| crypto::fingerprint(der));
        [self.received, self.sent] = bytes;
    }

    /// Records the fields of the TLSA record by which the server was accepted, if it was.
    pub fn tlsa(&mut self, record: Option<String>) {
        self.tlsa = record;
    }

    /// Records how the connection ended.
    pub fn end(&mut self, reason: EndReason) {
        self.end = Some(reason);
    }

    /// Prints the error of `result`, if it is one, and then this line. Returns the exit
    /// code. Wrong usage is returned as it is, and prints no line.
    pub fn finish(mut self, context: &Context, result: Result<u8, Fatal>) -> Result<u8, Fatal> {
        self.code = match &result {
            Ok(code) => *code,
            Err(fatal) => fatal.code(),
        };
        if self.code == Fatal::USER {
            return result;
        }
        let result = result.map_err(|fatal| fatal.print(&context.prog));
        context.info(&self.to_string());
        result
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = self.remote.map(|remote| remote.to_string());
        let resumed = self
            .resumed
            .map(|resumed| if resumed { "yes" } else { "no" });
        let sni = self.sni.as_ref().map(|name| quoted(name.as_bytes()));
        let alpn = self.alpn.as_deref().map(quoted);
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
        if let Some(record) = &self.tlsa {
            write!(f, "tlsa={record} ")?;
        }
        let Self {
            received,
            sent,
            code,
            end,
            ..
        } = self;
        let end = end.unwrap_or(EndReason::of_failure(*code));
        let ms = self.started.elapsed().as_millis();
        write!(f, "in={received} out={sent} ms={ms} code={code} end={end}")
    }
}

/// The peer's address in `${PROTO}REMOTEIP` and `${PROTO}REMOTEPORT`, as the program
/// that accepted or made the connection set them. Behind a proxy it differs from the
/// socket's.
pub fn remote_in_environment(env: &Env) -> Option<Endpoint> {
    let text = |name: &str| env.get(name)?.to_str();
    let proto = text("PROTO").unwrap_or("TCP");
    let address = text(&format!("{proto}REMOTEIP"))?;
    let port = text(&format!("{proto}REMOTEPORT"))?;
    Some(Endpoint {
        address: Address::parse(address.as_bytes())?,
        port: parse_port(port.as_bytes())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(ip: &str, port: u16) -> Option<Endpoint> {
        let address = Address::parse(ip.as_bytes())?;
        Some(Endpoint { address, port })
    }

    fn nothing() -> LogLine {
        LogLine::new(Instant::now(), None)
    }

    /// The line without the field ms=.
    fn text(line: &LogLine) -> String {
        let text = line.to_string();
        let (before, after) = text.split_once(" ms=").unwrap();
        let (ms, after) = after.split_once(' ').unwrap();
        assert!(ms.parse::<u64>().is_ok());
        format!("{before} {after}")
    }

    #[test]
    fn a_field_without_a_value_is_a_dash() {
        assert_eq!(
            text(&nothing()),
            "remote=- protocol=- cipher=- group=- sni=- alpn=- resumed=- cert=- \
             in=0 out=0 code=111 end=system"
        );
    }

    #[test]
    fn all_fields_are_printed_in_order() {
        let line = LogLine {
            protocol: Some("TLSv1.3"),
            cipher: Some("TLS_AES_128_GCM_SHA256"),
            group: Some("X25519"),
            sni: Some("a.test".into()),
            alpn: Some(b"h2".into()),
            resumed: Some(false),
            certificate: Some("SHA256:00".into()),
            received: 1,
            sent: u64::MAX,
            code: 0,
            end: Some(EndReason::Closed),
            ..LogLine::new(Instant::now(), endpoint("2001:db8::1", 443))
        };
        assert_eq!(
            text(&line),
            "remote=[2001:db8::1]:443 protocol=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256 \
             group=X25519 sni=a.test alpn=h2 resumed=no cert=SHA256:00 \
             in=1 out=18446744073709551615 code=0 end=closed"
        );
    }

    #[test]
    fn the_tlsa_record_is_printed_only_if_there_is_one() {
        let mut line = nothing();
        line.tlsa(Some("3-1-1".to_owned()));
        assert!(text(&line).contains(" cert=- tlsa=3-1-1 in=0 "));
    }

    #[test]
    fn an_ipv4_mapped_address_is_shown_as_ipv4() {
        let line = LogLine::new(Instant::now(), endpoint("::ffff:192.0.2.1", 5));
        assert!(line.to_string().starts_with("remote=192.0.2.1:5 "));
    }

    #[test]
    fn values_of_the_peer_cannot_pass_for_another_field() {
        let line = LogLine {
            sni: Some("a end=closed\n\\x20é".into()),
            alpn: Some(vec![0, b'=', 0x7f]),
            resumed: Some(true),
            ..nothing()
        };
        let sni = "sni=a\\x20end\\x3dclosed\\x0a\\x5cx20\\xc3\\xa9";
        let expected = format!(" {sni} alpn=\\x00\\x3d\\x7f resumed=yes ");
        assert!(line.to_string().contains(&expected), "{line}");
    }

    #[test]
    fn the_remote_address_is_read_from_variables_of_proto() {
        let remote = |env_block: &[(&str, &str)]| {
            let mut env = Env::default();
            env_block
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
        let zone = [("TCPREMOTEIP", "fe80::1%eth0"), tcp[1]];
        assert_eq!(remote(&zone).as_deref(), Some("[fe80::1%eth0]:5"));
        assert_eq!(remote(&tcp[..1]), None);
        let forged = [("TCPREMOTEIP", "a end=closed"), ("TCPREMOTEPORT", "1")];
        assert_eq!(remote(&forged), None);
        assert_eq!(remote(&[tcp[0], ("TCPREMOTEPORT", "65536")]), None);
    }
}
