//! Version 1 of the header: a line of text.

use cli::Fatal;
use cli::address::{Endpoint, Ip, parse_port};

use super::apply::inet;
use super::read::Input;
use super::{Header, invalid};

/// The start of each line.
pub const MAGIC: &[u8] = b"PROXY ";

/// The length of the shortest line, `PROXY UNKNOWN` with CR LF.
pub const SHORTEST: usize = 15;

/// The length of the longest line, CR LF included.
const LONGEST: usize = 107;

/// A line that starts with this may go on with anything before its CR LF.
const UNKNOWN: &[u8] = b"PROXY UNKNOWN ";

/// Checks the first bytes of a line, up to [`SHORTEST`]. A line that ends too soon is
/// an error now, since nothing more may come.
pub fn check_start(start: &[u8]) -> Result<(), Fatal> {
    let inside = &start[..start.len().min(SHORTEST - 1)];
    if inside.starts_with(MAGIC) && inside.contains(&b'\n') {
        return Err(invalid("PROXY line"));
    }
    Ok(())
}

/// Reads the rest of the line that starts with `first`, up to its CR LF.
pub fn read(input: &mut Input<'_>, first: &[u8; SHORTEST]) -> Result<Header, Fatal> {
    let mut line = Vec::with_capacity(LONGEST);
    line.extend_from_slice(first);
    while !line.ends_with(b"\r\n") {
        if line.ends_with(b"\n") && !line.starts_with(UNKNOWN) {
            return Err(invalid("PROXY line"));
        }
        if line.len() == LONGEST {
            return Err(Fatal::new(1, "PROXY line too long"));
        }
        let [byte] = input.array()?;
        line.push(byte);
    }
    parse(line.strip_suffix(b"\r\n").unwrap_or(&line))
}

/// Parses a line without its CR LF.
fn parse(line: &[u8]) -> Result<Header, Fatal> {
    let mut fields = line.split(|byte| *byte == b' ').skip(1);
    let protocol = fields.next().unwrap_or_default();
    if protocol == b"UNKNOWN" {
        return Ok(Header::Nothing);
    }
    let v6 = match protocol {
        b"TCP4" => false,
        b"TCP6" => true,
        _ => return Err(invalid("protocol in PROXY line")),
    };
    let mut next = |what: &'static str| fields.next().ok_or_else(|| invalid(what));
    let [source, destination, source_port, destination_port] = [
        next("PROXY line")?,
        next("PROXY line")?,
        next("PROXY line")?,
        next("PROXY line")?,
    ];
    if fields.next().is_some() {
        return Err(invalid("PROXY line"));
    }
    let ip = |text, what| {
        Ip::parse(text)
            .filter(|ip| ip.is_v6() == v6)
            .ok_or_else(|| invalid(what))
    };
    let port = |text, what| parse_port(text).ok_or_else(|| invalid(what));
    let (remote_ip, local_ip) = (
        ip(source, "remote ip in PROXY line")?,
        ip(destination, "local ip in PROXY line")?,
    );
    let remote = Endpoint {
        address: remote_ip.into(),
        port: port(source_port, "remote port in PROXY line")?,
    };
    let local = Endpoint {
        address: local_ip.into(),
        port: port(destination_port, "local port in PROXY line")?,
    };
    Ok(Header::Proxied(inet([remote, local])?))
}

#[cfg(test)]
mod tests {
    use super::super::Versions;
    use super::*;

    fn header(line: &str) -> Result<Header, Fatal> {
        let mut input = Input::memory(line.as_bytes());
        super::super::header(&mut input, Versions::Both)
    }

    fn values(line: &str) -> Vec<String> {
        match header(line) {
            Ok(Header::Proxied(variables)) => variables
                .into_iter()
                .map(|(_, value)| String::from_utf8(value).unwrap())
                .collect(),
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn addresses_of_both_families_become_variables() {
        assert_eq!(
            values("PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n"),
            ["TCP", "1.2.3.4", "0", "5.6.7.8", "65535"]
        );
        assert_eq!(
            values("PROXY TCP6 ::FFFE:1.2.3.4 2001:db8:0:0::1 1 2\r\n"),
            ["TCP", "::fffe:102:304", "1", "2001:db8::1", "2"]
        );
    }

    #[test]
    fn anything_may_follow_unknown() {
        for rest in ["", " ", " x\ny\rz", " 1 2 3 4 5 6"] {
            let line = format!("PROXY UNKNOWN{rest}\r\n");
            assert_eq!(header(&line), Ok(Header::Nothing), "{line:?}");
        }
        let line = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST - 16));
        assert_eq!(header(&line), Ok(Header::Nothing));
    }

    #[test]
    fn invalid_lines_have_their_messages() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST - 15));
        for (line, text) in [
            (long.as_str(), "PROXY line too long"),
            ("PROXY TCP4 \r\n    ", "invalid PROXY line"),
            ("PROXY \n", "invalid PROXY line"),
            ("PROXY UNKNOWN\n", "invalid PROXY line"),
            ("PROXY TCP4 1.2.3.4 5.6.7.8 9 1\n", "invalid PROXY line"),
            ("PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n", "invalid PROXY line"),
            ("PROXY TCP4 1.2.3.4 5.6.7.8 9 1 \r\n", "invalid PROXY line"),
            ("PROXY TCP4 1.2.3.4 5.6.7.8 9 1 2\r\n", "invalid PROXY line"),
            (
                "PROXY TCP4X1.2.3.4 5.6.7.8 9 1\r\n",
                "invalid protocol in PROXY line",
            ),
            (
                "PROXY UDP4 1.2.3.4 5.6.7.8 9 1\r\n",
                "invalid protocol in PROXY line",
            ),
            (
                "PROXY UNKNOWNX 1.2.3.4\r\n",
                "invalid protocol in PROXY line",
            ),
            (
                "PROXY  TCP4 1.2.3.4 5.6.7.8 9 1\r\n",
                "invalid protocol in PROXY line",
            ),
            (
                "PROXY TCP4  1.2.3.4 5.6.7.8 9\r\n",
                "invalid remote ip in PROXY line",
            ),
            (
                "PROXY TCP4 ::1 5.6.7.8 9 1\r\n",
                "invalid remote ip in PROXY line",
            ),
            (
                "PROXY TCP6 ::1 5.6.7.8 9 1\r\n",
                "invalid local ip in PROXY line",
            ),
            (
                "PROXY TCP4 1.2.3.4 5.6.7 9 1\r\n",
                "invalid local ip in PROXY line",
            ),
            (
                "PROXY TCP4 1.2.3.4 5.6.7.8 -9 1\r\n",
                "invalid remote port in PROXY line",
            ),
            (
                "PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n",
                "invalid local port in PROXY line",
            ),
            ("PROXY TCP4 1.2.3.4 5.6.7.8 9 1\n\r\n", "invalid PROXY line"),
            (
                "PROXY TCP6 ::ffff:1.2.3.4 ::1 9 1\r\n",
                "invalid addresses in PROXY header",
            ),
        ] {
            assert_eq!(header(line), Err(Fatal::new(1, text)), "{line:?}");
        }
    }
}
