//! Which clients count as one.

use std::fmt;

use cli::address::{Address, Ip};

/// The number of bits of an IPv6 address.
const ALL: u8 = 128;

/// A client, as limits count it: an IPv4 address, or the first bits of an IPv6 address, with its
/// zone.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ClientKey {
    address: Address,
    prefix: u8,
}

impl ClientKey {
    /// The client at `address`, which is not IPv4-mapped. `prefix` is the number of bits of an
    /// IPv6 address that count, at most 128.
    pub fn new(address: Address, prefix: u8) -> Self {
        let Ip::V6(bytes) = address.ip else {
            let prefix = ALL;
            return Self { address, prefix };
        };
        let prefix = prefix.min(ALL);
        let mask = u128::MAX.checked_shl((ALL - prefix).into()).unwrap_or(0);
        let ip = Ip::V6((u128::from_be_bytes(bytes) & mask).to_be_bytes());
        let address = Address { ip, ..address };
        Self { address, prefix }
    }
}

/// The address; if not all of it counts, the prefix in the form `2001:db8::/64`.
impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, prefix } = self;
        if *prefix == ALL {
            address.fmt(f)
        } else {
            write!(f, "{address}/{prefix}")
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The client at this address.
    pub fn client(address: &str, prefix: u8) -> ClientKey {
        ClientKey::new(Address::parse(address.as_bytes()).unwrap(), prefix)
    }

    #[test]
    fn first_bits_of_an_ipv6_address_and_its_zone_make_the_client() {
        let address = "2001:db8:1234:5678:9abc:def0:1234:5678";
        for (prefix, shown) in [
            (128, "2001:db8:1234:5678:9abc:def0:1234:5678"),
            (127, "2001:db8:1234:5678:9abc:def0:1234:5678/127"),
            (125, "2001:db8:1234:5678:9abc:def0:1234:5678/125"),
            (124, "2001:db8:1234:5678:9abc:def0:1234:5670/124"),
            (64, "2001:db8:1234:5678::/64"),
            (56, "2001:db8:1234:5600::/56"),
            (48, "2001:db8:1234::/48"),
            (1, "::/1"),
        ] {
            assert_eq!(client(address, prefix).to_string(), shown);
        }
        let near = client("2001:db8::1", 64);
        assert_eq!(near, client("2001:db8::ffff:0:0:1", 64));
        assert_ne!(near, client("2001:db8:0:1::1", 64));
        assert_ne!(near, client("2001:db8::1", 128));
        let (a, b) = (client("fe80::1%eth0", 64), client("fe80::2%eth0", 64));
        assert_eq!((a, a.to_string().as_str()), (b, "fe80::%eth0/64"));
        assert_ne!(a, client("fe80::1%eth1", 64));
    }

    #[test]
    fn ipv4_address_is_one_client_whatever_the_prefix() {
        let (a, b) = (client("192.0.2.7", 64), client("192.0.2.7", 1));
        assert_eq!((a, a.to_string().as_str()), (b, "192.0.2.7"));
        assert_ne!(a, client("192.0.2.6", 1));
    }
}
