//! What is asked, and what the answer says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cli::address::Address;

use crate::{Failure, Name};

/// A query to the DNS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Query {
    /// For the IPv4 addresses of a name.
    A(Name),
    /// For the IPv6 addresses of a name.
    Aaaa(Name),
    /// For the name of an address.
    Ptr(IpAddr),
    /// For records of a name, and whether DNSSEC secures them (RFC 4035 section 3.2).
    Secured(Name, SecuredKind),
}

/// The type of records about which [`Query::Secured`] asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecuredKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The alias itself, which is not followed.
    Cname,
    /// TLSA records (RFC 6698).
    Tlsa,
}

impl Query {
    /// The answer without a server: the loopback address for `localhost` and names
    /// under it (RFC 6761, 6.3).
    pub(crate) fn without_asking(&self) -> Option<Answer> {
        let (name, ip) = match self {
            Self::A(name) => (name, Ipv4Addr::LOCALHOST.into()),
            Self::Aaaa(name) => (name, Ipv6Addr::LOCALHOST.into()),
            Self::Ptr(_) | Self::Secured(..) => return None,
        };
        name.is_localhost().then(|| Answer::Addresses(vec![ip]))
    }
}

/// The result of a query. It is never empty, except [`Secured::records`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The addresses of a name, in the server's order.
    Addresses(Vec<IpAddr>),
    /// The name of an address, as [`host_name`] returns it.
    HostName(String),
    /// The records of a name.
    Secured(Secured),
}

/// What the server says about the records of a name, or about their absence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Secured {
    /// Whether the server says that DNSSEC secures the whole answer, aliases and the absence of
    /// records included: the AD bit. It means something only if the server and the path to it
    /// are trusted.
    pub authentic: bool,
    /// Whether the name is an alias that was followed.
    pub aliased: bool,
    /// The name at the end of the chain of aliases, in lower case. None if there are no records,
    /// for TLSA records, and for aliases themselves.
    pub owner: Option<Name>,
    /// The data of TLSA records, in the server's order; nothing of other types. The error, if
    /// there are no records, is negative.
    pub records: Result<Vec<Vec<u8>>, Failure>,
    /// The server that says it. None before it is known.
    pub server: Option<Address>,
}

impl Answer {
    /// The addresses, if it has any.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Addresses(addresses) => addresses,
            Self::HostName(_) | Self::Secured(_) => &[],
        }
    }
}
