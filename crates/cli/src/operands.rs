//! The operands of servers and clients: addresses, ports, hosts.
//!
//! Each program of a chain checks what it hands on. So the program that the user has called
//! reports a mistake.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::Fatal;
use crate::address::{Address, Endpoint, parse_port};
use crate::checks;
use crate::fatal::show;

/// The operands `ip` and `port` of a server. Anything else is wrong usage.
pub fn endpoint(ip: &OsStr, port: &OsStr) -> Result<Endpoint, Fatal> {
    let address =
        Address::parse(ip.as_bytes()).ok_or_else(|| wrong("ip", &checks::no_address(ip), ip))?;
    Ok(Endpoint {
        address,
        port: self::port(port)?,
    })
}

/// The operand `port`, a number. Anything else is wrong usage, also the name of a service.
pub fn port(text: &OsStr) -> Result<u16, Fatal> {
    parse_port(text.as_bytes())
        .ok_or_else(|| wrong("port", "must be a number from 0 to 65535", text))
}

/// The operand `host` of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Host {
    /// `0` or an empty text: this host.
    Local,
    /// One address or several.
    Addresses(Vec<Address>),
    /// A name to be looked up.
    Name,
}

impl Host {
    /// Reads `text`. It is wrong usage if it is an address in brackets, or a name although `names`
    /// is false.
    pub fn parse(text: &OsStr, names: bool) -> Result<Self, Fatal> {
        if matches!(text.as_bytes(), b"" | b"0") {
            return Ok(Self::Local);
        }
        match Address::parse_list(text.as_bytes()) {
            Some(list) if !list.is_empty() => Ok(Self::Addresses(list)),
            _ if checks::in_brackets(text) => Err(wrong("host", &checks::no_address(text), text)),
            _ if names => Ok(Self::Name),
            _ => Err(wrong("host", "must be an IP address with -H", text)),
        }
    }
}

fn wrong(operand: &str, complaint: &str, text: &OsStr) -> Fatal {
    Fatal::user(format!("{operand} {complaint}: {}", show(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_ip_or_port_is_named() {
        let endpoint = |ip: &str, port: &str| endpoint(ip.as_ref(), port.as_ref());
        let port = 8443;
        for text in ["::", "fe80::1%eth0"] {
            let address = Address::parse(text.as_bytes()).unwrap();
            assert_eq!(endpoint(text, "8443"), Ok(Endpoint { address, port }));
        }
        for (ip, port, message) in [
            ("localhost", "1", "ip must be an IP address: localhost"),
            ("", "1", "ip must be an IP address: "),
            ("127.1", "x", "ip must be an IP address: 127.1"),
            (
                "[::1]",
                "1",
                "ip must be an IP address without brackets: [::1]",
            ),
            ("[x]", "1", "ip must be an IP address: [x]"),
            (
                "::",
                "https",
                "port must be a number from 0 to 65535: https",
            ),
            (
                "::",
                "99999",
                "port must be a number from 0 to 65535: 99999",
            ),
        ] {
            assert_eq!(endpoint(ip, port), Err(Fatal::user(message)));
        }
    }

    #[test]
    fn a_host_that_is_not_wholly_addresses_is_a_name() {
        let host = |text: &str, names| Host::parse(text.as_ref(), names);
        let count = |text: &str| match host(text, true) {
            Ok(Host::Addresses(list)) => Some(list.len()),
            Ok(Host::Name) => None,
            other => panic!("{other:?}"),
        };
        for (text, addresses) in [
            ("127.0.0.1", Some(1)),
            ("127.0.0.1,::1;", Some(2)),
            ("fe80::1%eth0", Some(1)),
            ("127.0.0.1.example.com", None),
            ("10.0.0.1-x", None),
            ("localhost", None),
            (",", None),
        ] {
            assert_eq!(count(text), addresses, "{text}");
        }
        assert_eq!(host("", false), Ok(Host::Local));
        assert_eq!(host("0", false), Ok(Host::Local));
        let no_name = Fatal::user("host must be an IP address with -H: localhost");
        assert_eq!(host("localhost", false), Err(no_name));
        for names in [false, true] {
            let brackets = Fatal::user("host must be an IP address without brackets: [::1]");
            assert_eq!(host("[::1]", names), Err(brackets));
        }
    }
}
