//! Addresses with their zones and ports.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use unix::{Errno, net};

use crate::Fatal;
use crate::address::Ip;

/// The zone of an address that is valid on one link only (RFC 4007 section 11): the name or the
/// number of an interface of this host.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Zone {
    /// Printable ASCII, padded with NULs. No interface has a longer name.
    text: [u8; 15],
}

impl Zone {
    /// Reads a zone, without checking that the interface exists. Names with characters that
    /// mean something in a log line, a path or a list are refused; such an interface can be given
    /// by its number.
    fn parse(text: &[u8]) -> Option<Self> {
        let plain = |byte: &u8| byte.is_ascii_graphic() && !b"%/,;=[]\"\\".contains(byte);
        if text.is_empty() || !text.iter().all(plain) {
            return None;
        }
        let mut zone = Self { text: [0; 15] };
        zone.text.get_mut(..text.len())?.copy_from_slice(text);
        Some(zone)
    }

    /// The zone of the interface with this number: its name, or the number if it has no name that
    /// can be a zone. None for 0, which is no interface.
    fn of_interface(index: u32) -> Option<Self> {
        if index == 0 {
            return None;
        }
        let name = net::interface_name(index).and_then(|name| Self::parse(&name));
        name.or_else(|| Self::parse(index.to_string().as_bytes()))
    }

    /// The number of the interface. ENODEV if no interface has this name.
    fn interface(self) -> Result<u32, Errno> {
        let text = self.as_str();
        let number = || crate::unsigned(text.as_bytes()).filter(|number| *number != 0);
        net::interface_index(text).or_else(|errno| number().ok_or(errno))
    }

    fn as_str(&self) -> &str {
        let end = self.text.iter().position(|byte| *byte == 0);
        let text = &self.text[..end.unwrap_or(self.text.len())];
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An IP address, with a zone if it needs one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// The address. Access rules and DNS use only this.
    pub ip: Ip,
    /// The zone.
    pub zone: Option<Zone>,
}

impl Address {
    /// Reads the whole of `text`: as [`Ip::parse`], followed by `%` and a zone if the address is
    /// valid on one link only and has one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let Some(at) = text.iter().position(|byte| *byte == b'%') else {
            return Ip::parse(text).map(Self::from);
        };
        let ip = Ip::parse(&text[..at]).filter(|ip| ip.is_of_one_link())?;
        let zone = Some(Zone::parse(&text[at + 1..])?);
        Some(Self { ip, zone })
    }

    /// Checks that the zone is an interface of this host: 111 if not. For a program whose later
    /// messages do not name the address.
    pub fn find_interface(self) -> Result<(), Fatal> {
        let found = self.zone.map_or(Ok(0), Zone::interface);
        let failed = |errno| Fatal::system(&format!("find the interface of {self}"), errno);
        found.map(drop).map_err(failed)
    }

    /// The addresses in `text`, separated by any of comma, semicolon, blank, tab, CR and LF; the
    /// list may be empty. None if one of them is no address.
    pub fn parse_list(text: &[u8]) -> Option<Vec<Self>> {
        text.split(|byte| b",; \t\r\n".contains(byte))
            .filter(|item| !item.is_empty())
            .map(Self::parse)
            .collect()
    }
}

impl From<Ip> for Address {
    fn from(ip: Ip) -> Self {
        Self { ip, zone: None }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Ip::from(ip).into()
    }
}

/// The address, and `%` and the zone if there is one.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip, zone } = self;
        match zone {
            Some(zone) => write!(f, "{ip}%{}", zone.as_str()),
            None => ip.fmt(f),
        }
    }
}

/// An address with a port.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// The address.
    pub address: Address,
    /// The port, in the machine's byte order.
    pub port: u16,
}

impl Endpoint {
    /// This endpoint, with an IPv4-mapped address replaced by the IPv4 address.
    pub fn unmapped(self) -> Self {
        let Address { ip, zone } = self.address;
        let ip = ip.unmapped();
        Self {
            address: Address { ip, zone },
            ..self
        }
    }

    /// The address for a socket. ENODEV if the zone is no interface of this host.
    pub fn socket_address(self) -> Result<SocketAddr, Errno> {
        let Address { ip, zone } = self.address;
        Ok(match (ip, zone) {
            (Ip::V6(bytes), Some(zone)) => {
                SocketAddrV6::new(bytes.into(), self.port, 0, zone.interface()?).into()
            }
            _ => SocketAddr::new(ip.into(), self.port),
        })
    }
}

/// `ADDRESS:PORT`, with an IPv6 address in brackets (RFC 5952 section 6).
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, port } = self;
        match address.ip {
            Ip::V4(_) => write!(f, "{address}:{port}"),
            Ip::V6(_) => write!(f, "[{address}]:{port}"),
        }
    }
}

/// Looks up the name of the interface if the address has a zone.
impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        let zone = match address {
            SocketAddr::V4(_) => None,
            SocketAddr::V6(v6) => Zone::of_interface(v6.scope_id()),
        };
        Self {
            address: Address {
                ip: address.ip().into(),
                zone,
            },
            port: address.port(),
        }
    }
}

