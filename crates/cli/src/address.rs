//! IP addresses and ports as the suite reads and prints them.
//!
//! The standard library does not do that in the same way: it refuses leading zeros, and prints
//! some IPv6 addresses with a dotted quad at the end, which access rules and variables never have.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use crate::endpoint::{Address, Endpoint, Zone, unmapped_ends};

/// An IP address.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Ip {
    /// An IPv4 address.
    V4([u8; 4]),
    /// An IPv6 address.
    V6([u8; 16]),
}

impl Ip {
    /// Reads the whole of `text`: a dotted quad, or IPv6 text (RFC 4291 section 2.2) without a
    /// zone.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.contains(&b':') {
            parse_v6(text).map(Self::V6)
        } else {
            parse_v4(text).map(Self::V4)
        }
    }

    /// Whether it is valid on one link only, so that it may have a zone: link-local addresses, and
    /// multicast addresses of interface-local or link-local scope (RFC 4007 section 4).
    pub fn is_of_one_link(self) -> bool {
        match self {
            Self::V4(_) => false,
            Self::V6([0xfe, second, ..]) => second & 0xc0 == 0x80,
            Self::V6([0xff, second, ..]) => matches!(second & 15, 1 | 2),
            Self::V6(_) => false,
        }
    }

    /// Whether it is an IPv6 address.
    pub fn is_v6(self) -> bool {
        matches!(self, Self::V6(_))
    }

    /// The IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2); any other
    /// address unchanged.
    pub fn unmapped(self) -> Self {
        match self {
            Self::V6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]) => {
                Self::V4([a, b, c, d])
            }
            other => other,
        }
    }

    /// The bytes, most significant first.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

impl From<IpAddr> for Ip {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => Self::V6(ip.octets()),
        }
    }
}

impl From<Ip> for IpAddr {
    fn from(ip: Ip) -> Self {
        match ip {
            Ip::V4(bytes) => Self::V4(Ipv4Addr::from(bytes)),
            Ip::V6(bytes) => Self::V6(Ipv6Addr::from(bytes)),
        }
    }
}

/// A dotted quad, or hexadecimal groups in lower case, with `::` for the first longest run of two
/// or more zero groups (RFC 5952). IPv6 never ends with a dotted quad.
impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b, c, d]) => write!(f, "{a}.{b}.{c}.{d}"),
            Self::V6(bytes) => {
                let groups = Ipv6Addr::from(*bytes).segments();
                let run = longest_zero_run(&groups);
                if run.is_empty() {
                    return write_groups(f, &groups);
                }
                write_groups(f, &groups[..run.start])?;
                f.write_str("::")?;
                write_groups(f, &groups[run.end..])
            }
        }
    }
}

/// Reads a port: a decimal number up to 65535.
pub fn parse_port(text: &[u8]) -> Option<u16> {
    crate::unsigned(text)?.try_into().ok()
}

fn parse_v4(text: &[u8]) -> Option<[u8; 4]> {
    let mut numbers = text.split(|&byte| byte == b'.').map(crate::unsigned);
    let mut bytes = [0; 4];
    for byte in &mut bytes {
        *byte = numbers.next()??.try_into().ok()?;
    }
    numbers.next().is_none().then_some(bytes)
}

fn parse_v6(text: &[u8]) -> Option<[u8; 16]> {
    let Some(gap) = text.windows(2).position(|pair| pair == b"::") else {
        return parse_groups(text)?.try_into().ok();
    };
    let head = parse_groups_or_none(&text[..gap])?;
    let tail = parse_groups_or_none(&text[gap + 2..])?;
    // A dotted quad may only be at the end of an address, so not before the gap.
    if head.len() + tail.len() > 14 || text[..gap].contains(&b'.') {
        return None;
    }
    let mut bytes = [0; 16];
    bytes[..head.len()].copy_from_slice(&head);
    bytes[16 - tail.len()..].copy_from_slice(&tail);
    Some(bytes)
}

