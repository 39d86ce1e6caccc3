//! What the name of a server is compared with, as text for messages.

use std::net::IpAddr;

use crate::x509::der::{SEQUENCE, element, expect};
use crate::x509::{Certificate, SUBJECT_ALT_NAME};

/// The tags of the kinds of GeneralName that count (RFC 5280 section 4.2.1.6).
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

impl Certificate<'_> {
    /// The host names and addresses of the subjectAltName, or the common name
    /// if there is no such extension (RFC 9525 section 2): what the issuer has
    /// written there, whatever it is.
    pub fn identities(&self) -> Vec<Vec<u8>> {
        match self.extension(&SUBJECT_ALT_NAME) {
            Some(names) => alternative(names),
            None => {
                let name = self.subject().common_name();
                name.map(String::into_bytes).into_iter().collect()
            }
        }
    }
}

/// Those of a GeneralNames, up to where it is malformed.
fn alternative(names: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = expect(names, SEQUENCE).map_or(&[][..], |(names, _)| names);
    while let Some((tag, name, more)) = element(rest) {
        match tag {
            DNS_NAME => found.push(name.to_vec()),
            IP_ADDRESS => found.extend(address(name).map(|ip| ip.to_string().into_bytes())),
            _ => {}
        }
        rest = more;
    }
    found
}

/// None: of neither family.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::encode;

    #[test]
    fn host_names_and_addresses_are_there_and_nothing_else() {
        let names = [
            encode(0x81, b"joe@example.org"),
            encode(DNS_NAME, b"*.example.org"),
            encode(0x86, b"http://example.org"),
            encode(IP_ADDRESS, &[192, 0, 2, 1]),
            encode(IP_ADDRESS, &[0; 16]),
            encode(IP_ADDRESS, &[1; 5]),
            encode(DNS_NAME, b"\xff\n"),
            vec![DNS_NAME, 9, b'x'],
        ];
        let found = alternative(&encode(SEQUENCE, &names.concat()));
        let expected = [&b"*.example.org"[..], b"192.0.2.1", b"::", b"\xff\n"];
        assert_eq!(found, expected);
        for none in [&b""[..], &[SEQUENCE, 0], b"junk"] {
            assert!(alternative(none).is_empty());
        }
    }
}