/// The two ends of one connection, unmapped. A dual-stack socket shows both ends of an IPv4
/// connection as mapped addresses. None if only one is mapped, which no connection has.
pub fn unmapped_ends(ends: [Endpoint; 2]) -> Option<[Endpoint; 2]> {
    let unmapped = ends.map(Endpoint::unmapped);
    let [a, b] = [0, 1].map(|i| unmapped[i] != ends[i]);
    (a == b).then_some(unmapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        let address = Address::parse(text.as_bytes()).unwrap();
        Endpoint { address, port: 7 }
    }

    #[test]
    fn only_addresses_of_one_link_may_have_a_zone() {
        for (text, printed) in [
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("FEBF::1%2", "febf::1%2"),
            ("fe80::1%br-lan.1", "fe80::1%br-lan.1"),
            ("fe80::1%fifteen-letters", "fe80::1%fifteen-letters"),
            ("ff02::1%lo", "ff02::1%lo"),
            ("fe80::1", "fe80::1"),
            ("127.0.0.01", "127.0.0.1"),
        ] {
            let address = Address::parse(text.as_bytes()).unwrap();
            assert_eq!(address.to_string(), printed);
        }
        for text in [
            "fe80::1%",
            "fe80::1%sixteen-letters-",
            "fe80::1%a b",
            "fe80::1%a%b",
            "fe80::1%a/b",
            "fe80::1%a=b",
            "fe80::1%\0",
            "%lo",
            "::1%lo",
            "2001:db8::1%1",
            "fec0::1%lo",
            "ff05::1%lo",
            "127.0.0.1%lo",
            "::ffff:127.0.0.1%lo",
        ] {
            assert_eq!(Address::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_zone_is_an_interface_by_name_or_number() {
        let scope = |text: &str| match endpoint(text).socket_address() {
            Ok(SocketAddr::V6(address)) => Ok(address.scope_id()),
            Ok(SocketAddr::V4(_)) => Ok(0),
            Err(errno) => Err(errno),
        };
        // The loopback interface is the first one of each network.
        assert_eq!(scope("fe80::1%lo"), Ok(1));
        assert_eq!(scope("fe80::1%1"), Ok(1));
        assert_eq!(scope("fe80::1%4294967295"), Ok(u32::MAX));
        assert_eq!(scope("fe80::1"), Ok(0));
        for missing in ["fe80::1%nowhere0", "fe80::1%0", "fe80::1%4294967296"] {
            assert_eq!(scope(missing), Err(Errno::ENODEV), "{missing}");
        }
        let printed = |scope| {
            let address = SocketAddrV6::new("fe80::1".parse().unwrap(), 7, 0, scope);
            Endpoint::from(SocketAddr::from(address))
                .address
                .to_string()
        };
        assert_eq!(printed(0), "fe80::1");
        assert_eq!(printed(1), "fe80::1%lo");
        assert_eq!(printed(u32::MAX), "fe80::1%4294967295");
    }

    #[test]
    fn the_zone_of_an_address_has_to_be_an_interface_of_this_host() {
        let find = |text: &str| endpoint(text).address.find_interface();
        for text in ["127.0.0.1", "fe80::1", "fe80::1%lo"] {
            assert_eq!(find(text), Ok(()), "{text}");
        }
        let what = "find the interface of fe80::1%nowhere0";
        let missing = Fatal::system(what, Errno::ENODEV);
        assert_eq!(find("fe80::1%nowhere0"), Err(missing));
    }

    #[test]
    fn an_ipv6_address_before_a_port_is_printed_in_brackets() {
        assert_eq!(endpoint("127.0.0.1").to_string(), "127.0.0.1:7");
        assert_eq!(endpoint("fe80::1%lo").to_string(), "[fe80::1%lo]:7");
    }

    #[test]
    fn a_list_takes_every_separator_and_only_addresses() {
        let list = Address::parse_list(b"127.0.0.1,fe80::1%lo;10.0.0.1 10.0.0.2\t10.0.0.3\r\n");
        assert_eq!(list.map(|list| list.len()), Some(5));
        assert_eq!(Address::parse_list(b""), Some(vec![]));
        assert_eq!(Address::parse_list(b"127.0.0.1,x"), None);
        assert_eq!(Address::parse_list(b"127.0.0.1.example.com"), None);
    }

    #[test]
    fn the_ends_of_a_connection_are_both_mapped_or_none_is() {
        let ends = |texts: [&str; 2]| texts.map(endpoint);
        let (v4, mapped) = ("127.0.0.1", "::ffff:127.0.0.1");
        for (given, found) in [
            ([mapped, mapped], Some([v4, v4])),
            ([v4, v4], Some([v4, v4])),
            (["::1", "fe80::1%lo"], Some(["::1", "fe80::1%lo"])),
            ([mapped, "::1"], None),
            (["::", mapped], None),
        ] {
            assert_eq!(unmapped_ends(ends(given)), found.map(ends), "{given:?}");
        }
    }

    #[test]
    fn socket_addresses_convert_both_ways() {
        for text in ["127.0.0.1:80", "[::ffff:1.2.3.4]:65535", "[fe80::1%1]:7"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Endpoint::from(address).socket_address(), Ok(address));
        }
    }
}