fn parse_groups_or_none(text: &[u8]) -> Option<Vec<u8>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    parse_groups(text)
}

/// The bytes of groups with single colons between them. The last group may be a dotted quad.
fn parse_groups(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(16);
    let mut groups = text.split(|&byte| byte == b':').peekable();
    while let Some(group) = groups.next() {
        if groups.peek().is_none() && group.contains(&b'.') {
            bytes.extend(parse_v4(group)?);
        } else {
            bytes.extend(parse_group(group)?.to_be_bytes());
        }
    }
    Some(bytes)
}

fn parse_group(text: &[u8]) -> Option<u16> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    text.iter().try_fold(0, |group, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(group << 4 | u16::try_from(digit).ok()?)
    })
}

/// The groups that `::` stands for; empty if there are none.
fn longest_zero_run(groups: &[u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (i, group) in groups.iter().enumerate() {
        if *group != 0 {
            start = i + 1;
        } else if i + 1 - start > longest.len().max(1) {
            longest = start..i + 1;
        }
    }
    longest
}

fn write_groups(f: &mut fmt::Formatter<'_>, groups: &[u16]) -> fmt::Result {
    for (i, group) in groups.iter().enumerate() {
        let colon = if i == 0 { "" } else { ":" };
        write!(f, "{colon}{group:x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_family_and_its_bytes_in_network_order() {
        let ip = |text: &str| Ip::parse(text.as_bytes()).unwrap();
        assert_eq!(ip("1.2.3.4").bytes(), [1, 2, 3, 4]);
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4];
        assert_eq!(ip("::ffff:1.2.3.4").bytes(), mapped);
        assert!(ip("::ffff:1.2.3.4").is_v6() && !ip("1.2.3.4").is_v6());
    }

    #[test]
    fn each_spelling_of_an_address_prints_in_one_way() {
        for (text, printed) in [
            ("1.2.3.4", "1.2.3.4"),
            ("001.02.3.0004", "1.2.3.4"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.255"),
            ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
            ("FE80::00aB", "fe80::ab"),
            ("::ffff:1.2.3.4", "::ffff:102:304"),
            ("::1.2.3.4", "::102:304"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
            ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
            ("0:0:3:0:0:6:7:8", "::3:0:0:6:7:8"),
            ("1:0:0:4:0:0:0:8", "1:0:0:4::8"),
            ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
            ("1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
        ] {
            let ip = Ip::parse(text.as_bytes());
            assert_eq!(ip.map(|ip| ip.to_string()).as_deref(), Some(printed));
        }
    }

    #[test]
    fn text_that_is_not_wholly_an_address_is_refused() {
        for text in [
            "",
            "0",
            "127.1",
            "127.0.0.1xyz",
            " 127.0.0.1",
            "1.2.3.4.",
            "1.2.3.4.5",
            "1.2.3.256",
            "1..2.3",
            "-1.2.3.4",
            "localhost",
            "fe80::1%eth0",
            "::1 ",
            ":",
            ":::",
            "1:",
            ":1",
            "1::2::3",
            "12345::",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8",
            "1.2.3.4::",
            "1.2.3.4:1::",
            "::1.2.3.4:1",
            "::1.2.3",
            "::g",
            "::+1",
            "[::1]",
        ] {
            assert_eq!(Ip::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn only_mapped_addresses_are_unmapped() {
        let unmapped = |text: &str| Ip::parse(text.as_bytes()).unwrap().unmapped().to_string();
        assert_eq!(unmapped("::ffff:127.0.0.1"), "127.0.0.1");
        assert_eq!(unmapped("::127.0.0.1"), "::7f00:1");
        assert_eq!(unmapped("10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn ports_have_16_bits() {
        for (text, port) in [
            ("0", Some(0)),
            ("0080", Some(80)),
            ("65535", Some(65535)),
            ("65536", None),
            ("-1", None),
            ("", None),
            ("smtp", None),
        ] {
            assert_eq!(parse_port(text.as_bytes()), port, "{text:?}");
        }
    }
}
