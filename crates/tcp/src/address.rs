//! Addresses as the suite reads and writes them.

use std::net::{IpAddr, Ipv6Addr};

/// `text` as an IPv4 or IPv6 address, if all of it is one. No zone, no
/// shortened dotted quad.
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `text` as a port: decimal digits up to 65535.
pub fn port(text: &[u8]) -> Option<u16> {
    cli::unsigned(text)?.try_into().ok()
}

/// The one text of an address: lower case, `::` for the longest run of zero
/// groups, never a dotted quad inside IPv6.
pub fn show(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => groups(v6),
    }
}

/// RFC 5952 without its section 5: mapped addresses have no special text.
fn groups(address: Ipv6Addr) -> String {
    let groups = address.segments();
    let (start, len) = longest_zero_run(&groups);
    if len < 2 {
        return join(&groups);
    }
    let (before, rest) = groups.split_at(start);
    let (_, after) = rest.split_at(len);
    format!("{}::{}", join(before), join(after))
}

fn longest_zero_run(groups: &[u16]) -> (usize, usize) {
    let mut best = (0, 0);
    for start in 0..groups.len() {
        let len = groups.iter().skip(start).take_while(|g| **g == 0).count();
        if len > best.1 {
            best = (start, len);
        }
    }
    best
}

fn join(groups: &[u16]) -> String {
    let texts: Vec<String> = groups.iter().map(|group| format!("{group:x}")).collect();
    texts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_one_text() {
        for (given, text) in [
            ("1.2.3.4", "1.2.3.4"),
            ("::", "::"),
            ("::1", "::1"),
            ("::FFFF:1.2.3.4", "::ffff:102:304"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
            ("fe80::", "fe80::"),
        ] {
            assert_eq!(parse(given.as_bytes()).map(show).as_deref(), Some(text));
        }
    }

    #[test]
    fn the_whole_text_must_be_the_address() {
        for text in [
            "127.0.0.1x",
            "fe80::1%eth0",
            "127.1",
            "",
            " ::1",
            "0x7f.0.0.1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(port(b"65535"), Some(65535));
        assert_eq!(port(b"65536"), None);
        assert_eq!(port(b"-1"), None);
    }
}
